"""A setting of a Modbus device: "hold 21 degrees", "switch this output on". Read back at once.

Which points may be set, and between which values, is the profile's word; lifts and fire panels have none.
"""

from collections.abc import Mapping

from edge.drivers.modbus import ModbusDriver
from edge.drivers.modbus_values import told_value
from edge.drivers.modbus_write import switched_points
from edge.intake import Intake
from protocol.command import Act, Action
from protocol.errors import Refused
from provisioning.profile_modbus import value_to_write
from provisioning.strict import Malformed


class SetPoint:
    """One device with points that can be written."""

    actions = frozenset({Action.SET_POINT})

    def __init__(self, driver: ModbusDriver, intake: Intake) -> None:
        self._driver = driver
        self._intake = intake

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Write the value once and say what the device reads then; Unconfirmed if it is another."""
        del action
        profile, name = self._driver.device.profile, parameters["point"]
        if name in switched_points(profile):
            # Only the acts know what fire and interlocks hold.
            raise Refused(f"{name} is switched by its own acts, not set")
        try:
            value_micro = value_to_write(profile, name, parameters["value"])
        except Malformed as error:
            raise Refused(f"{name}: {'; '.join(error.problems)}") from error
        reading = await self._driver.write(name, value_micro)
        self._intake.accept([reading])
        point = profile.point_named(name)
        assert point is not None, "it has just been written"
        return f"{name} reads {told_value(point, reading)}"
