"""Panels that call us, over real sockets: on disk first, confirmed then, once each, whatever arrives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.buffer import Buffer
from edge.counters import CounterGuard
from edge.drivers.gb26875 import FirePanels
from edge.drivers.sia_dc09 import AlarmPanels
from edge.errors import StorageFault
from edge.intake import Intake
from edge.panel import Round, Station, Strangers
from edge.reception import PanelReceiver
from edge.rules.offline import Offline
from protocol.event import Event, EventState, Severity
from protocol.fieldbus import gb26875, sia_dc09
from protocol.fieldbus.gb26875_units import (
    ComponentStatus,
    UnitType,
    build_unit,
    decode_time,
    encode_component_status,
    encode_time,
)
from protocol.fieldbus.sia_dc09_cipher import sealed, unsealed
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Reading
from provisioning.config import BufferSettings
from provisioning.lines import LineId, ListenLine
from provisioning.profiles import load_profile
from simulator import panel_caller
from simulator.panel_line import PanelLine
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, device_of, rng

SOURCE = bytes.fromhex("2c312c320000")
FIRE = device_of(load_profile("gb26875_fire_panel"), SOURCE.hex(), "fire-2")
ALARM = device_of(load_profile("sia_dc09_alarm_panel"), "1234", "alarm-1")
ZONE = ZoneInfo("Asia/Shanghai")
# Captured: smoke detector 1-1 of a loop card, fire, text in GB 18030.
CAPTURED = bytes.fromhex(
    "4040140010000509091b07152c312c320000784d07918e23300002020101012a01000100020031bac5bdd3bfdab0e531bbd8"
    "c2b731bac500bac5d6f7bbfaf898cfa000000025110301060c472323"
)
SEALED_FOR_NOBODY = (
    b'\nE61C0078"*ADM-CID"0002R1L1#1234[7F220946CB72C62355401D7007862F27'
    b"1BF2614E81C30C02556E3080E3344AA628D0D10F8AB8F7AAE8353A055E96933F\r"
)
SENT = encode_time(datetime(2026, 9, 1, tzinfo=ZONE))


@dataclass
class Disk:
    """An intake whose disk is as slow, or as broken, as the test wants."""

    is_broken: bool = False
    is_held: bool = False
    readings: list[Reading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notes: list[tuple[str, bool]] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def accept(
        self, readings: Sequence[Reading], events: Sequence[Event] = (), *, told_by: str = ""
    ) -> asyncio.Future[None]:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.is_broken:
            stored.set_exception(StorageFault("disk full"))
            return stored
        self.readings += readings
        self.events += events
        if self.is_held:
            self.waiting.append(stored)
        else:
            stored.set_result(None)
        return stored

    def note(self, kind: str, name: str, *, is_offline: bool, reason: str) -> None:
        if (name, is_offline) not in self.notes[-1:]:
            self.notes.append((name, is_offline))


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not is_true():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def receiving(
    station: Station,
    disk: object,
    clock: ToldClock | None = None,
    silence_s: float = 60,
    line: ListenLine | None = None,
) -> AsyncIterator[PanelReceiver]:
    line = line or ListenLine(LineId("panels"), "127.0.0.1", 0, "gb26875.3", silence_s)
    receiver = PanelReceiver(line, station, disk, clock or ToldClock())  # type: ignore[arg-type]
    task = asyncio.ensure_future(receiver.run())
    try:
        await until(lambda: receiver.port)
        yield receiver
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Caller:
    """The panel's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, wire: bytes) -> None:
        self._writer.write(wire)

    async def packet(self, timeout_s: float = 3) -> gb26875.Packet:
        reader = gb26875.PacketReader()
        async with asyncio.timeout(timeout_s):
            while True:
                data = await self._reader.read(4096)
                if not data:
                    raise ConnectionError("closed")
                if packets := reader.feed(data):
                    return packets[0]

    async def packets(self, count: int) -> list[gb26875.Packet]:
        reader, found = gb26875.PacketReader(), []
        async with asyncio.timeout(3):
            while len(found) < count:
                found += reader.feed(await self._reader.read(4096))
        return found

    async def text(self, timeout_s: float = 3) -> sia_dc09.Message:
        async with asyncio.timeout(timeout_s):
            return sia_dc09.decode_message(await self._reader.readuntil(b"\r"))

    async def hears_nothing(self, for_s: float = 0.2) -> bool:
        try:
            async with asyncio.timeout(for_s):
                return not await self._reader.read(1)
        except TimeoutError:
            return True


