"""What the edge's tests share: a clock that is told, readings, configurations, buses to be asked on."""

import asyncio
import contextlib
import os
import pty
import random
import tty
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.clock import Clock
from edge.driver import Ask, Heard, Priority
from protocol.fieldbus import modbus
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.config import Config, DeviceConfig, DeviceId
from provisioning.config_file import parse_config
from provisioning.lines import BusSettings, LineId, Parity, SerialLine
from provisioning.profile import Profile

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


class ScriptedBus:
    """A bus without I/O: `answer` turns a request into reply bytes; b"" is silence."""

    def __init__(self, answer: Callable[[bytes], bytes], **settings: object) -> None:
        self.settings = bus_settings(**settings)
        self.clock: Clock = ToldClock()
        self.answer = answer
        self.asked: list[bytes] = []
        self.told: list[bytes] = []
        self.turnaround: float | None = None
        self._number = 0

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def turnaround_s(self, address: str) -> float | None:
        return self.turnaround

    async def tell(self, wire: bytes, priority: Priority = Priority.TELEMETRY) -> None:
        self.told.append(wire)

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        self.asked.append(ask.wire)
        answer = self.answer(ask.wire)
        reply = ask.receiver.feed(answer) if answer else None
        if reply is None:
            raise ask.receiver.failure()
        return Heard(ask.wire, reply, self.clock.wall_ms(), 1000)


def device_of(profile: Profile, address: str, device_id: str = "d") -> DeviceConfig:
    groups = {point.group: 60.0 for point in profile.points}
    return DeviceConfig(DeviceId(device_id), LineId("bus"), profile, address, groups)


class Registers:
    """A Modbus device: what its addresses hold; an address that is not there is refused."""

    def __init__(self, unit_id: int, framing: modbus.Framing, holding: Mapping[int, int]) -> None:
        self.unit_id = unit_id
        self.framing = framing
        self.holding = dict(holding)
        self.reads: list[tuple[int, int]] = []

    def answer(self, wire: bytes) -> bytes:
        for request in modbus.RequestReader(self.framing).feed(wire):
            if request.unit_id != self.unit_id:
                return b""
            self.reads.append((request.start, request.quantity))
            addresses = range(request.start, request.start + request.quantity)
            if any(address not in self.holding for address in addresses):
                return modbus.encode_exception(request, self.framing, 2)
            return modbus.encode_reply(request, self.framing, [self.holding[a] for a in addresses])
        return b""
