"""The way to the cloud: two lanes, one for events and one for history, each with its own connection.

The invariant: a row waits no longer only after an acknowledgement of its commit that names the very
bytes we sent (`batch_digest`), so no portal, proxy or half-open connection can talk us out of a
row. A batch is kept as sent until it is acknowledged and is sent again byte for byte; only where the
link proved too slow for it is it cut smaller. One attempt is under way a lane; a stuck history lane
delays no event.
"""

import asyncio
import contextlib
import gzip
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge.buffer import Buffer
from edge.clock import Clock
from edge.cloud_client import CloudClient, TooSlow
from edge.endings import Endings
from edge.errors import CloudFault
from edge.greeter import Greeter
from protocol.envelope import ENVELOPE_VERSION, Ack, Batch, Block, encode_batch
from protocol.greeting import Welcome
from protocol.sync import (
    BATCH_BYTES_MAX,
    BATCH_CONTENT_TYPE,
    BATCH_PATH,
    BLOCKS_PER_BATCH_MAX,
    ROWS_PER_BATCH_MAX,
    Stream,
)

try:  # 32-bit ARM has no wheel of it; gzip is accepted as well
    from backports import zstd
except ImportError:  # pragma: no cover - depends on the machine
    zstd = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

# Full jitter between nothing and a growing ceiling: a thousand gateways must not return in step.
_FIRST_PAUSE_S = 0.5
_PAUSE_MAX_S = 60.0
# A batch's own fields around its blocks.
_BATCH_OVERHEAD_BYTES = 1024
# Batches shrink on a link that times out and grow again while it keeps up.
_ROWS_MIN = 100
_ROWS_GROWTH = 1000
# Events behind a batch that are looked through for the ends of what begins in it: some 20 ms of the loop.
_BLOCKS_FORESEEN = 2_000

_ack_decoder = msgspec.json.Decoder(Ack)


@dataclass(slots=True)
class LaneState:
    """How a lane is doing, for health."""

    attempts: int = 0
    acked_rows: int = 0
    sent_bytes: int = 0
    last_acked_at_ms: int | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _InFlight:
    digest: str  # SHA-256 of the body before compression: what the cloud inflates and reads
    content: bytes
    encoding: str
    first_seq: int
    first_block_last_seq: int
    last_seq: int
    epoch: int


