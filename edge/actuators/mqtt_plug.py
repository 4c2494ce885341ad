"""A plug or relay on MQTT, and the siren or lamp that hangs on it: "switch it on", "switch it off".

    Tasmota   cmnd/<topic>/POWER   ON | OFF                    told back in stat/<topic>/RESULT
    Shelly    <prefix>/rpc         {"method": "Switch.Set"…}   told back in <prefix>/status/switch:0

The first switch of a device is meant. What it shows is `relay_state`.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edge.listener import MqttListener
from protocol.command import Act, Action
from provisioning.config import DeviceConfig


def _tasmota(address: str, *, is_on: bool) -> tuple[str, bytes]:
    return f"cmnd/{address}/POWER", b"ON" if is_on else b"OFF"


def _shelly(address: str, *, is_on: bool) -> tuple[str, bytes]:
    request = {"id": 1, "src": "gatehouse", "method": "Switch.Set", "params": {"id": 0, "on": is_on}}
    return f"{address}/rpc", json.dumps(request).encode()


# By the protocol a profile names.
PLUGS: Mapping[str, Callable[..., tuple[str, bytes]]] = MappingProxyType(
    {"mqtt-shelly": _shelly, "mqtt-tasmota": _tasmota}
)


class MqttPlug:
    """One plug; it tells by itself how it stands."""

    actions: frozenset[Act] = frozenset({Action.RELAY_CLOSE, Action.RELAY_OPEN})

    def __init__(self, device: DeviceConfig, listener: MqttListener) -> None:
        self._device = device
        self._listener = listener

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Publish the wish; the broker's acknowledgement says that it has it, nothing of the plug."""
        assert action in self.actions, action
        del parameters
        words = PLUGS[self._device.profile.protocol]
        topic, payload = words(self._device.address, is_on=action is Action.RELAY_CLOSE)
        await self._listener.publish(topic, payload)
        return ""

    async def look(self, point: str) -> None:
        """Do nothing: it tells by itself when it has switched."""
        del point
