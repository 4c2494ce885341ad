"""An MQTT broker in this process, for demonstrations and tests without an installed one.

The invariant: it runs exactly while it is wanted to; a port that cannot be had is said at once.
"""

import logging

from amqtt.broker import Broker as AmqttBroker
from amqtt.errors import AMQTTError, BrokerError

# Anonymous and on loopback: a demonstration's broker is no one else's.
_PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


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

    async def stop(self) -> None:
        """Drop every client and stop serving."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()
