"""A fire-alarm transmission device on a line it keeps: it tells, and it answers what the centre asks.

How the building stands, what its clock shows and, a little later, that the guard has pressed the button. The
invariant: a question is answered with its own serial number, and what it does not know is denied.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from protocol.fieldbus import gb26875
from protocol.fieldbus.gb26875 import Command, Packet, Wish
from protocol.fieldbus.gb26875_units import UnitType, build_unit, decode_time, encode_time
from simulator.panel_caller import ATTEMPTS_MAX, CONFIRM_MAX_S, Message, NotConfirmed

_READ_SIZE = 4096
_REDIAL_S = 1.0
GUARD_TAKES_S = 2.0
_ROLL_CALL_ANSWER = 0b100000
_GUARD = 7  # who presses the button
_MONITORING, _FIRE, _FAULT = 0b001, 0b010, 0b100


class PanelLine:
    """One device. `stands` tells what is wrong in the building now: sayings as of `panel_caller`."""

    def __init__(
        self, source: str, host: str, port: int, local: Callable[[], datetime], stands: Callable[[], set[str]]
    ) -> None:
        self._source = bytes.fromhex(source)
        self._host, self._port = host, port
        self._local = local
        self._stands = stands
        self.clock_off = timedelta(0)
        self._writer: asyncio.StreamWriter | None = None
        self._is_open = asyncio.Event()
        self._heard = b""
        self._news = asyncio.Event()
        self._serial = 0x8000  # of what it says beside its messages

    async def run(self) -> None:
        """Keep the line until cancelled."""
        while True:
            try:
                await self._keep()
            except* OSError:
                pass  # a centre that is not there, or went while it was listened to
            await asyncio.sleep(_REDIAL_S)

    async def deliver(self, message: Message, *, confirm_max_s: float = CONFIRM_MAX_S) -> int:
        """Say until it is confirmed; return how often it was said. NotConfirmed if it never was."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(confirm_max_s):
                    await self._is_open.wait()
                    assert self._writer is not None
                    self._heard = b""
                    self._writer.write(message.wire)
                    while not message.confirms(self._heard):
                        self._news.clear()
                        await self._news.wait()
                    return attempt
        raise NotConfirmed(f"{self._host}:{self._port} did not confirm, told {ATTEMPTS_MAX} times")

    async def _keep(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        packets = gb26875.PacketReader()
        try:
            async with asyncio.TaskGroup() as group:
                self._writer = writer
                self._is_open.set()
                while data := await reader.read(_READ_SIZE):
                    self._heard += data
                    self._news.set()
                    for packet in packets.feed(data):
                        self._answer(packet, group)
        finally:
            self._writer = None
            self._is_open.clear()
            writer.close()

    def _answer(self, packet: Packet, group: asyncio.TaskGroup) -> None:
        if packet.command == Command.REQUEST:
            unit = self._told(packet.unit)
            command = Command.DENY if unit is None else Command.RESPONSE
            self._send(packet.serial, command, unit or b"")
        elif packet.command == Command.CONTROL:
            self._send(packet.serial, Command.CONFIRM, b"")
            if packet.unit[0] == Wish.SYNCHRONISE_CLOCK and (told := decode_time(packet.unit[2:])):
                self.clock_off = told - self._local()
            if packet.unit[0] == Wish.ROLL_CALL:
                group.create_task(self._press())

    def _told(self, asked: bytes) -> bytes | None:
        now, stands = self._now(), self._stands()
        status = _MONITORING | _FIRE * ("fire" in stands) | _FAULT * ("fault" in stands)
        match asked[0]:
            case Wish.READ_TRANSMITTER_STATUS:
                return build_unit(UnitType.TRANSMITTER_STATUS, [bytes((status,)) + now])
            case Wish.READ_SYSTEM_STATUS if len(asked) == 4:
                wanted = asked[2:] + status.to_bytes(2, "little") + now
                return build_unit(UnitType.SYSTEM_STATUS, [wanted])
            case Wish.READ_TRANSMITTER_TIME:
                return build_unit(UnitType.TRANSMITTER_TIME, [now])
            case _:
                return None

    async def _press(self) -> None:
        await asyncio.sleep(GUARD_TAKES_S)
        pressed = bytes((_ROLL_CALL_ANSWER, _GUARD)) + self._now()
        self._serial += 1
        self._send(self._serial, Command.SEND, build_unit(UnitType.TRANSMITTER_OPERATION, [pressed]))

    def _now(self) -> bytes:
        return encode_time(self._local() + self.clock_off)

    def _send(self, serial: int, command: Command, unit: bytes) -> None:
        if self._writer is not None:
            packet = Packet(serial, command, unit, self._now(), self._source)
            self._writer.write(gb26875.encode_packet(packet))