@contextlib.asynccontextmanager
async def calling(receiver: PanelReceiver) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


def fire_station(clock: ToldClock | None = None) -> FirePanels:
    return FirePanels([FIRE], "panels", clock or ToldClock(), ZONE)


def component(serial: int, status: int, position: int = 1, text: str = "三层走廊") -> bytes:
    item = ComponentStatus(
        1, 1, 42, bytes((3, 0, position, 0)), status, text, datetime(2012, 6, 1, 3, 17, 37, tzinfo=ZONE)
    )
    unit = build_unit(UnitType.COMPONENT_STATUS, [encode_component_status(item)])
    return packet(serial, unit)


def packet(serial: int, unit: bytes, source: bytes = SOURCE, command: int = 2) -> bytes:
    return gb26875.encode_packet(gb26875.Packet(serial, command, unit, SENT, source))


def told(events: Sequence[Event]) -> list[tuple[str, EventState, str]]:
    return [(event.kind, event.state, event.point_key) for event in events]


async def test_a_captured_fire_is_told_with_its_component_and_confirmed() -> None:
    disk = Disk()
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(CAPTURED)
        answer = await panel.packet()

    (event,) = disk.events
    assert (event.kind, event.state, event.severity) == ("fire_alarm", EventState.RAISED, Severity.CRITICAL)
    assert event.point_key == "fire-2/component-1-1-1"
    assert (event.attributes["zone"], event.attributes["position"]) == ("1", "1")
    assert "1号接口板1回路1号" in event.message
    assert event.occurred_at_ms == MIDNIGHT_MS  # ours: the panel's clock says 2012
    assert event.attributes["panel_time"] == "2012-06-01T03:17:37"
    assert event.evidence is not None
    assert event.evidence.reply == CAPTURED
    assert (answer.command, answer.serial, answer.version) == (gb26875.Command.CONFIRM, 20, (16, 0))
    assert answer.destination == SOURCE
    assert answer.sent == encode_time(datetime(2026, 9, 1, tzinfo=ZONE))


async def test_a_box_that_does_not_know_the_year_confirms_all_the_same() -> None:
    disk, clock = Disk(), ToldClock(0)
    async with receiving(fire_station(clock), disk, clock) as receiver, calling(receiver) as panel:
        panel.send(CAPTURED)
        answer = await panel.packet()

    assert (answer.serial, answer.sent) == (20, bytes(6))


async def test_nothing_is_confirmed_before_it_is_on_disk() -> None:
    disk = Disk(is_held=True)
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(component(1, 0x02))
        is_silent = await panel.hears_nothing()
        disk.waiting[0].set_result(None)
        answer = await panel.packet()

    assert is_silent
    assert answer.serial == 1


async def test_a_broken_disk_confirms_nothing_and_the_repetition_is_told_whole() -> None:
    disk, station = Disk(is_broken=True), fire_station()
    async with receiving(station, disk) as receiver:
        async with calling(receiver) as panel:
            panel.send(component(1, 0x02))
            with pytest.raises(ConnectionError):
                await panel.packet()
        disk.is_broken = False
        async with calling(receiver) as panel:
            panel.send(component(1, 0x02))
            answer = await panel.packet()

    assert answer.serial == 1
    assert told(disk.events) == [("fire_alarm", EventState.RAISED, "fire-2/component-1-3-1")]


async def test_a_repeated_packet_is_confirmed_again_and_told_once() -> None:
    disk = Disk()
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        for _ in range(3):
            panel.send(component(7, 0x02))
            assert (await panel.packet()).serial == 7

    assert len(disk.events) == 1


async def test_recovery_ends_the_component_and_the_point_only_with_the_last_one() -> None:
    disk = Disk()
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        for serial, (status, position) in enumerate([(2, 1), (2, 2), (1, 1), (1, 2)]):
            panel.send(component(serial, status, position))
            await panel.packet()

    assert told(disk.events) == [
        ("fire_alarm", EventState.RAISED, "fire-2/component-1-3-1"),
        ("fire_alarm", EventState.RAISED, "fire-2/component-1-3-2"),
        ("fire_alarm", EventState.CLEARED, "fire-2/component-1-3-1"),
        ("fire_alarm", EventState.CLEARED, "fire-2/component-1-3-2"),
    ]
    fire = [r.value_micro for r in disk.readings if r.point_key == "fire-2/fire_alarm"]
    assert fire == [MICRO, MICRO, MICRO, 0]


