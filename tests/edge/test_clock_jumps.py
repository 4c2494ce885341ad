"""The real agent while somebody turns the machine's clock: libfaketime gives the process another time."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.reading import Quality
from tests.edge.test_agent import building, stored, until

# As a box sees it whose clock is empty at the start, is set, put far ahead, and back before where it was.
_JUMPS = ("@1970-01-01 00:00:10", "+0", "+400d", "-365d")
_READINGS_EACH = 150


@pytest.fixture
def libfaketime() -> Path:
    """The library, where Debian's package puts it."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if found is None:
        pytest.skip("libfaketime is not installed on this machine")
    return found


async def test_whatever_the_clock_does_polling_goes_on_and_nothing_read_is_lost(
    libfaketime: Path, tmp_path: Path
) -> None:
    told_time = tmp_path / "time"
    told_time.write_text(_JUMPS[0])
    environment = {
        "LD_PRELOAD": str(libfaketime),
        "FAKETIME_TIMESTAMP_FILE": str(told_time),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # nor does a real clock that is set
    }
    async with building(tmp_path) as (simulation, config):
        text = config.read_text(encoding="utf-8").replace("interval_s = 60", "interval_s = 1")
        config.write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            "env", *(f"{name}={value}" for name, value in environment.items()),
            sys.executable, "-m", "edge", "run", str(config), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        for jump in _JUMPS:
            told_time.write_text(jump)
            read = len(simulation.ledger)
            await until(lambda read=read: len(simulation.ledger) > read + _READINGS_EACH)  # type: ignore[misc]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, errors = await process.communicate()
        issued = list(simulation.ledger.items(0, 100_000))

    assert process.returncode == 0, errors.decode()
    readings, _ = stored(tmp_path)
    years = {reading.measured_at_ms // 31_556_952_000 + 1970 for reading in readings}
    assert 1970 in years, "the clock was not turned"
    assert len(years) >= 3
    assert {reading.quality for reading in readings} == {Quality.GOOD}
    told = {(f"{item.device_id}/{item.point}", item.value_micro) for item in issued}
    assert {(reading.point_key, reading.value_micro) for reading in readings} <= told
    # Only an exchange that SIGTERM cut short may have been issued and not taken.
    assert len(issued) - len(readings) < 50
