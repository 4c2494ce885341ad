"""Quiet hours: the part of a site's day in which nobody is rung for what is not urgent.

The invariant: they begin and end at different minutes, so that they never last the whole day; a site
that wants none has none, which is not a value of these.
"""

from dataclasses import dataclass
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from cloud.domain.errors import Invalid
from cloud.domain.periods import local_time

MINUTE_MAX = 24 * 60 - 1


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From a minute of the local day until another, itself excluded; over midnight if that is earlier.

    Without values they are those of a site that has said nothing.
    """

    from_minute: int = 21 * 60
    until_minute: int = 8 * 60

    def __post_init__(self) -> None:
        for minute in (self.from_minute, self.until_minute):
            if not 0 <= minute <= MINUTE_MAX:
                raise Invalid(f"quiet hours: a minute of the day is 0 to {MINUTE_MAX}, not {minute}")
        if self.from_minute == self.until_minute:
            raise Invalid(f"quiet hours end at another time than they begin, not both at {self.begins}")

    def __str__(self) -> str:
        return f"{self.begins}-{self.ends}"

    @property
    def begins(self) -> str:
        """Return when they begin, as a clock shows it."""
        return _time(self.from_minute).isoformat("minutes")

    @property
    def ends(self) -> str:
        """Return when they end, as a clock shows it."""
        return _time(self.until_minute).isoformat("minutes")

    def end_ms(self, at_ms: int, zone: ZoneInfo) -> int:
        """Return when a notice of that moment may ring: then, or when the quiet hours are over."""
        local = local_time(at_ms, zone)
        minute = local.hour * 60 + local.minute
        overnight = self.from_minute > self.until_minute
        is_quiet = (
            minute >= self.from_minute or minute < self.until_minute
            if overnight
            else self.from_minute <= minute < self.until_minute
        )
        if not is_quiet:
            return at_ms
        day = local.date() + timedelta(days=1 if overnight and minute >= self.from_minute else 0)
        end = local.combine(day, _time(self.until_minute), zone)
        return int(end.timestamp() * 1000)


def _time(minute: int) -> time:
    return time(*divmod(minute, 60))
