"""Acting on meters over a bus: what goes out, once, and what is believed of the answer."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.actuators import actuators_of
from edge.driver import EvidenceKeeper
from edge.drivers import DRIVERS
from edge.errors import NoReply, Unconfirmed
from protocol.command import Action
from protocol.errors import Refused
from protocol.fieldbus import cjt188, dlt645, dlt645_1997, mbus, modbus
from protocol.fieldbus.dlt645 import Function, RelayAction
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Reading
from provisioning.config import RelaySettings
from provisioning.profiles import load_profile
from tests.edge.building_blocks import ScriptedBus, ToldClock, device_of

METER, WATER = "202607000104", "20260700000101"
SHANGHAI = ZoneInfo("Asia/Shanghai")
# 2026-09-01T10:00:00+08:00
TEN_MS = 1_788_192_000_000 + 10 * 3_600_000
PASSWORD, OPERATOR = "123456", "87654321"


class Intake:
    """Takes readings and keeps them."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []

    def accept(self, readings: list[Reading]) -> None:
        self.readings += readings


class RelayMeter:
    """A meter that obeys whoever knows its password."""

    def __init__(self) -> None:
        self.is_open = False
        self.is_allowed = False
        self.clock = datetime(2026, 9, 1, 10, 0, 0)  # noqa: DTZ001 - local, as meters have it
        self.frozen_at: datetime | None = None
        self.commands: list[bytes] = []

    def answer(self, wire: bytes) -> bytes:
        frame = dlt645.decode_frame(wire)
        if frame.function == Function.RELAY:
            return self._switch(frame)
        di = frame.data[3::-1].hex().upper()
        texts = {
            "04000101": f"{self.clock:%y%m%d}02",
            "04000102": f"{self.clock:%H%M%S}",
            "04000503": "0010" if self.is_open else "0000",
        }
        if self.frozen_at is not None:
            texts["05010001"] = f"{self.frozen_at:%y%m%d%H%M}"
        elif di == "05010001":
            return dlt645.encode_frame(dlt645.abnormal_reply(frame, METER, 0x02))
        value = texts.get(di, Decimal(23))
        payload = dlt645.encode_items(dlt645.data_identifier(di), [value])
        return dlt645.encode_frame(dlt645.read_reply(METER, di, payload))

    def _switch(self, frame: dlt645.Frame) -> bytes:
        self.commands.append(frame.data)
        level, password, step = frame.data[0], frame.data[3:0:-1].hex(), frame.data[8]
        if (level, password) != (2, PASSWORD):
            return dlt645.encode_frame(dlt645.abnormal_reply(frame, METER, 0x04))
        self.is_allowed |= step == RelayAction.ALLOW_CLOSING
        if step in (RelayAction.TRIP, RelayAction.CLOSE):
            self.is_open = step == RelayAction.TRIP
        return dlt645.encode_frame(dlt645.plain_reply(frame, METER))


def relay_settings(folder: Path, password: str = PASSWORD, *, direct: bool = True) -> RelaySettings:
    path = folder / "meter.password"
    path.write_text(password + "\n")
    return RelaySettings(path, 2, OPERATOR, closes_directly=direct)


def actuator_on(bus: ScriptedBus, profile: str, address: str, relay: RelaySettings | None = None):
    device = replace(device_of(load_profile(profile), address), relay=relay)
    driver = DRIVERS[device.profile.protocol](device, bus, EvidenceKeeper(SHANGHAI))
    intake = Intake()
    (actuator,) = actuators_of([driver], [], intake, SHANGHAI).values()  # type: ignore[arg-type]
    return actuator, intake


def bus_at_ten(answer) -> ScriptedBus:
    bus = ScriptedBus(answer)
    bus.clock = ToldClock(TEN_MS)
    return bus


async def test_a_relay_is_tripped_with_password_operator_and_a_time_after_which_it_is_void(
    tmp_path: Path,
) -> None:
    meter = RelayMeter()
    bus = bus_at_ten(meter.answer)
    actuator, _ = actuator_on(bus, "dlt645_relay_meter", METER, relay_settings(tmp_path))

    await actuator.act(Action.RELAY_OPEN, {})

    # PA P0 P1 P2, C0..C3, N1 N2, ss mm hh DD MM YY: ten past ten local time.
    assert meter.commands == [bytes.fromhex("02 563412 21436587 1A00 00 10 10 01 09 26")]
    assert meter.is_open


