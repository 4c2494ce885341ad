"""A door whose lock hangs on an OSDP reader's first output: "open this door".

On means open: a lock that opens without power is wired to the output's normally closed contact. Opened
for a person the reader itself lets the output fall after five seconds, whatever becomes of us;
released for a fire it stays on until it is returned.
"""

from collections.abc import Mapping

from edge.errors import EXCHANGE_FAILURES
from edge.osdp_line import OsdpListener
from protocol.command import Act, Action, LocalAction
from provisioning.config import DeviceConfig

# Long enough to reach for the handle, short enough that nobody follows.
OPEN_MS = 5_000


class OsdpDoor:
    """One door. Its output is known from the reader's own confirmation, or its report."""

    actions: frozenset[Act] = frozenset(
        {Action.DOOR_UNLOCK, LocalAction.DOOR_RELEASE, LocalAction.DOOR_RETURN}
    )

    def __init__(self, device: DeviceConfig, listener: OsdpListener) -> None:
        self._device_id = device.device_id
        self._listener = listener

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Switch the output once; a light and a text at the door follow where the reader has them."""
        assert action in self.actions, action
        del parameters
        if action is Action.DOOR_UNLOCK:
            await self._listener.switch(self._device_id, is_on=True, for_ms=OPEN_MS)
            return ""
        is_released = action is LocalAction.DOOR_RELEASE
        await self._listener.switch(self._device_id, is_on=is_released)
        try:
            await self._listener.signal(self._device_id, is_released=is_released)
        except EXCHANGE_FAILURES:
            return "the door is switched, the reader does not show it"
        return ""

    async def look(self, point: str) -> None:
        """Do nothing: the reader tells what changes."""
        del point
