"""A device profile as a value: what a model offers and how each of its points is read.

The file format and the loading are in `profiles.py`. Constructing these values by hand is for
tests; the loader is what checks them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from protocol.event import Severity
from protocol.quantity import Quantity

# Modbus Application Protocol V1.1b3, 6.1 and 6.3: the most a single read may ask for.
REGISTERS_PER_READ_MAX = 125
BITS_PER_READ_MAX = 2000


class ModbusTable(Enum):
    """One of the four address spaces of a Modbus device."""

    COIL = "coil"
    DISCRETE_INPUT = "discrete_input"
    HOLDING_REGISTER = "holding_register"
    INPUT_REGISTER = "input_register"

    @property
    def is_bits(self) -> bool:
        """Tell whether an address holds one bit instead of sixteen."""
        return self in (ModbusTable.COIL, ModbusTable.DISCRETE_INPUT)


# Words each encoding takes; "bit" is a coil, a discrete input or one bit of a register.
ENCODING_WORDS: Mapping[str, int] = MappingProxyType(
    {
        "bcd16": 1,
        "bcd32": 2,
        "bit": 1,
        "float32": 2,
        "float64": 4,
        "int16": 1,
        "int32": 2,
        "int64": 4,
        "uint16": 1,
        "uint24": 2,  # the first three bytes of two registers; the fourth is something else
        "uint32": 2,
        "uint64": 4,
    }
)


@dataclass(frozen=True, slots=True)
class Fraction:
    """Where a number's part behind the point is, written as the whole part is."""

    address: int
    scale: Decimal


@dataclass(frozen=True, slots=True)
class Exponent:
    """Where the device says by which power of ten a number is to be taken.

    `byte` is "both", "high" or "low" of the register; `offset` is added to what it says. With
    `is_places` it counts decimal places, so that 2 means a hundredth.
    """

    address: int
    byte: str
    offset: int
    is_places: bool


@dataclass(frozen=True, slots=True)
class ModbusSource:
    """Where in a Modbus device a point is, and how its words become a number."""

    table: ModbusTable
    address: int  # zero-based protocol address
    encoding: str
    word_order: str
    bit: int | None
    scale: Decimal  # raw times scale is in the quantity's unit
    absent: frozenset[int]  # raw values (unsigned) that mean "not available"
    fraction: Fraction | None = None
    exponent: Exponent | None = None

    @property
    def width(self) -> int:
        """Return how many registers (or bits, in a table of bits) the number itself takes."""
        return 1 if self.table.is_bits else ENCODING_WORDS[self.encoding]

    @property
    def first(self) -> int:
        """Return the lowest address of all that must be read together for one value."""
        return min(address for address, _ in self._parts)

    @property
    def end(self) -> int:
        """Return the address behind the highest."""
        return max(address + width for address, width in self._parts)

    @property
    def _parts(self) -> list[tuple[int, int]]:
        parts = [(self.address, self.width)]
        if self.fraction is not None:
            parts.append((self.fraction.address, self.width))
        if self.exponent is not None:
            parts.append((self.exponent.address, 1))
        return parts


@dataclass(frozen=True, slots=True)
class Dlt645Source:
    """A data identifier, and the block that holds it if the model has one."""

    data_identifier: str
    block: str  # "" if none
    block_item: int
    data_identifier_1997: str = ""  # where a profile covers both editions
    bit: int | None = None  # of a status word


@dataclass(frozen=True, slots=True)
class Cjt188Source:
    """A field of the answer to a CJ/T 188 data identifier."""

    data_identifier: str
    field: str


@dataclass(frozen=True, slots=True)
class MbusSource:
    """A record of an M-Bus readout by what it measures, or a bit of the status, or an old counter.

    `measures` and `function` are the names the codec gives ("Energy", "Instantaneous value").
    `counter` is 1 or 2 in an old fixed-length reply, 0 otherwise.
    """

    measures: str
    function: str
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    status_bit: int | None = None
    counter: int = 0


@dataclass(frozen=True, slots=True)
class PanelSource:
    """The kind of event of which a panel holds at least one raised."""

    condition: str


@dataclass(frozen=True, slots=True)
class PathSource:
    """A path in what an MQTT message says: keys, and numbers of list items as text."""

    path: tuple[str, ...]
    scale: Decimal


@dataclass(frozen=True, slots=True)
class MetricSource:
    """A Sparkplug metric by its name."""

    metric: str
    scale: Decimal


@dataclass(frozen=True, slots=True)
class Zigbee2mqttSource:
    """A key of the JSON a zigbee2mqtt device publishes."""

    key: str
    scale: Decimal


PointSource: TypeAlias = (
    Cjt188Source
    | Dlt645Source
    | MbusSource
    | MetricSource
    | ModbusSource
    | PanelSource
    | PathSource
    | Zigbee2mqttSource
)


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """That a point may be written, and between which values; for a state, the codes are the limits."""

    min_micro: int
    max_micro: int


@dataclass(frozen=True, slots=True)
class AlarmWhen:
    """A condition the device itself reports: while the point has one of these codes."""

    codes: frozenset[int]
    kind: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class PointProfile:
    """One point of a model."""

    name: str
    quantity: Quantity
    source: PointSource
    is_billing: bool = False
    group: str = "all"
    codes: Mapping[str, int] = field(default_factory=dict)  # raw value as text -> the quantity's code
    alarm: AlarmWhen | None = None
    modulus_micro: int = 0  # where a counter begins at zero again; 0 if not known
    max_per_h_micro: int = 0  # the most it can count in an hour; 0 if not known
    write: WriteLimits | None = None  # None: it is only read


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """A passing message of a device that is an event, not a state: a key turned, a card read."""

    key: str
    point: str  # the point of the device it is told at
    values: Mapping[str, str]  # the message's value -> event kind
    severity: Severity


@dataclass(frozen=True, slots=True)
class Golden:
    """A real exchange and what it must give; MQTT has topic and payload as UTF-8 in request and reply."""

    request: bytes
    reply: bytes
    values: Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class Cjt188Model:
    """What CJ/T 188 leaves to the maker: the valve's codes and command, and how long a meter sleeps."""

    valve_open: int = 0x55
    valve_close: int = 0x99
    valve_control: int = 0x04
    preamble_count: int = 4


@dataclass(frozen=True, slots=True)
class Profile:
    """What a model offers. `partial` says what is not known of it, "" where all is;
    `registers_per_read_max` and `bits_per_read_max` are Modbus limits;
    `meter_type` is CJ/T 188's ("10" cold water)."""

    name: str
    title: str
    source: str
    protocol: str
    points: tuple[PointProfile, ...]
    message_events: tuple[MessageEvent, ...] = ()
    golden: tuple[Golden, ...] = ()
    registers_per_read_max: int = REGISTERS_PER_READ_MAX
    bits_per_read_max: int = BITS_PER_READ_MAX
    writes_multiple: bool = False  # Modbus: even one register is written by function 16
    meter_type: str = ""
    cjt188: Cjt188Model = Cjt188Model()
    partial: str = ""

    def point_named(self, name: str) -> PointProfile | None:
        """Return the point of that name, None if the model has none."""
        return next((point for point in self.points if point.name == name), None)
