"""What the bytes of a frame mean, byte by byte, for people: traces, the decoder, reports.

Every codec's `explain` returns fields that cover each byte of the frame exactly once, in order;
`check_cover` holds a codec to that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable

from protocol.errors import ProtocolError

# What a frame says, as plain JSON-like values; decimals stay exact.
Fact: TypeAlias = "bool | int | Decimal | str | Sequence[Fact] | Mapping[str, Fact] | None"
Facts: TypeAlias = dict[str, Fact]


class Role(Enum):
    """What a field is for; the console colours by it."""

    ADDRESS = "address"
    CHECKSUM = "checksum"
    CONTROL = "control"
    DATA_IDENTIFIER = "data_identifier"
    END = "end"
    ERROR = "error"
    FUNCTION_CODE = "function_code"
    LENGTH = "length"
    PAYLOAD = "payload"
    PREAMBLE = "preamble"
    QUANTITY = "quantity"
    REGISTER = "register"
    SERIAL = "serial"
    START = "start"
    STATUS = "status"
    TIME = "time"
    TRANSACTION = "transaction"
    UNIT = "unit"
    UNIT_ID = "unit_id"
    UNKNOWN = "unknown"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Field:
    """Some consecutive bytes of a frame, what they are for and what they say."""

    offset: int
    length: int
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A frame and what is known about it besides its bytes.

    `is_reply` None means not known; `request` is what a reply answers, where that is known. With
    no data at all, `given` are facts from which a codec may derive others (session keys).
    """

    data: bytes
    is_reply: bool | None = None
    request: bytes = b""
    topic: str = ""
    given: Mapping[str, Fact] = field(default_factory=dict)


class Codec(Protocol):
    """What every protocol module offers to the decoder, the trace and the vectors."""

    def facts(self, message: Message) -> Facts:
        """Return everything the message says; FrameError or Refused where it is not to be believed."""
        ...

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the message; FrameError where it is not a frame of this protocol."""
        ...


@runtime_checkable
class ReplyCodec(Codec, Protocol):
    """A codec that can hold a reply against the very request it should answer."""

    def check(self, message: Message) -> None:
        """Raise FrameError unless the message answers its request."""
        ...

    def reply_length(self, request: bytes) -> int:
        """Return how long the normal reply to a request frame is."""
        ...


@runtime_checkable
class LenientCodec(Codec, Protocol):
    """A codec that can also say what a damaged frame seems to mean, for diagnosis only."""

    def lenient_facts(self, message: Message) -> Facts:
        """Return what can be read of a frame whose length or checksum is wrong."""
        ...


class Cursor:
    """Collects fields front to back, so that none overlaps and none is left out."""

    __slots__ = ("fields", "offset")

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.offset = 0

    def take(self, length: int, role: Role, text: str) -> None:
        """Add the next `length` bytes; nothing is added for none."""
        if length:
            self.fields.append(Field(self.offset, length, role, text))
            self.offset += length


def check_cover(fields: Sequence[Field], length: int) -> None:
    """Raise ProtocolError unless the fields cover `length` bytes once each, in order."""
    offset = 0
    for part in fields:
        if part.offset != offset or part.length < 1:
            raise ProtocolError(f"field at {part.offset} does not follow the one that ends at {offset}")
        offset += part.length
    if offset != length:
        raise ProtocolError(f"fields cover {offset} of {length} bytes")


def amount_text(value: Fact, unit: str) -> str:
    """Return a value and its unit for a reader; what is absent says so."""
    return "not available" if value is None else f"{value} {unit}".strip()