async def test_a_reset_of_the_panel_ends_everything_it_held() -> None:
    disk = Disk()
    operation = build_unit(UnitType.SYSTEM_OPERATION, [bytes((1, 1, 0x01, 9)) + SENT])
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(component(1, 0x06))
        await panel.packet()
        panel.send(packet(2, operation))
        await panel.packet()

    assert told(disk.events[2:]) == [
        ("fire_alarm", EventState.CLEARED, "fire-2/component-1-3-1"),
        ("system_fault", EventState.CLEARED, "fire-2/component-1-3-1"),
        ("panel_reset", EventState.OCCURRED, "fire-2/system"),
    ]


async def test_system_and_transmitter_faults_are_told() -> None:
    disk = Disk()
    system = build_unit(UnitType.SYSTEM_STATUS, [bytes((1, 1, 0x00, 0x01)) + SENT])
    transmitter = build_unit(UnitType.TRANSMITTER_STATUS, [bytes((0x11,)) + SENT])
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        for serial, unit in enumerate((system, transmitter)):
            panel.send(packet(serial, unit))
            await panel.packet()

    assert [(event.kind, event.message) for event in disk.events] == [
        ("system_fault", "fire alarm system 1: mains fault"),
        ("system_fault", "transmitter: backup fault"),
    ]


async def test_what_is_not_understood_is_confirmed_and_told_not_swallowed() -> None:
    disk = Disk()
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(packet(1, bytes((0x87, 1, 2, 3))))
        await panel.packet()

    (event,) = disk.events
    assert event.kind == "panel_message"
    assert event.attributes["unit"] == "87010203"


@pytest.mark.parametrize("unit", [b"", b"\x02"], ids=["empty", "one byte"])
async def test_a_heartbeat_is_confirmed_and_says_only_that_the_panel_is_there(unit: bytes) -> None:
    disk = Disk()
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(packet(1, unit))
        await panel.packet()

    assert disk.events == []
    assert disk.notes == [("fire-2", False)]


async def test_damaged_and_foreign_packets_get_no_confirmation() -> None:
    disk = Disk()
    damaged = component(1, 0x02)[:-3] + b"\x00##"
    stranger = packet(2, component(2, 0x02)[27:-3], source=bytes(6))
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(b"noise" + damaged + stranger + stranger)
        is_silent = await panel.hears_nothing()
        panel.send(component(3, 0x02))
        answer = await panel.packet()

    assert is_silent
    assert answer.serial == 3
    assert told(disk.events) == [
        ("unknown_panel", EventState.OCCURRED, "panels/unknown_panel"),
        ("fire_alarm", EventState.RAISED, "fire-2/component-1-3-1"),
    ]


async def test_packets_in_pieces_and_glued_are_each_confirmed() -> None:
    disk = Disk()
    wire = component(1, 0x02, 1) + component(2, 0x02, 2)
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        for at in range(0, len(wire), 7):
            panel.send(wire[at : at + 7])
            await asyncio.sleep(0.002)
        await until(lambda: len(disk.events) == 2)

    assert receiver.messages == 2


async def test_a_silent_panel_is_told_as_offline_and_back_when_it_calls() -> None:
    disk, clock = Disk(), ToldClock()
    async with receiving(fire_station(clock), disk, clock, silence_s=0.4) as receiver:
        clock.at_ms += 1000
        await until(lambda: disk.notes == [("fire-2", True)])
        async with calling(receiver) as panel:
            panel.send(packet(1, b""))
            await panel.packet()

    assert disk.notes == [("fire-2", True), ("fire-2", False)]


async def test_what_was_raised_before_a_restart_is_ended_after_it(tmp_path: object) -> None:
    settings = BufferSettings(tmp_path / "buffer.sqlite", 10, 64 * 1024 * 1024)  # type: ignore[operator]
    clock = ToldClock()

    async def life(wire: bytes) -> list[Event]:
        station = fire_station(clock)
        events: list[Event] = []
        async with Buffer(settings, clock, rng(), frozenset()) as buffer:
            intake = Intake(buffer, station.panels, Offline(), CounterGuard({}), clock)
            await intake.restore()
            writer = asyncio.ensure_future(buffer.run())
            take = intake.accept

            def noting(
                readings: Sequence[Reading], told_events: Sequence[Event] = (), *, told_by: str = ""
            ) -> asyncio.Future[None]:
                events.extend(told_events)
                return take(readings, told_events, told_by=told_by)

            intake.accept = noting  # type: ignore[method-assign, assignment]
            async with receiving(station, intake, clock) as receiver, calling(receiver) as panel:
                panel.send(wire)
                await panel.packet()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return events

    before = await life(component(1, 0x02))
    after = await life(component(2, 0x01))

    assert [event.state for event in before] == [EventState.RAISED]
    assert told(after) == [("fire_alarm", EventState.CLEARED, "fire-2/component-1-3-1")]


