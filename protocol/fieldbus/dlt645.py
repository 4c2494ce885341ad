"""DL/T 645-2007, the protocol of Chinese electricity meters: commands, replies and their data.

Layout of the bytes: `dlt645_frame`; identifiers and formats: `dlt645_table`, `dlt645_format`.
Everything a driver, a simulated meter or the decoder needs is imported from here.

The invariant: a reply is believed only by `check_reply`, which compares meter, function and
identifier with the request; a refusal is `Refused`, never an empty value.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.bcd import digits_from_wire, wire_from_digits
from protocol.fieldbus.dlt645_format import DataIdentifier, Items, decode_items, encode_items
from protocol.fieldbus.dlt645_frame import (
    ABNORMAL,
    FOLLOW_UP,
    REPLY,
    REQUEST_PREAMBLE_COUNT,
    Frame,
    FrameReader,
    decode_frame,
    encode_frame,
)
from protocol.fieldbus.dlt645_table import data_identifier

__all__ = [
    "ANY_METER",
    "EVERY_METER",
    "READS",
    "DataIdentifier",
    "Frame",
    "FrameReader",
    "Function",
    "Items",
    "RelayAction",
    "check_reply",
    "data_identifier",
    "decode_frame",
    "encode_frame",
    "encode_items",
    "items_from_reply",
    "read_reply",
    "read_request",
    "values_from_reply",
]

ANY_METER = "aaaaaaaaaaaa"  # wildcard: whichever meter hears it answers (§7.1)
EVERY_METER = "999999999999"  # broadcast: nobody answers


class Function(IntEnum):
    """What a control code asks for, bits D4-D0 (§7)."""

    BROADCAST_TIME = 0x08
    READ = 0x11
    READ_FOLLOW_UP = 0x12
    READ_ADDRESS = 0x13
    WRITE = 0x14
    WRITE_ADDRESS = 0x15
    FREEZE = 0x16
    CHANGE_BAUD = 0x17
    CHANGE_PASSWORD = 0x18
    CLEAR_DEMAND = 0x19
    CLEAR_METER = 0x1A
    CLEAR_EVENTS = 0x1B
    RELAY = 0x1C


# What changes nothing in a meter.
READS = frozenset({Function.READ, Function.READ_FOLLOW_UP})


class RelayAction(IntEnum):
    """N1 of the relay command (DL/T 645-2007 §7.12 and its 2013 supplement)."""

    TRIP = 0x1A
    ALLOW_CLOSING = 0x1B  # the resident must then press the meter's button
    CLOSE = 0x1C
    ALARM = 0x2A
    ALARM_OFF = 0x2B
    KEEP_POWER = 0x3A
    KEEP_POWER_OFF = 0x3B


# The baud flag of the change-baud command, one bit a rate (§7.7).
BAUD_RATES = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}

ERROR_BITS = (
    "other error",
    "no requested data",
    "password error / unauthorised",
    "baud rate cannot change",
    "yearly zones exceeded",
    "daily periods exceeded",
    "tariffs exceeded",
    "reserved",
)


# Requests, as a master sends them


def wire_from_di(di: str) -> bytes:
    """Return a data identifier's bytes, DI0 first."""
    wire = wire_from_digits(di)
    if len(wire) != 4:
        raise ProtocolError(f"data identifier {di!r} is not 8 hex digits")
    return wire


def read_request(meter_address: str, di: str, preamble_count: int = REQUEST_PREAMBLE_COUNT) -> Frame:
    """Build the request for one data identifier (§7.2.1)."""
    return Frame(meter_address, Function.READ, wire_from_di(di), preamble_count)


def read_follow_up_request(
    meter_address: str, di: str, sequence: int, preamble_count: int = REQUEST_PREAMBLE_COUNT
) -> Frame:
    """Build the request for follow-up frame `sequence`, from 1 (§7.2.2)."""
    if not 1 <= sequence <= 255:
        raise ProtocolError(f"follow-up frame {sequence} is not 1 to 255")
    return Frame(
        meter_address, Function.READ_FOLLOW_UP, wire_from_di(di) + bytes((sequence,)), preamble_count
    )


