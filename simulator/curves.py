"""How much is consumed when: whole watt-hours and litres for every hour of a building's life.

Integer arithmetic on a keyed hash, nothing else: a seed gives the same building on every machine, and
any instant since the hand-over can be asked without replaying what came before. The invariant: the
hours of a day sum to the day, and the days to the running total, exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# Asia/Shanghai has kept UTC+8 without summer time since 1991.
ZONE_OFFSET_MS = 8 * HOUR_MS

HANDED_OVER_ON = date(2023, 1, 1)
_FIRST_DAY = HANDED_OVER_ON.toordinal()
_EPOCH_DAY = date(1970, 1, 1).toordinal()
HANDED_OVER_AT_MS = (_FIRST_DAY - _EPOCH_DAY) * DAY_MS - ZONE_OFFSET_MS

_CACHED_DAYS = 4  # a replay walks through one day; a bill asks for a boundary now and then

# fmt: off
# Rows are midnight to noon and noon to midnight.
# A household's day: asleep, breakfast, out, supper and television; at weekends at home by noon.
ELECTRICITY_WEEKDAY = (
    26, 22, 20, 19, 19, 22, 38, 52, 40, 28, 26, 30,
    40, 32, 27, 27, 32, 52, 84, 98, 100, 92, 66, 40,
)
ELECTRICITY_WEEKEND = (
    30, 25, 22, 20, 20, 21, 28, 42, 56, 58, 54, 60,
    70, 60, 52, 50, 54, 66, 88, 98, 100, 94, 72, 46,
)
WATER_WEEKDAY = (
    4, 2, 1, 1, 1, 6, 52, 88, 48, 20, 14, 24,
    34, 18, 12, 12, 18, 44, 72, 78, 66, 58, 38, 14,
)
WATER_WEEKEND = (
    6, 3, 1, 1, 1, 3, 18, 52, 76, 70, 52, 48,
    52, 38, 28, 28, 34, 52, 70, 72, 62, 54, 40, 18,
)
# Common parts: lamps from dusk to dawn, and the lift with the people.
PUBLIC = (
    48, 46, 46, 46, 46, 48, 60, 66, 52, 44, 42, 44,
    48, 44, 42, 42, 48, 72, 96, 100, 98, 90, 72, 56,
)
LIFT_WEEKDAY = (
    3, 1, 1, 1, 2, 10, 52, 100, 72, 34, 26, 38,
    50, 36, 26, 28, 40, 76, 92, 70, 52, 40, 24, 10,
)
LIFT_WEEKEND = (
    5, 2, 1, 1, 2, 4, 16, 36, 58, 70, 66, 64,
    60, 48, 46, 50, 58, 66, 72, 62, 50, 40, 26, 12,
)
# fmt: on

# Permille of the yearly mean by month; Beijing cools in summer and heats by district, so winter is mild.
ELECTRICITY_SEASON = (1100, 1060, 930, 850, 860, 1040, 1330, 1320, 1010, 850, 900, 1060)
WATER_SEASON = (930, 920, 950, 980, 1020, 1080, 1130, 1120, 1050, 980, 940, 920)
LIGHTING_SEASON = (1150, 1090, 1000, 940, 890, 860, 870, 920, 980, 1060, 1120, 1160)
NO_SEASON = (1000,) * 12


def local_day(at_ms: int) -> int:
    """Return the proleptic ordinal of the local date at that instant."""
    return (at_ms + ZONE_OFFSET_MS) // DAY_MS + _EPOCH_DAY


def day_start_ms(day: int) -> int:
    """Return the instant at which the local date with that ordinal begins."""
    return (day - _EPOCH_DAY) * DAY_MS - ZONE_OFFSET_MS


@dataclass(frozen=True, slots=True)
class Pattern:
    """The shape of a consumer's year, week and day; entries are relative weights."""

    weekday: tuple[int, ...]
    weekend: tuple[int, ...]
    season_permille: tuple[int, ...]
    weekend_permille: int = 1000  # a weekend day against a weekday
    away_per_256: int = 0  # how often nobody is at home for a whole day


HOUSEHOLD_ELECTRICITY = Pattern(ELECTRICITY_WEEKDAY, ELECTRICITY_WEEKEND, ELECTRICITY_SEASON, 1140, 8)
HOUSEHOLD_WATER = Pattern(WATER_WEEKDAY, WATER_WEEKEND, WATER_SEASON, 1180, 8)
COMMON_PARTS = Pattern(PUBLIC, PUBLIC, LIGHTING_SEASON)
LIFT_TRIPS = Pattern(LIFT_WEEKDAY, LIFT_WEEKEND, NO_SEASON, 880)


