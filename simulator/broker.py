"""An MQTT broker in this process, for demonstrations and tests without an installed one.

The invariant: it runs exactly while it is wanted to; a port that cannot be had is said at once.
"""

import logging

from amqtt.broker import Broker as AmqttBroker
from amqtt.broker import BrokerContext
from amqtt.errors import AMQTTError, BrokerError
from amqtt.plugins.base import BasePlugin

# Anonymous and on loopback: a demonstration's broker is no one else's.
_PLUGINS: dict[str, dict[str, object]] = {
    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
    "simulator.broker.ListenerWatch": {},
}


# As which the simulated radio devices speak.
OWN_CLIENT_ID = "zigbee2mqtt-simulator"
TALKERS_CLIENT_ID = "talkers-simulator"


_OWN_CLIENTS = frozenset({OWN_CLIENT_ID, TALKERS_CLIENT_ID})


class ListenerWatch(BasePlugin[BrokerContext]):  # type: ignore[misc]  # amqtt has no types
    """Notes that somebody has subscribed."""

    has_listener = False

    async def on_broker_client_subscribed(self, *, client_id: str, topic: str, qos: int) -> None:
        """Take note; amqtt calls it once all topics of a request are subscribed, for each of them."""
        del topic, qos
        # Our own devices listen for what they are asked to do; they are not whom messages are for.
        self.has_listener = self.has_listener or client_id not in _OWN_CLIENTS


class Broker:
    """The pure-Python broker amqtt, started and stopped at will."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._broker: AmqttBroker | None = None
        for name in ("amqtt", "transitions"):  # they tell every packet at INFO
            logging.getLogger(name).setLevel(logging.ERROR)

    async def start(self) -> None:
        """Begin to serve; OSError where the port is taken."""
        if self._broker is not None:
            return
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"{self._host}:{self._port}"}},
            "plugins": _PLUGINS,
        }
        broker = AmqttBroker(config)
        try:
            await broker.start()
        except (AMQTTError, BrokerError) as error:
            raise OSError(f"cannot serve MQTT on {self._host}:{self._port}: {error}") from error
        self._broker = broker

    @property
    def has_listener(self) -> bool:
        """Tell whether anybody has subscribed; a message before that reaches nobody."""
        if self._broker is None:
            return False
        watch = self._broker.plugins_manager.get_plugin(ListenerWatch.__name__)
        assert isinstance(watch, ListenerWatch), "the broker was started without its plugin"
        return watch.has_listener

    async def stop(self) -> None:
        """Drop every client and stop serving."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()
