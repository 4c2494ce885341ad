"""A page of a list: some items, and where to go on.

The invariant: a cursor is the sort key of the last item seen, not a position, so that items added
meanwhile neither repeat nor hide others. It is opaque outside: clients hand back what they were given.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from cloud.domain.errors import Invalid
from cloud.domain.ids import is_uuid

_T = TypeVar("_T", covariant=True)
_Item = TypeVar("_Item")

LIMIT_DEFAULT = 50  # a screen of table rows
LIMIT_MAX = 500  # a building of flats; beyond, a page takes longer to draw than to ask for

_CURSOR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """Some items of a list; `next_cursor` is None at its end."""

    items: tuple[_T, ...]
    next_cursor: str | None = None


def checked_limit(limit: int) -> int:
    """Return `limit` if a page may have so many items."""
    if not 1 <= limit <= LIMIT_MAX:
        raise Invalid(f"limit is {limit}, expected 1 to {LIMIT_MAX}")
    return limit


def page_of(found: Sequence[_Item], limit: int, key: Callable[[_Item], tuple[str | int, ...]]) -> Page[_Item]:
    """Return the page the first `limit` items make; one more was asked for, to know whether it goes on."""
    more = cursor_from_key(*key(found[limit - 1])) if len(found) > limit else None
    return Page(tuple(found[:limit]), more)


def cursor_from_key(*key: str | int) -> str:
    """Return the cursor that goes on after the item with this sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).rstrip(b"=").decode()


def key_from_cursor(cursor: str, *kinds: type[str] | type[int] | type[UUID]) -> tuple[str | int, ...]:
    """Return the sort key in `cursor`; Invalid unless it has exactly the parts `kinds` names.

    A part of kind UUID comes as text, in the form ids have.
    """
    try:
        padded = cursor[:_CURSOR_LENGTH_MAX] + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or len(key) != len(kinds) or not all(map(_fits, key, kinds)):
        raise Invalid("the cursor is not one of this list: leave it out to begin at the first page")
    return tuple(key)


def _fits(part: object, kind: type[str] | type[int] | type[UUID]) -> bool:
    if kind is UUID:
        return isinstance(part, str) and is_uuid(part)
    if kind is int:
        return type(part) is int and abs(part) < 2**63
    return isinstance(part, str)
