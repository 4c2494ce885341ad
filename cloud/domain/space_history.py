"""What a space is like, and since when: areas, layout, use, title, state, each change with its day.

The invariant: nothing is overwritten. A change is a new version that holds from its day on; the space on
any date is the version that holds then, so an area corrected today prices no month before it anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import Enum
from typing import Any

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, UserId
from cloud.domain.premises import Space, SpaceKind

# The first version holds since ever: nobody knows what a space was like before it was written down.
BEGINNING = date(1900, 1, 1)
AREA_DM2_MAX = 10**9
TEXT_LENGTH_MAX = 200


class SpaceStatus(Enum):
    """How a space is occupied."""

    COMMON = "common"  # nobody's own: a hall, a pump room
    LET = "let"
    NOT_HANDED_OVER = "not_handed_over"  # still the developer's
    OCCUPIED = "occupied"  # by its owner
    RENOVATING = "renovating"
    VACANT = "vacant"


class SpaceUse(Enum):
    """What a space may be used for by its title."""

    COMMERCIAL = "commercial"
    OFFICE = "office"
    OTHER = "other"
    PARKING = "parking"
    RESIDENTIAL = "residential"
    STORAGE = "storage"


class Orientation(Enum):
    """Which way the windows look."""

    EAST = "east"
    EAST_WEST = "east_west"
    NORTH = "north"
    NORTHEAST = "northeast"
    NORTHWEST = "northwest"
    SOUTH = "south"
    SOUTHEAST = "southeast"
    SOUTHWEST = "southwest"
    SOUTH_NORTH = "south_north"
    WEST = "west"


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """A space as it is on a day; `inner_area_dm2` is the part within its walls, None where not measured.

    `status` is None where nobody said: it then follows from whether an account is open (`status_of`).
    """

    built_area_dm2: int
    inner_area_dm2: int | None = None
    layout: str = ""  # 3室2厅2卫
    orientation: Orientation | None = None
    use: SpaceUse = SpaceUse.RESIDENTIAL
    title_number: str = ""
    status: SpaceStatus | None = None
    handed_over_on: date | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.built_area_dm2 <= AREA_DM2_MAX:
            raise Invalid(f"built_area_dm2 is {self.built_area_dm2}, expected 0 to {AREA_DM2_MAX}")
        inner = self.inner_area_dm2
        if inner is not None and not 0 <= inner <= self.built_area_dm2:
            raise Invalid(f"inner_area_dm2 is {inner}, expected 0 to the built area {self.built_area_dm2}")
        for name in ("layout", "title_number"):
            if len(getattr(self, name)) > TEXT_LENGTH_MAX:
                raise Invalid(f"{name} is longer than {TEXT_LENGTH_MAX} characters")
        if self.handed_over_on is not None and self.status is SpaceStatus.NOT_HANDED_OVER:
            raise Invalid(f"handed over on {self.handed_over_on} and not handed over exclude each other")


FACT_NAMES = tuple(one.name for one in fields(SpaceFacts))


@dataclass(frozen=True, slots=True)
class SpaceVersion:
    """That a space was like this from a day on, until the next version's; later `number`s count."""

    number: int
    from_on: date
    facts: SpaceFacts
    reason: str
    recorded_at_ms: int
    recorded_by: UserId | None
    recorded_name: str = ""


@dataclass(frozen=True, slots=True)
class SpaceRecord:
    """A space as it was on a day, and whose it was; `account_id` is None where nobody's account was open."""

    space: Space
    building_code: str
    building_name: str
    facts: SpaceFacts
    status: SpaceStatus
    account_id: AccountId | None
    account_number: str
    holder_name: str


@dataclass(frozen=True, slots=True)
class SpaceCount:
    """How many spaces are alike, and how large they are together."""

    kind: SpaceKind
    status: SpaceStatus
    layout: str
    area_band: int  # index into AREA_BANDS_DM2
    count: int
    area_dm2: int


# Where one band of area ends and the next begins: 60, 90, 120, 144 m² (144 is what a flat is taxed by).
AREA_BANDS_DM2 = (6_000, 9_000, 12_000, 14_400)


@dataclass(frozen=True, slots=True)
class SpaceSearch:
    """Which spaces; None and "" leave a question open. `text` is part of a number, title or holder."""

    text: str = ""
    building_id: str | None = None
    kind: SpaceKind | None = None
    status: SpaceStatus | None = None
    use: SpaceUse | None = None
    orientation: Orientation | None = None
    layout: str = ""
    unit_code: str = ""
    floor: int | None = None
    area_from_dm2: int | None = None
    area_to_dm2: int | None = None


def status_of(facts: SpaceFacts, kind: SpaceKind, *, has_account: bool) -> SpaceStatus:
    """Return how a space is occupied: what was said of it, or what its account shows."""
    if facts.status is not None:
        return facts.status
    if kind is SpaceKind.PUBLIC:
        return SpaceStatus.COMMON
    return SpaceStatus.OCCUPIED if has_account else SpaceStatus.VACANT


def first_use(kind: SpaceKind) -> SpaceUse:
    """Return what a space of a kind is used for unless its title says otherwise."""
    return {
        SpaceKind.FLAT: SpaceUse.RESIDENTIAL,
        SpaceKind.PARKING: SpaceUse.PARKING,
        SpaceKind.PUBLIC: SpaceUse.OTHER,
        SpaceKind.SHOP: SpaceUse.COMMERCIAL,
    }[kind]


def holding(versions: Sequence[SpaceVersion]) -> list[SpaceVersion]:
    """Return the versions that count, oldest day first: of those of one day the one recorded last."""
    by_day: dict[date, SpaceVersion] = {}
    for one in sorted(versions, key=lambda version: version.number):
        by_day[one.from_on] = one
    return [by_day[day] for day in sorted(by_day)]


def version_on(versions: Sequence[SpaceVersion], on: date) -> SpaceVersion:
    """Return the version that holds on a day."""
    return [one for one in holding(versions) if one.from_on <= on][-1]


def amended(
    versions: Sequence[SpaceVersion], from_on: date, changes: Mapping[str, Any]
) -> list[tuple[date, SpaceFacts]]:
    """Return what must be written for `changes` to hold from a day on; empty if they hold already.

    A later change of the same fact stands: from its day on, that fact stays as it was said then.
    """
    unknown = sorted(set(changes) - set(FACT_NAMES))
    if unknown:
        raise Invalid(f"a space has no {unknown[0]!r}")
    standing = holding(versions)
    before = version_on(versions, from_on)
    new = replace(before.facts, **changes)
    if new == before.facts:
        return []
    written = [(from_on, new)]
    lasting = {name for name in changes if getattr(new, name) != getattr(before.facts, name)}
    previous = before.facts
    for later in (one for one in standing if one.from_on > from_on):
        lasting -= {name for name in lasting if getattr(later.facts, name) != getattr(previous, name)}
        if lasting:
            kept = {name: changes[name] for name in lasting}
            written.append((later.from_on, replace(later.facts, **kept)))
        previous = later.facts
    return written
