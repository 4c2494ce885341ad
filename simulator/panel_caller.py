"""The panel's side of an alarm: calls the centre, repeats what is not confirmed, gives up aloud.

Speaks GB/T 26875.3 and SIA DC-09 as devices do. The invariant: a message counts as delivered only
when its own confirmation came back, with its serial or sequence number.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from protocol.errors import FrameError
from protocol.fieldbus import gb26875, sia_dc09
from protocol.fieldbus.gb26875_units import (
    ComponentStatus,
    UnitType,
    build_unit,
    encode_component_status,
    encode_time,
)

# GB/T 26875.3 §6.4: at most 10 s for a confirmation, three repetitions.
CONFIRM_MAX_S = 10.0
ATTEMPTS_MAX = 4
_READ_SIZE = 4096
_REDIAL_PAUSE_S = 1.0
PANEL_ZONE = ZoneInfo("Asia/Shanghai")

# What a panel may have to say -> status of a component; Contact ID qualifier and event.
_COMPONENT_STATUS = {"fault": 0x04, "fire": 0x02, "normal": 0x01}
_CONTACT_ID = {"fault": "1373", "fire": "1110", "normal": "3110"}
HEARTBEAT = "heartbeat"
SAYINGS = (*sorted(_COMPONENT_STATUS), HEARTBEAT)


class NotConfirmed(Exception):
    """The centre did not confirm in time, as often as it was told."""


@dataclass(frozen=True, slots=True)
class Message:
    """The bytes of one message and what confirms it; `confirms` gets all that was heard."""

    wire: bytes
    confirms: Callable[[bytes], bool]


def gb26875_message(saying: str, source: str, position: int, serial: int, now_ms: int) -> Message:
    """Build what a transmission device with that source address (12 hex digits) says."""
    now = datetime.fromtimestamp(now_ms / 1000, PANEL_ZONE).replace(tzinfo=None)
    unit = b""
    if saying != HEARTBEAT:
        # A smoke detector (type 40) of loop 3.
        component = ComponentStatus(
            1, 1, 40, bytes((3, 0, position, 0)), _COMPONENT_STATUS[saying], f"3回路{position}号感烟", now
        )
        unit = build_unit(UnitType.COMPONENT_STATUS, [encode_component_status(component)])
    packet = gb26875.Packet(serial, gb26875.Command.SEND, unit, encode_time(now), bytes.fromhex(source))

    def confirms(heard: bytes) -> bool:
        answers = gb26875.PacketReader().feed(heard)
        return any(a.command == gb26875.Command.CONFIRM and a.serial == serial for a in answers)

    return Message(gb26875.encode_packet(packet), confirms)


def dc09_message(saying: str, account: str, zone: int, serial: int, now_ms: int) -> Message:
    """Build what an alarm panel with that account says, as Contact ID."""
    sequence = f"{serial % 9999 + 1:04d}"
    sent = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%H:%M:%S,%m-%d-%Y")
    ident, data = "NULL", ""
    if saying != HEARTBEAT:
        ident, data = "ADM-CID", f"#{account}|{_CONTACT_ID[saying]} 01 {zone:03d}"
    message = sia_dc09.Message(ident, sequence, "1", "1", account, data, None, sent)

    def confirms(heard: bytes) -> bool:
        return any(_acknowledges(line, sequence) for line in heard.split(b"\r"))

    return Message(sia_dc09.encode_message(message), confirms)


def _acknowledges(line: bytes, sequence: str) -> bool:
    try:
        answer = sia_dc09.decode_message(line + b"\r")
    except FrameError:
        return False
    return answer.id == "ACK" and answer.sequence == sequence


async def deliver(message: Message, host: str, port: int, *, confirm_max_s: float = CONFIRM_MAX_S) -> int:
    """Call and repeat until confirmed; return how often it was sent. NotConfirmed if it never was."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            async with asyncio.timeout(confirm_max_s):
                if await _say(message, host, port):
                    return attempt
        except TimeoutError:
            continue
        except OSError:
            pass  # nobody listens yet: that is what repeating is for
        await asyncio.sleep(min(_REDIAL_PAUSE_S, confirm_max_s))
    raise NotConfirmed(f"{host}:{port} did not confirm, told {ATTEMPTS_MAX} times")


async def _say(message: Message, host: str, port: int) -> bool:
    """Send once over a new connection; False where the centre hangs up without a word."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(message.wire)
        heard = b""
        while data := await reader.read(_READ_SIZE):
            heard += data
            if message.confirms(heard):
                return True
        return False
    finally:
        writer.close()
