"""Reports and the journal: sums that are the books' own, files that are the same every time."""
