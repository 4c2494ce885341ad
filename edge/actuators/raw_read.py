"""A technician's own question to a meter, from afar: a frame that reads, and the answer's bytes.

The driver refuses every frame that is not a read of its very device, so nothing can be written this
way, whoever signs the command.
"""

from collections.abc import Mapping

from edge.driver import Driver
from protocol.command import Act, Action
from protocol.errors import Refused


class RawRead:
    """One polled device."""

    actions = frozenset({Action.RAW_READ})

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Send the frame and return the answer in hex, as `gatehouse decode frame` takes it."""
        del action
        try:
            frame = bytes.fromhex(parameters["frame"])
        except ValueError:
            raise Refused(f"{parameters['frame'][:40]!r} is not hexadecimal") from None
        heard = await self._driver.read_raw(frame)
        return heard.reply.hex(" ").upper()
