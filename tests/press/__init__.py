"""Papers: what is on them, and that the same paper is the same bytes."""
