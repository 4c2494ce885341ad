"""The tables there are, one file each: their columns, and how cells of them are read."""
