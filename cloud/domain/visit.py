"""A visit: somebody a home expects, let in once by a code that is good for a while.

The invariant: a code lets in one visit, within its time, unless it was taken back; whether it holds is
a question of the moment, never stored.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import AccountId, SiteId, SpaceId, UserId, VisitId

_HOUR_MS = 3_600_000
# A visit is of a day; who comes for a week lives here for that long and has a key.
VISIT_LENGTH_MAX_MS = 24 * _HOUR_MS
INVITED_AHEAD_MAX_MS = 30 * 24 * _HOUR_MS
VISITS_OPEN_MAX = 20  # of one home: a party, not a turnstile
NAME_LENGTH_MAX = 50
CODE_DIGITS = 8
# Early guests are let in: a quarter of an hour before the time.
EARLY_MS = _HOUR_MS // 4


class VisitState(Enum):
    """Where a visit stands."""

    EXPECTED = "expected"
    ARRIVED = "arrived"
    MISSED = "missed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit; `code` is whole for the host alone, else empty."""

    visit_id: VisitId
    site_id: SiteId
    account_id: AccountId
    space_id: SpaceId | None
    space_code: str
    host_id: UserId
    host_name: str
    name: str
    plate: str
    from_ms: int
    until_ms: int
    code: str
    arrived_at_ms: int | None
    admitted_by: str
    cancelled_at_ms: int | None

    def state_at(self, now_ms: int) -> VisitState:
        """Return where it stands at a moment."""
        if self.arrived_at_ms is not None:
            return VisitState.ARRIVED
        if self.cancelled_at_ms is not None:
            return VisitState.CANCELLED
        return VisitState.EXPECTED if now_ms <= self.until_ms else VisitState.MISSED

    def lets_in_at(self, now_ms: int) -> bool:
        """Tell whether the code lets somebody in at a moment."""
        return self.state_at(now_ms) is VisitState.EXPECTED and now_ms >= self.from_ms - EARLY_MS
