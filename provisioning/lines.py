"""The lines of a gateway's configuration as values: a bus, a broker, a port of ours, a line of door readers.

How they are written stands in `provisioning.config`; `line_tables.py` reads them.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NewType, TypeAlias

LineId = NewType("LineId", str)


class Parity(Enum):
    """Of a serial line; a pseudo-terminal refuses anything but none."""

    EVEN = "even"
    NONE = "none"
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class BusSettings:
    """What every bus we ask on has, whatever carries it. `baud` 0 means: not a serial line."""

    line_id: LineId
    baud: int
    bits_per_character: int
    timeout_ms: int
    gap_ms: float
    late_limit_ms: int  # a reply may come this long after its request and must not be believed then
    preamble_count: int | None = None  # wake-up bytes; None: as the protocol or the profile has it
    # What DL/T 645 meters are told every day: minutes after local midnight, None: never.
    clocks_at_min: int | None = None
    freezes_at_min: int | None = None


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A serial port of this machine, by a path that survives re-plugging."""

    bus: BusSettings
    path: str
    parity: Parity
    stop_bits: int


@dataclass(frozen=True, slots=True)
class TcpLine:
    """A transparent serial server: bytes on a socket are bytes on the wire."""

    bus: BusSettings
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UdpLine:
    """A serial server that takes and gives frames as datagrams: RTU over UDP, without a header."""

    bus: BusSettings
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class DialInLine:
    """A serial server that calls a port of ours. `registration` are its first bytes, b"" if it is alone."""

    bus: BusSettings
    host: str
    port: int
    registration: bytes
    heartbeat: bytes


@dataclass(frozen=True, slots=True)
class ModbusTcpLine:
    """A Modbus TCP server; the transaction id tells replies apart."""

    bus: BusSettings
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class MqttLine:
    """A broker whose devices speak unasked."""

    line_id: LineId
    host: str
    port: int
    base_topic: str
    username: str
    password_file: Path | None


@dataclass(frozen=True, slots=True)
class ListenLine:
    """A port of ours that panels call. `silence_s` is how long one may say nothing.

    `takes_datagrams` opens the port for UDP as well, `key_file` holds the keys of accounts (DC-09).
    `greets` sets the clock of who calls and asks how it stands, and `roll_calls` are local times of
    day in minutes at which the guard is called (GB/T 26875.3).
    """

    line_id: LineId
    host: str
    port: int
    protocol: str
    silence_s: float
    takes_datagrams: bool = False
    greets: bool = False
    key_file: Path | None = None
    roll_calls: tuple[int, ...] = ()
    roll_call_answer_min: int = 10


@dataclass(frozen=True, slots=True)
class OsdpLine:
    """A serial line of door readers. Without `key_file` there is no secure channel."""

    line_id: LineId
    path: str
    baud: int
    key_file: Path | None
    card_key_file: Path


@dataclass(frozen=True, slots=True)
class OnvifLine:
    """Cameras on a network that know the same user and password."""

    line_id: LineId
    username: str
    password_file: Path


BusLine: TypeAlias = DialInLine | ModbusTcpLine | SerialLine | TcpLine | UdpLine
LineConfig: TypeAlias = BusLine | ListenLine | MqttLine | OnvifLine | OsdpLine
