"""What DL/T 645 meters are told every day: the time and to freeze, once, by a clock that is right."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.drivers.dlt645_edition import EDITIONS
from edge.drivers.dlt645_talk import MeterTalk
from edge.meter_rounds import MeterRounds
from protocol.fieldbus import dlt645
from protocol.reading import ClockQuality
from provisioning.config import Config
from provisioning.lines import LineId
from provisioning.strict import Malformed
from tests.edge.building_blocks import MIDNIGHT_MS, ScriptedBus, ToldClock, config_of

MINUTE_MS = 60_000
# 2026-09-01T03:10:00+08:00
TEN_PAST_THREE_MS = MIDNIGHT_MS + 190 * MINUTE_MS
RISER = """
[gateway]
code = "gw"
time_zone = "Asia/Shanghai"
[[lines]]
id = "riser"
transport = "serial"
path = "/dev/null"
baud = 2400
parity = "even"
preamble = 7
clocks_at = "03:10"
freezes_at = "00:00"
[[devices]]
id = "em-1"
line = "riser"
profile = "dlt645_single_phase"
address = "202607000101"
[[devices]]
id = "em-2"
line = "riser"
profile = "dlt645_1997_single_phase"
address = "202607000102"
preamble = 1
[[devices]]
id = "wm-1"
line = "riser"
profile = "cjt188_cold_water"
address = "20260700000103"
preamble = 30
"""


@dataclass
class Meter:
    talk: MeterTalk


@dataclass
class Riser:
    """A line of two meters, one of each edition, the second with a clock that is off."""

    config: Config
    bus: ScriptedBus
    meters: Sequence[Meter] = field(default_factory=list)

    def meters_of(self, line_id: LineId) -> Sequence[Meter]:
        return self.meters if line_id == "riser" else ()


def answer(wire: bytes) -> bytes:
    frame = dlt645.decode_frame(wire)
    di = frame.data[3::-1].hex().upper()
    text = {"04000101": "26090102", "04000102": "031000"}.get(di)
    if text is None:  # of 1997, an hour slow
        di = frame.data[1::-1].hex().upper()
        payload = bytes.fromhex({"C010": "02010926", "C011": "001002"}[di])
        reply = dlt645.Frame(frame.meter_address, 0x81, frame.data + payload)
    else:
        payload = dlt645.encode_items(dlt645.data_identifier(di), [text])
        reply = dlt645.read_reply(frame.meter_address, di, payload)
    return dlt645.encode_frame(reply)


@pytest.fixture
def riser(tmp_path: Path) -> Riser:
    bus = ScriptedBus(answer)
    bus.clock = ToldClock(TEN_PAST_THREE_MS)
    meters = [
        Meter(MeterTalk("202607000101", bus, EDITIONS["dlt645-2007"], 7)),
        Meter(MeterTalk("202607000102", bus, EDITIONS["dlt645-1997"], 1)),
    ]
    return Riser(config_of(RISER, tmp_path), bus, meters)


def functions(wires: Sequence[bytes]) -> list[int]:
    return [dlt645.decode_frame(wire).function for wire in wires]


async def test_every_day_at_its_minute_a_line_is_told_the_time_once_in_each_edition(
    riser: Riser, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ToldClock(TEN_PAST_THREE_MS - MINUTE_MS)
    rounds = MeterRounds(riser, clock)
    caplog.set_level(logging.WARNING)

    for after_ms in (0, MINUTE_MS, MINUTE_MS + 15_000, 2 * MINUTE_MS):
        clock.at_ms = TEN_PAST_THREE_MS - MINUTE_MS + after_ms
        await rounds.tell_who_is_due()
    on_the_first_day = len(riser.bus.told)
    clock.at_ms = TEN_PAST_THREE_MS + 86_400_000
    await rounds.tell_who_is_due()

    assert (on_the_first_day, len(riser.bus.told)) == (2, 4)
    assert functions(riser.bus.told) == [dlt645.Function.BROADCAST_TIME] * 4
    first = dlt645.decode_frame(riser.bus.told[0])
    assert (first.meter_address, first.data.hex()) == (dlt645.EVERY_METER, "001003010926")
    told = [(r.message, getattr(r, "meter", ""), getattr(r, "seconds", 0)) for r in caplog.records]
    assert told[0] == ("a meter's clock is off", "202607000102", -3600)


async def test_a_freeze_is_told_to_meters_that_know_one(riser: Riser) -> None:
    await MeterRounds(riser, ToldClock(MIDNIGHT_MS + 20_000)).tell_who_is_due()

    assert functions(riser.bus.told) == [dlt645.Function.FREEZE]
    assert dlt645.decode_frame(riser.bus.told[0]).data == b"\x99" * 4  # at once: any month, day, hour, minute


async def test_a_box_that_does_not_know_the_time_tells_none(riser: Riser) -> None:
    clock = ToldClock(TEN_PAST_THREE_MS)
    clock.quality = ClockQuality.UNSYNCED

    await MeterRounds(riser, clock).tell_who_is_due()

    assert riser.bus.told == []


async def test_requests_and_broadcasts_wake_the_meter_as_configured(riser: Riser) -> None:
    talk = riser.meters[0].talk
    await talk.broadcast_freeze()
    await talk.clock()

    assert {len(wire) - len(wire.lstrip(b"\xfe")) for wire in (*riser.bus.told, *riser.bus.asked)} == {7}


def test_the_preamble_is_the_device_s_or_the_line_s(tmp_path: Path) -> None:
    config = config_of(RISER, tmp_path)

    assert [device.preamble_count for device in config.devices] == [7, 1, 30]


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        pytest.param('clocks_at = "03:10"', 'clocks_at = "23:55"', "around midnight", id="midnight"),
        pytest.param('clocks_at = "03:10"', 'clocks_at = "3:10"', "clocks_at", id="no time"),
        pytest.param("preamble = 30", "preamble = 900", "preamble", id="too long"),
    ],
)
def test_a_round_that_cannot_be_is_refused_by_key(
    written: str, instead: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(Malformed, match=told):
        config_of(RISER.replace(written, instead), tmp_path)


def test_a_preamble_is_for_meters_that_are_woken(tmp_path: Path) -> None:
    text = RISER.replace("cjt188_cold_water", "eastron_sdm630").replace('"20260700000103"', '"3"')

    with pytest.raises(Malformed, match=r"preamble: modbus of profile eastron_sdm630 knows none"):
        config_of(text, tmp_path)
