"""How far one box goes: the most readings a second, memory at 5,000 points, what a dead line costs others.

A line is black-holed in both ways there are: a port whose connections are never completed (its queue is
full, so the kernel drops them), and one that takes a connection and never says a word. Jitter is taken where
it counts, at the meters: how far from a period apart two requests to the same meter came.
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.box import READINGS, Meters, running_edge, running_meters
from bench.measure import integer, row, usage_of

WARM_UP_S = 4.0
WINDOW_S = 15.0

# What others reached with all of 200 meters' registers in one read each, measured apart from this run.
PEERS = {
    "thingsboard-gateway 3.8.5, SQLite, asked for 40,000/s": "5,000 to 9,000 delivered, 91 to 97 % of a core",
    "Node-RED 4.1 with modbus 5.60, not durable, asked for 80,000/s": "51,000 to 53,000, 102 %, 243 MiB",
}

_WIDTHS = (44, 12, 15, 8, 9, 15, 10)


def main(window_s: float = WINDOW_S) -> int:
    """Run and print the table; return 0."""
    print(f"limits: Modbus TCP meters of {READINGS} points, one read a meter, every reading on disk")
    print(
        row(
            "", "readings/s", "CPU-s/100,000", "CPU %", "RSS MiB", "jitter p99 ms", "worst ms", widths=_WIDTHS
        )
    )
    with running_meters(250) as meters:
        _measure("250 meters every second: 5,000 points", meters, 1.0, window_s)
    with running_meters(300) as meters:
        _measure("300 meters ten times a second", meters, 0.1, window_s)
    with running_meters(50) as meters:
        _measure("50 meters every second", meters, 1.0, window_s)
        with _never_connected() as dropped, _never_answered() as silent:
            _measure("the same beside two black-holed lines", meters, 1.0, window_s, (dropped, silent))
    for peer, figures in PEERS.items():
        print(f"for comparison: {peer}: {figures}")
    return 0


def _measure(
    title: str, meters: Meters, period_s: float, window_s: float, dead_ports: tuple[int, ...] = ()
) -> None:
    with running_edge(meters, period_s, dead_ports) as pid:
        time.sleep(WARM_UP_S)
        meters.jitter_ms(period_s)
        served, before, started = meters.served(), usage_of(pid), time.monotonic()
        time.sleep(window_s)
        after, ended = usage_of(pid), time.monotonic()
        readings = (meters.served() - served) * READINGS
        p99_ms, worst_ms = meters.jitter_ms(period_s)
    cpu_s, took_s = after.cpu_s - before.cpu_s, ended - started
    cells = (
        integer(readings / took_s),
        cpu_s / readings * 100_000,
        f"{100 * cpu_s / took_s:.0f}",
        f"{after.rss_peak_mib:.0f}",
        f"{p99_ms:.1f}",
        f"{worst_ms:.1f}",
    )
    print(row(title, *cells, widths=_WIDTHS), flush=True)


@contextmanager
def _never_connected() -> Iterator[int]:
    """Return a port to which no connection is ever completed."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:  # fills the queue; the kernel drops whoever comes after
            one.setblocking(False)
            one.connect_ex(address)
        try:
            yield address[1]
        finally:
            for one in waiting:
                one.close()


@contextmanager
def _never_answered() -> Iterator[int]:
    """Return a port that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
