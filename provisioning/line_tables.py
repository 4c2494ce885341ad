"""The tables of lines in the configuration file: their shape, their defaults, and the values they become."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from provisioning.lines import (
    BusSettings,
    DialInLine,
    LineConfig,
    LineId,
    ListenLine,
    ModbusTcpLine,
    MqttLine,
    OnvifLine,
    OsdpLine,
    Parity,
    SerialLine,
    TcpLine,
    UdpLine,
)

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Baud = Annotated[int, msgspec.Meta(ge=300, le=1_000_000)]
_TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
# Battery meters want dozens (CJ/T 188); a line of 2400 baud is busy for a second with these.
Preamble = Annotated[int, msgspec.Meta(ge=0, le=250)]
# Longer than any device answers (radio concentrators take up to 30 s), shorter than a shift.
_Timeout = Annotated[int, msgspec.Meta(ge=10, le=60_000)]

# Meters freeze their totals at midnight by their own clock, and are not set around it.
CLOCKS_FROM_MIDNIGHT_MIN = 10
_DAY_MIN = 24 * 60

# Above 19200 baud the specification fixes the silence: Modbus over serial line V1.02, 2.5.1.1.
_FIXED_GAP_ABOVE_BAUD = 19_200
_FIXED_GAP_MS = 1.75
_GAP_CHARACTERS = 3.5

# A reply later than this many timeouts has not been seen even from radio concentrators.
_LATE_LIMIT_TIMEOUTS = 3


class _Bus(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="transport"):
    id: Id
    timeout_ms: _Timeout = 1000
    gap_ms: Annotated[float, msgspec.Meta(ge=0, le=1000)] | None = None
    late_limit_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] | None = None


class _Wired(_Bus, forbid_unknown_fields=True, kw_only=True):
    """A serial line, whatever carries it: meters may be on it."""

    baud: _Baud = 9600
    preamble: Preamble | None = None
    clocks_at: _TimeOfDay | None = None
    freezes_at: _TimeOfDay | None = None


class _Serial(_Wired, forbid_unknown_fields=True, kw_only=True, tag="serial"):
    path: str
    parity: Parity = Parity.NONE
    stop_bits: Literal[1, 2] = 1


class _Tcp(_Wired, forbid_unknown_fields=True, kw_only=True, tag="tcp"):
    host: str
    port: _Port


class _Udp(_Wired, forbid_unknown_fields=True, kw_only=True, tag="udp"):
    host: str
    port: _Port


class _DialIn(_Wired, forbid_unknown_fields=True, kw_only=True, tag="dial-in"):
    host: str = "0.0.0.0"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    registration: str = ""
    heartbeat: str = ""


class _ModbusTcp(_Bus, forbid_unknown_fields=True, kw_only=True, tag="modbus-tcp"):
    host: str
    port: _Port = 502


class _Mqtt(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="transport", tag="mqtt"):
    id: Id
    host: str
    port: _Port = 1883
    base_topic: str = "zigbee2mqtt"
    username: str = ""
    password_file: str = ""


class _Listen(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="transport", tag="listen"):
    id: Id
    protocol: Literal["gb26875.3", "sia-dc09"]
    host: str = "0.0.0.0"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    silence_s: Annotated[float, msgspec.Meta(ge=0.1, le=604_800)] = 600
    takes_datagrams: bool = False
    greets: bool = False
    key_file: str = ""
    roll_calls: list[_TimeOfDay] = []
    roll_call_answer_min: Annotated[int, msgspec.Meta(ge=1, le=255)] = 10


class _Osdp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="transport", tag="osdp"):
    id: Id
    path: str
    baud: _Baud = 9600
    key_file: str = ""
    card_key_file: str


class _Onvif(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="transport", tag="onvif"):
    id: Id
    # HTTP digest has no way to write a colon in a user's name (RFC 7616, 3.4.4).
    username: Annotated[str, msgspec.Meta(pattern=r"^[^:\s]{1,64}$")]
    password_file: str


LineTable: TypeAlias = _Serial | _Tcp | _Udp | _DialIn | _ModbusTcp | _Mqtt | _Listen | _Onvif | _Osdp


def line_from_table(line: LineTable, folder: Path, problems: list[str]) -> LineConfig:
    """Return the line written in a table; what is wrong beyond its shape is added to `problems`."""
    match line:
        case _Serial():
            bits = 9 + line.stop_bits + (line.parity is not Parity.NONE)
            return SerialLine(_wired(line, bits, problems), line.path, line.parity, line.stop_bits)
        case _Tcp():
            # What is behind the server is not told; 11 bits a character is the longest in use.
            return TcpLine(_wired(line, 11, problems), line.host, line.port)
        case _Udp():
            return UdpLine(_wired(line, 11, problems), line.host, line.port)
        case _DialIn():
            registration = _bytes(line.registration, f"{line.id}.registration", problems)
            heartbeat = _bytes(line.heartbeat, f"{line.id}.heartbeat", problems)
            bus = _wired(line, 11, problems)
            return DialInLine(bus, line.host, line.port, registration, heartbeat)
        case _ModbusTcp():
            return ModbusTcpLine(_bus(line, 0, 10), line.host, line.port)
        case _Listen():
            return _listening(line, folder, problems)
        case _Osdp():
            key_file = folder / line.key_file if line.key_file else None
            card_key_file = folder / line.card_key_file
            return OsdpLine(LineId(line.id), line.path, line.baud, key_file, card_key_file)
        case _Onvif():
            return OnvifLine(LineId(line.id), line.username, folder / line.password_file)
        case _Mqtt():
            secret = folder / line.password_file if line.password_file else None
            return MqttLine(
                LineId(line.id), line.host, line.port, line.base_topic.strip("/"), line.username, secret
            )


def _listening(line: _Listen, folder: Path, problems: list[str]) -> ListenLine:
    if line.key_file and line.protocol != "sia-dc09":
        problems.append(f"lines ({line.id}.key_file): {line.protocol} knows no keys, only sia-dc09 does")
    if (line.roll_calls or line.greets) and line.protocol != "gb26875.3":
        problems.append(f"lines ({line.id}.roll_calls, .greets): only gb26875.3 devices can be asked")
    return ListenLine(
        LineId(line.id),
        line.host,
        line.port,
        line.protocol,
        line.silence_s,
        line.takes_datagrams,
        line.greets,
        folder / line.key_file if line.key_file else None,
        tuple(_minutes(at) for at in line.roll_calls),
        line.roll_call_answer_min,
    )


def _bytes(text: str, at: str, problems: list[str]) -> bytes:
    """Return text as UTF-8, or what follows `hex:` as bytes."""
    if not text.startswith("hex:"):
        return text.encode()
    try:
        return bytes.fromhex(text.removeprefix("hex:"))
    except ValueError:
        problems.append(f"lines ({at}): {text!r} is not hexadecimal after hex:")
        return b""


def _minutes(time_of_day: str) -> int:
    return int(time_of_day[:2]) * 60 + int(time_of_day[3:])


def _wired(line: _Wired, bits_per_character: int, problems: list[str]) -> BusSettings:
    clocks_at = None if line.clocks_at is None else _minutes(line.clocks_at)
    if clocks_at is not None and min(clocks_at, _DAY_MIN - clocks_at) < CLOCKS_FROM_MIDNIGHT_MIN:
        problems.append(
            f"lines ({line.id}.clocks_at): around midnight meters freeze their totals; "
            f"expected a time {CLOCKS_FROM_MIDNIGHT_MIN} minutes from it, got {line.clocks_at}"
        )
    return replace(
        _bus(line, line.baud, bits_per_character),
        preamble_count=line.preamble,
        clocks_at_min=clocks_at,
        freezes_at_min=None if line.freezes_at is None else _minutes(line.freezes_at),
    )


def _bus(line: _Bus, baud: int, bits_per_character: int) -> BusSettings:
    gap_ms = line.gap_ms
    if gap_ms is None:
        gap_ms = 0.0
        if baud:
            character_ms = 1000 * bits_per_character / baud
            gap_ms = _FIXED_GAP_MS if baud > _FIXED_GAP_ABOVE_BAUD else _GAP_CHARACTERS * character_ms
    late = line.late_limit_ms
    late_limit_ms = line.timeout_ms * _LATE_LIMIT_TIMEOUTS if late is None else late
    return BusSettings(LineId(line.id), baud, bits_per_character, line.timeout_ms, gap_ms, late_limit_ms)


def callers_confused(lines: Iterable[LineConfig]) -> list[str]:
    """Return a problem for each port whose callers could not be told apart."""
    seen: dict[tuple[str, int], list[DialInLine]] = {}
    for line in lines:
        if isinstance(line, DialInLine) and line.port:
            seen.setdefault((line.host, line.port), []).append(line)
    problems: list[str] = []
    for (_, port), sharing in seen.items():
        packets = [line.registration for line in sharing]
        if len(sharing) > 1 and (b"" in packets or len(set(packets)) < len(packets)):
            names = ", ".join(repr(str(line.bus.line_id)) for line in sharing)
            problems.append(f"lines: {names} share port {port} and need different registrations")
    return problems
