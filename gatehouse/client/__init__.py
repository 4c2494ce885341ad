"""`gatehouse client`: a typed Python package for the API, written from the cloud's own document.

What it writes stands alone: it needs msgspec and the standard library, nothing of ours. `connection.py` goes
into it as it stands here; `schemas.py` and `operations.py` are written from the document.
"""