async def test_the_status_word_says_how_the_relay_stands(tmp_path: Path) -> None:
    meter = RelayMeter()
    actuator, intake = actuator_on(
        bus_at_ten(meter.answer), "dlt645_relay_meter", METER, relay_settings(tmp_path)
    )

    await actuator.look("relay_state")
    await actuator.act(Action.RELAY_OPEN, {})
    await actuator.look("relay_state")

    assert [r.value_micro for r in intake.readings] == [1 * MICRO, 0 * MICRO]  # closed, then open
    assert {r.point_key for r in intake.readings} == {"d/relay_state"}


async def test_closing_by_the_button_asks_somebody_to_press_it(tmp_path: Path) -> None:
    meter = RelayMeter()
    meter.is_open = True
    settings = relay_settings(tmp_path, direct=False)
    actuator, _ = actuator_on(bus_at_ten(meter.answer), "dlt645_relay_meter", METER, settings)

    said = await actuator.act(Action.RELAY_CLOSE, {})

    assert "press the button" in said
    assert (meter.is_allowed, meter.is_open) == (True, True)


async def test_a_wrong_password_is_the_meters_no(tmp_path: Path) -> None:
    meter = RelayMeter()
    settings = relay_settings(tmp_path, "000000")
    actuator, _ = actuator_on(bus_at_ten(meter.answer), "dlt645_relay_meter", METER, settings)

    with pytest.raises(Refused, match="password error"):
        await actuator.act(Action.RELAY_OPEN, {})


@pytest.mark.parametrize("text", ["", "12345", "12345x", "1234567", "äöü"])
async def test_a_password_file_without_six_digits_sends_nothing_and_shows_nothing(
    tmp_path: Path, text: str
) -> None:
    bus = bus_at_ten(RelayMeter().answer)
    actuator, _ = actuator_on(bus, "dlt645_relay_meter", METER, relay_settings(tmp_path, text))

    with pytest.raises(Refused) as refusal:
        await actuator.act(Action.RELAY_OPEN, {})

    assert bus.asked == []
    assert text == "" or text not in str(refusal.value)


async def test_no_relay_is_switched_by_a_box_that_does_not_know_the_time(tmp_path: Path) -> None:
    bus = bus_at_ten(RelayMeter().answer)
    bus.clock.quality = ClockQuality.UNSYNCED  # type: ignore[misc]
    actuator, _ = actuator_on(bus, "dlt645_relay_meter", METER, relay_settings(tmp_path))

    with pytest.raises(Refused, match="clock is not confirmed"):
        await actuator.act(Action.RELAY_OPEN, {})

    assert bus.asked == []


def test_without_relay_settings_a_meter_cannot_be_switched() -> None:
    actuator, _ = actuator_on(bus_at_ten(RelayMeter().answer), "dlt645_relay_meter", METER)

    assert actuator.actions == {Action.BROADCAST_TIME, Action.FREEZE_TOTALS, Action.RAW_READ}


@pytest.mark.parametrize(
    "profile",
    ["lift_gateway", "fire_panel_gateway", "siemens_dms8000", "notifier_modbus_gw", "invertek_elevator_core"],
)
def test_lifts_and_fire_panels_are_only_ever_read(profile: str) -> None:
    actuator, _ = actuator_on(ScriptedBus(lambda _: b""), profile, "1")

    assert actuator.actions == {Action.RAW_READ}


async def test_the_time_is_broadcast_and_the_meters_clock_looked_at_before_and_after() -> None:
    meter = RelayMeter()
    meter.clock = datetime(2026, 9, 1, 9, 58, 30)  # noqa: DTZ001
    bus = bus_at_ten(meter.answer)

    class SettingBus(ScriptedBus):
        async def tell(self, wire, priority=None) -> None:
            await super().tell(wire)
            meter.clock = datetime(2026, 9, 1, 10, 0, 1)  # noqa: DTZ001

    bus = SettingBus(meter.answer)
    bus.clock = ToldClock(TEN_MS)
    actuator, _ = actuator_on(bus, "dlt645_single_phase", METER)

    said = await actuator.act(Action.BROADCAST_TIME, {})

    (told,) = [dlt645.decode_frame(wire) for wire in bus.told]
    assert (told.meter_address, told.function) == (dlt645.EVERY_METER, Function.BROADCAST_TIME)
    assert told.data[::-1].hex() == "260901100000"
    assert said == "the meter's clock is 1 s fast, it was 90 s slow"


