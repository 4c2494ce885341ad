"""Who should go: technicians ranked for a job by skill, area, shift and load, with the reasons.

The invariant: the choice follows from what is listed here alone, and every reason for it is told; a
person may always choose somebody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import UserId
from cloud.domain.repair import RepairCategory

MINUTES_A_DAY = 24 * 60


class Ground(Enum):
    """Why somebody suits a job, or does not."""

    SKILL = "skill"
    NO_SKILL = "no_skill"
    AREA = "area"
    ANY_AREA = "any_area"
    OTHER_AREA = "other_area"
    ON_SHIFT = "on_shift"
    OFF_SHIFT = "off_shift"
    AWAY = "away"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Reason:
    """One ground and the value it is about: a building's code, a shift, a number of jobs."""

    ground: Ground
    value: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """When somebody works: weekdays (0 is Monday) and local minutes of the day; it may pass midnight.

    A shift belongs to the day it begins on. `from_minute` equal to `to_minute` is round the clock.
    """

    weekdays: frozenset[int]
    from_minute: int
    to_minute: int

    def __post_init__(self) -> None:
        if not self.weekdays <= frozenset(range(7)):
            raise Invalid(f"weekdays are 0 (Monday) to 6, not {sorted(self.weekdays)}")
        for minute in (self.from_minute, self.to_minute):
            if not 0 <= minute < MINUTES_A_DAY:
                raise Invalid(f"a shift's minute of the day is {minute}, expected 0 to {MINUTES_A_DAY - 1}")

    def covers(self, weekday: int, minute: int) -> bool:
        """Tell whether the shift runs at this local time."""
        if self.from_minute < self.to_minute:
            return weekday in self.weekdays and self.from_minute <= minute < self.to_minute
        if minute >= self.from_minute:
            return weekday in self.weekdays
        return minute < self.to_minute and (weekday - 1) % 7 in self.weekdays

    def __str__(self) -> str:
        return f"{_clock(self.from_minute)}\N{EN DASH}{_clock(self.to_minute)}"


@dataclass(frozen=True, slots=True)
class Technician:
    """Somebody who repairs; no buildings means all of them. `is_away`: on leave or ill."""

    user_id: UserId
    name: str
    skills: frozenset[RepairCategory]
    building_codes: frozenset[str]
    shift: Shift
    is_away: bool
    open_jobs: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A technician judged for one job."""

    technician: Technician
    is_suited: bool
    reasons: tuple[Reason, ...]


def rank(
    technicians: Iterable[Technician],
    category: RepairCategory,
    building_code: str,
    weekday: int,
    minute: int,
) -> list[Candidate]:
    """Return everybody judged for a job, who suits first, then who knows the building, then the least busy.

    Who suits has the skill, serves the building, is on shift and is not away.
    """
    judged = [_judged(one, category, building_code, weekday, minute) for one in technicians]
    return sorted(judged, key=_order)


def _judged(
    one: Technician, category: RepairCategory, building_code: str, weekday: int, minute: int
) -> Candidate:
    has_skill = category in one.skills
    reasons = [Reason(Ground.SKILL if has_skill else Ground.NO_SKILL, category.value)]
    serves = not one.building_codes or not building_code or building_code in one.building_codes
    if building_code in one.building_codes:
        reasons.append(Reason(Ground.AREA, building_code))
    elif serves:
        reasons.append(Reason(Ground.ANY_AREA))
    else:
        reasons.append(Reason(Ground.OTHER_AREA, ", ".join(sorted(one.building_codes))))
    is_on_shift = one.shift.covers(weekday, minute)
    if one.is_away:
        reasons.append(Reason(Ground.AWAY))
    else:
        reasons.append(Reason(Ground.ON_SHIFT if is_on_shift else Ground.OFF_SHIFT, str(one.shift)))
    reasons.append(Reason(Ground.LOAD, str(one.open_jobs)))
    return Candidate(one, has_skill and serves and is_on_shift and not one.is_away, tuple(reasons))


def _order(candidate: Candidate) -> tuple[bool, bool, int, str]:
    knows_area = any(reason.ground is Ground.AREA for reason in candidate.reasons)
    one = candidate.technician
    return not candidate.is_suited, not knows_area, one.open_jobs, one.name


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
