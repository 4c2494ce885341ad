"""What value rules share: a condition that must last, and the hours in which it counts.

A condition is true, false, or not known (no value): what is not known neither raises nor clears.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from edge.calendar import Dates, WorkingDays, spans_from_texts
from edge.rule import RuleScope, refused, severity_named
from protocol.event import Event, EventState
from protocol.reading import Reading
from provisioning.config import RuleEntry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORKDAY, _DAY_OFF = "workday", "day_off"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class During(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from", "except_": "except"}
):
    """When a rule counts: `during = { from = "22:00", to = "06:00", days = ["sat"] }`, local time.

    Past midnight a span belongs to the day it began on. No days: every day; `workday` and `day_off`
    follow the configuration's calendar. `dates` are the only ones that count, `except` never do.
    """

    from_: str = "00:00"
    to: str = "24:00"
    days: list[str] = []
    dates: list[str] = []
    except_: list[str] = []


class ConditionSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every rule about a lasting condition may set."""

    for_s: float = 0
    severity: str = "major"
    message: str = ""
    event: str = ""
    during: During | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of local time of day in minutes, on some days."""

    start_min: int
    end_min: int
    days: frozenset[str]
    dates: tuple[Dates, ...]
    exceptions: tuple[Dates, ...]
    working: WorkingDays

    def contain(self, at_ms: int, zone: ZoneInfo) -> bool:
        """Tell whether the instant lies in the span."""
        local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
        minute, day = local.hour * 60 + local.minute, local.date()
        if self.start_min < self.end_min:
            return self.start_min <= minute < self.end_min and self._counts(day)
        if minute >= self.start_min:
            return self._counts(day)
        return minute < self.end_min and self._counts(day - timedelta(days=1))

    def _counts(self, day: date) -> bool:
        if any(span.contain(day) for span in self.exceptions):
            return False
        if self.dates and not any(span.contain(day) for span in self.dates):
            return False
        kind = _WORKDAY if self.working.is_worked(day) else _DAY_OFF
        return not self.days or kind in self.days or _DAYS[day.weekday()] in self.days


def hours_of(entry: RuleEntry, during: During | None, working: WorkingDays) -> Hours | None:
    """Return the span written in a rule; None for always."""
    if during is None:
        return None
    words = (*_DAYS, _WORKDAY, _DAY_OFF)
    unknown = [day for day in during.days if day not in words]
    if unknown:
        raise refused(entry, f"during.days: {unknown[0]!r} is none of {', '.join(words)}")
    start, end = (_minutes(entry, key, text) for key, text in (("from", during.from_), ("to", during.to)))
    if start == end:
        raise refused(entry, f"during: from and to are both {during.to}; leave during out for always")
    spans = _spans(entry, "dates", during.dates), _spans(entry, "except", during.except_)
    return Hours(start, end, frozenset(during.days), *spans, working)


def _spans(entry: RuleEntry, key: str, texts: Sequence[str]) -> tuple[Dates, ...]:
    try:
        return spans_from_texts(texts)
    except ValueError as error:
        raise refused(entry, f"during.{key}: {error}") from None


def _minutes(entry: RuleEntry, key: str, text: str) -> int:
    hour, colon, minute = text.partition(":")
    if colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2:
        minutes = int(hour) * 60 + int(minute)
        if int(minute) < 60 and minutes <= 24 * 60:
            return minutes
    raise refused(entry, f"during.{key}: {text!r} is no time of day from 00:00 to 24:00")


@dataclass(slots=True)
class Lasting:
    """How long a condition has held, and whether it was told."""

    is_raised: bool = False
    held_ms: int = 0  # when last seen true; carried over a restart
    since_ms: int | None = None

    def update(self, now_ms: int, for_ms: int, *, holds: bool) -> EventState | None:
        """Take what is true now; return what is to be told, if anything."""
        if holds:
            if self.since_ms is None:
                self.since_ms = now_ms - self.held_ms
            self.held_ms = now_ms - self.since_ms
            if self.is_raised or self.held_ms < for_ms:
                return None
            self.is_raised = True
            return EventState.RAISED
        self.since_ms, self.held_ms = None, 0
        if not self.is_raised:
            return None
        self.is_raised = False
        return EventState.CLEARED


class Conditions:
    """The lasting conditions of a rule's points, with their settings, events and memory."""

    def __init__(
        self,
        entry: RuleEntry,
        scope: RuleScope,
        keys: Iterable[str],
        settings: ConditionSettings,
        message: str,
    ) -> None:
        self._rule_id = entry.rule_id
        self._zone = scope.time_zone
        self._hours = hours_of(entry, settings.during, scope.working_days)
        self._for_ms = round(settings.for_s * 1000)
        if self._for_ms < 0:
            raise refused(entry, f"for_s: {settings.for_s:g} is negative")
        self._severity = severity_named(entry, settings.severity)
        self._message = settings.message or message
        self._event = settings.event or entry.kind
        self._lasting = {key: Lasting() for key in keys}

    def is_raised(self, key: str) -> bool:
        """Tell whether the point's condition was told and not ended."""
        return self._lasting[key].is_raised

    def update(
        self,
        key: str,
        reading: Reading,
        now_ms: int,
        *,
        holds: bool,
        attributes: Mapping[str, str] | None = None,
    ) -> tuple[Event, ...]:
        """Take what is true now by this reading; return the event that follows."""
        if self._hours is not None and not self._hours.contain(reading.measured_at_ms, self._zone):
            holds = False
        state = self._lasting[key].update(now_ms, self._for_ms, holds=holds)
        if state is None:
            return ()
        return (
            Event(
                self._event,
                state,
                self._severity,
                key,
                reading.measured_at_ms,
                self._message,
                self._rule_id,
                reading.value_micro if key == reading.point_key else None,
                attributes=attributes or {},
            ),
        )

    def state(self) -> bytes:
        """Return the points that are raised or on their way to it, with the seconds it has lasted."""
        return msgspec.json.encode(
            {
                key: (lasting.is_raised, lasting.held_ms // 1000)
                for key, lasting in self._lasting.items()
                if lasting.is_raised or lasting.held_ms
            }
        )

    def restore(self, state: bytes) -> None:
        """Take up the points again; time without us does not count as lasting."""
        for key, (is_raised, held_s) in _state_decoder.decode(state).items():
            if key in self._lasting:
                self._lasting[key] = Lasting(is_raised, held_s * 1000)


_state_decoder = msgspec.json.Decoder(dict[str, tuple[bool, int]])
