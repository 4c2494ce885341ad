"""One connection to the cloud: a request, a bounded answer, or a CloudFault that says what came instead."""

import asyncio
import ssl

import aiohttp

from edge.errors import CloudFault
from edge.identity import Identity
from protocol.sync import ATTEMPT_TIMEOUT_S, CONNECT_TIMEOUT_S

_RETRY_AFTER_MAX_S = 600.0
# An acknowledgement is a few hundred bytes; one with many problems some kilobytes.
_REPLY_BYTES_MAX = 1024 * 1024


class TooSlow(CloudFault):
    """The attempt ran out of time or the body was too large: a smaller batch may pass."""


class CloudClient:
    """One connection to the cloud and how it is spoken to. Use as an async context manager."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1),
            timeout=aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            auto_decompress=True,
        )

    async def __aenter__(self) -> "CloudClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str) -> bytes:
        """Return the body of a 200 answer; CloudFault says what else came."""
        return await self._ask("GET", path, None, {}, ATTEMPT_TIMEOUT_S)

    async def post(
        self, path: str, content: bytes, headers: dict[str, str], timeout_s: float | None = None
    ) -> bytes:
        """Return the body of a 200 answer; CloudFault says what else came, with the pause asked for."""
        return await self._ask("POST", path, content, headers, timeout_s or ATTEMPT_TIMEOUT_S)

    async def _ask(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str], timeout_s: float
    ) -> bytes:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(
                    method,
                    self._identity.credential.cloud_url.rstrip("/") + path,
                    data=content,
                    headers=headers,
                    allow_redirects=False,
                    ssl=self._identity.tls,
                ) as response,
            ):
                if response.status != 200:
                    raise _refusal(response)
                return await _limited(response)
        except TimeoutError as error:
            raise TooSlow(f"no answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            fault = CloudFault(f"cannot reach the cloud: {error}")
            fault.is_turned_away = _is_alert(error)
            raise fault from error


def _is_alert(error: BaseException) -> bool:
    """Tell whether the other side's TLS may have refused us; that we refuse it is another matter.

    In TLS 1.3 the refusal comes after the handshake, and a reset may overtake it.
    """
    causes = (error, getattr(error, "os_error", None), error.__cause__)
    if any(isinstance(cause, ConnectionResetError | aiohttp.ServerDisconnectedError) for cause in causes):
        return True
    alerts = [cause for cause in causes if isinstance(cause, ssl.SSLError)]
    return any(not isinstance(alert, ssl.SSLCertVerificationError) for alert in alerts)


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = await response.content.read(_REPLY_BYTES_MAX + 1)
    while len(body) <= _REPLY_BYTES_MAX and (more := await response.content.read(_REPLY_BYTES_MAX)):
        body += more
    if len(body) > _REPLY_BYTES_MAX:
        raise CloudFault(f"the answer is longer than {_REPLY_BYTES_MAX} bytes")
    return body


def _refusal(response: aiohttp.ClientResponse) -> CloudFault:
    kind = TooSlow if response.status == 413 else CloudFault
    fault = kind(f"the cloud answered {response.status} {response.reason or ''}".rstrip())
    fault.is_turned_away = response.status == 401
    seconds = response.headers.get("Retry-After", "")
    if seconds.isdecimal():
        fault.retry_after_s = min(float(seconds), _RETRY_AFTER_MAX_S)
    return fault