def read_address_request(preamble_count: int = REQUEST_PREAMBLE_COUNT) -> Frame:
    """Build the question for the address; only with ONE meter on the line (§7.3)."""
    return Frame(ANY_METER, Function.READ_ADDRESS, b"", preamble_count)


def write_address_request(new_address: str, preamble_count: int = REQUEST_PREAMBLE_COUNT) -> Frame:
    """Build the command that gives the one meter on the line an address (§7.5)."""
    wire = wire_from_digits(new_address)
    if len(wire) != 6 or not new_address.isdecimal():
        raise ProtocolError(f"meter address {new_address!r} is not 12 digits")
    return Frame(ANY_METER, Function.WRITE_ADDRESS, wire, preamble_count)


def broadcast_time_request(at: datetime, preamble_count: int = REQUEST_PREAMBLE_COUNT) -> Frame:
    """Build the time broadcast, local time (§7.1); meters take it once a day, |error| < 5 min."""
    wire = wire_from_digits(at.strftime("%y%m%d%H%M%S"))
    return Frame(EVERY_METER, Function.BROADCAST_TIME, wire, preamble_count)


def freeze_request(
    meter_address: str, pattern: str = "99999999", preamble_count: int = REQUEST_PREAMBLE_COUNT
) -> Frame:
    """Build the freeze command; `pattern` is MMDDhhmm, 99 means any: all 99 freezes at once (§7.6)."""
    wire = wire_from_digits(pattern)
    if len(wire) != 4 or not pattern.isdecimal():
        raise ProtocolError(f"freeze pattern {pattern!r} is not MMDDhhmm")
    return Frame(meter_address, Function.FREEZE, wire, preamble_count)


def _credentials(password_level: int, password: str, operator: str) -> bytes:
    """Return PA, the password's three bytes and the operator's four, low first."""
    wires = wire_from_digits(password), wire_from_digits(operator)
    if not 0 <= password_level <= 9 or len(wires[0]) != 3 or len(wires[1]) != 4:
        raise ProtocolError("a password is 6 digits with level 0 to 9, an operator code 8 digits")
    return bytes((password_level,)) + b"".join(wires)


def write_request(
    meter_address: str,
    di: str,
    data: bytes,
    *,
    password_level: int,
    password: str,
    operator: str = "00000000",
) -> Frame:
    """Build the command that writes `data` to an identifier (§7.4); ESAM meters refuse plain passwords."""
    payload = wire_from_di(di) + _credentials(password_level, password, operator) + data
    return Frame(meter_address, Function.WRITE, payload, REQUEST_PREAMBLE_COUNT)


def relay_request(
    meter_address: str,
    action: RelayAction,
    valid_until: datetime,
    *,
    password_level: int,
    password: str,
    operator: str = "00000000",
) -> Frame:
    """Build a relay command that the meter ignores after `valid_until`, meter time (§7.12).

    A normal reply is no proof: read the status word back.
    """
    until = wire_from_digits(valid_until.strftime("%y%m%d%H%M%S"))
    data = _credentials(password_level, password, operator) + bytes((action, 0)) + until
    return Frame(meter_address, Function.RELAY, data, REQUEST_PREAMBLE_COUNT)


# Replies, as a meter sends them


def read_reply(
    meter_address: str, di: str, payload: bytes, *, has_follow_up: bool = False, preamble_count: int = 4
) -> Frame:
    """Build the meter's answer to `read_request`; the payload is what `encode_items` returns."""
    control_code = Function.READ | REPLY | (FOLLOW_UP if has_follow_up else 0)
    return Frame(meter_address, control_code, wire_from_di(di) + payload, preamble_count)


def follow_up_reply(
    meter_address: str, di: str, payload: bytes, sequence: int, *, has_follow_up: bool = False
) -> Frame:
    """Build the meter's answer to `read_follow_up_request`, which ends with the frame's number."""
    control_code = Function.READ_FOLLOW_UP | REPLY | (FOLLOW_UP if has_follow_up else 0)
    return Frame(meter_address, control_code, wire_from_di(di) + payload + bytes((sequence,)), 4)


