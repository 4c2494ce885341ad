"""The console: server-rendered pages for managers and residents.

A page's handler parses the request, calls one service, renders one template, and decides nothing.
Wording lives in the templates and their catalogue, geometry of pictures in `pictures/` (pure),
numbers and times are written by `formats` alone. Every page works without script; htmx, live
updates and charts only make it quicker. The invariant: nothing is shown without its honesty:
unit, age if old, and whether it was measured, estimated or held.
"""