class Lane:
    """Sends one stream's blocks in order, a batch at a time."""

    def __init__(
        self,
        stream: Stream,
        buffer: Buffer,
        client: CloudClient,
        boot_id: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.state = LaneState()
        self._stream = stream
        self._buffer = buffer
        self._client = client
        self._boot_id = boot_id
        self._clock = clock
        self._random = rng
        self._rows_max = ROWS_PER_BATCH_MAX
        self._endings = Endings()
        self._in_flight: _InFlight | None = None
        self._failures = 0
        self._reached = asyncio.Event()
        # How far the cloud had acknowledged when it was last greeted, of which epoch.
        self._acked = (buffer.epoch, buffer.acked_through[stream])
        self._is_behind_at: int | None = None

    def listen_to(self, greeter: Greeter) -> None:
        """Hear of every Welcome from now on."""
        greeter.askers.append(self.note_acked)
        greeter.heeders.append(self.heed)

    def note_acked(self) -> None:
        """Remember what the cloud has said it has: what it answers now is not older than that."""
        self._acked = (self._buffer.epoch, self._buffer.acked_through[self._stream])

    def heed(self, welcome: Welcome) -> None:
        """Take word that the cloud answers: a pause it did not ask for itself is over.

        It also says how far it has this stream: less than it had, if it was restored from a backup. An alarm
        it has lost must not wait for the next one.
        """
        self._reached.set()
        epoch, acked = self._acked
        held = welcome.acked_through.get(self._stream.value, 0)
        if epoch == self._buffer.epoch and held < acked:
            self._is_behind_at = held
            self._buffer.grown[self._stream].set()

    async def run(self) -> None:
        """Send what there is, wait for more, for ever."""
        grown = self._buffer.grown[self._stream]
        while True:
            await grown.wait()
            grown.clear()
            while await self.send_next():
                pass

    async def send_next(self) -> bool:
        """Send one batch and take its acknowledgement; False if there was nothing to send."""
        batch = self._in_flight
        if batch is not None and batch.epoch != self._buffer.epoch:
            # The store was found damaged and begun anew meanwhile: what is sound is in it, under new numbers.
            batch = self._in_flight = None
        if batch is None and self._is_behind_at is not None:
            await self._offer_again(self._is_behind_at)
            batch = self._in_flight
        self._is_behind_at = None
        if batch is None:
            batch = self._in_flight = await self._next_batch()
            if batch is None:
                return False
        self.state.attempts += 1
        self.state.sent_bytes += len(batch.content)
        try:
            await self._take(await self._post(batch), batch)
        except CloudFault as fault:
            await self._pause(fault)
        return True

    async def _next_batch(self) -> _InFlight | None:
        blocks = await self._buffer.peek(
            self._stream,
            blocks_max=BLOCKS_PER_BATCH_MAX,
            rows_max=self._rows_max,
            bytes_max=BATCH_BYTES_MAX - _BATCH_OVERHEAD_BYTES,
        )
        if not blocks:
            return None
        self._buffer.in_flight[self._stream] = blocks[-1].last_seq
        over: list[int] = []
        # One event alone is the present: it waits for no look at what comes behind it.
        if self._stream is Stream.EVENT and len(blocks) > 1:
            behind = await self._buffer.peek_behind(
                self._stream, blocks[-1].last_seq, blocks_max=_BLOCKS_FORESEEN, bytes_max=BATCH_BYTES_MAX
            )
            over = self._endings.over_in(blocks, behind)
        return self._packed(blocks, over)

    def _packed(self, blocks: list[Block], over: Sequence[int] = ()) -> _InFlight:
        body = encode_batch(
            Batch(
                ENVELOPE_VERSION,
                self._stream.value,
                self._buffer.epoch,
                self._boot_id,
                self._clock.wall_ms(),
                blocks,
                self._buffer.acked_through[self._stream],
                list(over),
            )
        )
        encoding, content = ("zstd", zstd.compress(body)) if zstd else ("gzip", gzip.compress(body, 6))
        digest = hashlib.sha256(body).hexdigest()
        return _InFlight(
            digest,
            content,
            encoding,
            blocks[0].first_seq,
            blocks[0].last_seq,
            blocks[-1].last_seq,
            self._buffer.epoch,
        )

    async def _post(self, batch: _InFlight) -> Ack:
        answer = await self._client.post(
            BATCH_PATH.format(stream=self._stream.value),
            batch.content,
            {"Content-Type": BATCH_CONTENT_TYPE, "Content-Encoding": batch.encoding},
        )
        try:
            ack = _ack_decoder.decode(answer)
        except msgspec.MsgspecError as error:
            raise CloudFault(f"the answer is no acknowledgement: {error}") from error
        if ack.stream != self._stream.value or ack.epoch != self._buffer.epoch:
            raise CloudFault(f"the answer acknowledges stream {ack.stream!r} of epoch {ack.epoch}")
        if ack.batch_digest != batch.digest:
            raise CloudFault("the answer acknowledges other bytes than were sent")
        return ack

    async def _take(self, ack: Ack, batch: _InFlight) -> None:
        conflicts = [problem.first_seq for problem in ack.problems if problem.code == "conflict"]
        if conflicts and await self._buffer.begin_anew(self._stream, min(conflicts) - 1):
            log.error(
                "the cloud has other rows under our numbers: this box runs on an old copy of itself",
                extra={"stream": ack.stream, "epoch": self._buffer.epoch},
            )
            self._in_flight = None
            return
        for problem in ack.problems:
            log.error(
                "the cloud cannot take a block; it was put aside",
                extra={"stream": ack.stream, "first_seq": problem.first_seq, "reason": problem.detail},
            )
            await self._buffer.put_aside(self._stream, problem.first_seq, problem.code, problem.detail)
        # Never past what was sent: under numbers above it the cloud may hold what another copy of us sent.
        rows = await self._buffer.acknowledge(self._stream, min(ack.acked_through, batch.last_seq))
        if ack.acked_through + 1 < batch.first_seq:
            await self._offer_again(ack.acked_through)
            return
        if ack.acked_through < batch.first_block_last_seq and not ack.problems:
            raise CloudFault(
                f"the cloud has rows up to {ack.acked_through} and took none from {batch.first_seq} on"
            )
        self._in_flight = None
        self._buffer.in_flight[self._stream] = 0
        if self._failures:
            log.info("lane is up", extra={"stream": self._stream.value, "failures": self._failures})
        self._failures = 0
        self._rows_max = min(ROWS_PER_BATCH_MAX, self._rows_max + _ROWS_GROWTH)
        state = self.state
        state.acked_rows += rows
        state.last_acked_at_ms, state.fault = self._clock.wall_ms(), ""

    async def _offer_again(self, held_through: int) -> None:
        """Send anew what the cloud no longer has: it was restored from a backup.

        What is not here any more either, it is told by a tombstone. Without one it would wait for those rows
        for ever, and we for its acknowledgement of everything since.
        """
        here_after = await self._buffer.offer_again(self._stream, held_through)
        self._in_flight = None
        said = {"stream": self._stream.value, "first_seq": held_through + 1}
        if here_after <= held_through:
            log.warning("the cloud has lost rows it had acknowledged; they are sent again", extra=said)
            return
        log.error(
            "the cloud has lost rows it had acknowledged, and they are no longer here",
            extra={**said, "last_seq": here_after},
        )
        self._in_flight = self._packed([Block(held_through + 1, here_after - held_through, b"")])

    async def _pause(self, fault: CloudFault) -> None:
        """Wait before the next attempt; a batch that was too much is cut smaller."""
        self._failures += 1
        if str(fault) != self.state.fault:
            log.warning("lane is down", extra={"stream": self._stream.value, "reason": str(fault)})
        self.state.fault = str(fault)
        if isinstance(fault, TooSlow):
            self._rows_max = max(_ROWS_MIN, self._rows_max // 2)
            self._in_flight = None
        ceiling_s = min(_PAUSE_MAX_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 16))
        await asyncio.sleep(fault.retry_after_s)
        self._reached.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._random.uniform(0, ceiling_s)):
                await self._reached.wait()


@dataclass(frozen=True, slots=True)
class Cloud:
    """The parts between the disk and the cloud; empty where there is none."""

    lanes: Mapping[Stream, Lane]
    greeter: Greeter | None
    keep_identity: Callable[[], Awaitable[None]] | None = None