def alarm_station(clock: ToldClock | None = None) -> AlarmPanels:
    return AlarmPanels([ALARM], "panels", clock or ToldClock())


def stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S,%m-%d-%Y")


def dc09(
    data: str, sequence: str = "0001", ident: str = "ADM-CID", account: str = "1234", at_ms: int = MIDNIGHT_MS
) -> bytes:
    message = sia_dc09.Message(ident, sequence, "1", "1", account, data, None, stamp(at_ms))
    return sia_dc09.encode_message(message)


async def test_contact_id_raises_and_restores_a_zone() -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(dc09("#1234|1110 01 007", "0001"))
        first = await panel.text()
        panel.send(dc09("#1234|3110 01 007", "0002"))
        second = await panel.text()

    assert [(a.id, a.sequence, a.account) for a in (first, second)] == [
        ("ACK", "0001", "1234"),
        ("ACK", "0002", "1234"),
    ]
    assert told(disk.events) == [
        ("fire_alarm", EventState.RAISED, "alarm-1/zone-1-7"),
        ("fire_alarm", EventState.CLEARED, "alarm-1/zone-1-7"),
    ]
    assert disk.events[0].severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("ident", "data", "kind", "state", "place"),
    [
        ("SIA-DCS", "#1234|Nri1/FA007", "fire_alarm", EventState.RAISED, "zone-1-7"),
        ("SIA-DCS", "#1234|Nri1/BA12", "intrusion_alarm", EventState.RAISED, "zone-1-12"),
        ("ADM-CID", "#1234|1301 00 000", "system_fault", EventState.RAISED, "zone-0-0"),
        ("ADM-CID", "#1234|1302 00 000", "battery_low", EventState.RAISED, "zone-0-0"),
        ("ADM-CID", "#1234|1137 01 003", "tamper", EventState.RAISED, "zone-1-3"),
        ("ADM-CID", "#1234|1401 01 003", "panel_operation", EventState.OCCURRED, "zone-1-3"),
        ("ADM-CID", "#1234|6110 01 003", "fire_alarm", EventState.OCCURRED, "zone-1-3"),
        ("ADM-CID", "#1234|1602 00 000", "panel_test", EventState.OCCURRED, "zone-0-0"),
    ],
)
async def test_events_have_kinds_of_the_house(
    ident: str, data: str, kind: str, state: EventState, place: str
) -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(dc09(data, ident=ident))
        await panel.text()

    assert told(disk.events) == [(kind, state, f"alarm-1/{place}")]


async def test_a_restore_of_what_was_never_raised_is_no_alarm() -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(dc09("#1234|3110 01 007"))
        answer = await panel.text()

    assert answer.id == "ACK"
    assert disk.events == []


async def test_a_message_of_another_time_is_refused_with_ours_and_not_told() -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        for shift_ms in (-41_000, 21_000):
            panel.send(dc09("#1234|1110 01 007", at_ms=MIDNIGHT_MS + shift_ms))
            answer = await panel.text()
            assert (answer.id, answer.timestamp) == ("NAK", stamp(MIDNIGHT_MS))
        for number, shift_ms in enumerate((-40_000, 20_000)):
            panel.send(dc09("#1234|1110 01 007", f"000{number}", at_ms=MIDNIGHT_MS + shift_ms))
            assert (await panel.text()).id == "ACK"

    assert len(disk.events) == 2


async def test_while_we_do_not_know_the_time_no_panel_is_refused_for_it() -> None:
    disk, clock = Disk(), ToldClock()
    clock.quality = ClockQuality.UNSYNCED
    async with receiving(alarm_station(clock), disk, clock) as receiver, calling(receiver) as panel:
        panel.send(dc09("#1234|1110 01 007", at_ms=MIDNIGHT_MS + 3_600_000))
        answer = await panel.text()

    assert answer.id == "ACK"


