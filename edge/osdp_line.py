"""A line of OSDP readers, driven by libosdp on a thread of its own.

    event loop:  run() watches, keeps events and states     thread: libosdp polls the readers

The invariant: with a key, a reader is talked to over its secure channel or not at all. A card that
was stored is answered by a short beep and a green light; one that could not be stored by neither.
libosdp is imported when a line is run, since not every box has it.
"""

import asyncio
import logging
import queue
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import serial

from edge.clock import Clock
from edge.drivers.osdp import ONLINE, SECURE, card_event, keypad_event, state_readings
from edge.errors import LineDown, StorageFault
from edge.intake import Intake
from edge.rules.offline import DEVICE_OFFLINE, LINE_DOWN
from protocol.event import Event
from provisioning.config import DeviceConfig, OsdpLine

log = logging.getLogger(__name__)

_LOOK_S = 0.25
_REOPEN_S = 5.0
# Cards nobody takes in: a reader shows one a second.
_EVENTS_MAX = 256
_STORE_MAX_S = 5.0
_KEY_LENGTH = 16
# A beep of 0.1 s and a green light of half a second, in the protocol's steps of 0.1 s.
_BEEP_ON, _LIGHT_ON = 1, 5
_TEMPORARY_ON, _BEEP_TONE = 2, 2


class OsdpListener:
    """The readers of one line."""

    def __init__(self, line: OsdpLine, devices: Sequence[DeviceConfig], intake: Intake, clock: Clock) -> None:
        self.line = line
        self.down_reason = ""
        self.lost_events = 0
        self._devices = list(devices)
        self._intake = intake
        self._clock = clock
        self._events: asyncio.Queue[tuple[int, Mapping[str, Any]]] = asyncio.Queue(_EVENTS_MAX)
        self._states: dict[str, dict[str, bool]] = {}

    async def run(self) -> None:
        """Drive the readers for ever; a port that cannot be opened is tried again."""
        while True:
            try:
                await self._drive()
            except LineDown as error:
                if str(error) != self.down_reason:
                    log.warning("line is down", extra={"line": self.line.line_id, "reason": str(error)})
                self.down_reason = str(error)
                self._intake.note(LINE_DOWN, self.line.line_id, is_offline=True, reason=str(error))
            await asyncio.sleep(_REOPEN_S)

    async def _drive(self) -> None:
        import osdp

        key, card_key = await asyncio.to_thread(self._read_keys)
        channel = await asyncio.to_thread(_Channel, self.line)
        loop = asyncio.get_running_loop()
        flags = [osdp.LibFlag.EnforceSecure] if key else []
        readers = [osdp.PDInfo(int(d.address), channel, scbk=key, flags=flags) for d in self._devices]
        panel = osdp.ControlPanel(readers, log_level=osdp.LogLevel.Critical)

        def heard(number: int, event: Mapping[str, Any]) -> int:
            # libosdp keeps every event in a queue of its own as well, which would grow for ever.
            try:
                panel.event_queue[number].get_nowait()
            except queue.Empty:
                log.debug("libosdp's queue was empty already")
            loop.call_soon_threadsafe(self._queue, number, dict(event))
            return 0

        panel.set_event_handler(heard)
        panel.start()
        try:
            self._intake.note(LINE_DOWN, self.line.line_id, is_offline=False, reason="")
            self.down_reason = ""
            await self._watch(panel, channel, card_key)
        finally:
            await asyncio.shield(asyncio.to_thread(panel.teardown))
            channel.close()

    async def _watch(self, panel: Any, channel: "_Channel", card_key: bytes) -> None:
        import osdp

        while not channel.failure:
            self._note_states(panel)
            try:
                async with asyncio.timeout(_LOOK_S):
                    number, event = await self._events.get()
            except TimeoutError:
                continue
            device, at_ms = self._devices[number], self._clock.wall_ms()
            if event.get("event") == osdp.Event.CardRead:
                if await self._store(card_event(device, card_key, event, at_ms)):
                    _acknowledge_card(panel, int(device.address))
            elif event.get("event") == osdp.Event.KeyPress:
                await self._store(keypad_event(device, event, at_ms))
        raise LineDown(channel.failure)

    def _queue(self, number: int, event: Mapping[str, Any]) -> None:
        try:
            self._events.put_nowait((number, event))
        except asyncio.QueueFull:
            self.lost_events += 1
            log.warning(
                "a reader's event is lost: the disk does not follow", extra={"line": self.line.line_id}
            )

    async def _store(self, event: Event) -> bool:
        """Put an event on disk; False, and a log entry, where that fails or takes too long."""
        try:
            async with asyncio.timeout(_STORE_MAX_S):
                await asyncio.shield(self._intake.accept((), (event,)))
        except (TimeoutError, StorageFault) as error:
            log.warning("a reader's event is not stored", extra={"reason": str(error)})
            return False
        return True

    def _note_states(self, panel: Any) -> None:
        """Tell what changed: who answers, and who does so over a secure channel."""
        online, secure = panel.status(), panel.sc_status()
        for number, device in enumerate(self._devices):
            states = {ONLINE: bool(online >> number & 1), SECURE: bool(secure >> number & 1)}
            if states == self._states.get(device.device_id):
                continue
            self._states[device.device_id] = states
            is_offline = not states[ONLINE]
            self._intake.note(DEVICE_OFFLINE, device.device_id, is_offline=is_offline, reason="no answer")
            self._intake.accept(state_readings(device, states, self._clock.wall_ms(), self._clock.quality))

    def _read_keys(self) -> tuple[bytes | None, bytes]:
        line = self.line
        key = None if line.key_file is None else _hex_key(line.key_file, _KEY_LENGTH)
        return key, _hex_key(line.card_key_file, 0)


