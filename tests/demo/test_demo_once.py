"""The whole thing: a short demonstration of the real programs proves itself and leaves nothing running."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TIMEOUT_S = 600  # half a minute on an idle machine; a test run is not one


def figure(told: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}\s+(\S+)", told, re.MULTILINE)
    assert found is not None, told
    return found[1].replace(",", "")


def command_lines() -> Iterator[tuple[str, str]]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (
                process.name,
                (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
            )


def test_a_short_demonstration_proves_itself(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "gatehouse",
        "demo",
        "--once",
        "--days",
        "1",
        "--dir",
        str(tmp_path / "demo"),
    ]

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )

    told = done.stdout
    assert done.returncode == 0, told + done.stderr
    issued = figure(told, "readings issued by the simulator")
    assert int(issued) > 244 * 24
    assert figure(told, "readings accepted by the edge") == issued
    assert figure(told, "readings visible in the cloud") == issued
    assert int(figure(told, "invoices")) >= 2 * 24
    assert figure(told, "fen recomputed from traces") == figure(told, "total fen")
    assert 0 < float(figure(told, "alarm latency, fire, polled each second")) < 5
    assert 0 <= float(figure(told, "alarm latency, leak, told by radio")) < 5
    taken = re.search(
        r"^pictures cameras took of alarms and when asked\s+(\d+) \+ (\d+)$", told, re.MULTILINE
    )
    assert taken is not None
    assert int(taken[1]) >= 2
    assert int(taken[2]) == 3
    assert "\x1b" not in told
    assert [pid for pid, words in command_lines() if str(tmp_path) in words] == []
