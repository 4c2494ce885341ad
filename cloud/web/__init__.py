"""What every HTTP door shares: names for requests, who is asking, which headers protect the answer.

The invariant: no door can forget any of it, because the application wires it around all of them.
"""
