"""The clock of DL/T 645 meters, set by broadcast: "tell the meters on this line what time it is".

Four-rate bills hang on that clock. Meters take a broadcast once a day, while they are less than five
minutes off, and not around midnight, when they freeze their totals; nobody answers one. So the meter
that the command names is looked at before and after.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from edge.drivers.dlt645_talk import TalksDlt645
from edge.errors import Unconfirmed
from protocol.command import Act, Action
from protocol.errors import Refused
from protocol.reading import ClockQuality
from provisioning.line_tables import CLOCKS_FROM_MIDNIGHT_MIN

_TAKEN_WITHIN = timedelta(minutes=5)
# A clock of whole seconds, read over a slow line.
RIGHT_WITHIN = timedelta(seconds=5)
_FROM_MIDNIGHT = timedelta(minutes=CLOCKS_FROM_MIDNIGHT_MIN)
_DAY = timedelta(days=1)


class MeterClock:
    """The clocks on a meter's line, as one of them shows."""

    actions = frozenset({Action.BROADCAST_TIME})

    def __init__(self, driver: TalksDlt645, zone: ZoneInfo) -> None:
        self._driver = driver
        self._zone = zone

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Broadcast the time and say what the meter's clock shows then."""
        del action, parameters
        if self._driver.talk.bus.clock.quality is not ClockQuality.SYNCED:
            raise Refused("our own clock is not confirmed: no meter is set by it")
        now = self._now()
        of_day = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
        if min(of_day, _DAY - of_day) < _FROM_MIDNIGHT:
            raise Refused("around midnight meters freeze their totals: ask again in twenty minutes")
        before = await self._off()
        if abs(before) >= _TAKEN_WITHIN:
            raise Refused(f"the meter's clock is {_told(before)}: a broadcast is only taken within 5 min")
        await self._driver.talk.broadcast_time(self._now())
        after = await self._off()
        if abs(after) > RIGHT_WITHIN:
            raise Unconfirmed(
                f"the meter's clock is still {_told(after)}: it takes one broadcast a day, if any"
            )
        return f"the meter's clock is {_told(after)}, it was {_told(before)}"

    def _now(self) -> datetime:
        wall_ms = self._driver.talk.bus.clock.wall_ms()
        return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(self._zone).replace(tzinfo=None)

    async def _off(self) -> timedelta:
        return await self._driver.talk.clock() - self._now()


def _told(off: timedelta) -> str:
    seconds = round(off.total_seconds())
    return "right" if seconds == 0 else f"{abs(seconds)} s {'fast' if seconds > 0 else 'slow'}"