async def test_a_clock_that_stays_wrong_is_not_called_set() -> None:
    meter = RelayMeter()
    meter.clock = datetime(2026, 9, 1, 9, 58, 30)  # noqa: DTZ001
    actuator, _ = actuator_on(bus_at_ten(meter.answer), "dlt645_single_phase", METER)

    with pytest.raises(Unconfirmed, match="still 90 s slow"):
        await actuator.act(Action.BROADCAST_TIME, {})


async def test_a_clock_too_far_off_for_a_broadcast_is_told_and_nothing_is_sent() -> None:
    meter = RelayMeter()
    meter.clock = datetime(2026, 9, 1, 9, 40, 0)  # noqa: DTZ001
    bus = bus_at_ten(meter.answer)
    actuator, _ = actuator_on(bus, "dlt645_single_phase", METER)

    with pytest.raises(Refused, match="1200 s slow"):
        await actuator.act(Action.BROADCAST_TIME, {})

    assert bus.told == []


@pytest.mark.parametrize("minutes", [-9, 0, 9])
async def test_no_time_is_broadcast_around_midnight(minutes: int) -> None:
    bus = ScriptedBus(RelayMeter().answer)
    bus.clock = ToldClock(1_788_192_000_000 + minutes * 60_000)
    actuator, _ = actuator_on(bus, "dlt645_single_phase", METER)

    with pytest.raises(Refused, match="midnight"):
        await actuator.act(Action.BROADCAST_TIME, {})

    assert (bus.asked, bus.told) == ([], [])


class FreezingBus(ScriptedBus):
    """A line whose one meter freezes when it hears that, unless it is deaf; its clock is as the meter's."""

    def __init__(self, meter: RelayMeter, *, is_deaf: bool = False) -> None:
        super().__init__(meter.answer)
        self.clock = ToldClock(TEN_MS)
        self._meter, self._is_deaf = meter, is_deaf

    async def tell(self, wire, priority=None) -> None:
        await super().tell(wire)
        if not self._is_deaf:
            self._meter.frozen_at = self._meter.clock


async def test_freezing_is_broadcast_and_the_meter_asked_when_it_froze() -> None:
    meter = RelayMeter()
    bus = FreezingBus(meter)
    actuator, _ = actuator_on(bus, "dlt645_single_phase", METER)

    said = await actuator.act(Action.FREEZE_TOTALS, {})

    (told,) = [dlt645.decode_frame(wire) for wire in bus.told]
    assert (told.meter_address, told.function) == (dlt645.EVERY_METER, Function.FREEZE)
    assert told.data.hex() == "99999999"
    assert said == "the totals were frozen at 2026-09-01 10:00 by the meter's clock"


@pytest.mark.parametrize(
    ("last", "told"),
    [(None, "tells of no freeze"), (datetime(2026, 8, 31, 0, 0), "2026-08-31 00:00, as before")],  # noqa: DTZ001
    ids=["never", "yesterday"],
)
async def test_a_meter_that_did_not_freeze_leaves_it_unknown(last: datetime | None, told: str) -> None:
    meter = RelayMeter()
    meter.frozen_at = last
    actuator, _ = actuator_on(FreezingBus(meter, is_deaf=True), "dlt645_single_phase", METER)

    with pytest.raises(Unconfirmed, match=told):
        await actuator.act(Action.FREEZE_TOTALS, {})


def test_meters_of_1997_are_not_offered_to_freeze() -> None:
    actuator, _ = actuator_on(ScriptedBus(lambda _: b""), "dlt645_1997_single_phase", METER)

    assert actuator.actions == {Action.BROADCAST_TIME, Action.RAW_READ}


async def test_a_1997_meters_clock_is_read_by_its_own_identifiers() -> None:
    shown = {"C010": "26090102", "C011": "100000"}

    def answer(wire: bytes) -> bytes:
        frame = dlt645_1997.decode_frame(wire)
        di = frame.data[1::-1].hex().upper()
        payload = dlt645.encode_items(dlt645_1997.data_identifier(di), [shown[di]])
        return dlt645.encode_frame(dlt645_1997.read_reply(METER, di, payload))

    actuator, _ = actuator_on(bus_at_ten(answer), "dlt645_1997_single_phase", METER)

    assert await actuator.act(Action.BROADCAST_TIME, {}) == "the meter's clock is right, it was right"


async def test_a_person_s_read_returns_the_answer_s_bytes() -> None:
    meter = RelayMeter()
    actuator, _ = actuator_on(bus_at_ten(meter.answer), "dlt645_single_phase", METER)
    question = dlt645.encode_frame(dlt645.read_request(METER, "02010100"))

    said = await actuator.act(Action.RAW_READ, {"frame": question.hex(" ")})

    assert bytes.fromhex(said).lstrip(b"\xfe") == meter.answer(question).lstrip(b"\xfe")


