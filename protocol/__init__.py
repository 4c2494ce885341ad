"""What edge and cloud say to each other, and what field devices say.

Everything here is pure: values, and functions from bytes to values and back. It imports
nothing else of ours and reaches no clock, socket, file or database, so that both sides,
the simulator and the fuzzers can use it directly.
"""
