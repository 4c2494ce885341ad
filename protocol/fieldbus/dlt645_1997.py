"""DL/T 645-1997: the older edition, in meters that are still on the wall.

The frame is that of 2007 (see `dlt645_frame`), with two-byte identifiers and other functions:
read is 01, answered by 81, A1 (more frames follow) or C1 (refused). There is no command to read
an address: a normal read of AA or 99 in every byte is answered by whoever is alone on the line.

    68 95 32 06 00 00 00 68  81 06  43 C3  59 33 33 33  1C 16     meter 000000063295, 9010: 0.26 kWh

A four-byte identifier sent to such a meter is refused or unanswered; that is how the editions are
told apart. The invariant: voltage is whole volts here and tenths in 2007, so a reply is only ever
read with the table of its own edition.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.annotation import Cursor, Facts, Field, Message, Role
from protocol.fieldbus.bcd import digits_from_wire, wire_from_digits
from protocol.fieldbus.dlt645 import EVERY_METER, is_addressed
from protocol.fieldbus.dlt645_annotation import (
    explain_head,
    explain_items,
    explain_tail,
    frame_facts,
    item_facts,
)
from protocol.fieldbus.dlt645_format import (
    DataIdentifier,
    decode_items,
    format_from_pattern,
)
from protocol.fieldbus.dlt645_frame import (
    ABNORMAL,
    FOLLOW_UP,
    REPLY,
    REQUEST_PREAMBLE_COUNT,
    Frame,
    decode_frame,
)

# Answered by any meter: the 1997 edition has no address query.
WILDCARDS = ("aaaaaaaaaaaa", EVERY_METER)


class Function(IntEnum):
    """What a control code asks for, bits D4-D0."""

    READ = 0x01
    READ_FOLLOW_UP = 0x02
    READ_AGAIN = 0x03
    WRITE = 0x04
    BROADCAST_TIME = 0x08
    WRITE_ADDRESS = 0x0A
    CHANGE_BAUD = 0x0C
    CHANGE_PASSWORD = 0x0F
    CLEAR_DEMAND = 0x10


_FUNCTION_NAMES = {
    Function.READ: "read data",
    Function.READ_FOLLOW_UP: "read follow-up",
    Function.READ_AGAIN: "read again",
    Function.WRITE: "write data",
    Function.BROADCAST_TIME: "broadcast time sync",
    Function.WRITE_ADDRESS: "write address",
    Function.CHANGE_BAUD: "change baud",
    Function.CHANGE_PASSWORD: "change password",
    Function.CLEAR_DEMAND: "clear maximum demand",
}
# What changes nothing in a meter.
READS = frozenset({Function.READ, Function.READ_FOLLOW_UP, Function.READ_AGAIN})
_BAUD_RATES = {0x02: 300, 0x04: 600, 0x08: 2400, 0x10: 4800, 0x20: 9600}
_ERRORS = (
    "illegal data",
    "no requested data",
    "password error / unauthorised",
    "reserved",
    "yearly zones exceeded",
    "daily periods exceeded",
    "tariffs exceeded",
    "reserved",
)

# Table of identifiers: DI1 DI0 -> title, format, unit, quantity.
_SIMPLE: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        "B210": ("last programming time", "MMDDhhmm", "", ""),
        "B211": ("last demand clear time", "MMDDhhmm", "", ""),
        "B212": ("programming count", "XXXX", "", ""),
        "B213": ("demand clear count", "XXXX", "", ""),
        "B214": ("battery working time", "XXXXXX", "min", ""),
        "B310": ("phase failure count", "XXXX", "", ""),
        "B311": ("phase A failure count", "XXXX", "", ""),
        "B312": ("phase B failure count", "XXXX", "", ""),
        "B313": ("phase C failure count", "XXXX", "", ""),
        "B320": ("phase failure time", "XXXXXX", "min", ""),
        "B611": ("voltage A", "XXXX", "V", "voltage_a"),
        "B612": ("voltage B", "XXXX", "V", "voltage_b"),
        "B613": ("voltage C", "XXXX", "V", "voltage_c"),
        "B621": ("current A", "XX.XX", "A", "current_a"),
        "B622": ("current B", "XX.XX", "A", "current_b"),
        "B623": ("current C", "XX.XX", "A", "current_c"),
        "B630": ("active power total", "XX.XXXX", "kW", "active_power"),
        "B631": ("active power A", "XX.XXXX", "kW", "active_power_a"),
        "B632": ("active power B", "XX.XXXX", "kW", "active_power_b"),
        "B633": ("active power C", "XX.XXXX", "kW", "active_power_c"),
        "B634": ("forward active power limit", "XX.XX", "kW", ""),
        "B635": ("reverse active power limit", "XX.XX", "kW", ""),
        "B640": ("reactive power total", "XX.XX", "kvar", "reactive_power"),
        "B641": ("reactive power A", "XX.XX", "kvar", ""),
        "B642": ("reactive power B", "XX.XX", "kvar", ""),
        "B643": ("reactive power C", "XX.XX", "kvar", ""),
        "B650": ("power factor total", "X.XXX", "", "power_factor"),
        "B651": ("power factor A", "X.XXX", "", ""),
        "B652": ("power factor B", "X.XXX", "", ""),
        "B653": ("power factor C", "X.XXX", "", ""),
        "C010": ("date YYMMDDWW", "YYMMDDWW", "", ""),
        "C011": ("time hhmmss", "hhmmss", "", ""),
        "C020": ("meter status word", "HEX1", "", ""),
        "C021": ("grid status word", "HEX1", "", ""),
        "C022": ("zone status word", "HEX1", "", ""),
        "C030": ("active meter constant", "XXXXXX", "imp/kWh", ""),
        "C031": ("reactive meter constant", "XXXXXX", "imp/kvarh", ""),
        "C032": ("meter number", "N*", "", ""),
        "C033": ("customer number", "N*", "", ""),
        "C034": ("device code", "N*", "", ""),
        "C111": ("demand period", "XX", "min", ""),
        "C112": ("demand sliding step", "XX", "min", ""),
        "C117": ("reading day", "DDhh", "", ""),
        "C211": ("pulse width", "XXXX", "ms", ""),
        "C310": ("zones a year", "XX", "", ""),
        "C311": ("day tables", "XX", "", ""),
        "C312": ("periods a day", "XX", "", ""),
        "C313": ("tariffs", "XX", "", ""),
        "C314": ("public holidays", "XX", "", ""),
    }
)

_MONTHS = {0x0: "", 0x4: " last month", 0x8: " month before last"}
_DIRECTIONS = {
    ("active", 1): ("forward active", "active_energy_import"),
    ("active", 2): ("reverse active", "active_energy_export"),
    ("reactive", 1): ("forward reactive", "reactive_energy_import"),
    ("reactive", 2): ("reverse reactive", "reactive_energy_export"),
    ("reactive", 3): ("quadrant I reactive", ""),
    ("reactive", 4): ("quadrant IV reactive", ""),
    ("reactive", 5): ("quadrant II reactive", ""),
    ("reactive", 6): ("quadrant III reactive", ""),
}
_TARIFF_NAMES = ("total", "T1 sharp", "T2 peak", "T3 flat", "T4 valley", *(f"T{n}" for n in range(5, 15)))
_TARIFF_SUFFIXES = ("", "_sharp", "_peak", "_flat", "_valley")


@lru_cache(maxsize=256)
def data_identifier(di: str) -> DataIdentifier:
    """Return what DL/T 645-1997 says of an identifier, 4 hex digits, DI1 first; ProtocolError if nothing."""
    try:
        number = bytes.fromhex(di)
    except ValueError:
        number = b""
    if len(number) != 2:
        raise ProtocolError(f"data identifier {di!r} is not 4 hex digits")
    di = di.upper()
    if di in _SIMPLE:
        title, pattern, unit, quantity = _SIMPLE[di]
        return DataIdentifier(di, title, (format_from_pattern(pattern),), unit, quantities=(quantity,))
    known = _energy_or_demand(di, number)
    if known is None:
        raise ProtocolError(f"data identifier {di} is not in the table of DL/T 645-1997")
    return known


def _energy_or_demand(di: str, number: bytes) -> DataIdentifier | None:
    """9 is an energy, A a demand, B a demand's time; bits 3-2 the month, bit 0 reactive."""
    group, month, is_reactive = number[0] >> 4, number[0] & 0x0C, number[0] & 1
    kind = "reactive" if is_reactive else "active"
    direction, tariff = number[1] >> 4, number[1] & 0x0F
    if (
        group not in (0x9, 0xA)
        or month not in _MONTHS
        or number[0] & 2
        or (kind, direction) not in _DIRECTIONS
    ):
        return None
    name, quantity = _DIRECTIONS[kind, direction]
    is_block = tariff == 0x0F
    tariffs = range(15) if is_block else range(tariff, tariff + 1)
    unit = "kvar" if is_reactive else "kW"
    what = "energy" if group == 0x9 else "maximum demand"
    title = f"{name} {what} {'block total,T1..T4' if is_block else _TARIFF_NAMES[tariff]}{_MONTHS[month]}"
    is_metered = group == 0x9 and not month
    return DataIdentifier(
        di,
        title,
        (format_from_pattern("XXXXXX.XX" if group == 0x9 else "XX.XXXX"),),
        f"{unit}h" if group == 0x9 else unit,
        tuple(_TARIFF_NAMES[n] for n in tariffs),
        tuple(_quantity(quantity, n) if is_metered else "" for n in tariffs),
        is_block=is_block,
    )