async def test_a_poll_is_acknowledged_and_a_repetition_told_once() -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(dc09("", "0000", "NULL"))
        assert (await panel.text()).id == "ACK"
        for _ in range(2):
            panel.send(dc09("#1234|1110 01 007"))
            assert (await panel.text()).sequence == "0001"

    assert len(disk.events) == 1
    assert disk.notes[0] == ("alarm-1", False)


async def test_encrypted_and_unknown_events_are_answered_so_that_they_are_not_repeated() -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(SEALED_FOR_NOBODY)
        encrypted = await panel.text()
        panel.send(dc09("#1234|Nri1/QQ007", "0002", ident="SIA-DCS"))
        unknown = await panel.text()

    assert (encrypted.id, unknown.id) == ("DUH", "DUH")
    assert [event.kind for event in disk.events] == ["panel_message", "panel_message"]
    assert "it is sealed, and the account has no key" in disk.events[0].message


KEY = bytes(range(16))


def sealed_dc09(data: str, sequence: str = "0001", key: bytes = KEY, at_ms: int = MIDNIGHT_MS) -> bytes:
    sent = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S,%m-%d-%Y")
    message = sia_dc09.Message("ADM-CID", sequence, "1", "1", "1234", data, None, sent)
    return sia_dc09.encode_message(sealed(message, key, bytes(15)))


def station_with_keys(folder: Path, text: str) -> AlarmPanels:
    (folder / "accounts.keys").write_text(text)
    return AlarmPanels([ALARM], "panels", ToldClock(), folder / "accounts.keys")


@pytest.mark.parametrize("account", ["1234", "*"])
async def test_a_sealed_alarm_is_told_and_its_acknowledgement_sealed(tmp_path: Path, account: str) -> None:
    disk = Disk()
    station = station_with_keys(tmp_path, f"# keys\n{account} {KEY.hex()}\n")
    async with receiving(station, disk) as receiver, calling(receiver) as panel:
        panel.send(sealed_dc09("#1234|1110 01 007"))
        answer = await panel.text()

    assert answer.id == "*ACK"
    assert unsealed(answer, KEY).sequence == "0001"
    assert [(event.kind, event.point_key) for event in disk.events] == [("fire_alarm", "alarm-1/zone-1-7")]


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        pytest.param(lambda: dc09("#1234|3110 01 007"), "in the clear", id="in the clear"),
        pytest.param(
            lambda: sealed_dc09("#1234|3110 01 007", key=bytes(16)), "another key", id="another key"
        ),
    ],
)
async def test_of_an_account_with_a_key_nothing_else_is_believed(
    tmp_path: Path, wire: Callable[[], bytes], told: str
) -> None:
    disk = Disk()
    station = station_with_keys(tmp_path, f"1234 {KEY.hex()}\n")
    async with receiving(station, disk) as receiver, calling(receiver) as panel:
        panel.send(sealed_dc09("#1234|1110 01 007"))
        await panel.text()
        panel.send(wire())
        answer = await panel.text()
        panel.send(wire())
        await panel.text()

    assert answer.id == "DUH"
    assert [event.kind for event in disk.events] == ["fire_alarm", "panel_message"]
    assert told in disk.events[1].message


async def test_an_old_sealed_message_is_no_message_of_now(tmp_path: Path) -> None:
    disk = Disk()
    station = station_with_keys(tmp_path, f"1234 {KEY.hex()}\n")
    async with receiving(station, disk) as receiver, calling(receiver) as panel:
        panel.send(sealed_dc09("#1234|3110 01 007", at_ms=MIDNIGHT_MS - 60_000))
        answer = await panel.text()

    assert answer.id == "NAK"
    assert disk.events == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("1234\n", ":1: expected an account and hex digits", id="no key"),
        pytest.param("1234 zz\n", ":1: expected an account and hex digits", id="no hex"),
        pytest.param("1234 00ff\n", ":1: 2 bytes, expected 16, 24 or 32", id="short"),
    ],
)
async def test_a_file_of_keys_that_is_wrong_puts_the_line_down(tmp_path: Path, text: str, told: str) -> None:
    station, disk = station_with_keys(tmp_path, text), Disk()
    line = ListenLine(LineId("panels"), "127.0.0.1", 0, "sia-dc09", 60)
    receiver = PanelReceiver(line, station, disk, ToldClock())  # type: ignore[arg-type]
    task = asyncio.ensure_future(receiver.run())
    await until(lambda: receiver.down_reason)
    task.cancel()

    assert told in receiver.down_reason
    assert disk.notes == [("panels", True)]


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.append(data)


