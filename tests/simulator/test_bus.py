"""One RS-485 line, three protocols: requests are found in any stream of bytes and answered once."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, Refused
from protocol.fieldbus import cjt188, dlt645, modbus
from protocol.fieldbus.cjt188_data import decode_water
from protocol.fieldbus.modbus import Framing, FunctionCode
from protocol.quantity import decimal_from_micro
from simulator.answer import Transmission
from simulator.building import BUS_1, WATER_ROLES, Role, devices_on
from simulator.bus import Bus
from simulator.cjt188_slaves import Cjt188Slaves
from simulator.dlt645_slaves import Dlt645Slaves
from simulator.faults import Fault, FaultBook, FaultKind
from simulator.modbus_slaves import ModbusSlaves
from simulator.models import Building
from tests.simulator.building import AT_MS, device_called, shown

PUBLIC = modbus.Request(1, FunctionCode.READ_HOLDING_REGISTERS, 0, 17)


def energy_request(device_id: str, di: str = "00010000") -> bytes:
    return dlt645.encode_frame(dlt645.read_request(device_called(device_id).address, di))


def water_request(device_id: str, *, di_low_first: bool = False) -> bytes:
    request = cjt188.read_request(0x10, device_called(device_id).address, serial=5, di_low_first=di_low_first)
    return cjt188.encode_frame(request)


class Line:
    """A bus-1 of its own with its fault book."""

    def __init__(self) -> None:
        self.faults = FaultBook()
        self.building = Building(1, self.faults)
        devices = devices_on(BUS_1)
        self.bus = Bus(
            [
                Dlt645Slaves([d for d in devices if d.role is Role.FLAT_ELECTRICITY], self.building),
                Cjt188Slaves([d for d in devices if d.role in WATER_ROLES], self.building),
                ModbusSlaves([d for d in devices if d.address == "1"], self.building, Framing.RTU),
            ],
            self.faults,
        )

    def ask(self, data: bytes, now_s: float = 0.0) -> list[Transmission]:
        return self.bus.feed(data, AT_MS, now_s)

    def spoil(self, device_id: str, kind: FaultKind, replies: int | None = None) -> None:
        wanted = Fault(fault_id=0, device_id="", kind=kind, since_ms=AT_MS, replies_left=replies)
        self.faults.add(device_called(device_id), wanted)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize(
    ("di", "points"),
    [
        ("00010000", ["active_energy_import"]),
        ("02010100", ["voltage"]),
        ("02020100", ["current"]),
        ("02030000", ["active_power"]),
        (
            "0001FF00",
            [
                "active_energy_import",
                "active_energy_import_sharp",
                "active_energy_import_peak",
                "active_energy_import_flat",
                "active_energy_import_valley",
            ],
        ),
    ],
)
def test_an_electricity_meter_tells_what_the_model_shows(line: Line, di: str, points: list[str]) -> None:
    request = dlt645.read_request(device_called("em-104").address, di)

    [answer] = line.ask(dlt645.encode_frame(request))

    reply = dlt645.decode_frame(answer.data)
    dlt645.check_reply(request, reply)
    values = shown(line.building, "em-104", AT_MS)
    assert dlt645.values_from_reply(reply) == tuple(decimal_from_micro(values[point]) for point in points)
    assert answer.issued == tuple((point, values[point]) for point in points)


def test_a_single_rate_meter_refuses_the_block_of_rates(line: Line) -> None:
    request = dlt645.read_request(device_called("em-101").address, "0001FF00")

    [answer] = line.ask(dlt645.encode_frame(request))

    with pytest.raises(Refused, match="no requested data"):
        dlt645.check_reply(request, dlt645.decode_frame(answer.data))
    assert answer.issued == ()


def test_a_meter_knows_its_date_in_beijing(line: Line) -> None:
    [date_answer] = line.ask(energy_request("em-101", "04000101"))
    [time_answer] = line.ask(energy_request("em-101", "04000102"))

    date_items = dlt645.items_from_reply(dlt645.decode_frame(date_answer.data))
    time_items = dlt645.items_from_reply(dlt645.decode_frame(time_answer.data))
    assert date_items.values == ("2026-09-14 wd01",)  # a Monday
    assert time_items.values == ("20:17:00",)
    assert date_answer.issued == ()


@pytest.mark.parametrize("di_low_first", [False, True])
def test_a_water_meter_answers_in_the_byte_order_it_was_asked(line: Line, *, di_low_first: bool) -> None:
    request = cjt188.decode_frame(water_request("wm-102", di_low_first=di_low_first))

    [answer] = line.ask(cjt188.encode_frame(request))

    reply = cjt188.decode_frame(answer.data)
    water = decode_water(cjt188.check_reply(request, reply))
    volume_micro = shown(line.building, "wm-102", AT_MS)["water_volume"]
    assert reply.di_low_first is di_low_first
    assert water.current.value == decimal_from_micro(volume_micro)
    assert water.current.unit == "m3"
    assert water.clock is not None
    assert f"{water.clock:%F %T}" == "2026-09-14 20:17:00"
    assert dict(answer.issued) == {"water_volume": volume_micro, "valve_state": 0, "battery_low": 0}


def test_the_modbus_meter_shares_the_line(line: Line) -> None:
    [answer] = line.ask(modbus.encode_request(PUBLIC, Framing.RTU))

    words = modbus.ReplyReader(PUBLIC, Framing.RTU).feed(answer.data)
    assert words is not None
    values = shown(line.building, "em-public", AT_MS)
    assert (words[0] << 16) + words[1] == values["active_energy_import"] // 10_000
    assert dict(answer.issued) == values


def test_modbus_beyond_the_map_is_an_illegal_address(line: Line) -> None:
    beyond = modbus.Request(1, FunctionCode.READ_HOLDING_REGISTERS, 10, 8)

    [answer] = line.ask(modbus.encode_request(beyond, Framing.RTU))

    with pytest.raises(Refused, match="illegal data address"):
        modbus.ReplyReader(beyond, Framing.RTU).feed(answer.data)
    assert answer.issued == ()


def test_a_value_cut_in_half_is_not_issued(line: Line) -> None:
    half = modbus.Request(1, FunctionCode.READ_HOLDING_REGISTERS, 1, 2)

    [answer] = line.ask(modbus.encode_request(half, Framing.RTU))

    assert answer.issued == ()


def test_a_write_is_refused(line: Line) -> None:
    write = modbus.Request(1, FunctionCode.WRITE_HOLDING_REGISTERS, 0, 2, (1, 2))

    [answer] = line.ask(modbus.encode_request(write, Framing.RTU))

    with pytest.raises(Refused, match="illegal function"):
        modbus.ReplyReader(write, Framing.RTU).feed(answer.data)


REQUESTS = {
    "em-101": energy_request("em-101"),
    "em-104": energy_request("em-104", "0001FF00"),
    "em-public": modbus.encode_request(PUBLIC, Framing.RTU),
    "wm-101": water_request("wm-101"),
    "wm-main": water_request("wm-main"),
}
# Nothing in it can be taken for the start of a request, so that it cannot swallow the next one.
NOISE = st.binary(max_size=20).map(lambda junk: junk.replace(b"\x68", b"").replace(b"\x01", b""))


@given(
    order=st.lists(st.tuples(NOISE, st.sampled_from(sorted(REQUESTS))), min_size=1, max_size=8),
    cuts=st.lists(st.integers(1, 400), max_size=12),
)
def test_requests_are_found_however_the_bytes_arrive(order: list[tuple[bytes, str]], cuts: list[int]) -> None:
    line = Line()
    stream = b"".join(junk + REQUESTS[device_id] for junk, device_id in order)
    edges = [0, *sorted({cut for cut in cuts if cut < len(stream)}), len(stream)]

    answered = [
        answer.device_id for start, end in itertools.pairwise(edges) for answer in line.ask(stream[start:end])
    ]

    assert answered == [device_id for _, device_id in order]


@given(st.binary(max_size=600))
def test_no_junk_makes_the_bus_fall_over_or_fill_up(junk: bytes) -> None:
    line = Line()

    for start in range(0, len(junk), 7):
        line.ask(junk[start : start + 7])
    later = line.ask(REQUESTS["em-101"], now_s=10.0)

    assert [answer.device_id for answer in later] == ["em-101"]


def test_a_request_for_nobody_is_left_unanswered(line: Line) -> None:
    stranger = dlt645.encode_frame(dlt645.read_request("999900000001", "00010000"))
    wildcard = dlt645.encode_frame(dlt645.read_request(dlt645.ANY_METER, "00010000"))

    assert line.ask(stranger) == []
    assert line.ask(wildcard) == []
    assert line.ask(energy_request("em-401")) == []  # lives on bus-2


def test_our_own_reply_heard_as_an_echo_is_not_answered(line: Line) -> None:
    [answer] = line.ask(REQUESTS["em-101"])

    assert line.ask(answer.data) == []


def test_a_dead_device_says_nothing_and_its_neighbour_speaks(line: Line) -> None:
    line.spoil("em-101", FaultKind.DEAD)

    assert line.ask(REQUESTS["em-101"]) == []
    assert [answer.device_id for answer in line.ask(REQUESTS["em-104"])] == ["em-104"]


@pytest.mark.parametrize("device_id", sorted(REQUESTS))
def test_a_bad_checksum_is_refused_by_the_codec(line: Line, device_id: str) -> None:
    line.spoil(device_id, FaultKind.BAD_CHECKSUM)

    [answer] = line.ask(REQUESTS[device_id])

    assert answer.issued == ()
    if device_id == "em-public":
        reader = modbus.ReplyReader(PUBLIC, Framing.RTU)
        assert reader.feed(answer.data) is None
    else:
        decode = cjt188.decode_frame if device_id.startswith("wm") else dlt645.decode_frame
        with pytest.raises(FrameError, match="checksum"):
            decode(answer.data)


@pytest.mark.parametrize("device_id", sorted(REQUESTS))
def test_a_truncated_reply_lacks_its_end(line: Line, device_id: str) -> None:
    [whole] = line.ask(REQUESTS[device_id])
    line.spoil(device_id, FaultKind.TRUNCATED)

    [answer] = line.ask(REQUESTS[device_id])

    assert whole.data.startswith(answer.data)
    assert len(answer.data) == len(whole.data) - 3
    assert answer.issued == ()


def test_a_foreign_reply_is_well_formed_and_of_another_meter(line: Line) -> None:
    line.spoil("em-101", FaultKind.FOREIGN_REPLY)
    request = dlt645.decode_frame(REQUESTS["em-101"])

    [answer] = line.ask(REQUESTS["em-101"])

    assert answer.issued == ()
    with pytest.raises(FrameError, match="meter 202607000102 answered a request to 202607000101"):
        dlt645.check_reply(request, dlt645.decode_frame(answer.data))


def test_a_foreign_water_reply_is_of_another_meter(line: Line) -> None:
    line.spoil("wm-101", FaultKind.FOREIGN_REPLY)

    [answer] = line.ask(REQUESTS["wm-101"])

    assert cjt188.decode_frame(answer.data).address == "20260700000102"
    assert answer.issued == ()


def test_a_foreign_modbus_reply_is_of_another_unit(line: Line) -> None:
    line.spoil("em-public", FaultKind.FOREIGN_REPLY)

    [answer] = line.ask(REQUESTS["em-public"])

    other = modbus.Request(2, PUBLIC.function_code, PUBLIC.start, PUBLIC.quantity)
    assert modbus.ReplyReader(PUBLIC, Framing.RTU).feed(answer.data) is None
    assert modbus.ReplyReader(other, Framing.RTU).feed(answer.data) is not None


@pytest.mark.parametrize("device_id", sorted(REQUESTS))
def test_faults_add_up_in_whichever_order_they_came(line: Line, device_id: str) -> None:
    kinds = [FaultKind.TRUNCATED, FaultKind.NOISE, FaultKind.BAD_CHECKSUM, FaultKind.FOREIGN_REPLY]
    [whole] = line.ask(REQUESTS[device_id])
    for kind in kinds:
        line.spoil(device_id, kind)

    [answer] = line.ask(REQUESTS[device_id])

    assert len(answer.data) == len(whole.data) - 3 + 7
    assert answer.issued == ()


def test_noise_surrounds_a_whole_reply(line: Line) -> None:
    line.spoil("em-101", FaultKind.NOISE)

    [answer] = line.ask(REQUESTS["em-101"])

    [frame] = dlt645.FrameReader().feed(answer.data)
    energy_micro = shown(line.building, "em-101", AT_MS)["active_energy_import"]
    assert dlt645.values_from_reply(frame) == (decimal_from_micro(energy_micro),)
    assert not answer.data.startswith(b"\xfe")
    assert answer.issued == (("active_energy_import", energy_micro),)


def test_a_late_reply_is_whole_and_late(line: Line) -> None:
    line.spoil("em-101", FaultKind.LATE_REPLY)

    [answer] = line.ask(REQUESTS["em-101"])

    assert answer.delay_ms == 2_500
    assert dlt645.decode_frame(answer.data).meter_address == "202607000101"


def test_a_fault_limited_to_two_replies_ends_after_two(line: Line) -> None:
    line.spoil("em-101", FaultKind.DEAD, replies=2)

    answers = [len(line.ask(REQUESTS["em-101"])) for _ in range(4)]

    assert answers == [0, 0, 1, 1]
    assert not line.faults.any_active(FaultKind.DEAD)


def test_half_a_request_is_forgotten_after_silence(line: Line) -> None:
    request = REQUESTS["em-101"]
    half = len(request) // 2

    assert line.ask(request[:half], now_s=0.0) == []
    assert line.ask(request[half:], now_s=5.0) == []
    assert len(line.ask(request, now_s=5.1)) == 1


def test_decimals_on_the_wire_are_exact(line: Line) -> None:
    [answer] = line.ask(REQUESTS["em-101"])

    [value] = dlt645.values_from_reply(dlt645.decode_frame(answer.data))

    assert isinstance(value, Decimal)
    assert value == value.quantize(Decimal("0.01"))
