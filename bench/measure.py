"""What a process costs: its CPU seconds and memory as the kernel counts them, seen from outside."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds spent so far (user and system) and the largest resident set so far."""

    cpu_s: float
    rss_peak_mib: float


def usage_of(pid: int) -> Usage:
    """Return what a running process has used; FileNotFoundError if it is gone."""
    # Field 2 of stat is the program's name in parentheses and may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    ticks = int(fields[11]) + int(fields[12])
    try:
        # Nanoseconds of every living thread; the tick count is a hundred thousand times coarser.
        threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
        cpu_s = sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    except FileNotFoundError:
        cpu_s = ticks / _TICKS_PER_S
    return Usage(cpu_s, peak_kib / 1024)


def row(*cells: object, widths: tuple[int, ...]) -> str:
    """Return one line of a table: the first column to the left, figures to the right."""
    shown = [f"{cell:,.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
    first, *rest = zip(shown, widths, strict=True)
    return first[0].ljust(first[1]) + "".join(cell.rjust(width) for cell, width in rest)


def integer(value: float) -> str:
    """Return a whole number with thousands set apart."""
    return f"{round(value):,}"
