"""What the DL/T 645 meters of a line are told every day: the time, and to freeze their totals.

Four-rate bills hang on the meters' clocks, which drift by minutes a year; a frozen total is every meter's at
the same instant, however long reading them takes. Both are broadcast, and nobody answers: after the time,
each meter's clock is read, and one that is still off is told in the log.

The invariant: a line is told once a day, by a clock that is confirmed or not at all.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from edge.actuators.meter_clock import RIGHT_WITHIN
from edge.clock import Clock
from edge.drivers.dlt645_talk import MeterTalk, TalksDlt645
from edge.errors import EXCHANGE_FAILURES
from protocol.errors import Refused
from protocol.reading import ClockQuality
from provisioning.config import Config
from provisioning.lines import LineId

log = logging.getLogger(__name__)

# Often enough not to miss a minute.
_LOOK_EVERY_S = 15.0


class Metered(Protocol):
    """What polls the meters, by the configuration of this moment."""

    @property
    def config(self) -> Config:
        """Return what is configured."""
        ...

    def meters_of(self, line_id: LineId) -> Sequence[TalksDlt645]:
        """Return the DL/T 645 meters of a line."""
        ...


class MeterRounds:
    """Goes round the lines, day after day."""

    def __init__(self, field: Metered, clock: Clock) -> None:
        self._field = field
        self._clock = clock
        self._told: dict[tuple[LineId, str], date] = {}

    async def run(self) -> None:
        """Tell whoever is due, for ever."""
        while True:
            await self.tell_who_is_due()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def tell_who_is_due(self) -> None:
        """Tell the lines whose minute it is; lines wait for no other."""
        if self._clock.quality is not ClockQuality.SYNCED:
            return
        now = self._now()
        async with asyncio.TaskGroup() as group:
            for line_id, line in self._field.config.lines.items():
                bus = getattr(line, "bus", None)
                if bus is None:
                    continue
                for what, at_min, tell in (
                    ("freeze", bus.freezes_at_min, self._freeze),
                    ("clock", bus.clocks_at_min, self._set_clocks),
                ):
                    is_due = at_min == now.hour * 60 + now.minute
                    if is_due and self._told.get((line_id, what)) != now.date():
                        self._told[line_id, what] = now.date()
                        group.create_task(tell(line_id))

    async def _freeze(self, line_id: LineId) -> None:
        for talk in _one_an_edition(meter.talk for meter in self._field.meters_of(line_id)):
            try:
                await talk.broadcast_freeze()
            except Refused:
                continue  # of 1997
            except EXCHANGE_FAILURES as failure:
                log.warning("meters were not told to freeze", extra={"line": line_id, "reason": str(failure)})
                return
            log.info("meters were told to freeze their totals", extra={"line": line_id})

    async def _set_clocks(self, line_id: LineId) -> None:
        talks = [meter.talk for meter in self._field.meters_of(line_id)]
        try:
            for talk in _one_an_edition(talks):
                await talk.broadcast_time(self._now())
        except EXCHANGE_FAILURES as failure:
            log.warning("meters were not told the time", extra={"line": line_id, "reason": str(failure)})
            return
        for talk in talks:
            try:
                off = await talk.clock() - self._now()
            except Refused:
                continue  # it has no clock to show
            except EXCHANGE_FAILURES:
                continue  # polling tells that it is silent
            if abs(off) > RIGHT_WITHIN:
                seconds = round(off.total_seconds())
                log.warning("a meter's clock is off", extra={"meter": talk.address, "seconds": seconds})

    def _now(self) -> datetime:
        """Return the local time, as meters have it."""
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self._clock.wall_ms())
        return moment.astimezone(self._field.config.time_zone).replace(tzinfo=None)


def _one_an_edition(talks: Iterable[MeterTalk]) -> Sequence[MeterTalk]:
    """Return one to speak for all of its edition: a broadcast is heard by everybody."""
    return tuple({id(talk.edition): talk for talk in talks}.values())
