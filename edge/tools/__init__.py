"""For the person at the box: read a device, send a frame, find what is on a bus, listen, gather a report.

Nothing here runs while nobody asks. A tool goes through the running agent where there is one
(`edge.hatch`), so that polling goes on beside it, and opens the bus itself where there is none.
"""