def abnormal_reply(request: Frame, meter_address: str, error_byte: int = 0x02) -> Frame:
    """Build the meter's refusal; 02 is "no such data" (§5.2.6)."""
    return Frame(meter_address, request.function | REPLY | ABNORMAL, bytes((error_byte,)), 4)


def address_reply(meter_address: str) -> Frame:
    """Build the meter's answer to `read_address_request`."""
    return Frame(meter_address, Function.READ_ADDRESS | REPLY, wire_from_digits(meter_address), 4)


def plain_reply(request: Frame, meter_address: str) -> Frame:
    """Build the meter's "done" without data, as after a write, a freeze or a relay command."""
    return Frame(meter_address, request.function | REPLY, b"", 4)


# What a master makes of a reply


def is_addressed(asked: str, answered: str) -> bool:
    """Tell whether a meter `answered` may answer a question to `asked`; AA bytes match anything.

    Some meters answer a wildcard with the wildcard itself.
    """
    asked, answered = asked.lower(), answered.lower()
    return all(
        asked[at : at + 2] in ("aa", answered[at : at + 2])
        or answered[at : at + 2] == "aa" == asked[at : at + 2]
        for at in range(0, 12, 2)
    )


def describe_error(error_byte: int) -> str:
    """Return what the ERR byte of an abnormal reply says."""
    return ", ".join(ERROR_BITS[bit] for bit in range(8) if error_byte >> bit & 1) or "no reason given"


def check_reply(request: Frame, reply: Frame) -> bytes:
    """Return the reply's data after the identifier, if it answers the request.

    FrameError where it answers something else: another meter, an echo, another function or
    identifier. Refused, with the ERR byte as code, where the meter says no.
    """
    if not reply.is_reply:
        raise FrameError(f"control {reply.control_code:02x} is a request: our own echo or another master")
    if not is_addressed(request.meter_address, reply.meter_address):
        raise FrameError(f"meter {reply.meter_address} answered a request to {request.meter_address}")
    if reply.function != request.function:
        raise FrameError(f"function {reply.function:02x} in reply to function {request.function:02x}")
    if reply.is_abnormal:
        error_byte = reply.data[0] if reply.data else 0
        raise Refused(f"meter {reply.meter_address}: {describe_error(error_byte)}", code=error_byte)
    if request.function not in (Function.READ, Function.READ_FOLLOW_UP):
        return reply.data
    if reply.data[:4] != request.data[:4]:
        asked, answered = digits_from_wire(request.data[:4]), digits_from_wire(reply.data[:4])
        raise FrameError(f"data identifier {answered or 'none'} in reply to {asked}")
    if request.function == Function.READ:
        return reply.data[4:]
    if len(reply.data) < 5 or reply.data[-1] != request.data[4]:
        raise FrameError(f"follow-up frame number differs from {request.data[4]}, the one asked for")
    return reply.data[4:-1]


def items_from_reply(reply: Frame, identifier: DataIdentifier | None = None) -> Items:
    """Return all items of a read reply; `identifier` overrides the table for vendor data."""
    if len(reply.data) < 4:
        raise FrameError(f"{len(reply.data)} bytes of data are too few for an identifier")
    known = identifier or data_identifier(digits_from_wire(reply.data[:4]))
    return decode_items(known, reply.data[4:])


def values_from_reply(reply: Frame, identifier: DataIdentifier | None = None) -> tuple[Decimal | None, ...]:
    """Return the numbers of a read reply in wire order, None where a value is absent.

    FrameError where the data are no numbers: text, times, or nibbles above 9.
    """
    return _numbers(items_from_reply(reply, identifier).values)


def _numbers(values: Sequence[Decimal | str | None]) -> tuple[Decimal | None, ...]:
    for value in values:
        if isinstance(value, str):
            raise FrameError(f"{value!r} is not a number")
    return tuple(value for value in values if not isinstance(value, str))
