"""One physical bus: who may speak, how long to listen, and whose answer an answer is.

The invariant: an answer is handed to the question it belongs to or to nobody. Only one exchange is
on the bus at a time; after a failed one the bus is drained to silence; and a question whose answer
could be taken for another's is held back until a late answer can no longer come (`Ask.identity`).
Whatever arrives while nobody listens is counted and dropped.

A bus that cannot be opened, and a device that does not answer, are left alone for a growing while
(`Breaker`), so that neither delays the others. All waiting is bounded by the settings.
"""

import asyncio
import heapq
import itertools
import logging
import random
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from edge.breaker import URGENT_PAUSE_MAX_S, Breaker
from edge.clock import Clock
from edge.driver import Ask, Heard, Priority, Receiver
from edge.errors import BadFrame, LineDown, NoReply, Offline
from edge.transport import Transport
from protocol.errors import FrameError, Refused
from provisioning.lines import BusSettings

log = logging.getLogger(__name__)

# Silence that ends a disturbance: longer than any pause inside a frame at the slowest baud rates
# in use, except DL/T 645's 500 ms, which its own identities guard against.
_QUIET_S = 0.05
# A babbling bus is reopened rather than listened to for ever.
_DRAIN_MAX_S = 2.0
# A repeated answer (radio repeaters, serial servers) follows its first within this time.
_REPEAT_WINDOW_S = 0.05
# A half-open connection or a hung adapter is silent without an error: reopen after so many failures.
_SILENT_EXCHANGES_MAX = 4
# A probe may be shorter than the full timeout, but not so short that a slow device never returns.
_PROBE_MIN_S = 0.1
_PROBE_ROUND_TRIPS = 4
_FULL_PROBE_EVERY = 4
_ROUND_TRIPS_KEPT = 64
# So many answers make a turnaround worth planning by; later ones weigh as one of so many.
_TURNAROUNDS_BELIEVED = 8
# Meters pause inside a frame; a reply may take this much longer than its characters at full speed.
_REPLY_MARGIN = 1.5
# Clock differences beyond this inside one exchange mean that the wall clock was set meanwhile.
_CLOCK_STEP_MS = 1000


@dataclass(slots=True)
class DeviceOnLine:
    """What the line knows of one address."""

    breaker: Breaker
    asked: int = 0
    answered: int = 0
    refused: int = 0
    no_reply: int = 0
    bad_frame: int = 0
    turnaround_s: float = 0.0  # of its answers, without the time on the wire; smoothed
    round_trips_us: deque[int] = field(default_factory=lambda: deque(maxlen=_ROUND_TRIPS_KEPT))


@dataclass(slots=True)
class LineCounters:
    """What the line knows of itself."""

    busy_s: float = 0.0
    opened: int = 0
    unsolicited_bytes: int = 0
    held_back: int = 0  # questions delayed because an answer could have been mistaken


@dataclass(slots=True)
class _Listening:
    receiver: Receiver
    done: asyncio.Future[bytes]
    heard_any: bool = False
    is_out_of_step: bool = False


@dataclass(frozen=True, slots=True)
class _HeldBack:
    question: Hashable
    has_failed: bool
    until: float


