"""Live changes between processes that share one PostgreSQL: LISTEN and NOTIFY.

The invariant: committing never waits for telling. A change travels after its transaction, on a
connection of its own; what cannot be carried (a broken connection, too much at once) becomes "something
was missed", which every reader answers by reading again.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import get_args

import msgspec
import psycopg

from cloud.domain.change import Change, ReadingsChanged
from cloud.store.db import engine_url

log = logging.getLogger(__name__)

_CHANNEL = "gatehouse_live"
# PostgreSQL refuses 8,000 bytes and more (`NOTIFY` in its manual); what surrounds a change takes some.
PAYLOAD_BYTES_MAX = 7_500
# Ten seconds of a busy installation; past that the others had better read again.
WAITING_MAX = 2_000
RETRY_S = 2.0
# A listening connection is otherwise silent: this finds one whose peer has gone without a word.
PROBE_S = 15.0

_KINDS: dict[str, type[Change]] = {kind.__name__: kind for kind in get_args(Change)}


class _Message(msgspec.Struct, array_like=True, frozen=True):
    """What one notification carries: from which process, and a change, or none for "something was missed"."""

    sender: str
    kind: str
    change: msgspec.Raw


class Relay:
    """One process's end. `tell` may be called on any thread; `heard` and `missed` are called on the loop."""

    def __init__(
        self,
        url: str,
        loop: asyncio.AbstractEventLoop,
        *,
        heard: Callable[[Sequence[Change]], None],
        missed: Callable[[], None],
    ) -> None:
        parsed = engine_url(url).set(drivername="postgresql")
        self._address = parsed.render_as_string(hide_password=False)
        self._loop = loop
        self._heard = heard
        self._missed = missed
        self._sender = secrets.token_hex(8)
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MAX)
        self._has_dropped = False

    def tell(self, changes: Sequence[object]) -> None:
        """Hand changes committed here to the other processes, soon."""
        payloads = [payload for change in changes for payload in self._payloads(change)]
        self._loop.call_soon_threadsafe(self._queue, payloads)

    async def run(self) -> None:
        """Listen and tell until cancelled; a lost connection is made anew."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_trying(self._listen), name="relay-listen")
            group.create_task(self._keep_trying(self._send), name="relay-send")

    async def _keep_trying(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("live relay interrupted", extra={"error": type(error).__name__})
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._address, autocommit=True) as connection:
            await connection.execute(f"LISTEN {_CHANNEL}")
            # Whatever was said while nobody listened is lost; readers look again.
            self._missed()
            while True:
                async for notice in connection.notifies(timeout=PROBE_S):
                    self._take(notice.payload)
                async with asyncio.timeout(PROBE_S):
                    await connection.execute("SELECT 1")

    async def _send(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._address, autocommit=True) as connection:
            while True:
                if self._has_dropped and self._waiting.empty():
                    self._has_dropped = False
                    payload = self._payload("", None)
                else:
                    payload = await self._waiting.get()
                try:
                    async with asyncio.timeout(PROBE_S):
                        await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, payload))
                except BaseException:
                    self._has_dropped = True
                    raise

    def _take(self, payload: str) -> None:
        try:
            message = msgspec.json.decode(payload, type=_Message)
            if message.sender == self._sender:
                return
            if not message.kind:
                self._missed()
                return
            change = msgspec.json.decode(message.change, type=_KINDS[message.kind])
        except (msgspec.DecodeError, KeyError):
            # Another release may know changes we don't: looking again is right for those too.
            log.warning("live relay heard what it does not know")
            self._missed()
            return
        self._heard([change])

    def _queue(self, payloads: Sequence[str]) -> None:
        for payload in payloads:
            try:
                self._waiting.put_nowait(payload)
            except asyncio.QueueFull:
                self._has_dropped = True

    def _payloads(self, change: object) -> Iterator[str]:
        payload = self._payload(type(change).__name__, change)
        if len(payload.encode()) <= PAYLOAD_BYTES_MAX:
            yield payload
        elif isinstance(change, ReadingsChanged) and len(change.points) > 1:
            half = len(change.points) // 2
            for points in (change.points[:half], change.points[half:]):
                yield from self._payloads(replace(change, points=points))
        else:
            yield self._payload("", None)

    def _payload(self, kind: str, change: object) -> str:
        encoded = msgspec.Raw(msgspec.json.encode(change))
        return msgspec.json.encode(_Message(self._sender, kind, encoded)).decode()
