"""`gatehouse demo`: a whole simulated property on this machine, from wire to bill.

Simulator, edge and cloud run as child processes and speak to each other as they would anywhere. The
invariant: what this package claims, it has asked the running programs for; it knows no result itself.
"""

from gatehouse.demo.command import demo

__all__ = ["demo"]
