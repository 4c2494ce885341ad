"""The service hatch: how `gatehouse edge read`, `raw` and `write` reach the running agent.

A Unix socket beside the buffer that only the agent's own user can open. One request a connection,
JSON both ways. The invariant: what is asked here takes its turn on the bus like every poll, and
nothing of the agent's state is changed but what reading a device changes, or setting a point.
"""

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import TypeAlias

import msgspec

from edge.clock import Clock
from edge.driver import Driver
from edge.errors import EdgeError
from edge.field import Field
from edge.local_outputs import GuardedActuators
from edge.tools.raw import send_raw
from edge.tools.write import write_point
from protocol.reading import Reading
from provisioning.config import Config

log = logging.getLogger(__name__)

_LINE_BYTES_MAX = 64 * 1024
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
# A whole device at 2400 baud with every answer late takes about half of this.
_ANSWER_TIMEOUT_S = 60.0
# sockaddr_un.sun_path has 108 bytes on Linux, the closing NUL among them.
_PATH_BYTES_MAX = 107


class ReadDevices(msgspec.Struct, frozen=True, tag_field="do", tag="read"):
    """Poll these devices now; the readings are stored as if they had been due."""

    devices: list[str]


class SendRaw(msgspec.Struct, frozen=True, tag_field="do", tag="raw"):
    """Send bytes on a line."""

    line: str
    wire: bytes
    timeout_ms: int


class WritePoint(msgspec.Struct, frozen=True, tag_field="do", tag="write"):
    """Set a point, held by the same interlocks as the cloud."""

    key: str
    value: str


Wish: TypeAlias = ReadDevices | SendRaw | WritePoint


class ToldReading(msgspec.Struct, frozen=True):
    """A reading as the hatch tells it."""

    key: str
    value_micro: int | None
    quality: str
    reason: str
    measured_at_ms: int


class Told(msgspec.Struct, frozen=True):
    """The answer. `error` is "" where all went well."""

    readings: list[ToldReading] = []
    reply: bytes = b""
    error: str = ""
    shown: str = ""


def told_reading(reading: Reading) -> ToldReading:
    """Return a reading as the hatch tells it."""
    return ToldReading(
        reading.point_key,
        reading.value_micro,
        reading.quality.name.lower(),
        reading.reason,
        reading.measured_at_ms,
    )


def hatch_path(config: Config) -> Path:
    """Return where the running agent of a configuration can be reached."""
    return config.buffer.path.with_name(config.buffer.path.name + ".sock")


async def serve_hatch(config: Config, field: Field, clock: Clock) -> None:
    """Answer until cancelled. A path too long for a socket is told and does without."""
    path = hatch_path(config)
    if len(os.fsencode(path)) > _PATH_BYTES_MAX:
        log.warning("no service hatch: the path is too long for a socket", extra={"path": str(path)})
        await asyncio.Event().wait()
    path.unlink(missing_ok=True)  # of an agent that was killed; two never run, the buffer is locked
    hatch = _Hatch(field, clock)
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(hatch.answer, path, limit=_LINE_BYTES_MAX)
    finally:
        os.umask(mask)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()
        path.unlink(missing_ok=True)


class _Hatch:
    def __init__(self, field: Field, clock: Clock) -> None:
        self._field = field
        self._clock = clock

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                wish: Wish = msgspec.json.decode(await reader.readline(), type=Wish)
                told = await self._do(wish)
        except (msgspec.MsgspecError, ValueError) as error:
            told = Told(error=f"not understood: {error}")
        except TimeoutError:
            told = Told(error=f"not done within {_ANSWER_TIMEOUT_S:g} s")
        with contextlib.suppress(ConnectionError):
            writer.write(msgspec.json.encode(told) + b"\n")
            await writer.drain()
        writer.close()

    async def _do(self, wish: Wish) -> Told:
        match wish:
            case ReadDevices():
                return await self._read(wish.devices)
            case SendRaw():
                line = next((line for name, line in self._field.lines.items() if name == wish.line), None)
                if line is None:
                    known = ", ".join(self._field.lines)
                    return Told(error=f"there is no bus {wish.line!r}; there are {known}")
                answer = await send_raw(line, wish.wire, wish.timeout_ms)
                return Told(reply=answer.reply, error=answer.failure)
            case WritePoint():
                return await self._write(wish.key, wish.value)

    async def _write(self, key: str, value: str) -> Told:
        field = self._field
        try:
            actuators = GuardedActuators(field.actuators, field.reactions)
            shown = await write_point(field.config, actuators, field.intake, self._clock, key, value)
        except EdgeError as error:
            return Told(error=str(error))
        return Told(shown=shown)

    async def _read(self, devices: list[str]) -> Told:
        drivers: dict[str, Driver] = {job.device.device_id: job.driver for job in self._field.poller.jobs}
        unknown = [name for name in devices if name not in drivers]
        if unknown:
            return Told(error=f"no polled device is called {', '.join(map(repr, unknown))}")
        found: list[Reading] = []
        for name in devices or list(drivers):
            driver = drivers[name]
            for group in driver.device.intervals_s:
                readings = await driver.poll(group)
                self._field.intake.accept(readings)
                found += readings
        return Told([told_reading(reading) for reading in found])


async def ask_hatch(config: Config, wish: Wish) -> Told | None:
    """Ask the running agent; None if none runs."""
    path = hatch_path(config)
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=_ANSWER_BYTES_MAX)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise EdgeError(f"{path}: {error.strerror}: the agent runs as another user") from error
    try:
        writer.write(msgspec.json.encode(wish) + b"\n")
        async with asyncio.timeout(_ANSWER_TIMEOUT_S + 5):
            answer = await reader.readline()
        return msgspec.json.decode(answer, type=Told)
    except (TimeoutError, ConnectionError, msgspec.MsgspecError) as error:
        raise EdgeError(f"{path}: the agent did not answer: {error!r}") from error
    finally:
        writer.close()