class Consumer:
    """Something that consumes on its own: a household, the stairway lamps, a lift's passengers."""

    def __init__(self, seed: int, name: str, mean_per_day: int, pattern: Pattern) -> None:
        self._key = f"{seed}/{name}".encode()
        self._mean_per_day = mean_per_day
        self._pattern = pattern
        self.hours_until = lru_cache(_CACHED_DAYS)(self._hours_until)

    def day_total(self, day: int) -> int:
        """Return what is consumed on that day."""
        return self._day_total(day, self._chance(day))

    def _hours_until(self, day: int) -> tuple[int, ...]:
        """Return 25 rising totals since midnight: at 0:00, 1:00, … 24:00."""
        chance = self._chance(day)
        is_weekend = (day - 1) % 7 >= 5  # ordinal 1 was a Monday
        weights = self._pattern.weekend if is_weekend else self._pattern.weekday
        # An hour differs from its mean by up to a quarter: a kettle more, a programme less.
        varied = [weight * (384 + chance[hour]) for hour, weight in enumerate(weights)]
        return split_day(self._day_total(day, chance), varied)

    def _chance(self, day: int) -> bytes:
        return blake2b(day.to_bytes(4, "big"), digest_size=32, key=self._key).digest()

    def _day_total(self, day: int, chance: bytes) -> int:
        on = date.fromordinal(day)
        pattern = self._pattern
        here, coming = pattern.season_permille[on.month - 1], pattern.season_permille[on.month % 12]
        season = here + (coming - here) * (on.day - 1) // 31
        permille = 850 + int.from_bytes(chance[24:26], "big") * 300 // 65535
        if on.weekday() >= 5:
            permille = permille * pattern.weekend_permille // 1000
        if chance[26] < pattern.away_per_256:
            permille = permille * 3 // 10  # the refrigerator runs on
        return self._mean_per_day * season * permille // 1_000_000


class Following:
    """Something that follows others: a pump its water, a master meter the meters behind it."""

    def __init__(self, parts: Sequence["Consumer | Following"], permille: int) -> None:
        self._parts = tuple(parts)
        self._permille = permille
        self.hours_until = lru_cache(_CACHED_DAYS)(self._hours_until)

    def day_total(self, day: int) -> int:
        """Return what is consumed on that day: the parts' total, scaled once."""
        return sum(part.day_total(day) for part in self._parts) * self._permille // 1000

    def _hours_until(self, day: int) -> tuple[int, ...]:
        """Return 25 rising totals since midnight, in the proportion of the parts' hours."""
        together = [sum(hour) for hour in zip(*(part.hours_until(day) for part in self._parts), strict=True)]
        total, whole = together[-1] * self._permille // 1000, together[-1] or 1
        return tuple(total * so_far // whole for so_far in together)


def split_day(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Return 25 rising totals whose last is `total`, spread over 24 hours by weight."""
    whole = sum(weights)
    return (0, *(total * so_far // whole for so_far in accumulate(weights)))


class RunningTotal:
    """A consumer's total since the hand-over, at any instant; linear within an hour."""

    def __init__(self, consumer: Consumer | Following) -> None:
        self._consumer = consumer
        self._before_day = [0]  # by day since the hand-over

    def at(self, at_ms: int) -> int:
        """Return the total consumed until that instant; ValueError before the hand-over."""
        day, hour, hour_ms = split_instant(at_ms)
        until = self._consumer.hours_until(day)
        within = (until[hour + 1] - until[hour]) * hour_ms // HOUR_MS
        return self._until_day(day) + until[hour] + within

    def per_hour(self, at_ms: int) -> int:
        """Return what the running hour consumes in all: watt-hours an hour are watts."""
        day, hour, _ = split_instant(at_ms)
        until = self._consumer.hours_until(day)
        return until[hour + 1] - until[hour]

    def _until_day(self, day: int) -> int:
        before = self._before_day
        while len(before) <= day - _FIRST_DAY:
            before.append(before[-1] + self._consumer.day_total(_FIRST_DAY + len(before) - 1))
        return before[day - _FIRST_DAY]


class RatedTotals:
    """A consumer's totals since the hand-over by tariff period; they sum to its RunningTotal exactly."""

    def __init__(self, consumer: Consumer, rate_of: Callable[[int, int], int], rate_count: int) -> None:
        """Take `rate_of(month, hour)`: the number, from 0, of the tariff period that hour belongs to."""
        self._consumer = consumer
        self._rate_of = rate_of
        self._before_day = [(0,) * rate_count]

    def at(self, at_ms: int) -> list[int]:
        """Return the total of each tariff period until that instant; ValueError before the hand-over."""
        day, hour, hour_ms = split_instant(at_ms)
        until = self._consumer.hours_until(day)
        totals = self._add_hours(self._until_day(day), day, hour)
        month = date.fromordinal(day).month
        totals[self._rate_of(month, hour)] += (until[hour + 1] - until[hour]) * hour_ms // HOUR_MS
        return totals

    def _until_day(self, day: int) -> tuple[int, ...]:
        before = self._before_day
        while len(before) <= day - _FIRST_DAY:
            before.append(tuple(self._add_hours(before[-1], _FIRST_DAY + len(before) - 1, 24)))
        return before[day - _FIRST_DAY]

    def _add_hours(self, before: Sequence[int], day: int, hours: int) -> list[int]:
        totals = list(before)
        until = self._consumer.hours_until(day)
        month = date.fromordinal(day).month
        for hour in range(hours):
            totals[self._rate_of(month, hour)] += until[hour + 1] - until[hour]
        return totals


def split_instant(at_ms: int) -> tuple[int, int, int]:
    """Return local day ordinal, hour, and milliseconds into the hour; ValueError before the hand-over."""
    if at_ms < HANDED_OVER_AT_MS:
        raise ValueError(f"instant {at_ms} ms lies before the building's hand-over on {HANDED_OVER_ON}")
    days, day_ms = divmod(at_ms + ZONE_OFFSET_MS, DAY_MS)
    hour, hour_ms = divmod(day_ms, HOUR_MS)
    return days + _EPOCH_DAY, hour, hour_ms
