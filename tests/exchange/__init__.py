"""Tables in and out: read, judged, carried out, undone."""
