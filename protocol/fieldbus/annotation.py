"""What the bytes of a frame mean, byte by byte, for people: traces, the decoder, reports.

Every codec's `explain` returns fields that cover each byte of the frame exactly once, in order;
`check_cover` holds a codec to that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol, TypeAlias

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

    `is_reply` None means not known; `request` is what a reply answers, where that is known.
    """

    data: bytes
    is_reply: bool | None = None
    request: bytes = b""
    topic: str = ""


class Codec(Protocol):
    """What every protocol module offers to the decoder, the trace and the vectors."""

    def facts(self, message: Message) -> Facts:
        """Return everything the message says; FrameError or Refused where it is not to be believed."""
        ...

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the message; FrameError where it is not a frame of this protocol."""
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
    for field in fields:
        if field.offset != offset or field.length < 1:
            raise ProtocolError(f"field at {field.offset} does not follow the one that ends at {offset}")
        offset += field.length
    if offset != length:
        raise ProtocolError(f"fields cover {offset} of {length} bytes")