@pytest.mark.parametrize("kind", ["gb26875.3", "sia-dc09"])
async def test_a_panel_may_send_datagrams(kind: str) -> None:
    disk = Disk()
    station: Station = fire_station() if kind == "gb26875.3" else alarm_station()
    line = ListenLine(LineId("panels"), "127.0.0.1", 0, kind, 60, takes_datagrams=True)
    async with receiving(station, disk, line=line) as receiver:
        loop = asyncio.get_running_loop()
        transport, panel = await loop.create_datagram_endpoint(
            Datagrams, remote_addr=("127.0.0.1", receiver.port)
        )
        transport.sendto(CAPTURED if kind == "gb26875.3" else dc09("#1234|1110 01 007"))
        await until(lambda: panel.heard)
        transport.sendto(b"\xff" * 2000)  # nothing of ours: no answer
        transport.close()

    assert [event.kind for event in disk.events] == ["fire_alarm"]
    if kind == "gb26875.3":
        assert gb26875.decode_packet(panel.heard[0]).command == gb26875.Command.CONFIRM
    else:
        assert sia_dc09.decode_message(panel.heard[0]).id == "ACK"


async def test_a_datagram_that_cannot_be_stored_is_not_confirmed() -> None:
    disk = Disk(is_broken=True)
    line = ListenLine(LineId("panels"), "127.0.0.1", 0, "gb26875.3", 60, takes_datagrams=True)
    async with receiving(fire_station(), disk, line=line) as receiver:
        loop = asyncio.get_running_loop()
        transport, panel = await loop.create_datagram_endpoint(
            Datagrams, remote_addr=("127.0.0.1", receiver.port)
        )
        transport.sendto(CAPTURED)
        await until(lambda: receiver.messages)
        disk.is_broken = False
        transport.sendto(CAPTURED)
        await until(lambda: panel.heard)
        transport.close()

    assert len(panel.heard) == 1
    assert len(disk.events) == 1


# Roll-calls


def asking_station(clock: ToldClock, roll_calls: Sequence[int] = (), *, greets: bool = False) -> FirePanels:
    return FirePanels([FIRE], "panels", clock, ZONE, roll_calls, 10, greets=greets)


def wishes(rounds: Sequence[Round]) -> list[gb26875.Packet]:
    return [gb26875.decode_packet(one.wire) for one in rounds if one.wire]


async def test_who_calls_is_greeted_with_the_time_and_asked_how_it_stands() -> None:
    disk, clock = Disk(), ToldClock()
    async with (
        receiving(asking_station(clock, greets=True), disk, clock) as receiver,
        calling(receiver) as panel,
    ):
        panel.send(packet(1, b""))
        packets = await panel.packets(3)

    units = {p.unit[0]: p for p in packets if p.unit}
    assert packets[0].command == gb26875.Command.CONFIRM
    assert units[90].command == gb26875.Command.CONTROL
    assert decode_time(units[90].unit[2:]) == datetime(2026, 9, 1)  # noqa: DTZ001  # local, as panels have it
    assert (units[81].command, units[81].unit, units[81].destination) == (
        gb26875.Command.REQUEST,
        bytes((81, 1, 0)),
        SOURCE,
    )


async def test_a_simulated_device_that_is_asked_tells_its_systems_and_takes_the_time() -> None:
    disk, clock = Disk(), ToldClock(MIDNIGHT_MS)
    today = datetime(2026, 9, 1)  # noqa: DTZ001 - local, as panels have it
    async with receiving(asking_station(clock, greets=True), disk, clock) as receiver:
        line = PanelLine(SOURCE.hex(), "127.0.0.1", receiver.port, lambda: today, lambda: {"fire"})
        line.clock_off = timedelta(minutes=-3)
        keeping = asyncio.create_task(line.run())
        await line.deliver(panel_caller.gb26875_message("fire", SOURCE.hex(), 17, 5, MIDNIGHT_MS))
        system = ("fire_alarm", EventState.RAISED, "fire-2/system-1-1")
        await until(lambda: system in told(disk.events) and line.clock_off == timedelta(0))
        keeping.cancel()

    assert {key for kind, _, key in told(disk.events) if kind == "fire_alarm"} == {
        "fire-2/component-1-3-17",
        "fire-2/system-1-1",
        "fire-2/transmitter",
    }


