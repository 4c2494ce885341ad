"""How well a bus is used, and what dead devices cost the others: in virtual time, so on any machine the same.

The optimum knows the bus exactly: characters, silences, turnaround, and every way to divide a map into
requests. The tests hold the same figures (`tests/edge/test_bus_efficiency.py`, `tests/edge/test_poller.py`).
"""

import sys

from bench.measure import row
from tests.edge.test_bus_efficiency import SPANS, share_of_best_2400, share_of_best_9600
from tests.edge.test_poller import twenty

_HOUR_S = 3600.0
_WIDTHS = (58, 12, 8)
_SHARE_MIN = 0.9
_GROWTH_MAX = {1: 0.05, 10: 0.25}

# A dead unit among ten on a serial bus at 19200 baud, measured apart from this run: the others' cycle.
PEERS = {
    "thingsboard-gateway 3.8.5, timeout 3 s and 3 retries": "12.6 times as long, every cycle, for ever",
    "thingsboard-gateway 3.8.5, timeout 1 s and no retries": "1.5 times as long",
    "pymodbus, library defaults": "12.5 times as long",
    "pymodbus, timeout 1 s and no retries": "1.5 times as long",
}


def main() -> int:
    """Print the table; return 1 where an aim is missed."""
    print("bus: 9600 baud 8N1 and 2400 baud 8E1, devices that take 10 ms to answer, virtual time")
    print(row("", "reached", "aim", widths=_WIDTHS))
    shares = {
        f"100 points over {span:,} registers, of the best possible": share_of_best_9600(span)
        for span in SPANS
    }
    shares["30 DL/T 645 meters of four rates, of the best possible"] = share_of_best_2400()
    for title, share in shares.items():
        print(row(title, f"{share:.1%}", f"{_SHARE_MIN:.0%}", widths=_WIDTHS), flush=True)
    _, healthy_s = twenty(frozenset(), _HOUR_S)
    is_well = min(shares.values()) >= _SHARE_MIN
    for dead, growth_max in _GROWTH_MAX.items():
        _, wounded_s = twenty(frozenset(range(1, 2 * dead, 2)), _HOUR_S)
        growth = wounded_s / healthy_s - 1
        is_well = is_well and growth <= growth_max
        title = f"{dead} of 20 slaves dead for an hour, the others' p95 cycle"
        print(row(title, f"{growth:+.1%}", f"+{growth_max:.0%}", widths=_WIDTHS), flush=True)
    for peer, figures in PEERS.items():
        print(f"for comparison, one dead of ten: {peer}: {figures}")
    return int(not is_well)


if __name__ == "__main__":
    sys.exit(main())