def _quantity(base: str, tariff: int) -> str:
    if tariff == 0:
        return base
    return base + _TARIFF_SUFFIXES[tariff] if base == "active_energy_import" and tariff <= 4 else ""


def read_request(meter_address: str, di: str, preamble_count: int = REQUEST_PREAMBLE_COUNT) -> Frame:
    """Build the request for one data identifier."""
    return Frame(meter_address, Function.READ, _wire_from_di(di), preamble_count)


def read_follow_up_request(
    meter_address: str, di: str, preamble_count: int = REQUEST_PREAMBLE_COUNT
) -> Frame:
    """Build the request for the next frame of an answer; they are not numbered."""
    return Frame(meter_address, Function.READ_FOLLOW_UP, _wire_from_di(di), preamble_count)


def broadcast_time_request(at: datetime, preamble_count: int = REQUEST_PREAMBLE_COUNT) -> Frame:
    """Build the time broadcast, local time; as in 2007 nobody answers it."""
    wire = wire_from_digits(at.strftime("%y%m%d%H%M%S"))
    return Frame(EVERY_METER, Function.BROADCAST_TIME, wire, preamble_count)


def read_reply(
    meter_address: str, di: str, payload: bytes, preamble_count: int = 4, *, has_follow_up: bool = False
) -> Frame:
    """Build the meter's answer; the payload is what `dlt645.encode_items` returns."""
    control_code = Function.READ | REPLY | (FOLLOW_UP if has_follow_up else 0)
    return Frame(meter_address, control_code, _wire_from_di(di) + payload, preamble_count)


