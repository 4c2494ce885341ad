"""OSDP readers: a real one played by libosdp on a pseudo-terminal, and that no card number leaves."""

import asyncio
import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.actuators.osdp_door import OsdpDoor
from edge.drivers.osdp import card_event, card_token, keypad_event
from edge.errors import LineDown, NoReply, Offline
from edge.osdp_line import OsdpListener
from protocol.command import Action, LocalAction
from protocol.event import Event
from protocol.quantity import MICRO
from provisioning.config import DeviceConfig
from provisioning.lines import LineId, OsdpLine
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, device_of
from tests.edge.test_panels import Disk

osdp = pytest.importorskip("osdp", reason="libosdp has no wheel for this machine")

READER = device_of(load_profile("osdp_reader"), "5", "reader-1")
DOOR = device_of(load_profile("osdp_door"), "5", "reader-1")
KEY = bytes(range(16))
CARD_KEY = b"\x5a" * 16
CARD = bytes.fromhex("12345678")


class RunningClock(ToldClock):
    """Real monotonic time: a reader is looked after by it."""

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class FarChannel(osdp.Channel):  # type: ignore[name-defined, misc]  # no types
    """The reader's end of the wire; what passed it is kept."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.heard = b""

    def read(self, max_bytes: int) -> bytes:
        try:
            data = os.read(self.descriptor, max_bytes)
        except OSError:
            return b""
        self.heard += data
        return data

    def write(self, buf: bytes) -> int:
        self.heard += bytes(buf)
        return os.write(self.descriptor, buf)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(self.descriptor, 4096):
                pass


class Reader:
    """A reader played by libosdp; `commands` is what it was told to do, questions aside."""

    def __init__(self, descriptor: int, key: bytes | None, *, lacks: tuple[str, ...] = ()) -> None:
        self.commands: list[int] = []
        self.outputs: list[tuple[int, int]] = []
        self.texts: list[str] = []
        self.refuses: set[int] = set()
        self.channel = FarChannel(descriptor)
        abilities = {
            "LEDControl": (2, 1),
            "AudibleControl": (2, 1),
            "OutputControl": (2, 1),
            "TextOutput": (1, 1),
            "CardDataFormat": (1, 1),
            "CommunicationSecurity": (1, 1),
        }
        capabilities = osdp.PDCapabilities(
            [(getattr(osdp.Capability, name), *at) for name, at in abilities.items() if name not in lacks]
        )
        info = osdp.PDInfo(5, self.channel, scbk=key)
        self._device = osdp.PeripheralDevice(
            info, capabilities, log_level=osdp.LogLevel.Critical, command_handler=self._commanded
        )
        self._device.start()

    def _commanded(self, command: dict[str, Any]) -> tuple[int, None]:
        kind = command["command"]
        if kind == osdp.Command.Status:
            return 0, None
        self.commands.append(kind)
        if kind in self.refuses:
            return -1, None
        if kind == osdp.Command.Output:
            self.outputs.append((command["control_code"], command["timer_count"]))
        if kind == osdp.Command.Text:
            self.texts.append(command["data"])
        return 0, None

    def report(self, kind: int, *places: int) -> None:
        """Say unasked how something stands: 0 inputs, 1 outputs, 2 tamper and power."""
        report = {
            "event": osdp.Event.Status,
            "type": kind,
            "nr_entries": len(places),
            "report": bytes(places),
        }
        assert self._device.submit_event(report)

    def show_card(self, data: bytes = CARD) -> None:
        self._device.submit_event(
            {
                "event": osdp.Event.CardRead,
                "reader_no": 0,
                "direction": 0,
                "format": osdp.CardFormat.Wiegand,
                "length": 8 * len(data),
                "data": data,
            }
        )

    def press(self, keys: bytes) -> None:
        self._device.submit_event({"event": osdp.Event.KeyPress, "reader_no": 0, "data": keys})

    def stop(self) -> None:
        self._device.teardown()


@contextlib.contextmanager
def wire() -> Iterator[tuple[int, str]]:
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


async def until(is_true: Callable[[], object], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not is_true():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def listening(
    path: str, folder: Path, disk: Disk, key: bytes | None, device: DeviceConfig = READER
) -> AsyncIterator[OsdpListener]:
    (folder / "cards.key").write_text(CARD_KEY.hex())
    key_file = None
    if key is not None:
        key_file = folder / "osdp.key"
        key_file.write_text(key.hex() + "\n")
    line = OsdpLine(LineId("doors"), path, 115_200, key_file, folder / "cards.key")
    listener = OsdpListener(line, [device], disk, RunningClock())  # type: ignore[arg-type]
    task = asyncio.ensure_future(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def latest(disk: Disk, point: str) -> int | None:
    return next((r.value_micro for r in reversed(disk.readings) if r.point_key == f"reader-1/{point}"), None)


async def test_a_card_is_told_over_the_secure_channel_stored_and_acknowledged(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        try:
            async with listening(path, tmp_path, disk, KEY):
                await until(lambda: latest(disk, "secure_channel") == MICRO)
                reader.show_card()
                await until(lambda: disk.events)
                await until(lambda: len(reader.commands) >= 2)
        finally:
            reader.stop()

    (event,) = disk.events
    assert (event.kind, event.point_key) == ("card_read", "reader-1/reader")
    assert event.attributes["card"] == card_token(CARD_KEY, 32, CARD)
    assert reader.commands == [osdp.Command.Buzzer, osdp.Command.LED]
    assert disk.notes[-1] == ("reader-1", False)
    assert CARD not in reader.channel.heard  # it went over the wire encrypted


async def test_a_card_that_cannot_be_stored_is_not_acknowledged(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        try:
            async with listening(path, tmp_path, disk, KEY):
                await until(lambda: latest(disk, "secure_channel") == MICRO)
                disk.is_broken = True
                reader.show_card()
                await asyncio.sleep(0.5)
                disk.is_broken = False
                reader.show_card()
                await until(lambda: disk.events)
                await until(lambda: len(reader.commands) >= 2)
        finally:
            reader.stop()

    assert len(disk.events) == 1
    assert reader.commands == [osdp.Command.Buzzer, osdp.Command.LED]


async def test_a_reader_with_another_key_is_not_talked_to(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, bytes(16))
        try:
            async with listening(path, tmp_path, disk, KEY):
                await asyncio.sleep(2)
        finally:
            reader.stop()

    assert latest(disk, "secure_channel") != MICRO
    assert latest(disk, "availability") != MICRO


async def test_keys_pressed_are_counted_and_nothing_more(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        try:
            async with listening(path, tmp_path, disk, KEY):
                await until(lambda: latest(disk, "secure_channel") == MICRO)
                reader.press(b"4711")
                await until(lambda: disk.events)
        finally:
            reader.stop()

    (event,) = disk.events
    assert (event.kind, event.attributes) == ("keypad_used", {"keys": "4"})
    assert "4711" not in repr(event)


async def test_a_reader_that_goes_is_told(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        async with listening(path, tmp_path, disk, KEY):
            await until(lambda: latest(disk, "availability") == MICRO)
            reader.stop()
            await until(lambda: disk.notes[-1] == ("reader-1", True), within_s=20)

    assert latest(disk, "availability") == 0


async def test_a_reader_that_returns_is_back_in_seconds_not_in_minutes(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        first = Reader(descriptor, KEY)
        async with listening(path, tmp_path, disk, KEY):
            await until(lambda: latest(disk, "availability") == MICRO)
            first.stop()
            await until(lambda: latest(disk, "availability") == 0, within_s=20)
            first.channel.flush()
            second = Reader(descriptor, KEY)
            try:
                await until(lambda: latest(disk, "secure_channel") == MICRO, within_s=25)
            finally:
                second.stop()


async def test_a_reader_without_buzzer_and_light_is_not_told_to_use_them(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY, lacks=("AudibleControl", "LEDControl"))
        try:
            async with listening(path, tmp_path, disk, KEY):
                await until(lambda: latest(disk, "secure_channel") == MICRO)
                reader.show_card()
                await until(lambda: disk.events)
                reader.show_card(b"\x01\x02\x03\x04")
                await until(lambda: len(disk.events) == 2)
        finally:
            reader.stop()

    assert reader.commands == []
    assert latest(disk, "availability") == MICRO


async def test_an_opened_case_and_a_failed_supply_are_points_and_what_was_never_told_is_not(
    tmp_path: Path,
) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        try:
            async with listening(path, tmp_path, disk, KEY, DOOR):
                await until(lambda: latest(disk, "tamper") == 0)  # asked for when it came
                reader.report(2, 1, 0)
                await until(lambda: latest(disk, "tamper") == MICRO)
                reader.report(2, 1, 1)
                await until(lambda: latest(disk, "power_fault") == MICRO)
        finally:
            reader.stop()

    assert latest(disk, "door_contact") is None
    assert latest(disk, "lock_state") is None


async def test_a_door_opens_for_five_seconds_by_the_readers_own_timer(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        try:
            async with listening(path, tmp_path, disk, KEY, DOOR) as listener:
                await until(lambda: latest(disk, "tamper") == 0)
                await OsdpDoor(DOOR, listener).act(Action.DOOR_UNLOCK, {})
                opened = latest(disk, "lock_state")
                await until(lambda: latest(disk, "lock_state") == 0)
        finally:
            reader.stop()

    assert reader.outputs == [(5, 50)]
    assert opened == MICRO


async def test_a_released_door_stays_open_and_says_so_until_it_is_returned(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        try:
            async with listening(path, tmp_path, disk, KEY, DOOR) as listener:
                await until(lambda: latest(disk, "tamper") == 0)
                door = OsdpDoor(DOOR, listener)
                await door.act(Action.DOOR_UNLOCK, {})
                await door.act(LocalAction.DOOR_RELEASE, {})
                await asyncio.sleep(6)  # longer than an opening lasts
                released = latest(disk, "lock_state")
                await door.act(LocalAction.DOOR_RETURN, {})
        finally:
            reader.stop()

    assert reader.outputs == [(5, 50), (2, 0), (1, 0)]
    assert reader.texts == ["EXIT OPEN", " "]
    assert released == MICRO
    assert latest(disk, "lock_state") == 0


async def test_a_reader_that_says_no_is_told_as_a_failure_and_is_soon_back(tmp_path: Path) -> None:
    disk = Disk()
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        reader.refuses.add(osdp.Command.Output)
        try:
            async with listening(path, tmp_path, disk, KEY, DOOR) as listener:
                await until(lambda: latest(disk, "tamper") == 0)
                door = OsdpDoor(DOOR, listener)
                with pytest.raises(NoReply, match="said no, or nothing"):
                    await door.act(Action.DOOR_UNLOCK, {})
                reader.refuses.clear()
                async with asyncio.timeout(20):
                    while not reader.outputs:
                        with contextlib.suppress(NoReply, Offline):
                            await door.act(Action.DOOR_UNLOCK, {})
                        await asyncio.sleep(0.2)
        finally:
            reader.stop()

    assert latest(disk, "lock_state") == MICRO


async def test_a_door_on_a_line_that_is_down_surely_did_not_open(tmp_path: Path) -> None:
    async with listening(str(tmp_path / "nothing"), tmp_path, Disk(), KEY, DOOR) as listener:
        await until(lambda: listener.down_reason)
        with pytest.raises(LineDown, match="nothing"):
            await OsdpDoor(DOOR, listener).act(Action.DOOR_UNLOCK, {})


async def test_a_port_or_a_key_that_is_not_there_is_told_as_a_line_down(tmp_path: Path) -> None:
    disk = Disk()
    async with listening(str(tmp_path / "nothing"), tmp_path, disk, KEY) as listener:
        await until(lambda: disk.notes)

    assert disk.notes == [("doors", True)]
    assert "nothing" in listener.down_reason


def test_neither_number_nor_pin_is_in_an_event() -> None:
    data = (1234567).to_bytes(4)
    event: Event = card_event(READER, CARD_KEY, {"data": data, "length": 32, "reader_no": 0}, MIDNIGHT_MS)
    keys = keypad_event(READER, {"data": b"4711"}, MIDNIGHT_MS)

    assert "1234567" not in repr(event)
    assert data.hex() not in repr(event)
    assert event.attributes["card_ends"] == "…67"
    assert "4711" not in repr(keys)


def test_a_cards_token_depends_on_card_length_and_key() -> None:
    tokens = {
        card_token(CARD_KEY, 32, CARD),
        card_token(CARD_KEY, 26, CARD),
        card_token(CARD_KEY, 32, CARD[::-1]),
        card_token(KEY, 32, CARD),
    }

    assert len(tokens) == 4
    assert card_token(CARD_KEY, 32, CARD) in tokens


def test_no_thread_of_libosdp_is_left() -> None:
    assert [thread.name for thread in threading.enumerate() if thread.name in ("cp", "pd")] == []
