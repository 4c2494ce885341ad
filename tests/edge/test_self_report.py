"""What the agent tells of itself, as the cloud gets it."""

import asyncio
from pathlib import Path

from edge.buffer import Buffer
from edge.counters import CounterGuard
from edge.intake import Intake
from edge.rules.offline import Offline
from edge.self_report import SelfReport
from protocol.envelope import decode_events
from protocol.event import Event, EventState, Severity
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.edge.building_blocks import ToldClock, reading, rng

_DAY_MS = 86_400_000


async def told_by(folder: Path, *, up_ms: int) -> list[Event]:
    """Start an agent on the store in the folder; return all that was ever told there."""
    clock = ToldClock(up_ms)
    settings = BufferSettings(folder / "buffer.sqlite", 50, 1 << 30)
    async with Buffer(settings, clock, rng()) as buffer:
        report = SelfReport(buffer, Intake(buffer, (), Offline(), CounterGuard({}), clock), clock)
        for _ in range(2):  # as a part that broke is begun again
            running = asyncio.ensure_future(report.run())
            await asyncio.sleep(0)
            running.cancel()
        buffer.put([reading("em-1/voltage", 1)])
        await buffer.flush()
        blocks = await buffer.peek(Stream.EVENT, blocks_max=9, rows_max=99, bytes_max=1 << 20)
    return [event for block in blocks for event in decode_events(block.payload, block.count)]


async def test_each_start_is_told_once_and_whether_the_box_was_started_too(tmp_path: Path) -> None:
    await told_by(tmp_path, up_ms=90_000)
    events = await told_by(tmp_path, up_ms=3 * _DAY_MS)

    assert [(event.kind, event.state, event.point_key) for event in events] == [
        ("agent_started", EventState.OCCURRED, "")
    ] * 2
    assert [event.message.partition(", ")[2] for event in events] == [
        "the box has been up for 1 min",
        "the box has been up for 72 h",
    ]


async def test_a_damaged_store_is_told_once_with_what_was_saved_and_where_the_rest_lies(
    tmp_path: Path,
) -> None:
    await told_by(tmp_path, up_ms=0)
    (tmp_path / "buffer.sqlite").write_bytes(b"no database" * 999)

    events = await told_by(tmp_path, up_ms=0)

    assert [(event.kind, event.severity, event.message) for event in events[1:]] == [
        (
            "buffer_damaged",
            Severity.MAJOR,
            "0 rows were salvaged; what was damaged is kept in buffer.sqlite.damaged-0",
        )
    ]
