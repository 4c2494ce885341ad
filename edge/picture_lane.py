"""The lane of pictures: one connection of its own, so that no picture delays an alarm or a reading.

The invariant: a picture leaves the disk only on an acknowledgement that names the digest of the bytes
that were sent. What is shown live goes first and is sent once; late, it would show what is no more.
"""

import asyncio
import contextlib
import logging
import random
from pathlib import Path

from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.pictures import PictureShelf
from protocol.errors import EnvelopeError
from protocol.greeting import Welcome
from protocol.picture import (
    PICTURE_CONTENT_TYPE,
    PICTURES_PATH,
    Picture,
    PictureAck,
    decode_picture_ack,
    encode_picture,
)

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _PAUSE_MAX_S = 0.5, 60.0
_LIVE_MAX_S = 10.0


class PictureLane:
    """Sends what is on the shelf."""

    def __init__(self, shelf: PictureShelf, client: CloudClient, rng: random.Random) -> None:
        self.fault = ""
        self.sent = 0
        self._shelf = shelf
        self._client = client
        self._random = rng
        self._failures = 0
        self._reached = asyncio.Event()

    def heed(self, welcome: Welcome) -> None:
        """Take word that the cloud answers: a pause is over."""
        del welcome
        self._reached.set()

    async def run(self) -> None:
        """Send what there is, wait for more, for ever."""
        while True:
            await self._shelf.grown.wait()
            self._shelf.grown.clear()
            while await self.send_next():
                pass

    async def send_next(self) -> bool:
        """Send one picture; False if there was nothing to send."""
        live = self._shelf.take_live()
        if live is not None:
            with contextlib.suppress(CloudFault):
                await self._post(live, _LIVE_MAX_S)
            return True
        waiting = await self._shelf.oldest()
        if waiting is None:
            return False
        path, picture = waiting
        try:
            await self._taken(path, await self._post(picture))
        except CloudFault as fault:
            await self._pause(fault)
        return True

    async def _post(self, picture: Picture, most_s: float | None = None) -> PictureAck:
        headers = {"Content-Type": PICTURE_CONTENT_TYPE}
        answer = await self._client.post(PICTURES_PATH, encode_picture(picture), headers, most_s)
        try:
            ack = decode_picture_ack(answer)
        except EnvelopeError as error:
            raise CloudFault(str(error)) from error
        if (ack.picture_id, ack.digest) != (picture.picture_id, picture.digest):
            raise CloudFault("the answer acknowledges another picture than was sent")
        return ack

    async def _taken(self, path: Path, ack: PictureAck) -> None:
        if ack.problem:
            log.error(
                "the cloud does not take a picture",
                extra={"picture": ack.picture_id, "reason": ack.problem},
            )
        await self._shelf.drop(path)
        self.sent += 1
        self._failures, self.fault = 0, ""

    async def _pause(self, fault: CloudFault) -> None:
        self._failures += 1
        if str(fault) != self.fault:
            log.warning("lane of pictures is down", extra={"reason": str(fault)})
        self.fault = str(fault)
        ceiling_s = min(_PAUSE_MAX_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 16))
        await asyncio.sleep(fault.retry_after_s)
        self._reached.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._random.uniform(0, ceiling_s)):
                await self._reached.wait()