async def test_the_simulated_guard_presses_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.panel_line.GUARD_TAKES_S", 0.0)
    disk, clock = Disk(), ToldClock(MIDNIGHT_MS + 2 * 3_600_000)
    night = datetime(2026, 9, 1, 2)  # noqa: DTZ001 - local, as panels have it
    async with receiving(asking_station(clock, [120]), disk, clock) as receiver:
        line = PanelLine(SOURCE.hex(), "127.0.0.1", receiver.port, lambda: night, set)
        keeping = asyncio.create_task(line.run())
        await line.deliver(panel_caller.gb26875_message("heartbeat", SOURCE.hex(), 17, 5, MIDNIGHT_MS))
        await until(lambda: "roll_call" in {event.kind for event in disk.events})
        keeping.cancel()


async def test_a_port_that_is_closed_ends_its_conversations_without_a_word_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        disk = Disk()
        receiver = await stack.enter_async_context(receiving(fire_station(), disk))
        line = PanelLine(SOURCE.hex(), "127.0.0.1", receiver.port, lambda: datetime(2026, 9, 1), set)  # noqa: DTZ001
        keeping = asyncio.create_task(line.run())
        await line.deliver(panel_caller.gb26875_message("heartbeat", SOURCE.hex(), 17, 5, MIDNIGHT_MS))
    await until(lambda: not receiver._connections)
    keeping.cancel()

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_system_is_asked_how_it_stands_when_heard_of_and_whenever_the_device_returns() -> None:
    station = asking_station(ToldClock(), greets=True)
    station.rounds({"fire-2"})
    station.report(gb26875.decode_packet(component(1, 0x02)))
    first = wishes(station.rounds({"fire-2"}))
    again = wishes(station.rounds({"fire-2"}))
    station.rounds(set())
    back = wishes(station.rounds({"fire-2"}))

    assert [p.unit for p in first] == [bytes((61, 1, 1, 1))]
    assert again == []
    assert [p.unit[0] for p in back] == [90, 81, 88, 61]


def test_a_clock_that_stays_wrong_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    station = asking_station(ToldClock(), greets=True)
    late = build_unit(
        UnitType.TRANSMITTER_TIME,
        [encode_time(datetime(2026, 8, 31, 23, 58))],  # noqa: DTZ001
    )

    station.report(gb26875.decode_packet(packet(3, late, command=gb26875.Command.RESPONSE)))

    assert [record.message for record in caplog.records] == ["a panel's clock is off"]


async def test_the_answer_to_our_question_is_taken_as_what_it_sends_unasked() -> None:
    disk = Disk()
    status = build_unit(UnitType.TRANSMITTER_STATUS, [bytes((0b1001,)) + SENT])
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(packet(2, status, command=gb26875.Command.RESPONSE))
        await until(lambda: disk.events)

    (event,) = disk.events
    assert (event.kind, event.message) == ("system_fault", "transmitter: mains fault")


def test_a_question_nobody_confirms_is_asked_four_times_and_one_that_is_confirmed_once() -> None:
    clock = ToldClock()
    station = asking_station(clock, greets=True)
    first = wishes(station.rounds({"fire-2"}))
    station.report(gb26875.decode_packet(packet(first[0].serial, b"", command=gb26875.Command.CONFIRM)))
    repeated: list[gb26875.Packet] = []
    for _ in range(10):
        clock.at_ms += 10_000
        repeated += wishes(station.rounds({"fire-2"}))

    assert [p.unit[0] for p in first] == [90, 81, 88]
    assert sorted(p.serial for p in repeated) == [first[1].serial] * 3 + [first[2].serial] * 3


def test_the_guard_is_called_once_at_the_hour_and_told_as_missing_until_a_call_is_answered() -> None:
    clock = ToldClock(MIDNIGHT_MS + 2 * 3_600_000)  # 02:00
    station = asking_station(clock, [120])
    called = wishes(station.rounds({"fire-2"}) + station.rounds({"fire-2"}))
    clock.at_ms += 10 * 60_000
    (late,) = [one for one in station.rounds({"fire-2"}) if one.events]
    again = [one for one in station.rounds({"fire-2"}) if one.events]
    pressed = build_unit(UnitType.TRANSMITTER_OPERATION, [bytes((0b100000, 7)) + SENT])
    answered = station.report(gb26875.decode_packet(packet(9, pressed)))

    assert [(p.command, p.unit) for p in called] == [(gb26875.Command.CONTROL, bytes((91, 1, 10)))]
    assert told(late.events) == [("guard_missing", EventState.RAISED, "fire-2/guard")]
    assert again == []
    assert answered is not None
    assert ("guard_missing", EventState.CLEARED, "fire-2/guard") in told(answered.events)
    assert "roll_call" in {event.kind for event in answered.events}


