"""What the edge's tests share: a clock that is told, readings, configurations, buses to be asked on."""

import asyncio
import contextlib
import os
import pty
import random
import tty
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.config import BusSettings, Config, LineId, Parity, SerialLine
from edge.config_file import parse_config
from protocol.reading import ClockQuality, Quality, Reading

BUILDING = Path(__file__).with_name("building.toml")
# 2026-09-01T00:00:00+08:00
MIDNIGHT_MS = 1_788_192_000_000


class ToldClock:
    """A clock that stands until it is moved."""

    def __init__(self, at_ms: int = MIDNIGHT_MS) -> None:
        self.at_ms = at_ms
        self.quality = ClockQuality.SYNCED

    def wall_ms(self) -> int:
        return self.at_ms

    def monotonic_ms(self) -> int:
        return self.at_ms


def reading(key: str, value_micro: int | None, at_ms: int = MIDNIGHT_MS) -> Reading:
    quality = Quality.NO_REPLY if value_micro is None else Quality.GOOD
    return Reading(key, at_ms, value_micro, quality, "" if value_micro is not None else "no reply")


def config_of(text: str, folder: Path) -> Config:
    return parse_config(text, folder / "edge.toml")


def bus_settings(**changes: object) -> BusSettings:
    settings: dict[str, object] = {
        "line_id": LineId("bus"),
        "baud": 115200,
        "bits_per_character": 10,
        "timeout_ms": 200,
        "gap_ms": 0.0,
        "late_limit_ms": 600,
    }
    return BusSettings(**(settings | changes))  # type: ignore[arg-type]


Answer = Callable[[bytes], "bytes | list[bytes | float]"]


@dataclass
class Wire:
    """The far end of a bus: hears requests, answers as `answer` says.

    An answer is bytes, or a list of bytes and pauses in seconds, so that it can be split and late.
    """

    answer: Answer
    heard: list[bytes] = field(default_factory=list)
    hang_up: Callable[[], None] = lambda: None


@contextlib.asynccontextmanager
async def serial_wire(answer: Answer) -> AsyncIterator[tuple[SerialLine, Wire]]:
    """A pseudo-terminal whose other end answers; the line's configuration and the wire."""
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    wire = Wire(answer)
    tasks: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        try:
            data = os.read(ours, 4096)
        except OSError:
            loop.remove_reader(ours)
            return
        wire.heard.append(data)
        task = loop.create_task(_play(wire.answer(data), lambda part: os.write(ours, part)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    os.set_blocking(ours, False)
    loop.add_reader(ours, readable)
    closed = False

    def hang_up() -> None:
        nonlocal closed
        if not closed:
            closed = True
            loop.remove_reader(ours)
            os.close(ours)

    wire.hang_up = hang_up
    try:
        yield SerialLine(bus_settings(), os.ttyname(theirs), Parity.NONE, 1), wire
    finally:
        for task in list(tasks):
            task.cancel()
        hang_up()
        os.close(theirs)


@contextlib.asynccontextmanager
async def tcp_wire(answer: Answer, port: int = 0) -> AsyncIterator[tuple[str, int, Wire]]:
    """A TCP server that answers; where it is and the wire."""
    wire = Wire(answer)
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while data := await reader.read(4096):
                wire.heard.append(data)
                await _play(wire.answer(data), writer.write)
        except ConnectionError:
            pass
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)

    def hang_up() -> None:
        for writer in list(writers):
            writer.transport.abort()

    wire.hang_up = hang_up
    try:
        yield "127.0.0.1", server.sockets[0].getsockname()[1], wire
    finally:
        hang_up()
        server.close()
        await server.wait_closed()


async def _play(answer: "bytes | list[bytes | float]", send: Callable[[bytes], object]) -> None:
    for part in answer if isinstance(answer, list) else [answer]:
        if isinstance(part, bytes):
            if part:
                with contextlib.suppress(OSError):
                    send(part)
        else:
            await asyncio.sleep(part)


def rng() -> random.Random:
    return random.Random(645)
