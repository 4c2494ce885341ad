"""A vote of owners, weighted by area and counted by heads besides, as Civil Code 278 asks; or a survey.

The invariant: who may vote with which area is settled when the vote opens and kept; a space votes once
and its vote is never changed, so the count can be made again from the votes by anybody.

Civil Code 278: two thirds of the owners, holding two thirds of the area, take part; a decision needs more
than half of both among those who take part, a grave one (funds for reconstruction, rebuilding, another
use of common parts) three quarters of both. A person who owns several spaces is one head.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from hashlib import sha256

from cloud.domain.ids import AccountId, BallotId, SiteId, SpaceId

TITLE_LENGTH_MAX = 80
TEXT_LENGTH_MAX = 4000
OPTIONS_MIN, OPTIONS_MAX = 2, 10
OPTION_LENGTH_MAX = 60
LASTS_MIN_MS = 3_600_000
LASTS_MAX_MS = 60 * 24 * 3_600_000
AGREE, DISAGREE, ABSTAIN = 0, 1, 2
# Words pages say in the reader's language; a survey's options are its own.
DECISION_OPTIONS = ("agree", "disagree", "abstain")


class BallotKind(Enum):
    """What it decides, and so what it needs."""

    SURVEY = "survey"  # asks; decides nothing
    ORDINARY = "ordinary"
    GRAVE = "grave"


class BallotState(Enum):
    """Where it stands."""

    OPEN = "open"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote; `options` are what is chosen from, for a decision agree, disagree, abstain."""

    ballot_id: BallotId
    site_id: SiteId
    kind: BallotKind
    title: str
    text: str
    options: tuple[str, ...]
    opened_at_ms: int
    until_ms: int
    opened_by: str
    cancelled_at_ms: int | None
    why_cancelled: str

    def state_at(self, now_ms: int) -> BallotState:
        """Return where it stands at a moment."""
        if self.cancelled_at_ms is not None:
            return BallotState.CANCELLED
        return BallotState.OPEN if now_ms < self.until_ms else BallotState.OVER


@dataclass(frozen=True, slots=True)
class CastVote:
    """A vote as whoever cast it finds it in the copy of their data; `choice` counts options from 0."""

    title: str
    space_code: str
    choice: int
    cast_at_ms: int


@dataclass(frozen=True, slots=True)
class Entitled:
    """One space on the roll and its vote; `owner_key` is the same for spaces of one owner."""

    space_id: SpaceId
    space_code: str
    account_id: AccountId | None
    area_dm2: int
    owner_key: str
    choice: int | None = None
    cast_at_ms: int | None = None
    cast_by: str = ""
    paper: str = ""

    @property
    def area_m2(self) -> Decimal:
        """Return its area as people read it."""
        return Decimal(self.area_dm2).scaleb(-2)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the whole by area and by heads."""

    area_dm2: int
    heads: int

    @property
    def area_m2(self) -> Decimal:
        """Return the area as people read it."""
        return Decimal(self.area_dm2).scaleb(-2)


@dataclass(frozen=True, slots=True)
class Count:
    """The count: of all, of those who took part, of each option."""

    roll: Share
    cast: Share
    options: tuple[Share, ...]
    is_quorate: bool
    is_carried: bool
    digest: str


def count(ballot: Ballot, roll: Sequence[Entitled]) -> Count:
    """Count a vote; a head counts for the option most of the area it voted with went to."""
    voted = [one for one in roll if one.choice is not None]
    heads = _heads(voted)
    shares = tuple(
        Share(sum(one.area_dm2 for one in voted if one.choice == option), heads.count(option))
        for option in range(len(ballot.options))
    )
    whole = Share(sum(one.area_dm2 for one in roll), len({one.owner_key for one in roll}))
    cast = Share(sum(one.area_dm2 for one in voted), len(heads))
    is_quorate = all(_share(part, all_) >= Fraction(2, 3) for part, all_ in _pairs(cast, whole))
    agreed = shares[AGREE]
    if ballot.kind is BallotKind.GRAVE:
        is_enough = all(_share(part, all_) >= Fraction(3, 4) for part, all_ in _pairs(agreed, cast))
    else:
        is_enough = all(_share(part, all_) > Fraction(1, 2) for part, all_ in _pairs(agreed, cast))
    decides = ballot.kind is not BallotKind.SURVEY
    return Count(whole, cast, shares, is_quorate, decides and is_quorate and is_enough, digest(ballot, voted))


def receipt(ballot_id: BallotId, vote: Entitled) -> str:
    """Return what a voter keeps: whoever counts again finds this vote by it, and no other."""
    kept = f"{ballot_id}|{vote.space_id}|{vote.choice}|{vote.cast_at_ms}"
    return sha256(kept.encode()).hexdigest()[:12]


def digest(ballot: Ballot, voted: Iterable[Entitled]) -> str:
    """Return one number over all receipts: two counts of the same votes have the same."""
    receipts = sorted(receipt(ballot.ballot_id, one) for one in voted)
    return sha256("\n".join(receipts).encode()).hexdigest()


def _heads(voted: Sequence[Entitled]) -> list[int]:
    """Return each head's option; where areas are equal the first one voted for."""
    by_owner: dict[str, dict[int, int]] = {}
    for one in sorted(voted, key=lambda vote: (vote.cast_at_ms or 0, vote.space_id)):
        assert one.choice is not None, "only votes are counted"
        areas = by_owner.setdefault(one.owner_key, {})
        areas[one.choice] = areas.get(one.choice, 0) + one.area_dm2
    return [max(areas, key=lambda option: areas[option]) for areas in by_owner.values()]


def _pairs(part: Share, whole: Share) -> tuple[tuple[int, int], tuple[int, int]]:
    return (part.area_dm2, whole.area_dm2), (part.heads, whole.heads)


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
