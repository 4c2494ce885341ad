"""Who greets the cloud, so that it sees us alive, and hands on what it answers."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import msgspec

from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from protocol.greeting import Hello, Welcome
from protocol.sync import HELLO_PATH

log = logging.getLogger(__name__)

HELLO_INTERVAL_S = 10.0
# A cloud out of reach is looked for this often, and an answer that takes longer is none: an alarm that
# waits for it must be on its way within ten seconds. Drawn anew each time, against marching in step.
_LOOK_AGAIN_S = (2.0, 8.0)
_HELLO_TIMEOUT_S = 5.0

_welcome_decoder = msgspec.json.Decoder(Welcome)


class Greeter:
    """Says Hello when the agent starts and every ten seconds, so that the cloud sees us alive."""

    def __init__(
        self,
        client: CloudClient,
        hello: Callable[[], Awaitable[Hello]],
        on_welcome: Callable[[Welcome], None],
        rng: random.Random,
        on_turned_away: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.fault = ""
        self._random = rng
        self._client = client
        self._hello = hello
        self.askers: list[Callable[[], None]] = []  # who is told before every Hello
        self.heeders = [on_welcome]  # who is told of every Welcome
        self._on_turned_away = on_turned_away

    async def run(self) -> None:
        """Greet for ever; a failure shows in `fault` and is tried again sooner than the next turn."""
        while True:
            pause_s = HELLO_INTERVAL_S
            try:
                await self.greet()
            except CloudFault as fault:
                if str(fault) != self.fault:
                    log.warning("the cloud does not greet back", extra={"reason": str(fault)})
                self.fault = str(fault)
                pause_s = max(fault.retry_after_s, self._random.uniform(*_LOOK_AGAIN_S))
                if fault.is_turned_away and self._on_turned_away is not None:
                    await self._on_turned_away()
            await asyncio.sleep(pause_s)

    async def greet(self) -> None:
        """Say Hello once and take the Welcome."""
        content = msgspec.json.encode(await self._hello())
        headers = {"Content-Type": "application/json"}
        for ask in self.askers:
            ask()
        answer = await self._client.post(HELLO_PATH, content, headers, _HELLO_TIMEOUT_S)
        try:
            welcome = _welcome_decoder.decode(answer)
        except msgspec.MsgspecError as error:
            raise CloudFault(f"the answer is no welcome: {error}") from error
        self.fault = ""
        for heed in self.heeders:
            heed(welcome)
