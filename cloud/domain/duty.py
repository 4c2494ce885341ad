"""Who is on duty: posts that are always held by somebody, a rota that says by whom, and swaps.

The invariant: whose turn it is follows from the rota's first day and the swaps alone, so it is the same
whenever it is asked, for the past as for next month, and nothing has to run for a turn to change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from cloud.domain.dispatch import Shift
from cloud.domain.errors import Invalid
from cloud.domain.ids import DutyPostId, SiteId, UserId
from cloud.domain.periods import midnight_ms

_MINUTE_MS = 60_000
_DAY_MINUTES = 24 * 60
NAME_LENGTH_MAX = 40
REASON_LENGTH_MAX = 200
# As many as an alarm has steps of escalation: whoever is told first, second and last.
CIRCLES = (1, 2, 3)
# Four weeks of somebody's turn are a job, not a turn; a rota longer than a month nobody keeps in mind.
TURN_DAYS_MAX = 28
ROTA_LENGTH_MAX = 31


@dataclass(frozen=True, slots=True)
class DutyPost:
    """A post held by one person at a time, in turn.

    `circle` 1 is told first, 2 and 3 at an alarm's later steps. From `starts_on` on each of `rota` has
    `turn_days` days, then the next, and so round; the shift says on which of those days and when.
    """

    post_id: DutyPostId
    site_id: SiteId
    name: str
    circle: int
    shift: Shift
    turn_days: int
    starts_on: date
    rota: tuple[UserId, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= NAME_LENGTH_MAX:
            raise Invalid(f"a post's name has 1 to {NAME_LENGTH_MAX} characters, not {len(self.name)}")
        if self.circle not in CIRCLES:
            raise Invalid(f"a post is of circle 1, 2 or 3, not {self.circle}")
        if not 1 <= self.turn_days <= TURN_DAYS_MAX:
            raise Invalid(f"a turn is 1 to {TURN_DAYS_MAX} days long, not {self.turn_days}")
        if not 1 <= len(self.rota) <= ROTA_LENGTH_MAX:
            raise Invalid(f"a rota has 1 to {ROTA_LENGTH_MAX} turns, not {len(self.rota)}")
        if not self.shift.weekdays:
            raise Invalid("a post is held on one weekday at least")

    def turn_of(self, on: date) -> UserId:
        """Return whose turn a day is by the rota; before its first day it is counted backwards."""
        return self.rota[(on - self.starts_on).days // self.turn_days % len(self.rota)]

    def bounds_ms(self, on: date, zone: ZoneInfo) -> tuple[int, int]:
        """Return when the shift that begins on a day does so, and when it ends."""
        shift = self.shift
        length = (shift.to_minute - shift.from_minute) % _DAY_MINUTES or _DAY_MINUTES
        from_ms = midnight_ms(on, zone) + shift.from_minute * _MINUTE_MS
        return from_ms, from_ms + length * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class DutySwap:
    """Somebody else's holding one day's turn of a post."""

    post_id: DutyPostId
    on: date
    user_id: UserId
    reason: str


@dataclass(frozen=True, slots=True)
class DutyTurn:
    """One shift of a post and who holds it; `instead_of` is whose turn it would have been."""

    post: DutyPost
    on: date
    user_id: UserId
    instead_of: UserId | None
    reason: str
    from_ms: int
    until_ms: int


def turns_between(
    posts: Iterable[DutyPost],
    swaps: Mapping[tuple[DutyPostId, date], DutySwap],
    first_on: date,
    days: int,
    zone: ZoneInfo,
) -> list[DutyTurn]:
    """Return the shifts that begin within some days, by day, then circle and name."""
    found = []
    ordered = sorted(posts, key=lambda one: (one.circle, one.name, one.post_id))
    for on in (first_on + timedelta(days=number) for number in range(days)):
        for post in ordered:
            if on.weekday() not in post.shift.weekdays:
                continue
            planned, swap = post.turn_of(on), swaps.get((post.post_id, on))
            holder, reason = (planned, "") if swap is None else (swap.user_id, swap.reason)
            instead_of = planned if holder != planned else None
            found.append(DutyTurn(post, on, holder, instead_of, reason, *post.bounds_ms(on, zone)))
    return found


def to_tell(on_duty: Iterable[DutyTurn], step: int) -> list[UserId]:
    """Return who of those on duty hears of an alarm at a step: its circle and those before it.

    Where none of these is held, the next circle that is: a step is never told to nobody while anybody is
    on duty. Everybody once, the first circle first.
    """
    held = sorted(on_duty, key=lambda one: one.post.circle)
    near = [one for one in held if one.post.circle <= step]
    told = near or [one for one in held if one.post.circle == held[0].post.circle]
    return list(dict.fromkeys(one.user_id for one in told))
