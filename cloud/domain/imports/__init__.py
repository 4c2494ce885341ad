"""Tables people fill in, brought into the system: what columns mean, and what a row would do.

cell      one cell to one value, forgiving what spreadsheets do and refusing what they lose
fault     what is wrong with a cell or a row, in both languages
kind      what a table is about: its columns, and which of them name a thing
plan      every row judged against what is there: new, changed, unchanged, in conflict, wrong
kinds     the tables there are

Pure. The invariant: a plan is a function of the table and of what is there; nothing is written by it,
and the same table again is "unchanged" from the first row to the last.
"""
