"""Finding meters of the older and the wired kind: DL/T 645-1997, and M-Bus by secondary address.

Both are searched as a tree: a wildcard that several answer at once is narrowed, digit by digit, until
one answers alone. The invariant: a meter is found only by a whole frame of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from protocol.errors import FrameError, Refused
from protocol.fieldbus import dlt645, dlt645_1997, mbus

Hear = Callable[[bytes], Awaitable[bytes]]

_ANY_PAIR, _ANY_DIGIT = "aa", "f"
# Of the header's medium: the profile that fits (EN 13757-3 table 3).
_PROFILES = {
    0x02: "mbus_electricity_meter",
    0x03: "mbus_gas_meter",
    0x04: "mbus_heat_meter",
    0x06: "mbus_hot_water_meter",
    0x07: "mbus_cold_water_meter",
    0x0C: "mbus_heat_meter",
    0x0D: "mbus_heat_meter",
    0x15: "mbus_hot_water_meter",
    0x16: "mbus_cold_water_meter",
}


async def old_electricity(
    hear: Hear, known: Collection[str], tell: Callable[[str], None]
) -> AsyncIterator[str]:
    """Yield the addresses of DL/T 645-1997 meters by their forward active energy; not of those known."""
    waiting = [_ANY_PAIR * 6]
    while waiting:
        pattern = waiting.pop()
        tell(f"DL/T 645-1997 {pattern.upper()}")
        heard = await hear(dlt645.encode_frame(dlt645_1997.read_request(pattern, "9010")))
        reader = dlt645.FrameReader()
        frames = [*reader.feed(heard), *reader.flush()]
        answers = {
            frame.meter_address
            for frame in frames
            if frame.is_reply and not frame.is_abnormal and frame.function == dlt645_1997.Function.READ
        }
        is_garbled = sum(len(dlt645.encode_frame(frame)) for frame in frames) < len(heard)
        if len(answers) == 1 and not is_garbled:
            (address,) = answers
            if address not in known:
                yield address
        elif heard and (answers or is_garbled):
            at = pattern.rfind(_ANY_PAIR)
            if at >= 0:
                waiting += [f"{pattern[:at]}{pair:02d}{pattern[at + 2 :]}" for pair in range(99, -1, -1)]


async def mbus_meters(hear: Hear, tell: Callable[[str], None]) -> AsyncIterator[tuple[str, str]]:
    """Yield identification and profile ("" if none fits) of M-Bus meters."""
    waiting = [_ANY_DIGIT * 8]
    while waiting:
        pattern = waiting.pop()
        tell(f"M-Bus {pattern.upper()}")
        chosen = await hear(mbus.encode_frame(mbus.select_request(pattern)))
        if not chosen:
            continue
        heard = await hear(mbus.encode_frame(mbus.data_request(mbus.SELECTED, frame_count_bit=True)))
        found = _header(heard)
        if found is not None and chosen == mbus.ACK:
            identification, medium = found
            yield identification, _PROFILES.get(medium, "")
        else:
            at = pattern.find(_ANY_DIGIT)
            if at >= 0:
                waiting += [f"{pattern[:at]}{digit}{pattern[at + 1 :]}" for digit in range(9, -1, -1)]


def _header(heard: bytes) -> tuple[str, int] | None:
    """Return identification and medium of the one meter that answered, None where it was not one."""
    reader = mbus.FrameReader()
    frames = [*reader.feed(heard), *reader.flush()]
    if len(frames) != 1 or len(mbus.encode_frame(frames[0])) != len(heard):
        return None
    frame = frames[0]
    try:
        if frame.control_information == mbus.CI_FIXED:
            return mbus.decode_fixed(frame).identification, 0
        header = mbus.decode_telegram(frame).header
    except (FrameError, Refused):
        return None
    return header.identification, header.medium
