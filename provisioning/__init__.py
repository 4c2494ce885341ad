"""Who a gateway is and what it should poll. Imports protocol only."""
