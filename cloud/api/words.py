"""Closed sets and exact values as the API writes them.

The invariant: a word, once told, keeps its meaning; a number inside (an enum's, a millionth) never
appears outside.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from cloud.domain.errors import Invalid, Problem
from cloud.domain.money import plain
from protocol.errors import ProtocolError
from protocol.event import Severity
from protocol.quantity import decimal_from_micro, micro_from_decimal
from protocol.reading import ClockQuality, Quality

SeverityWord = Literal["info", "minor", "major", "critical"]
QualityWord = Literal[
    "good", "suspect", "held", "no_reply", "bad_frame", "refused", "absent", "offline", "stale"
]
ClockWord = Literal["synced", "unsynced"]

SEVERITIES: Mapping[Severity, SeverityWord] = MappingProxyType(
    {
        Severity.INFO: "info",
        Severity.MINOR: "minor",
        Severity.MAJOR: "major",
        Severity.CRITICAL: "critical",
    }
)

QUALITIES: Mapping[Quality, QualityWord] = MappingProxyType(
    {
        Quality.GOOD: "good",
        Quality.SUSPECT: "suspect",
        Quality.HELD: "held",
        Quality.NO_REPLY: "no_reply",
        Quality.BAD_FRAME: "bad_frame",
        Quality.REFUSED: "refused",
        Quality.ABSENT: "absent",
        Quality.OFFLINE: "offline",
        Quality.STALE: "stale",
    }
)

CLOCK_QUALITIES: Mapping[ClockQuality, ClockWord] = MappingProxyType(
    {ClockQuality.SYNCED: "synced", ClockQuality.UNSYNCED: "unsynced"}
)


def decimal_or_none(value_micro: int | None) -> Decimal | None:
    """Return millionths as an exact decimal; None stays None."""
    return None if value_micro is None else decimal_from_micro(value_micro)


def plain_or_none(value: Decimal | None) -> Decimal | None:
    """Return a decimal without the zeros its column pads it with; None stays None."""
    return None if value is None else Decimal(plain(value))


def quality_word(quality: Quality | None) -> QualityWord | None:
    """Return the quality's word; None where there is no reading yet."""
    return None if quality is None else QUALITIES[quality]


def checked_decimal(field: str, value: Decimal) -> Decimal:
    """Return a decimal of the request if it is a number of at most six decimals; Invalid names the field."""
    micro_of(field, value)
    return value


def micro_of(field: str, value: Decimal) -> int:
    """Return a decimal of the request in millionths; Invalid names the field if that would not be exact."""
    try:
        return micro_from_decimal(value)
    except (ProtocolError, ArithmeticError, ValueError) as error:
        raise Invalid(f"{field}: {error}", [Problem(f"/{field}", str(error))]) from error