def test_a_guard_who_answers_in_time_is_not_missing() -> None:
    clock = ToldClock(MIDNIGHT_MS + 2 * 3_600_000)
    station = asking_station(clock, [120])
    station.rounds({"fire-2"})
    pressed = build_unit(UnitType.TRANSMITTER_OPERATION, [bytes((0b100000, 7)) + SENT])
    station.report(gb26875.decode_packet(packet(9, pressed)))
    clock.at_ms += 11 * 60_000

    assert [one for one in station.rounds({"fire-2"}) if one.events] == []


async def test_damaged_messages_and_unknown_accounts_get_no_answer() -> None:
    disk = Disk()
    damaged = dc09("#1234|1110 01 007").replace(b"007", b"008")
    async with receiving(alarm_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(b"\xff\xff\r" + damaged + dc09("#9999|1110 01 007", account="9999") + b"\n" * 5000 + b"\r")
        is_silent = await panel.hears_nothing()

    assert is_silent
    assert [event.kind for event in disk.events] == ["unknown_panel"]


def test_somebody_who_makes_addresses_up_fills_neither_memory_nor_alarms() -> None:
    station = fire_station()
    calls = [packet(1, b"", source=number.to_bytes(6)) for number in range(1_000)]

    reports = [station.report(gb26875.decode_packet(call)) for call in calls]

    assert len([report for report in reports if report is not None]) == Strangers.TOLD_MAX


async def test_a_new_text_for_the_same_alarm_is_told_again() -> None:
    disk = Disk()
    async with receiving(fire_station(), disk) as receiver, calling(receiver) as panel:
        panel.send(component(1, 0x02, text="走廊"))
        await panel.packet()
        panel.send(component(2, 0x02, text="走廊 二次"))
        await panel.packet()

    assert [event.message for event in disk.events] == ["走廊: fire", "走廊 二次: fire"]


async def test_the_simulated_panels_are_understood_and_repeat_until_confirmed() -> None:
    disk = Disk(is_broken=True)
    fire = panel_caller.gb26875_message("fire", SOURCE.hex(), 17, 5, MIDNIGHT_MS)
    over = panel_caller.gb26875_message("normal", SOURCE.hex(), 17, 6, MIDNIGHT_MS)
    async with receiving(fire_station(), disk) as receiver:
        sending = asyncio.create_task(
            panel_caller.deliver(fire, "127.0.0.1", receiver.port, confirm_max_s=0.5)
        )
        await until(lambda: receiver.messages >= 1)
        disk.is_broken = False
        attempts = await sending
        await panel_caller.deliver(over, "127.0.0.1", receiver.port, confirm_max_s=0.5)

    assert attempts > 1
    assert told(disk.events) == [
        ("fire_alarm", EventState.RAISED, "fire-2/component-1-3-17"),
        ("fire_alarm", EventState.CLEARED, "fire-2/component-1-3-17"),
    ]


async def test_the_simulated_alarm_panel_is_understood() -> None:
    disk = Disk()
    async with receiving(alarm_station(), disk) as receiver:
        for serial, saying in enumerate(("heartbeat", "fire", "normal")):
            message = panel_caller.dc09_message(saying, "1234", 7, serial, MIDNIGHT_MS)
            assert await panel_caller.deliver(message, "127.0.0.1", receiver.port) == 1

    assert [event.state for event in disk.events] == [EventState.RAISED, EventState.CLEARED]


async def test_a_simulated_panel_says_when_nobody_confirms() -> None:
    message = panel_caller.dc09_message("fire", "9999", 7, 1, MIDNIGHT_MS)
    async with receiving(alarm_station(), Disk()) as receiver:
        with pytest.raises(panel_caller.NotConfirmed, match="did not confirm, told 4 times"):
            await panel_caller.deliver(message, "127.0.0.1", receiver.port, confirm_max_s=0.1)
