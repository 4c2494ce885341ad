"""Reading back what a device shows after it was told to act: only that says that it did.

The invariant: what was known before the act says nothing about it, whatever it says. So a `ReadBack` is made
before the act: what speaks by itself may have told of it before the act is over.
"""

import asyncio

from edge.actuator import Actuator
from edge.clock import Clock
from edge.intake import Intake
from protocol.command import Act, confirmed_by
from protocol.quantity import MICRO, QUANTITIES

# A device has this long to show what it was told; beyond it, somebody must look.
CONFIRM_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.3


class ReadBack:
    """What a device is to show after an act. `point` is "" where nothing shows it."""

    def __init__(self, intake: Intake, clock: Clock, actuator: Actuator, device_id: str, act: Act) -> None:
        self.point, self.expected = confirmed_by(act) or ("", "")
        self._intake = intake
        self._clock = clock
        self._actuator = actuator
        self._key = f"{device_id}/{self.point}"
        self._before = intake.latest.get(self._key)

    async def shown(self) -> str:
        """Return the code the point shows once it shows the expected one, or when time is up; "" for none."""
        codes = QUANTITIES[self.point].codes
        until_ms = self._clock.monotonic_ms() + CONFIRM_WITHIN_S * 1000
        shown = ""
        while self._clock.monotonic_ms() < until_ms:
            await self._actuator.look(self.point)
            now = self._intake.latest.get(self._key)
            if now is not None and now is not self._before and now.value_micro is not None:
                shown = codes.get(now.value_micro // MICRO, "")
                if shown == self.expected:
                    break
            await asyncio.sleep(_LOOK_EVERY_S)
        return shown
