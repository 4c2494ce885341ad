"""A relay or a motor valve behind Modbus, and what hangs on it: "sound the siren", "close the riser".

A state point of the profile that may be written, called `relay_state` or `valve_state`. What it shows is
read back like that of every other relay and valve.
"""

from collections.abc import Mapping
from types import MappingProxyType

from edge.drivers.modbus import ModbusDriver
from edge.drivers.modbus_write import switched_points
from protocol.command import ACTION_RULES, Act, Action
from protocol.quantity import MICRO, QUANTITIES
from provisioning.profile_modbus import SWITCHED_STATES

# By what an act is confirmed, that is also written: point and code.
_WRITES: Mapping[Action, tuple[str, str]] = MappingProxyType(
    {
        action: rule.confirmed_by
        for action, rule in ACTION_RULES.items()
        if rule.confirmed_by is not None and rule.confirmed_by[0] in SWITCHED_STATES
    }
)


class SwitchedPoint:
    """One device with a relay or valve of its own."""

    def __init__(self, driver: ModbusDriver) -> None:
        here = switched_points(driver.device.profile)
        self._driver = driver
        self.actions: frozenset[Act] = frozenset(a for a, (point, _) in _WRITES.items() if point in here)

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Write the state once and read it back."""
        assert isinstance(action, Action), action
        del parameters
        point, word = _WRITES[action]
        code = next(code for code, name in QUANTITIES[point].codes.items() if name == word)
        await self._driver.write(point, code * MICRO)
        return ""
