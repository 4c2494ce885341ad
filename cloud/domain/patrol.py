"""Patrols: routes with checkpoints, walked at set times, each proven by a tag read or a badge at a door.

The invariant: which rounds there are follows from the route alone, and whether one was walked from the
proofs within its time; nothing has to run for a round to count as missed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from cloud.domain.errors import Invalid
from cloud.domain.ids import CheckpointId, EntranceId, PatrolRouteId, SiteId
from cloud.domain.periods import midnight_ms

_MINUTE_MS = 60_000
_DAY_MINUTES = 24 * 60
NAME_LENGTH_MAX = 40
CHECKPOINTS_MAX = 40
STARTS_MAX = 24
MINUTES_MIN, MINUTES_MAX = 5, 8 * 60


class ProofMeans(Enum):
    """What shows that somebody was there."""

    DOOR = "door"
    TAG = "tag"


class RoundState(Enum):
    """Where a round stands."""

    TO_COME = "to_come"
    UNDER_WAY = "under_way"
    DONE = "done"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One place of a route: its tag's text, or the entrance at which a badge of the staff proves it too."""

    checkpoint_id: CheckpointId
    name: str
    tag: str
    entrance_id: EntranceId | None

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= NAME_LENGTH_MAX:
            raise Invalid(f"a checkpoint's name has 1 to {NAME_LENGTH_MAX} characters: {self.name!r}")


@dataclass(frozen=True, slots=True)
class PatrolRoute:
    """A way round; a round begins at each of `starts` (local minutes) and has `minutes` to be walked in."""

    route_id: PatrolRouteId
    site_id: SiteId
    name: str
    weekdays: frozenset[int]
    starts: tuple[int, ...]
    minutes: int
    checkpoints: tuple[Checkpoint, ...]
    created_at_ms: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= NAME_LENGTH_MAX:
            raise Invalid(f"a route's name has 1 to {NAME_LENGTH_MAX} characters, not {len(self.name)}")
        if not self.weekdays or not self.weekdays <= frozenset(range(7)):
            raise Invalid("a route is walked on one weekday at least")
        if not 1 <= len(self.starts) <= STARTS_MAX or any(not 0 <= one < _DAY_MINUTES for one in self.starts):
            raise Invalid(f"a route has 1 to {STARTS_MAX} rounds a day, each with the time it begins at")
        if not MINUTES_MIN <= self.minutes <= MINUTES_MAX:
            raise Invalid(f"a round has {MINUTES_MIN} to {MINUTES_MAX} minutes, not {self.minutes}")
        if not 1 <= len(self.checkpoints) <= CHECKPOINTS_MAX:
            raise Invalid(f"a route has 1 to {CHECKPOINTS_MAX} checkpoints, not {len(self.checkpoints)}")


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody was at a checkpoint."""

    checkpoint_id: CheckpointId
    at_ms: int
    who: str
    means: ProofMeans


@dataclass(frozen=True, slots=True)
class PatrolRound:
    """One round and the first proof of each checkpoint within its time."""

    route: PatrolRoute
    on: date
    start_minute: int
    from_ms: int
    until_ms: int
    proofs: Mapping[CheckpointId, Proof]

    @property
    def missing(self) -> tuple[Checkpoint, ...]:
        """Return the checkpoints nobody was at."""
        return tuple(one for one in self.route.checkpoints if one.checkpoint_id not in self.proofs)

    def state_at(self, now_ms: int) -> RoundState:
        """Return where it stands at a moment."""
        if not self.missing:
            return RoundState.DONE
        if now_ms < self.from_ms:
            return RoundState.TO_COME
        return RoundState.UNDER_WAY if now_ms < self.until_ms else RoundState.MISSED


def rounds_between(
    route: PatrolRoute, first_on: date, days: int, zone: ZoneInfo, proofs: Iterable[Proof]
) -> list[PatrolRound]:
    """Return the rounds that begin within some days, in order; none from before the route was there."""
    known = sorted(proofs, key=lambda one: one.at_ms)
    own = {one.checkpoint_id for one in route.checkpoints}
    found = []
    for on in (first_on + timedelta(days=number) for number in range(days)):
        if on.weekday() not in route.weekdays:
            continue
        for start in sorted(set(route.starts)):
            from_ms = midnight_ms(on, zone) + start * _MINUTE_MS
            until_ms = from_ms + route.minutes * _MINUTE_MS
            if from_ms < route.created_at_ms:
                continue
            first: dict[CheckpointId, Proof] = {}
            for proof in known:
                if proof.checkpoint_id in own and from_ms <= proof.at_ms < until_ms:
                    first.setdefault(proof.checkpoint_id, proof)
            found.append(PatrolRound(route, on, start, from_ms, until_ms, first))
    return found
