"""Codecs of field protocols: bytes to values and back, without any I/O.

A codec either returns what the bytes say, exactly, or raises a ProtocolError; it never guesses.
"""