def _acknowledge_card(panel: Any, address: int) -> None:
    """Beep and show green, so that people know that the card was read."""
    import osdp

    panel.submit_command(
        address,
        {
            "command": osdp.Command.Buzzer,
            "reader": 0,
            "control_code": _BEEP_TONE,
            "on_count": _BEEP_ON,
            "off_count": 0,
            "rep_count": 1,
        },
    )
    panel.submit_command(
        address,
        {
            "command": osdp.Command.LED,
            "reader": 0,
            "led_number": 0,
            "control_code": _TEMPORARY_ON,
            "on_count": _LIGHT_ON,
            "off_count": 0,
            "on_color": osdp.CommandLEDColor.Green,
            "off_color": osdp.CommandLEDColor.Black,
            "timer_count": _LIGHT_ON,
            "temporary": True,
        },
    )


class _Channel:
    """The serial port as libosdp sees it; called on its thread. Errors are kept, not thrown into C."""

    def __init__(self, line: OsdpLine) -> None:
        self.id = 0  # libosdp tells channels apart by it
        self.failure = ""
        try:
            self._port = serial.Serial(line.path, line.baud, timeout=0, write_timeout=0.5, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise LineDown(f"{line.path}: {error}") from error

    def read(self, max_bytes: int) -> bytes:
        try:
            return bytes(self._port.read(max_bytes))
        except (serial.SerialException, OSError) as error:
            self.failure = self.failure or str(error)
            return b""

    def write(self, data: bytes) -> int:
        try:
            return int(self._port.write(data) or 0)
        except (serial.SerialException, OSError) as error:
            self.failure = self.failure or str(error)
            return 0

    def flush(self) -> None:
        try:
            self._port.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            self.failure = self.failure or str(error)

    def close(self) -> None:
        self._port.close()


def _hex_key(path: Path, length: int) -> bytes:
    """Return the key written in a file as hex digits; LineDown says what is wrong, never the key."""
    try:
        key = bytes.fromhex(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise LineDown(f"{path}: not a file of hex digits ({type(error).__name__})") from None
    if length and len(key) != length:
        raise LineDown(f"{path}: {len(key)} bytes, expected {length}")
    if len(key) < _KEY_LENGTH:
        raise LineDown(f"{path}: {len(key)} bytes are too few, expected at least {_KEY_LENGTH}")
    return key
