"""JSON payloads of MQTT devices: exact numbers, bounded size, no surprises.

Numbers become int or exact Decimal, never float; NaN, infinities and absurd exponents are refused,
since a later conversion to an integer would fill the memory.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import cast

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Fact

# The largest payload known is a bridge's device list; a device's state is below 8 kB.
PAYLOAD_MAX = 256 * 1024
# Far beyond any quantity in millionths; float64 reaches 308.
_EXPONENT_MAX = 30


def text_of(payload: bytes) -> str:
    """Return the payload as text; FrameError where it is too long or no UTF-8."""
    if len(payload) > PAYLOAD_MAX:
        raise FrameError(f"payload of {len(payload)} bytes, at most {PAYLOAD_MAX} are taken")
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise FrameError(f"payload {payload[:16].hex()} is not UTF-8 text") from None


def json_value(payload: bytes) -> Fact:
    """Return the JSON value of a payload, numbers exact."""
    try:
        value = json.loads(
            text_of(payload), parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise FrameError(f"payload is not JSON: {error}") from None
    return cast(Fact, value)


def json_object(payload: bytes) -> dict[str, Fact]:
    """Return the JSON object of a payload; FrameError where it is anything else."""
    value = json_value(payload)
    if not isinstance(value, dict):
        raise FrameError(f"payload is a JSON {type(value).__name__}, expected an object")
    return value


def number_at(container: Fact, *path: str) -> Decimal | int | None:
    """Return the number below a path of keys, None where there is none."""
    found = value_at(container, *path)
    return found if isinstance(found, int | Decimal) and not isinstance(found, bool) else None


def value_at(container: Fact, *path: str) -> Fact:
    """Return what lies below a path of keys, None where nothing does."""
    for key in path:
        if not isinstance(container, dict):
            return None
        container = container.get(key)
    return container


def is_number(value: Fact) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        # An exponent of twenty digits is no Decimal at all.
        raise ValueError(f"{text[:40]} is beyond any measure") from None
    if value and abs(value.adjusted()) > _EXPONENT_MAX:
        raise ValueError(f"{text} is beyond any measure")
    # "1e-999999999" is a zero with a monstrous exponent only if every digit is zero.
    return value if value else Decimal(0)


def _integer(text: str) -> int:
    if len(text) > _EXPONENT_MAX:
        raise ValueError(f"a number of {len(text)} digits is beyond any measure")
    return int(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
