"""Edge polling, everything durable, beside pymodbus that decodes and forgets.

100 meters with 20 points each are asked once a second over Modbus TCP by the real agent with its real
buffer on disk (WAL, synchronous=FULL) and no cloud to send to; the same meters are asked by bare
pymodbus, all at once and, like ours, spread over the second (`bench.raw_polling` says why both). Rounds
alternate so that all see the same machine. Readings are counted by the meters themselves, and the
agent's again in the buffer it leaves behind.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.box import READINGS, Meters, running_edge, running_meters
from bench.measure import integer, row, usage_of

METERS = 100
PERIOD_S = 1.0
WARM_UP_S = 4.0  # connections are made and the interpreter's start is not counted

# The same meters, points and period asked by others, measured apart from this run (November 2026, two
# cores, Debian 12). Absolute figures move with the machine: compare each with its own pymodbus.
PEERS = {
    "thingsboard-gateway 3.8.5, SQLite, beside pymodbus at 0.43 to 0.49": "9.1 to 9.6 CPU-s/100,000, 77 MiB",
    "thingsboard-gateway 3.8.5, SQLite, beside pymodbus at 1.0 to 1.2": "13.1 to 17.2 CPU-s/100,000, 70 MiB",
    "Node-RED 4.1 with modbus 5.60, not durable, same run": "3.8 to 6.6 CPU-s/100,000, 137 MiB",
    "libmodbus in C, decoding and forgetting, same run": "0.09 to 0.13 CPU-s/100,000, 2 MiB",
}

ROUNDS = 3
WINDOW_S = 15.0

_PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class Result:
    """One round of one contestant."""

    readings: int
    window_s: float
    cpu_s: float
    rss_peak_mib: float

    @property
    def readings_per_s(self) -> float:
        """Return the rate reached."""
        return self.readings / self.window_s

    @property
    def cpu_s_per_100k(self) -> float:
        """Return CPU seconds a hundred thousand readings."""
        return self.cpu_s / self.readings * 100_000


def main(rounds: int = ROUNDS, window_s: float = WINDOW_S) -> int:
    """Run the rounds and print the table; return 0."""
    print(f"polling: {METERS} meters x {READINGS} points, every {PERIOD_S:g} s, Modbus TCP, one read a meter")
    widths = (24, 13, 15, 12, 12)
    print(row("", "readings/s", "CPU-s/100,000", "CPU %", "RSS MiB", widths=widths))
    results: dict[str, list[Result]] = {name: [] for name in CONTESTANTS}
    with running_meters(METERS) as meters:
        for _ in range(rounds):
            for name, contestant in CONTESTANTS.items():
                with contestant(meters) as pid:
                    result = _measure(meters, pid, window_s)
                results[name].append(result)
                cpu_percent = 100 * result.cpu_s / result.window_s
                print(
                    row(
                        name, integer(result.readings_per_s), result.cpu_s_per_100k, f"{cpu_percent:.1f}",
                        f"{result.rss_peak_mib:.0f}", widths=widths,
                    ),
                    flush=True,
                )  # fmt: skip
    medians = {name: median([r.cpu_s_per_100k for r in its]) for name, its in results.items()}
    ours = medians.pop("gatehouse edge")
    for name, cpu_s in medians.items():
        print(f"ratio: {ours / cpu_s:.2f} x the CPU of {name} (medians of {rounds}), every reading on disk")
    for peer, figures in PEERS.items():
        print(f"for comparison: {peer}: {figures}")
    return 0


def _measure(meters: Meters, pid: int, window_s: float) -> Result:
    time.sleep(WARM_UP_S)
    served, before, started = meters.served(), usage_of(pid), time.monotonic()
    time.sleep(window_s)
    after, ended = usage_of(pid), time.monotonic()
    readings = (meters.served() - served) * READINGS
    return Result(readings, ended - started, after.cpu_s - before.cpu_s, after.rss_peak_mib)


@contextmanager
def _pymodbus(spread: int, meters: Meters) -> Iterator[int]:
    settings = [str(READINGS), str(PERIOD_S), str(spread), *map(str, meters.ports)]
    command = [_PYTHON, "-m", "bench.raw_polling", *settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


CONTESTANTS: dict[str, Callable[[Meters], AbstractContextManager[int]]] = {
    "pymodbus, all at once": partial(_pymodbus, 0),
    "pymodbus, spread": partial(_pymodbus, 1),
    "gatehouse edge": partial(running_edge, period_s=PERIOD_S),
}


if __name__ == "__main__":
    sys.exit(main())