WRITES = {
    "645 relay": (
        "dlt645_single_phase",
        METER,
        dlt645.encode_frame(
            dlt645.relay_request(
                METER,
                RelayAction.TRIP,
                datetime(2026, 9, 1),  # noqa: DTZ001
                password_level=2,
                password=PASSWORD,
            )
        ),
        "does not read",
    ),
    "645 of another meter": (
        "dlt645_single_phase",
        METER,
        dlt645.encode_frame(dlt645.read_request("202607000105", "02010100")),
        "this is",
    ),
    "188 valve": (
        "cjt188_cold_water",
        WATER,
        cjt188.encode_frame(cjt188.valve_request(0x10, WATER, 0x99)),
        "does not read",
    ),
    "modbus write": (
        "acrel_ddsy1352",
        "1",
        modbus.encode_request(
            modbus.Request(1, modbus.FunctionCode.WRITE_HOLDING_REGISTER, 0, 1, (1,)), modbus.Framing.RTU
        ),
        "writes",
    ),
    "modbus other unit": (
        "acrel_ddsy1352",
        "1",
        modbus.encode_request(
            modbus.Request(2, modbus.FunctionCode.READ_HOLDING_REGISTERS, 0, 1), modbus.Framing.RTU
        ),
        "unit 2",
    ),
    "mbus send data": (
        "mbus_cold_water_meter",
        "5",
        mbus.encode_frame(mbus.Frame(mbus.SND_UD, 5, 0x51, b"\x01\x7a\x06")),
        "asks for no data",
    ),
    "mbus other meter": (
        "mbus_cold_water_meter",
        "5",
        mbus.encode_frame(mbus.data_request(6, frame_count_bit=True)),
        "address 6",
    ),
    "noise": ("dlt645_single_phase", METER, b"\x01\x02\x03", "no frame"),
}


@pytest.mark.parametrize(("profile", "address", "frame", "why"), WRITES.values(), ids=WRITES)
async def test_what_is_not_a_read_of_this_very_device_is_never_sent(
    profile: str, address: str, frame: bytes, why: str
) -> None:
    bus = ScriptedBus(lambda _: b"")
    actuator, _ = actuator_on(bus, profile, address)

    with pytest.raises(Refused, match=why):
        await actuator.act(Action.RAW_READ, {"frame": frame.hex()})

    assert bus.asked == []


async def test_words_that_are_no_bytes_are_refused() -> None:
    actuator, _ = actuator_on(ScriptedBus(lambda _: b""), "acrel_ddsy1352", "1")

    with pytest.raises(Refused, match="not hexadecimal"):
        await actuator.act(Action.RAW_READ, {"frame": "read it"})


async def test_silence_after_a_person_s_read_is_no_answer() -> None:
    actuator, _ = actuator_on(ScriptedBus(lambda _: b""), "acrel_ddsy1352", "1")
    question = modbus.encode_request(
        modbus.Request(1, modbus.FunctionCode.READ_HOLDING_REGISTERS, 0, 2), modbus.Framing.RTU
    )

    with pytest.raises(NoReply):
        await actuator.act(Action.RAW_READ, {"frame": question.hex()})


async def test_a_makers_valve_is_turned_with_its_own_codes_and_command() -> None:
    profile = load_profile("cjt188_cold_water")
    model = replace(profile.cjt188, valve_open=0x66, valve_close=0x77, valve_control=0x2A, preamble_count=20)
    device = device_of(replace(profile, cjt188=model), WATER)

    def answer(wire: bytes) -> bytes:
        frame = cjt188.decode_frame(wire)
        return cjt188.encode_frame(cjt188.reply_to(frame, 0x10, WATER, b"\x01\x00"))

    bus = ScriptedBus(answer)
    driver = DRIVERS["cjt188"](device, bus, EvidenceKeeper(SHANGHAI))
    (actuator,) = actuators_of([driver], [], Intake(), SHANGHAI).values()  # type: ignore[arg-type]

    await actuator.act(Action.VALVE_CLOSE, {})

    (sent,) = bus.asked
    frame = cjt188.decode_frame(sent)
    assert (frame.control_code, frame.data_identifier, frame.data) == (0x2A, "A017", b"\x77")
    assert frame.preamble_count == 20
