"""The actuator contract: how a device is made to act, and what its actuator owes.

An actuator does one thing when told and says nothing about success: that is read back from the
device's own points or, where there is no point for it, by the actuator. The invariant: `act` asks
the device exactly once; whether a failed act may be repeated is decided by the action's rule, never
here. Its failures are those of any exchange (`edge.errors.EXCHANGE_FAILURES`), of which only
`Refused`, `LineDown` and `Offline` mean that surely nothing was done, and `Unconfirmed`.
"""

from collections.abc import Mapping
from typing import Protocol

from protocol.command import Act


class Actuator(Protocol):
    """One device that can act."""

    @property
    def actions(self) -> frozenset[Act]:
        """Return what it can be asked."""
        ...

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Ask the device once; return when it has said yes, or cannot say anything.

        What it returns is worth telling the person who asked; mostly "". Unconfirmed where the
        actuator itself has looked, and the device shows another thing than it was told.
        """
        ...

    async def look(self, point: str) -> None:
        """Have the device say anew how the point stands; one that speaks unasked will by itself."""
        ...
