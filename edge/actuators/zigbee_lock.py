"""A lock behind zigbee2mqtt: "unlock this door". There is no word here for locking it.

Released for a fire it is unlocked as often as it relocks by itself; returned, it is left to itself.
"""

from collections.abc import Mapping

from edge.listener import MqttListener
from protocol.command import Act, Action, LocalAction
from protocol.fieldbus.zigbee2mqtt import command_payload
from provisioning.config import DeviceConfig

_SET = "set"


class ZigbeeLock:
    """One lock; it speaks unasked when its state changes."""

    actions: frozenset[Act] = frozenset(
        {Action.DOOR_UNLOCK, LocalAction.DOOR_RELEASE, LocalAction.DOOR_RETURN}
    )

    def __init__(self, device: DeviceConfig, listener: MqttListener) -> None:
        self._device = device
        self._listener = listener

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Publish the wish; the broker's acknowledgement says that it has it, nothing of the lock."""
        assert action in self.actions, action
        del parameters
        if action is LocalAction.DOOR_RETURN:
            return ""
        topic = f"{self._listener.line.base_topic}/{self._device.address}/{_SET}"
        await self._listener.publish(topic, command_payload(state="UNLOCK"))
        return ""

    async def look(self, point: str) -> None:
        """Do nothing: the lock tells by itself, and asking would wake its radio for nothing."""
        del point
