"""What one polled device can do, put together: each act has its own doer, the looking is one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from edge.driver import Driver
from edge.intake import Intake
from protocol.command import Act


class Doer(Protocol):
    """One thing a device can do."""

    @property
    def actions(self) -> frozenset[Act]:
        """Return what it can be asked."""
        ...

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """See `edge.actuator.Actuator`."""
        ...


class PolledActuator:
    """A device on a bus."""

    def __init__(self, driver: Driver, doers: Sequence[Doer], intake: Intake) -> None:
        self._driver = driver
        self._intake = intake
        self._doers = {action: doer for doer in doers for action in doer.actions}

    @property
    def actions(self) -> frozenset[Act]:
        """Return what it can be asked."""
        return frozenset(self._doers)

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Have it done by the one who can."""
        return await self._doers[action].act(action, parameters)

    async def look(self, point: str) -> None:
        """Poll the group the point is in, as the poller would."""
        group = next(known.group for known in self._driver.device.profile.points if known.name == point)
        self._intake.accept(await self._driver.poll(group))
