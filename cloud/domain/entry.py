"""Who may pass which door when, as people set it up: entrances, access groups, badges, and what happened.

The invariants: a card's number is kept as its token and its last two digits alone, a face as a token
alone; what ends a badge ends it for good, while a lost one may be found again; and everybody who lives in a
building passes its doors without anybody listing them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cloud.domain.errors import Invalid, Problem
from cloud.domain.ids import (
    AccessGroupId,
    AccountId,
    BadgeId,
    BuildingId,
    EntranceId,
    GatewayId,
    SiteId,
    VisitId,
)
from protocol.access import AccessReason, BadgeKind, Window, is_window

# A box nobody has reached for this long opens to nobody any more: a lost card's longest life.
GRANTS_LIFE_MS = 7 * 24 * 3_600_000
# A set is renewed long before it ends, so that a line down for days keeps nobody out.
GRANTS_RENEWED_MS = GRANTS_LIFE_MS // 4
# A person's card, the children's, the parents' who come to help.
BADGES_A_HOME_MAX = 20
LABEL_LENGTH_MAX, FACE_ID_LENGTH_MAX = 50, 100
CARD_DIGITS_MAX = 20
READERS_MAX, WINDOWS_MAX, GROUP_ENTRANCES_MAX = 8, 14, 200
CODE_DIGITS = 8
_FACILITY_BITS, _FACILITY_NUMBER_MAX = 16, 65_535


class Covers(Enum):
    """Whom an access group is for."""

    RESIDENTS = "residents"  # whoever has an account in its building, or on the site
    CHOSEN = "chosen"  # badges put into it one by one


class BadgeState(Enum):
    """How a badge stands."""

    GOOD = "good"
    LOST = "lost"  # opens nothing; found again it is good again
    ENDED = "ended"  # given back, or its home's account was closed


class PassageOutcome(Enum):
    """What came of it."""

    GRANTED = "granted"
    DENIED = "denied"
    FAILED = "failed"  # let in, and the door did not open, or nobody knows


@dataclass(frozen=True, slots=True)
class Entrance:
    """A door: its lock is `device_code` of a gateway, badges are shown at `readers` of the same one."""

    entrance_id: EntranceId
    site_id: SiteId
    gateway_id: GatewayId
    name: str
    device_code: str
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """Who may pass which entrances at which hours; without windows at all hours."""

    group_id: AccessGroupId
    site_id: SiteId
    name: str
    covers: Covers
    building_id: BuildingId | None
    windows: tuple[Window, ...]
    entrance_ids: tuple[EntranceId, ...]


@dataclass(frozen=True, slots=True)
class Badge:
    """A card, a code or a face; `code` is whole for its holder alone, else empty."""

    badge_id: BadgeId
    site_id: SiteId
    kind: BadgeKind
    label: str
    account_id: AccountId | None
    space_code: str
    building_id: BuildingId | None
    group_ids: tuple[AccessGroupId, ...]
    token: bytes
    ends: str
    code: str
    from_ms: int | None
    until_ms: int | None
    created_at_ms: int
    lost_at_ms: int | None
    ended_at_ms: int | None

    @property
    def state(self) -> BadgeState:
        """Return how it stands."""
        if self.ended_at_ms is not None:
            return BadgeState.ENDED
        return BadgeState.GOOD if self.lost_at_ms is None else BadgeState.LOST


@dataclass(frozen=True, slots=True)
class Passage:
    """One badge shown, or one opening from afar. `token` is of a badge nobody has, to give it to somebody."""

    passage_id: str
    site_id: SiteId
    occurred_at_ms: int
    entrance_name: str
    device_code: str
    outcome: PassageOutcome
    reason: str
    kind: str
    badge_id: BadgeId | None
    visit_id: VisitId | None
    who: str
    space_code: str
    ends: str
    token: str


def card_digits(typed: str) -> str:
    """Return the number of a card as the reader says it; Invalid where it is none.

    `0012345678` as printed, or `123,45678`: facility and number of a 26-bit card.
    """
    text = typed.replace(" ", "")
    facility, comma, number = text.partition(",")
    if comma:
        if _is_number(facility) and _is_number(number) and int(number) <= _FACILITY_NUMBER_MAX:
            return str(int(facility) << _FACILITY_BITS | int(number))
    elif _is_number(text):
        return str(int(text))
    message = f"{typed[:30]!r} is no card number: digits as printed, or facility,number"
    raise Invalid(message, [Problem("/secret", message)])


def checked_windows(windows: Sequence[tuple[int, int, int]]) -> tuple[Window, ...]:
    """Return hours as windows; Invalid names the first that is none."""
    if len(windows) > WINDOWS_MAX:
        raise Invalid(f"{len(windows)} windows of hours, expected at most {WINDOWS_MAX}")
    found = tuple(Window(*one) for one in windows)
    for place, window in enumerate(found):
        if not is_window(window):
            message = (
                f"days {window.days} from minute {window.from_min} to {window.until_min}: "
                "expected days as bits (Monday 1 to Sunday 64) and two minutes of a day"
            )
            raise Invalid(message, [Problem(f"/windows/{place}", message)])
    return found


def reason_of(word: str) -> str:
    """Return a box's reason as one we know; a newer box's unknown one as it came, cut to a word."""
    return word if word in {one.value for one in AccessReason} else word[:30]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= CARD_DIGITS_MAX
