"""The valve of a CJ/T 188 meter: "open the water of this home", "close it"."""

from collections.abc import Mapping

from edge.drivers.cjt188 import Cjt188Driver
from edge.intake import Intake
from protocol.command import Action

# By the standard (CJ/T 188-2004, table for A017); meters with other codes need a model of their own.
_OPERATIONS: Mapping[Action, int] = {Action.VALVE_CLOSE: 0x99, Action.VALVE_OPEN: 0x55}


class Cjt188Valve:
    """One meter with a valve."""

    actions = frozenset(_OPERATIONS)

    def __init__(self, driver: Cjt188Driver, intake: Intake) -> None:
        self._driver = driver
        self._intake = intake

    async def act(self, action: Action, parameters: Mapping[str, str]) -> None:
        """Send the valve command; the meter's answer says that it was heard, not that the valve turned."""
        del parameters
        await self._driver.turn_valve(_OPERATIONS[action])

    async def look(self, point: str) -> None:
        """Poll the group the point is in, as the poller would."""
        group = next(known.group for known in self._driver.device.profile.points if known.name == point)
        self._intake.accept(await self._driver.poll(group))