class Line:
    """A bus with a transport. Must be made inside the running event loop."""

    def __init__(self, settings: BusSettings, transport: Transport, clock: Clock, rng: random.Random) -> None:
        self.settings = settings
        self.clock = clock
        self.counters = LineCounters()
        self.devices: dict[str, DeviceOnLine] = {}
        self.down_reason = ""  # why the bus is not open; "" while it is, or has not been tried
        self._transport = transport
        self._random = rng
        self._loop = asyncio.get_running_loop()
        self._bus_breaker = Breaker(rng, URGENT_PAUSE_MAX_S)
        self._is_open = False
        self._is_disturbed = False
        self._last_byte_at = 0.0
        self._silent_exchanges = 0
        self._round_trip_s = 0.0
        self._listening: _Listening | None = None
        self._held_back: dict[Hashable, _HeldBack] = {}
        self._is_taken = False
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._number = rng.randrange(0xFFFF)
        self._character_s = settings.bits_per_character / settings.baud if settings.baud else 0.0

    def device(self, address: str) -> DeviceOnLine:
        """Return what is known of an address, making a first entry for it."""
        found = self.devices.get(address)
        if found is None:
            found = self.devices[address] = DeviceOnLine(Breaker(self._random))
        return found

    def forget(self, address: str) -> None:
        """Drop what is known of an address that is not polled."""
        self.devices.pop(address, None)

    def next_number(self) -> int:
        """Return a number from 1 to 65535 that no recent request on this bus carried."""
        self._number = self._number % 0xFFFF + 1
        return self._number

    def turnaround_s(self, address: str) -> float | None:
        """Return how long the device thinks before it answers, None until that is known, or on a network."""
        device = self.devices.get(address)
        if device is None or not self._character_s or device.answered < _TURNAROUNDS_BELIEVED:
            return None
        return device.turnaround_s

    def ready_at(self, address: str) -> float:
        """Return the loop time from which the address may be asked; not after now if it may."""
        return max(self._bus_breaker.retry_at or 0.0, self.device(address).breaker.retry_at or 0.0)

    @property
    def is_down(self) -> bool:
        """Tell whether the bus itself cannot be used at present."""
        return self._bus_breaker.is_open

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        """Take a turn on the bus, ask, and return the answer that belongs to it.

        NoReply or BadFrame when the device fails, Refused when it says no, Offline when its breaker
        is open, LineDown when the bus is.
        """
        device = self.device(ask.address)
        if ask.identity in self._held_back:
            await self._keep_apart(ask)
        await self._take_turn(priority)
        began_at = self._loop.time()
        try:
            self._admit(device, began_at)
            await self._make_ready()
            return await self._ask(ask, device)
        finally:
            self.counters.busy_s += self._loop.time() - began_at
            self._pass_turn()

    async def tell(self, wire: bytes, priority: Priority = Priority.TELEMETRY) -> None:
        """Take a turn and send what nobody answers, a broadcast; LineDown when the bus is."""
        await self._take_turn(priority)
        began_at = self._loop.time()
        try:
            if not self._bus_breaker.allows(began_at):
                raise LineDown(self.down_reason)
            await self._make_ready()
            self._transport.write(wire)
            # Everybody hears it out before the next question.
            await asyncio.sleep(len(wire) * self._character_s + _QUIET_S)
            self._last_byte_at = self._loop.time()
        finally:
            self.counters.busy_s += self._loop.time() - began_at
            self._pass_turn()

    def close(self) -> None:
        """Let go of the bus; an exchange under way ends with LineDown."""
        self._fall("closed")
        self._transport.close()

    def _admit(self, device: DeviceOnLine, now: float) -> None:
        if not self._bus_breaker.allows(now):
            raise LineDown(self.down_reason)
        if not device.breaker.allows(now):
            raise Offline(f"no answer to {device.breaker.failures} questions in a row; not asked again yet")

    async def _keep_apart(self, ask: Ask) -> None:
        """Wait while an answer to an earlier question could be taken for the answer to this one."""
        earlier = self._held_back.get(ask.identity)
        if earlier is None or not (earlier.has_failed or earlier.question != ask.question):
            return
        wait_s = earlier.until - self._loop.time()
        if wait_s > 0:
            self.counters.held_back += 1
            await asyncio.sleep(wait_s)

    async def _take_turn(self, priority: Priority) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_turn()
            raise

    def _pass_turn(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False

    async def _make_ready(self) -> None:
        """Open the bus if need be, let a disturbance die away, keep the silence before a request."""
        if not self._is_open:
            await self._open()
        if self._is_disturbed:
            await self._drain()
        if self.settings.gap_ms:
            wait_s = self._last_byte_at + self.settings.gap_ms / 1000 - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    async def _open(self) -> None:
        try:
            await self._transport.open(self._received, self._fall)
        except LineDown as error:
            self._bus_breaker.failed(self._loop.time())
            if str(error) != self.down_reason:
                log.warning("line is down", extra={"line": self.settings.line_id, "reason": str(error)})
            self.down_reason = str(error)
            raise
        if self.down_reason:
            log.info("line is up", extra={"line": self.settings.line_id})
        self._bus_breaker.eased()
        self.down_reason = ""
        self._is_open = True
        self._is_disturbed = False
        self._silent_exchanges = 0
        self.counters.opened += 1

    async def _drain(self) -> None:
        """Wait until the bus has been silent, so that a late answer meets nobody listening."""
        now = self._loop.time()
        give_up_at = now + _DRAIN_MAX_S
        while now < give_up_at:
            quiet_at = self._last_byte_at + _QUIET_S
            if now >= quiet_at:
                self._is_disturbed = False
                return
            await asyncio.sleep(quiet_at - now)
            now = self._loop.time()
        self._reopen_next_time()
        raise LineDown("bytes keep coming that nobody asked for")

    async def _ask(self, ask: Ask, device: DeviceOnLine) -> Heard:
        loop, clock = self._loop, self.clock
        listening = self._listening = _Listening(ask.receiver, loop.create_future())
        device.asked += 1
        sent_wall_ms, sent_at = clock.wall_ms(), loop.time()
        deadline = loop.call_later(self._deadline_s(ask, device), self._expire, listening)
        try:
            self._transport.write(ask.wire)
            self._last_byte_at = sent_at + len(ask.wire) * self._character_s
            reply = await listening.done
        except Refused:
            device.refused += 1
            self._note_answer(ask, device)
            raise
        except (NoReply, BadFrame) as failure:
            self._note_failure(ask, device, failure, sent_at, listening)
            raise
        except LineDown:
            self._bus_breaker.failed(loop.time())
            raise
        except asyncio.CancelledError:
            self._guard(ask, sent_at)
            raise
        finally:
            deadline.cancel()
            self._listening = None
        round_trip_s = loop.time() - sent_at
        round_trip_us = int(round_trip_s * 1_000_000)
        device.answered += 1
        device.round_trips_us.append(round_trip_us)
        self._round_trip_s += (round_trip_s - self._round_trip_s) / 8
        thought_s = max(0.0, round_trip_s - (len(ask.wire) + len(reply)) * self._character_s)
        weight = min(device.answered, _TURNAROUNDS_BELIEVED)
        device.turnaround_s += (thought_s - device.turnaround_s) / weight
        self._note_answer(ask, device)
        measured_at_ms = _middle_ms(sent_wall_ms, clock.wall_ms(), round_trip_us // 1000)
        return Heard(ask.wire, reply, measured_at_ms, round_trip_us)

    def _deadline_s(self, ask: Ask, device: DeviceOnLine) -> float:
        """Return how long to listen; a probe of a device that is gone is kept short."""
        patience_s = (ask.timeout_ms or self.settings.timeout_ms) / 1000
        breaker = device.breaker
        if breaker.is_open and self._round_trip_s and breaker.probes % _FULL_PROBE_EVERY:
            known_us = max(device.round_trips_us, default=int(self._round_trip_s * 1_000_000))
            probe_s = max(_PROBE_MIN_S, _PROBE_ROUND_TRIPS * known_us / 1_000_000)
            patience_s = min(patience_s, probe_s)
        on_the_wire_s = (len(ask.wire) + _REPLY_MARGIN * ask.reply_length) * self._character_s
        return patience_s + on_the_wire_s

    def _expire(self, listening: _Listening) -> None:
        if not listening.done.done():
            listening.done.set_exception(listening.receiver.failure())

    def _received(self, data: bytes) -> None:
        self._last_byte_at = self._loop.time()
        listening = self._listening
        if listening is None or listening.done.done():
            self.counters.unsolicited_bytes += len(data)
            # The rest of such a frame must not meet the next question: spliced to the head of its
            # answer it may even pass a checksum.
            self._is_disturbed = self._is_disturbed or bool(self.settings.baud)
            return
        listening.heard_any = True
        try:
            reply = listening.receiver.feed(data)
        except Refused as refusal:
            listening.done.set_exception(refusal)
        except FrameError as error:
            listening.is_out_of_step = True
            listening.done.set_exception(BadFrame(str(error)))
        else:
            if reply is not None:
                listening.done.set_result(reply)

    def _fall(self, reason: str) -> None:
        """Note that the transport is gone; the next exchange opens it anew."""
        self._is_open = False
        if self._listening is not None and not self._listening.done.done():
            self._listening.done.set_exception(LineDown(reason))

    def _reopen_next_time(self) -> None:
        self._is_open = False
        self._transport.close()

    def _note_answer(self, ask: Ask, device: DeviceOnLine) -> None:
        device.breaker.answered()
        self._bus_breaker.answered()
        self._silent_exchanges = 0
        if ask.identity is not None:
            until = self._loop.time() + _REPEAT_WINDOW_S
            self._held_back[ask.identity] = _HeldBack(ask.question, has_failed=False, until=until)

    def _note_failure(
        self,
        ask: Ask,
        device: DeviceOnLine,
        failure: NoReply | BadFrame,
        sent_at: float,
        listening: _Listening,
    ) -> None:
        if isinstance(failure, NoReply):
            device.no_reply += 1
        else:
            device.bad_frame += 1
        device.breaker.failed(self._loop.time())
        self._guard(ask, sent_at)
        self._silent_exchanges = 0 if listening.heard_any else self._silent_exchanges + 1
        is_stream_lost = listening.is_out_of_step and not self.settings.baud
        if is_stream_lost or self._silent_exchanges >= _SILENT_EXCHANGES_MAX:
            self._reopen_next_time()

    def _guard(self, ask: Ask, sent_at: float) -> None:
        """Keep a late answer from being believed: drain, and hold back what it could be taken for."""
        if ask.identity is None:
            return
        self._is_disturbed = True
        until = sent_at + self.settings.late_limit_ms / 1000
        self._held_back[ask.identity] = _HeldBack(ask.question, has_failed=True, until=until)


def _middle_ms(sent_wall_ms: int, heard_wall_ms: int, round_trip_ms: int) -> int:
    """Return the middle of the exchange; where the clock was set meanwhile, trust it as it is now.

    Not before 1970, where a clock that nobody has set begins.
    """
    if 0 <= heard_wall_ms - sent_wall_ms <= round_trip_ms + _CLOCK_STEP_MS:
        return (sent_wall_ms + heard_wall_ms) // 2
    return max(0, heard_wall_ms - round_trip_ms // 2)
