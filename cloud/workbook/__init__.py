"""Spreadsheets in and out: Excel and CSV to tables of plain cells, tables to Excel and CSV.

reading     a file somebody uploads, whatever made it, within limits
writing     templates, lists, the rows that were refused

The invariant: no formula is ever read or written; what leaves begins with no sign a spreadsheet would run.
"""
