"""A line of OSDP readers: what they say goes to disk, and what they are told they have confirmed.

The invariants: with a key, a reader is talked to over its secure channel or not at all. A card that
was stored is answered by a short beep and a green light; one that could not be stored by neither.
What a reader has never said of itself (tamper, inputs, outputs) is not known, and no point shows it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge import osdp_commands
from edge.clock import Clock
from edge.driver import state_readings
from edge.drivers.osdp import (
    ONLINE,
    OUTPUT_STATUS,
    SECURE,
    STATUS_CONDITIONS,
    card_event,
    keypad_event,
    shown_card,
)
from edge.errors import EXCHANGE_FAILURES, LineDown, StorageFault
from edge.intake import Intake
from edge.keypad import Keypad
from edge.osdp_panel import OsdpEvent, OsdpPanel
from edge.porter import Doorway, Shown
from edge.rules.offline import DEVICE_OFFLINE, LINE_DOWN
from protocol.access import BadgeKind
from protocol.event import Event
from provisioning.config import DeviceConfig, DeviceId
from provisioning.lines import OsdpLine

log = logging.getLogger(__name__)

_LOOK_S = 0.25
_REOPEN_S = 5.0
# A reader that is away is asked again this often, one of them at a time.
_WAKE_EVERY_MS = 5_000
# A reader is spoken to for so long before it is called silent; its secure channel takes a second.
_FIRST_WORD_MAX_MS = 5_000
# Cards nobody takes in: a reader shows one a second.
_EVENTS_MAX = 256
_STORE_MAX_S = 5.0
_KEY_LENGTH = 16


class OsdpListener:
    """The readers of one line."""

    def __init__(
        self,
        line: OsdpLine,
        devices: Sequence[DeviceConfig],
        intake: Intake,
        clock: Clock,
        doorway: Doorway | None = None,
    ) -> None:
        self.line = line
        self.down_reason = ""
        self.is_connected = False
        self.messages = 0
        self.bad_messages = 0
        self.lost_events = 0
        self.devices = list(devices)
        self._intake = intake
        self._clock = clock
        self._doorway = doorway or Doorway()
        self._keypads = {device.device_id: Keypad() for device in devices}
        self._events: asyncio.Queue[tuple[int, OsdpEvent]] = asyncio.Queue(_EVENTS_MAX)
        self._states: dict[DeviceId, dict[str, bool]] = {device.device_id: {} for device in devices}
        self._closes_at_ms: dict[DeviceId, int] = {}  # when an output falls back by the reader's own timer
        self._woken_at_ms = 0
        self._opened_at_ms = 0
        self._panel: OsdpPanel | None = None

    def is_online(self, device_id: DeviceId) -> bool:
        """Tell whether a reader answers."""
        return self._states[device_id].get(ONLINE, False)

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

    async def switch(self, device_id: DeviceId, *, is_on: bool, for_ms: int = 0) -> None:
        """Switch a reader's first output, for a time or until told otherwise; failures as of an exchange."""
        await self._panel_now().command(device_id, osdp_commands.output(is_on=is_on, for_ms=for_ms))
        self._closes_at_ms.pop(device_id, None)
        if is_on and for_ms:
            self._closes_at_ms[device_id] = self._clock.monotonic_ms() + for_ms
        self._states[device_id][OUTPUT_STATUS] = is_on
        self._tell(device_id)

    async def signal(self, device_id: DeviceId, *, is_released: bool) -> None:
        """Show at the door that it stands open, or no longer; what a reader lacks is left out."""
        panel = self._panel_now()
        if panel.can(device_id, "LEDControl"):
            await panel.command(device_id, osdp_commands.steady_light(is_on=is_released))
        if panel.can(device_id, "TextOutput"):
            await panel.command(device_id, osdp_commands.text("EXIT OPEN" if is_released else " "))

    def _panel_now(self) -> OsdpPanel:
        if self._panel is None:
            raise LineDown(f"line {self.line.line_id}: {self.down_reason or 'not open yet'}")
        return self._panel

    async def _drive(self) -> None:
        key, card_key = await asyncio.to_thread(self._read_keys)
        panel = OsdpPanel(self.line, self.devices, key, self._queue)
        try:
            self._intake.note(LINE_DOWN, self.line.line_id, is_offline=False, reason="")
            self.down_reason, self.is_connected, self._panel = "", True, panel
            self._opened_at_ms = self._clock.monotonic_ms()
            await self._watch(panel, card_key)
        finally:
            self._panel, self.is_connected = None, False
            await asyncio.shield(asyncio.to_thread(panel.close))

    async def _watch(self, panel: OsdpPanel, card_key: bytes) -> None:
        async with asyncio.TaskGroup() as group:
            while not panel.failure:
                for number, device in enumerate(self.devices):
                    self._note_presence(panel, number, device, group)
                    self._note_timer(device.device_id)
                try:
                    async with asyncio.timeout(_LOOK_S):
                        number, event = await self._events.get()
                except TimeoutError:
                    continue
                await self._take(panel, self.devices[number], event, card_key, group)
        raise LineDown(panel.failure)

    async def _take(
        self,
        panel: OsdpPanel,
        device: DeviceConfig,
        event: OsdpEvent,
        card_key: bytes,
        group: asyncio.TaskGroup,
    ) -> None:
        import osdp

        at_ms = self._clock.wall_ms()
        match event.get("event"):
            case osdp.Event.CardRead if self._doorway.minds(device.device_id):
                self.messages += 1
                is_text = event.get("format") == osdp.CardFormat.ASCII
                group.create_task(self._let_in(panel, shown_card(device, event, is_text=is_text)))
            case osdp.Event.KeyPress if self._doorway.minds(device.device_id):
                self.messages += 1
                code = self._keypads[device.device_id].press(_keys(event), self._clock.monotonic_ms())
                if code is not None:
                    shown = Shown(device.device_id, BadgeKind.CODE, code)
                    group.create_task(self._let_in(panel, shown))
            case osdp.Event.CardRead:
                self.messages += 1
                if await self._store(card_event(device, card_key, event, at_ms)):
                    group.create_task(self._acknowledge_card(panel, device.device_id))
            case osdp.Event.KeyPress:
                self.messages += 1
                await self._store(keypad_event(device, event, at_ms))
            case osdp.Event.Status:
                self.messages += 1
                self._note_report(device, event)

    def _queue(self, number: int, event: OsdpEvent) -> None:
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

    async def _acknowledge_card(self, panel: OsdpPanel, device_id: DeviceId) -> None:
        """Beep and show green, so that people know that the card was read."""
        wanted = (
            ("AudibleControl", osdp_commands.beep()),
            ("LEDControl", osdp_commands.short_light()),
        )
        await self._command_each(panel, device_id, wanted)

    async def _let_in(self, panel: OsdpPanel, shown: Shown) -> None:
        """Have a badge decided about, and show at the reader what came of it."""
        if await self._doorway.attend(shown):
            await self._acknowledge_card(panel, shown.reader)
            return
        refused = (
            ("AudibleControl", osdp_commands.refusal_beeps()),
            ("LEDControl", osdp_commands.refusal_light()),
        )
        await self._command_each(panel, shown.reader, refused)

    async def _ask_states(self, panel: OsdpPanel, device_id: DeviceId) -> None:
        """Ask a reader that has just come how it stands; from then on it tells what changes."""
        wanted = (
            ("", osdp_commands.local_status()),
            ("ContactStatusMonitoring", osdp_commands.input_status()),
        )
        await self._command_each(panel, device_id, wanted)

    async def _command_each(
        self, panel: OsdpPanel, device_id: DeviceId, wanted: Sequence[tuple[str, Mapping[str, object]]]
    ) -> None:
        for capability, command in wanted:
            if capability and not panel.can(device_id, capability):
                continue
            try:
                await panel.command(device_id, command)
            except EXCHANGE_FAILURES as error:
                log.info("a reader does not follow", extra={"device": device_id, "reason": str(error)})
                return

    def _note_presence(
        self, panel: OsdpPanel, number: int, device: DeviceConfig, group: asyncio.TaskGroup
    ) -> None:
        """Tell what changed: who answers, and who does so over a secure channel."""
        states = self._states[device.device_id]
        present = {ONLINE: panel.is_online(number), SECURE: panel.is_secure(number)}
        now_ms = self._clock.monotonic_ms()
        if not present[ONLINE] and ONLINE not in states and now_ms - self._opened_at_ms < _FIRST_WORD_MAX_MS:
            return
        if not present[ONLINE] and now_ms - self._woken_at_ms >= _WAKE_EVERY_MS and ONLINE in states:
            self._woken_at_ms = now_ms
            group.create_task(panel.wake(number))
        if present == {name: states.get(name) for name in present}:
            return
        if present[ONLINE] and not states.get(ONLINE):
            group.create_task(self._ask_states(panel, device.device_id))
        if not present[ONLINE]:
            states.clear()  # what it said before it went is not how it stands
        states.update(present)
        is_offline = not present[ONLINE]
        self._intake.note(DEVICE_OFFLINE, device.device_id, is_offline=is_offline, reason="no answer")
        self._tell(device.device_id)

    def _note_report(self, device: DeviceConfig, event: OsdpEvent) -> None:
        """Take what a reader reports of its case, its power, its inputs and outputs."""
        report = event.get("report")
        if not isinstance(report, bytes):
            return
        names = STATUS_CONDITIONS.get(event.get("type"), ())
        self._states[device.device_id].update(
            {name: bool(value) for name, value in zip(names, report, strict=False)}
        )
        self._tell(device.device_id)

    def _note_timer(self, device_id: DeviceId) -> None:
        closes_at_ms = self._closes_at_ms.get(device_id)
        if closes_at_ms is not None and self._clock.monotonic_ms() >= closes_at_ms:
            del self._closes_at_ms[device_id]
            self._states[device_id][OUTPUT_STATUS] = False
            self._tell(device_id)

    def _tell(self, device_id: DeviceId) -> None:
        device = next(one for one in self.devices if one.device_id == device_id)
        at_ms, quality = self._clock.wall_ms(), self._clock.quality
        self._intake.accept(state_readings(device, self._states[device_id], at_ms, quality))

    def _read_keys(self) -> tuple[bytes | None, bytes]:
        line = self.line
        key = None if line.key_file is None else _hex_key(line.key_file, _KEY_LENGTH)
        return key, _hex_key(line.card_key_file, 0)


def _keys(event: OsdpEvent) -> bytes:
    data = event.get("data")
    return data if isinstance(data, bytes) else b""


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
