"""Reading back what a device shows after it was told to act: only that says that it did.

The invariant: what was known before the act says nothing about it, whatever it says.
"""

import asyncio

from edge.actuator import Actuator
from edge.clock import Clock
from edge.intake import Intake
from protocol.quantity import MICRO, QUANTITIES

# A device has this long to show what it was told; beyond it, somebody must look.
CONFIRM_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.3


async def read_back(
    intake: Intake, clock: Clock, actuator: Actuator, device_id: str, point: str, expected: str
) -> str:
    """Return the code a state point shows once it shows the expected one, or when time is up; "" for none."""
    key, codes = f"{device_id}/{point}", QUANTITIES[point].codes
    before = intake.latest.get(key)
    until_ms = clock.monotonic_ms() + CONFIRM_WITHIN_S * 1000
    shown = ""
    while clock.monotonic_ms() < until_ms:
        await actuator.look(point)
        now = intake.latest.get(key)
        if now is not None and now is not before and now.value_micro is not None:
            shown = codes.get(now.value_micro // MICRO, "")
            if shown == expected:
                break
        await asyncio.sleep(_LOOK_EVERY_S)
    return shown
