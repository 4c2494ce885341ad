"""One ONVIF camera as the box asks it: what time it has, what it is, and its picture.

The invariants: the password never travels, only digests of it; and whatever address a camera tells us for
its services or its picture, we ask the camera itself, so that no camera can send us to another machine.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from yarl import URL

from edge.clock import Clock
from edge.errors import BadFrame, NoReply
from protocol import onvif
from protocol.errors import FrameError, Refused
from protocol.picture import PICTURE_BYTES_MAX, check_jpeg

# A camera thinks a second about a picture; one that is rebooting answers nothing for a minute.
ASK_MAX_S, PICTURE_MAX_S = 5.0, 10.0
# A fault of SOAP comes with one of these; what else comes is no answer of the camera's service.
_SOAP_STATUSES = frozenset({200, 400, 401, 500})


@dataclass(frozen=True, slots=True)
class CameraState:
    """What a camera says of itself. `ahead_ms` is how far its clock is before ours."""

    ahead_ms: int
    information: onvif.DeviceInformation


class Camera:
    """One camera. Use as an async context manager."""

    def __init__(self, address: str, credential: onvif.Credential, clock: Clock) -> None:
        self._device = URL(f"http://{address}{onvif.DEVICE_SERVICE_PATH}")
        self._credential = credential
        self._clock = clock
        self._ahead_ms: int | None = None
        self._picture_at: URL | None = None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=2), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._digests: dict[URL, aiohttp.DigestAuthMiddleware] = {}

    async def __aenter__(self) -> "Camera":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def look(self) -> CameraState:
        """Ask for its clock and for what it is; NoReply, BadFrame, FrameError or Refused."""
        ahead_ms = await self._compare_clocks()
        answer = await self._ask(self._device, onvif.GET_DEVICE_INFORMATION)
        return CameraState(ahead_ms, onvif.read_device_information(answer))

    async def picture(self) -> bytes:
        """Return what it sees now as JPEG; NoReply, BadFrame, FrameError or Refused."""
        try:
            if self._picture_at is None:
                self._picture_at = await self._find_picture()
            return await self._fetched(self._picture_at)
        except (NoReply, BadFrame, FrameError, Refused):
            # It may have been set up anew, or have another address for its pictures since it restarted.
            self._picture_at, self._ahead_ms = None, None
            raise

    async def _find_picture(self) -> URL:
        media = self._own(onvif.read_media_address(await self._ask(self._device, onvif.GET_CAPABILITIES)))
        profile, *_ = onvif.read_profiles(await self._ask(media, onvif.GET_PROFILES))
        return self._own(onvif.read_snapshot_uri(await self._ask(media, onvif.get_snapshot_uri(profile))))

    def _own(self, told: str) -> URL:
        """Return an address the camera told us as one of the camera itself.

        Behind a router it tells an inner address, and one that was tampered with may tell anybody's.
        """
        return URL(told).with_user(None).with_host(self._device.host or "")

    async def _compare_clocks(self) -> int:
        before_ms = self._clock.wall_ms()
        answer = await self._post(self._device, onvif.request(onvif.GET_SYSTEM_DATE_AND_TIME, None, b"", 0))
        # Half the way there and back; it tells whole seconds, so half of one is in it on the average.
        now_ms = (before_ms + self._clock.wall_ms()) // 2
        self._ahead_ms = onvif.read_time_ms(answer) + 500 - now_ms
        return self._ahead_ms

    async def _ask(self, where: URL, question: str) -> bytes:
        ahead_ms = self._ahead_ms if self._ahead_ms is not None else await self._compare_clocks()
        created_at_ms = self._clock.wall_ms() + ahead_ms
        asked = onvif.request(question, self._credential, secrets.token_bytes(16), created_at_ms)
        return await self._post(where, asked)

    async def _post(self, where: URL, content: bytes) -> bytes:
        headers = {"Content-Type": onvif.SOAP_CONTENT_TYPE}
        async with self._answer("POST", where, ASK_MAX_S, content, headers) as response:
            if response.status not in _SOAP_STATUSES:
                raise BadFrame(f"the camera answers {response.status} {response.reason or ''}".rstrip())
            body = await _bounded(response, onvif.SOAP_BYTES_MAX)
        if response.status == 401 and not body.lstrip().startswith(b"<"):
            raise Refused("the camera does not know this user and password", code=401)
        return body

    async def _fetched(self, where: URL) -> bytes:
        async with self._answer("GET", where, PICTURE_MAX_S, None, {}) as response:
            if response.status == 401:
                raise Refused("the camera gives its picture to another user and password only", code=401)
            if response.status != 200:
                raise BadFrame(f"instead of a picture: {response.status} {response.reason or ''}".rstrip())
            content = await _bounded(response, PICTURE_BYTES_MAX)
        check_jpeg(content)
        return content

    @asynccontextmanager
    async def _answer(
        self, method: str, where: URL, most_s: float, content: bytes | None, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with (
                asyncio.timeout(most_s),
                self._session.request(
                    method,
                    where,
                    data=content,
                    headers=headers,
                    allow_redirects=False,
                    middlewares=(self._digest_for(where),),
                ) as response,
            ):
                yield response
        except TimeoutError as error:
            raise NoReply(f"no answer within {most_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoReply(f"{where.host}:{where.port}: {error}") from error

    def _digest_for(self, where: URL) -> aiohttp.DigestAuthMiddleware:
        """Return what answers a challenge; its services and its picture may be on different ports."""
        origin = where.origin()
        if origin not in self._digests:
            credential = self._credential
            self._digests[origin] = aiohttp.DigestAuthMiddleware(credential.username, credential.password)
        return self._digests[origin]


async def _bounded(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise BadFrame(f"the camera's answer is longer than {bytes_max} bytes")
    return bytes(body)
