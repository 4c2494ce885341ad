"""Freezing the totals of DL/T 645-2007 meters, by broadcast: "all meters of this line, keep what you show".

A bill that changes hands today is cut at one instant, however long reading the meters takes. Nobody
answers a broadcast, so the meter that the command names is asked when it last froze, before and after.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from edge.drivers.dlt645_talk import TalksDlt645
from edge.errors import Unconfirmed
from protocol.command import Act, Action
from protocol.errors import Refused

# A meter tells the minute in which it froze; reading its clock takes some seconds more.
_JUST_NOW = timedelta(minutes=2)


class MeterFreeze:
    """The totals of the meters on a meter's line, as one of them tells of its own."""

    actions = frozenset({Action.FREEZE_TOTALS})

    def __init__(self, driver: TalksDlt645) -> None:
        self._driver = driver

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Have all freeze, and say when the meter did, by its own clock."""
        del action, parameters
        talk = self._driver.talk
        before = await self._frozen_at()
        await talk.broadcast_freeze()
        after = await self._frozen_at()
        if after is None:
            raise Unconfirmed("the meter tells of no freeze: it has not heard it, or knows none")
        if abs(await talk.clock() - after) > _JUST_NOW:
            was = "" if before != after else ", as before"
            raise Unconfirmed(f"the meter's last freeze was at {after:%Y-%m-%d %H:%M}{was}")
        return f"the totals were frozen at {after:%Y-%m-%d %H:%M} by the meter's clock"

    async def _frozen_at(self) -> datetime | None:
        """Return when it last froze by command; None where it says it has no such thing."""
        try:
            return await self._driver.talk.frozen_at()
        except Refused:
            return None
