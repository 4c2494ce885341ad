"""The valve of a CJ/T 188 meter: "open the water of this home", "close it"."""

from collections.abc import Mapping

from edge.drivers.cjt188 import Cjt188Driver
from protocol.command import Act, Action


class Cjt188Valve:
    """One meter with a valve; its profile has the codes its maker gave it."""

    actions: frozenset[Act] = frozenset({Action.VALVE_CLOSE, Action.VALVE_OPEN})

    def __init__(self, driver: Cjt188Driver) -> None:
        self._driver = driver

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Send the valve command; the meter's answer says that it was heard, not that the valve turned."""
        del parameters
        await self._driver.turn_valve(is_open=action is Action.VALVE_OPEN)
        return ""
