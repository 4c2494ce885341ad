"""Edge polling, everything durable, beside pymodbus that decodes and forgets.

100 meters with 20 points each are asked once a second over Modbus TCP by the real agent with its real
buffer on disk (WAL, synchronous=FULL) and no cloud to send to; the same meters are asked by bare
pymodbus, all at once and, like ours, spread over the second (`bench.raw_polling` says why both). Rounds
alternate so that all see the same machine. Readings are counted by the meters themselves, and the
agent's again in the buffer it leaves behind.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.measure import integer, row, usage_of

METERS = 100
READINGS = 20
PERIOD_S = 1.0
WARM_UP_S = 4.0  # connections are made and the interpreter's start is not counted

ROUNDS = 3
WINDOW_S = 15.0

_PYTHON = sys.executable
# Twenty different 32-bit quantities need twenty names; a state or instant value of any kind will do.
_QUANTITIES = (
    "voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c", "active_power",
    "active_power_a", "active_power_b", "active_power_c", "reactive_power", "apparent_power", "power_factor",
    "frequency", "active_energy_import", "active_energy_export", "reactive_energy_import",
    "reactive_energy_export", "temperature", "run_time",
)  # fmt: skip


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


class Meters:
    """The responder process: knows its ports and how many requests it has served."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ports = [int(port) for port in self._line().split()[1:]]

    def served(self) -> int:
        """Return the number of requests answered so far."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the responder ended")
        return line


def main(rounds: int = ROUNDS, window_s: float = WINDOW_S) -> int:
    """Run the rounds and print the table; return 0."""
    print(f"polling: {METERS} meters x {READINGS} points, every {PERIOD_S:g} s, Modbus TCP, one read a meter")
    widths = (24, 13, 15, 12, 12)
    print(row("", "readings/s", "CPU-s/100,000", "CPU %", "RSS MiB", widths=widths))
    results: dict[str, list[Result]] = {name: [] for name in CONTESTANTS}
    with _meters() as meters:
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
    return 0


def _measure(meters: Meters, pid: int, window_s: float) -> Result:
    time.sleep(WARM_UP_S)
    served, before, started = meters.served(), usage_of(pid), time.monotonic()
    time.sleep(window_s)
    after, ended = usage_of(pid), time.monotonic()
    readings = (meters.served() - served) * READINGS
    return Result(readings, ended - started, after.cpu_s - before.cpu_s, after.rss_peak_mib)


@contextmanager
def _meters() -> Iterator[Meters]:
    command = [_PYTHON, "-m", "bench.responder", str(METERS), str(2 * READINGS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Meters(process)
        finally:
            process.terminate()


@contextmanager
def _pymodbus(spread: int, meters: Meters) -> Iterator[int]:
    settings = [str(READINGS), str(PERIOD_S), str(spread), *map(str, meters.ports)]
    command = [_PYTHON, "-m", "bench.raw_polling", *settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def _edge(meters: Meters) -> Iterator[int]:
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    config = folder / "edge.toml"
    (folder / "bench_meter.toml").write_text(_profile())
    config.write_text(_config(meters.ports, folder))
    log = folder / "log"
    served = meters.served()
    with log.open("w") as output:
        command = [_PYTHON, "-m", "gatehouse", "edge", "run", str(config)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield process.pid
            if process.poll() is not None:
                raise RuntimeError(f"the edge ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _check_stored(folder / "buffer.sqlite", (meters.served() - served) * READINGS)
            if "GATEHOUSE_BENCH_KEEP" not in os.environ:
                shutil.rmtree(folder, ignore_errors=True)


def _check_stored(buffer: Path, read: int) -> None:
    """Raise unless all that was read is in the buffer, but for one answer a meter cut off by the end."""
    connection = sqlite3.connect(buffer)
    question = "SELECT stored_rows FROM stream WHERE name = 'history'"
    (stored,) = connection.execute(question).fetchone()
    connection.close()
    if not read - METERS * READINGS <= stored <= read:
        raise RuntimeError(f"{read} readings were answered and {stored} are stored")


CONTESTANTS: dict[str, Callable[[Meters], AbstractContextManager[int]]] = {
    "pymodbus, all at once": partial(_pymodbus, 0),
    "pymodbus, spread": partial(_pymodbus, 1),
    "gatehouse edge": _edge,
}


def _profile() -> str:
    points = "\n".join(
        f'  {{ name = "{name}", table = "holding_register", address = {2 * k}, encoding = "uint32", '
        'scale = "0.01" },'
        for k, name in enumerate(_QUANTITIES)
    )
    return f'title = "Bench meter"\nsource = "bench"\nprotocol = "modbus"\n\npoints = [\n{points}\n]\n'


def _config(ports: list[int], folder: Path) -> str:
    head = (
        '[gateway]\ncode = "bench"\ntime_zone = "Asia/Shanghai"\n\n'
        f'[buffer]\npath = "{folder / "buffer.sqlite"}"\n\n[page]\nport = 0\n'
    )
    lines = "".join(
        f'\n[[lines]]\nid = "line-{number}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        f'\n[[devices]]\nid = "meter-{number}"\nline = "line-{number}"\n'
        f'profile = "{folder / "bench_meter.toml"}"\naddress = "1"\ninterval_s = {PERIOD_S:g}\n'
        for number, port in enumerate(ports)
    )
    return head + lines


if __name__ == "__main__":
    sys.exit(main())