def follow_up_reply(meter_address: str, di: str, payload: bytes, *, has_follow_up: bool = False) -> Frame:
    """Build the meter's answer to `read_follow_up_request`."""
    control_code = Function.READ_FOLLOW_UP | REPLY | (FOLLOW_UP if has_follow_up else 0)
    return Frame(meter_address, control_code, _wire_from_di(di) + payload, 4)


def abnormal_reply(request: Frame, meter_address: str, error_byte: int = 0x02) -> Frame:
    """Build the meter's refusal."""
    return Frame(meter_address, request.function | REPLY | ABNORMAL, bytes((error_byte,)), 4)


def check_reply(request: Frame, reply: Frame) -> bytes:
    """Return the reply's data after the identifier, if it answers the read request.

    FrameError where it answers something else; Refused, with the ERR byte, where the meter says no.
    """
    if not reply.is_reply:
        raise FrameError(f"control {reply.control_code:02x} is a request: our own echo or another master")
    if request.meter_address.lower() not in WILDCARDS and not is_addressed(
        request.meter_address, reply.meter_address
    ):
        raise FrameError(f"meter {reply.meter_address} answered a request to {request.meter_address}")
    if reply.function != request.function:
        raise FrameError(f"function {reply.function:02x} in reply to function {request.function:02x}")
    if reply.is_abnormal:
        error_byte = reply.data[0] if reply.data else 0
        raise Refused(f"meter {reply.meter_address}: {_error_text(error_byte)}", code=error_byte)
    if reply.data[:2] != request.data[:2]:
        asked, answered = digits_from_wire(request.data[:2]), digits_from_wire(reply.data[:2])
        raise FrameError(f"data identifier {answered or 'none'} in reply to {asked}")
    return reply.data[2:]


