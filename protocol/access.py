"""Who is let in where: what the cloud grants and the edge decides by, with the cloud gone if need be.

A person shows a badge at a reader: a card, a code typed or shown as a QR code, a face that a terminal
knows by its own id. The edge looks it up by its token, a keyed hash, so that a lost box names nobody and
no number. The invariants: the same badge has the same token at every reader of a site; a window of hours
is local time; and what is not granted is refused, with a reason from a closed set.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from enum import Enum

import msgspec

# Below /gateway/v1/, beside the streams: GrantQuestion → signed grants, or nothing.
GRANTS_PATH = "/gateway/v1/access/grants"
# Twenty thousand badges of some hundred bytes.
GRANTS_BYTES_MAX = 4 * 1024 * 1024

# Kinds of events; `attributes` hold badge, reason, door and kind.
ACCESS_GRANTED, ACCESS_DENIED, ACCESS_FAILED = "access_granted", "access_denied", "access_failed"

TOKEN_BYTES = 16
KEY_BYTES = 32
_MINUTES_A_DAY = 24 * 60
# Wiegand formats that carry a parity bit at both ends (HID 26 bit, and its kin of 34).
_PARITY_AT_ENDS = frozenset({26, 34})


class BadgeKind(Enum):
    """What somebody shows at a reader."""

    CARD = "card"
    CODE = "code"  # typed at a keypad, or shown as a QR code
    FACE = "face"  # the terminal's own id of a template; no picture, no features


class AccessReason(Enum):
    """Why somebody is let in or not."""

    GRANTED = "granted"
    UNKNOWN = "unknown"  # nobody's badge here
    BLOCKED = "blocked"  # reported lost, or taken away
    OTHER_DOOR = "other_door"  # somebody's, and not for this door
    OUTSIDE_HOURS = "outside_hours"
    NOT_YET = "not_yet"
    OVER = "over"  # its time has passed
    USED = "used"  # a code that lets in once has done so
    STALE = "stale"  # the grants are older than they may be: the cloud was away too long
    CLOCK = "clock"  # the box does not know the time, and this badge is good at times only
    TOO_MANY = "too_many"  # somebody guesses codes at this reader
    HELD_BACK = "held_back"  # an interlock, the local policy, or more openings than a minute allows
    LATE = "late"  # it may have waited somewhere on its way to the box


class Window(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Hours of some days of the week, local: `days` has bit 0 for Monday.

    The end is not in it; one at or before the beginning is of the next day.
    """

    days: int
    from_min: int
    until_min: int


class GrantQuestion(msgspec.Struct, frozen=True):
    """Gateway to cloud: are there grants newer than these? Both are 0 where it has none."""

    number: int
    issued_at_ms: int


def is_window(window: Window) -> bool:
    """Tell whether it means anything: some day, and minutes of a day."""
    is_time = 0 <= window.from_min < _MINUTES_A_DAY and 0 < window.until_min <= _MINUTES_A_DAY
    return 0 < window.days < 1 << 7 and is_time and window.from_min != window.until_min


def is_within(windows: Iterable[Window], local: datetime) -> bool:
    """Tell whether a local moment is in one of the windows."""
    minute, today = local.hour * 60 + local.minute, local.weekday()
    return any(_covers(window, today, minute) for window in windows)


def _covers(window: Window, today: int, minute: int) -> bool:
    if window.from_min < window.until_min:
        return _is_on(window, today) and window.from_min <= minute < window.until_min
    begun_today = _is_on(window, today) and minute >= window.from_min
    begun_yesterday = _is_on(window, (today - 1) % 7) and minute < window.until_min
    return begun_today or begun_yesterday


def _is_on(window: Window, day: int) -> bool:
    return bool(window.days >> day & 1)


def card_number(bit_count: int, data: bytes) -> int:
    """Return the number of a card as it is printed: its bits without parity.

    `data` is as OSDP carries it (osdp_RAW): most significant bit first, padded at the end.
    """
    count = min(bit_count, 8 * len(data))
    bits = int.from_bytes(data) >> (8 * len(data) - count)
    if count in _PARITY_AT_ENDS:
        return bits >> 1 & ((1 << (count - 2)) - 1)
    return bits


def badge_token(key: bytes, kind: BadgeKind, secret: str) -> bytes:
    """Return what stands for a badge at one site.

    `secret` is a card's number in decimal, a code's digits, or the terminal's id of a face.
    """
    message = f"{kind.value}\x00{secret}".encode()
    return hmac.new(key, message, hashlib.sha256).digest()[:TOKEN_BYTES]
