"""JSON over HTTP for programs: one file a noun, each with one literal table of routes.

A handler parses, makes one service call and renders. `route.py` says what a route is, `routes.py`
lists all of them, `errors.py` is the only place where an exception becomes a status, `openapi.py`
writes the document. The invariant: a path that is not in the table does not exist.
"""