def values_from_reply(reply: Frame, identifier: DataIdentifier | None = None) -> tuple[Decimal | None, ...]:
    """Return the numbers of a read reply in wire order, None where a value is absent."""
    if len(reply.data) < 2:
        raise FrameError(f"{len(reply.data)} bytes of data are too few for an identifier")
    known = identifier or data_identifier(digits_from_wire(reply.data[:2]))
    numbers: list[Decimal | None] = []
    for value in decode_items(known, reply.data[2:]).values:
        if isinstance(value, str):
            raise FrameError(f"{value!r} is not a number")
        numbers.append(value)
    return tuple(numbers)


def _wire_from_di(di: str) -> bytes:
    wire = wire_from_digits(di)
    if len(wire) != 2:
        raise ProtocolError(f"data identifier {di!r} is not 4 hex digits")
    return wire


def _error_text(error_byte: int) -> str:
    return ", ".join(_ERRORS[bit] for bit in range(8) if error_byte >> bit & 1) or "no reason given"


class _Dlt645Of1997:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the frame says; `decode_error` where its data are no digits."""
        frame = decode_frame(message.data)
        facts = frame_facts(frame, "DL/T 645-1997", _function_name(frame))
        data = frame.data
        if frame.is_reply and frame.is_abnormal:
            bits = [_ERRORS[bit] for bit in range(8) if data and data[0] >> bit & 1]
            return facts | {"error_byte": f"{data[0]:02x}" if data else None, "error_bits": [*bits]}
        if frame.function in READS and len(data) >= 2:
            return facts | _read_facts(frame)
        return facts | _command_facts(frame)

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the frame; data are explained as they are without the +33H."""
        frame = decode_frame(message.data)
        cursor = Cursor()
        explain_head(cursor, frame, _function_name(frame))
        data = frame.data
        if frame.is_reply and frame.is_abnormal:
            cursor.take(len(data), Role.ERROR, _error_text(data[0] if data else 0))
        elif frame.function in READS and len(data) >= 2:
            known = _known(data[:2])
            title = known.title if known else "not in the table of the standard"
            di = digits_from_wire(data[:2]).upper()
            cursor.take(2, Role.DATA_IDENTIFIER, f"data identifier {di}: {title}")
            if frame.is_reply and known is not None and len(data) > 2:
                explain_items(cursor, known, data[2:])
            else:
                cursor.take(len(data) - 2, Role.PAYLOAD, f"data {data[2:].hex()}")
        else:
            text = ", ".join(
                f"{name.replace('_', ' ')} {fact}" for name, fact in _command_facts(frame).items()
            )
            cursor.take(len(data), Role.PAYLOAD, text)
        explain_tail(cursor, message.data)
        return cursor.fields


DLT645_1997 = _Dlt645Of1997()


def _function_name(frame: Frame) -> str:
    try:
        return _FUNCTION_NAMES[Function(frame.function)]
    except ValueError:
        raise FrameError(f"function {frame.function:02x} is not one of DL/T 645-1997") from None


def _known(wire: bytes) -> DataIdentifier | None:
    try:
        return data_identifier(digits_from_wire(wire))
    except ProtocolError:
        return None


def _read_facts(frame: Frame) -> Facts:
    known, payload = _known(frame.data[:2]), frame.data[2:]
    facts: Facts = {"di": digits_from_wire(frame.data[:2]).upper()}
    if known is not None:
        facts["item"] = known.title
    if payload:
        facts["data_raw"] = payload.hex()
    return facts if not frame.is_reply or known is None else facts | item_facts(known, payload)


def _command_facts(frame: Frame) -> Facts:
    data = frame.data
    match frame.function:
        case Function.BROADCAST_TIME if len(data) == 6:
            digits = digits_from_wire(data)
            is_time = digits.isdecimal()
            return {"time": format_from_pattern("YYMMDDhhmmss").decode(data) if is_time else None}
        case Function.WRITE_ADDRESS if len(data) == 6:
            return {"new_address": digits_from_wire(data)}
        case Function.CHANGE_BAUD if data:
            return {"baud_flag": f"{data[0]:02x}", "baud": _BAUD_RATES.get(data[0])}
        case Function.WRITE if len(data) >= 6:
            return {"di": digits_from_wire(data[:2]).upper(), "data_raw": data[6:].hex()}
        case _:
            return {"data_raw": data.hex()} if data else {}
