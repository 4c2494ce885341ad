"""The edge agent under test: meters in one process, the real agent in another, its buffer counted after.

Nothing of the agent is replaced: real sockets, real buffer on disk (WAL, synchronous=FULL), and no cloud
to send to. What was read is counted by the meters themselves and must be in the buffer it leaves behind.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.buffer_file import open_store

READINGS = 20  # a meter

_PYTHON = sys.executable
# Twenty different 32-bit quantities need twenty names; a state or instant value of any kind will do.
_QUANTITIES = (
    "voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c", "active_power",
    "active_power_a", "active_power_b", "active_power_c", "reactive_power", "apparent_power", "power_factor",
    "frequency", "active_energy_import", "active_energy_export", "reactive_energy_import",
    "reactive_energy_export", "temperature", "run_time",
)  # fmt: skip


class Meters:
    """The responder process: knows its ports, how many requests it has served, and how regularly."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ports = [int(port) for port in self._ask(None).split()[1:]]

    def served(self) -> int:
        """Return the number of requests answered so far."""
        return int(self._ask("served"))

    def jitter_ms(self, period_s: float) -> tuple[float, float]:
        """Return how far apart from the period requests came since this was last asked: p99 and worst."""
        p99, worst = self._ask(f"jitter {period_s}").split()
        return float(p99), float(worst)

    def _ask(self, question: str | None) -> str:
        assert self._process.stdin
        assert self._process.stdout
        if question is not None:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the responder ended")
        return line


@contextmanager
def running_meters(count: int) -> Iterator[Meters]:
    """Run so many meters, each on a port of its own."""
    command = [_PYTHON, "-m", "bench.responder", str(count), str(2 * READINGS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Meters(process)
        finally:
            process.terminate()


@contextmanager
def running_edge(
    meters: Meters, period_s: float, dead_ports: Sequence[int] = (), folder: Path | None = None
) -> Iterator[int]:
    """Run the agent against all meters, and against ports where nobody answers; its process id.

    It lives in `folder`, on the store that is there, or in one of its own. That is gone afterwards.
    """
    folder = folder or Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    config = folder / "edge.toml"
    (folder / "bench_meter.toml").write_text(_profile())
    config.write_text(_config([*meters.ports, *dead_ports], period_s, folder))
    # A box that has run before: its store is there, and need not be made by what is measured.
    if not (folder / "buffer.sqlite").exists():
        open_store(folder / "buffer.sqlite", lambda: 1, 0).close()
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
            _check_stored(folder / "buffer.sqlite", (meters.served() - served) * READINGS, len(meters.ports))
            if "GATEHOUSE_BENCH_KEEP" not in os.environ:
                shutil.rmtree(folder, ignore_errors=True)


def _check_stored(buffer: Path, read: int, meters: int) -> None:
    """Raise unless all that was read is stored as good, but for one answer a meter cut off by the end."""
    connection = sqlite3.connect(buffer)
    question = "SELECT stored_rows FROM stream WHERE name = 'history'"
    (stored,) = connection.execute(question).fetchone()
    connection.close()
    # Failed readings of dead ports are stored too, so only a shortage is a fault.
    if stored < read - meters * READINGS:
        raise RuntimeError(f"{read} readings were answered and {stored} are stored")


def _profile() -> str:
    points = "\n".join(
        f'  {{ name = "{name}", table = "holding_register", address = {2 * k}, encoding = "uint32", '
        'scale = "0.01" },'
        for k, name in enumerate(_QUANTITIES)
    )
    return f'title = "Bench meter"\nsource = "bench"\nprotocol = "modbus"\n\npoints = [\n{points}\n]\n'


def _config(ports: Sequence[int], period_s: float, folder: Path) -> str:
    head = (
        '[gateway]\ncode = "bench"\ntime_zone = "Asia/Shanghai"\n\n'
        f'[buffer]\npath = "{folder / "buffer.sqlite"}"\n\n[page]\nport = 0\n'
    )
    lines = "".join(
        f'\n[[lines]]\nid = "line-{number}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        f'\n[[devices]]\nid = "meter-{number}"\nline = "line-{number}"\n'
        f'profile = "{folder / "bench_meter.toml"}"\naddress = "1"\ninterval_s = {period_s:g}\n'
        for number, port in enumerate(ports)
    )
    return head + lines
