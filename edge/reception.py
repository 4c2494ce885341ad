"""Receiving panels: a port they call, their messages to disk, and only then the confirmation.

The invariant: nothing is confirmed that is not on disk; if the disk fails or takes too long, the
connection is closed without a word, so that the panel repeats its message. A panel that stays
silent longer than its line allows is told as offline.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from edge.clock import Clock
from edge.errors import EdgeError, LineDown, StorageFault
from edge.intake import Intake
from edge.panel import Conversation, Report, Station
from edge.rules.offline import DEVICE_OFFLINE, LINE_DOWN
from provisioning.config import DeviceConfig, DeviceId
from provisioning.lines import ListenLine

log = logging.getLogger(__name__)

# Panels repeat after 10 s at the latest (GB/T 26875.3 §6.4), DC-09 ones after 20 s.
_STORE_MAX_S = 5.0
_READ_SIZE = 4096
# A site has a handful of panels; more are a mistake or an attack.
_CONNECTIONS_MAX = 64
_LOOK_MAX_S = 10.0
_REOPEN_S = 5.0


class PanelReceiver:
    """One port and the panels that call it."""

    def __init__(self, line: ListenLine, station: Station, intake: Intake, clock: Clock) -> None:
        self.line = line
        self.is_connected = False
        self.down_reason = ""
        self.messages = 0
        self.bad_messages = 0
        self.port = line.port
        self._station = station
        self._intake = intake
        self._clock = clock
        self._connections: set[asyncio.StreamWriter] = set()
        self._answers: set[asyncio.Task[None]] = set()  # to datagrams
        self._callers: dict[str, Callable[[bytes], None]] = {}  # how a connected panel is spoken to
        self._heard_at_ms: dict[str, int] = {}
        self._ever_heard: set[str] = set()

    @property
    def devices(self) -> list[DeviceConfig]:
        """Return the panels that may call."""
        return [panel.device for panel in self._station.panels]

    def is_online(self, device_id: DeviceId) -> bool:
        """Tell whether a panel has been heard in the time its line allows."""
        heard_at_ms = self._heard_at_ms.get(device_id)
        if heard_at_ms is None or device_id not in self._ever_heard:
            return False
        return self._clock.monotonic_ms() - heard_at_ms <= self.line.silence_s * 1000

    def last_heard_at_ms(self, device_id: DeviceId) -> int | None:
        """Return when a panel was last heard, by the wall clock; None before its first word."""
        if device_id not in self._ever_heard:
            return None
        return self._clock.wall_ms() - (self._clock.monotonic_ms() - self._heard_at_ms[device_id])

    async def run(self) -> None:
        """Listen for ever; a port that is taken is tried again."""
        while True:
            try:
                await self._listen()
            except (LineDown, OSError) as error:
                self.is_connected, self.down_reason = False, str(error)
                log.warning("line is down", extra={"line": self.line.line_id, "reason": str(error)})
                self._intake.note(LINE_DOWN, self.line.line_id, is_offline=True, reason=str(error))
            await asyncio.sleep(_REOPEN_S)

    async def _listen(self) -> None:
        await asyncio.to_thread(self._station.prepare)
        server = await asyncio.start_server(self._serve, self.line.host, self.line.port)
        self.port = int(server.sockets[0].getsockname()[1])
        datagrams = await self._open_datagrams() if self.line.takes_datagrams else None
        if self.down_reason:
            self._intake.note(LINE_DOWN, self.line.line_id, is_offline=False, reason="")
        self.is_connected, self.down_reason = True, ""
        began_ms = self._clock.monotonic_ms()
        self._heard_at_ms = {panel.device.device_id: began_ms for panel in self._station.panels}
        log.info("panels are received", extra={"line": self.line.line_id, "port": self.port})
        try:
            async with server:
                while True:
                    self._supervise()
                    await self._make_rounds()
                    await asyncio.sleep(min(_LOOK_MAX_S, self.line.silence_s / 4))
        finally:
            self.is_connected = False
            self._callers.clear()
            if datagrams is not None:
                datagrams.close()
            for writer in list(self._connections):
                writer.transport.abort()  # ends the conversation; a cancelled one is an error to asyncio
            for answer in self._answers:
                answer.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _CONNECTIONS_MAX:
            log.warning("too many connections", extra={"line": self.line.line_id})
            writer.close()
            return
        self._connections.add(writer)
        try:
            await self._converse(reader, writer)
        except (OSError, TimeoutError, EdgeError) as error:
            log.warning("a panel's connection ends", extra={"line": self.line.line_id, "reason": str(error)})
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _open_datagrams(self) -> asyncio.DatagramTransport:
        """Take datagrams on the port too; each has whole messages in it."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._take_datagram), local_addr=(self.line.host, self.port)
        )
        return transport

    def _take_datagram(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        if len(self._answers) >= _CONNECTIONS_MAX:
            log.warning("too many datagrams at once", extra={"line": self.line.line_id})
            return
        task = asyncio.ensure_future(self._answer_datagram(data, answer))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer_datagram(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        try:
            for report in self._station.conversation().feed(data):
                await self._take(report)
                if report.device_id:
                    self._callers[report.device_id] = answer
                answer(report.answer)
        except (OSError, TimeoutError, EdgeError) as error:
            # Nothing is said: the panel sends it again.
            log.warning("a panel's message is lost", extra={"line": self.line.line_id, "reason": str(error)})

    async def _make_rounds(self) -> None:
        """Ask connected panels what is due, and put on disk what is to be told of them."""
        for one in self._station.rounds(self._callers):
            send = self._callers.get(one.device_id)
            if one.wire and send is not None:
                send(one.wire)
            if one.events:
                self._intake.accept((), one.events, told_by=one.rule_id)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = self._station.conversation()
        callers: set[str] = set()
        try:
            await self._listen_to(conversation, reader, writer, callers)
        finally:
            for device_id in callers:
                if self._callers.get(device_id) == writer.write:
                    del self._callers[device_id]

    async def _listen_to(
        self,
        conversation: Conversation,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        callers: set[str],
    ) -> None:
        # Silence beyond what the line allows ends a connection that nobody would miss.
        while True:
            async with asyncio.timeout(2 * self.line.silence_s):
                data = await reader.read(_READ_SIZE)
            if not data:
                return
            for report in conversation.feed(data):
                await self._take(report)
                writer.write(report.answer)
                await writer.drain()
                if report.device_id and report.device_id not in callers:
                    callers.add(report.device_id)
                    self._callers[report.device_id] = writer.write
                    await self._make_rounds()

    async def _take(self, report: Report) -> None:
        """Put a message on disk; StorageFault or TimeoutError, and nothing changed, if that fails."""
        self.messages += 1
        if report.device_id:
            self._heard(DeviceId(report.device_id))
        if not report.events and not report.readings:
            return
        stored = self._intake.accept(report.readings, report.events, told_by=report.rule_id)
        try:
            async with asyncio.timeout(_STORE_MAX_S):
                await asyncio.shield(stored)
        except (asyncio.CancelledError, TimeoutError, StorageFault):
            report.undo()
            raise
        report.stored()

    def _heard(self, device_id: DeviceId) -> None:
        self._heard_at_ms[device_id] = self._clock.monotonic_ms()
        self._ever_heard.add(device_id)
        self._intake.note(DEVICE_OFFLINE, device_id, is_offline=False, reason="")

    def _supervise(self) -> None:
        now_ms = self._clock.monotonic_ms()
        for device_id, heard_at_ms in self._heard_at_ms.items():
            silent_s = (now_ms - heard_at_ms) / 1000
            if silent_s > self.line.silence_s:
                reason = f"silent for more than {self.line.silence_s:g} s"
                self._intake.note(DEVICE_OFFLINE, device_id, is_offline=True, reason=reason)


class _Datagrams(asyncio.DatagramProtocol):
    """Hands on what comes, with a way to answer whoever sent it."""

    def __init__(self, take: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self._take = take
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The loop's own transport, which is a datagram one though it does not inherit from the class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        transport = self._transport
        assert transport is not None, "a datagram before its socket"

        def answer(wire: bytes) -> None:
            if wire:
                transport.sendto(wire, addr)

        self._take(data, answer)
