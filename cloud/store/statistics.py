"""What SQLite's planner goes by, kept true: how many rows there are, and how they differ.

Without it an account's dozen invoices are looked for among all of a site's. PostgreSQL counts by itself.
"""

from cloud.store.db import Tx

# Rows looked at per index: enough to tell a key of one row from a key of thousands, in milliseconds.
_ROWS_LOOKED_AT = 1000
# Analyse what would profit, and look at every table for that, also those this connection never used.
_EVERY_TABLE = 0x10002


def refresh(tx: Tx) -> None:
    """Let SQLite count anew where the counts it has have gone wrong; readers begun before do not see it."""
    if tx.is_postgresql:
        return
    tx.conn.exec_driver_sql(f"PRAGMA analysis_limit = {_ROWS_LOOKED_AT}")
    tx.conn.exec_driver_sql(f"PRAGMA optimize = {_EVERY_TABLE}")
