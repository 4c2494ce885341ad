"""CJ/T 188: frames, both identifier and unit orders, water and heat. Frames from tests/vectors."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus import cjt188
from protocol.fieldbus.annotation import Message
from protocol.fieldbus.cjt188 import Frame, FrameReader, check_reply, decode_frame, encode_frame
from protocol.fieldbus.cjt188_annotation import CJT188
from protocol.fieldbus.cjt188_data import (
    UNITS,
    Amount,
    Status,
    WaterData,
    decode_amount,
    decode_clock,
    decode_heat,
    decode_history,
    decode_water,
    encode_amount,
    encode_clock,
    encode_heat,
    encode_water,
)
from tests.fieldbus.golden import golden_frames

GOLDEN = golden_frames("cjt188")
WATER = bytes.fromhex("68106900010717200081161f9002000000002c000000002c595416190817201301ef16")
HEAT = bytes.fromhex(
    "fefefefe682032413140000000812e901f0108020000000802000000170000000035000000002c34100000"
    "3525006625000000005300121007152000003116"
)


@pytest.mark.parametrize("wire", GOLDEN, ids=lambda wire: wire.hex()[:48])
def test_golden_frame_encodes_to_the_bytes_it_came_from(wire: bytes) -> None:
    assert encode_frame(decode_frame(wire)) == wire


def test_every_single_bit_flip_of_every_golden_frame_is_refused() -> None:
    survivors = []
    for wire in GOLDEN:
        preamble = len(wire) - len(wire.lstrip(b"\xfe"))
        for bit in range(8 * preamble, 8 * len(wire)):
            damaged = bytearray(wire)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                survivors.append(decode_frame(bytes(damaged)))
            except FrameError:
                continue

    assert survivors == []


def test_glued_split_and_trailed_frames_come_out_one_by_one() -> None:
    stream = b"".join(wire + b"\x52\x4f" for wire in GOLDEN)  # modem bytes follow, as captured
    reader = FrameReader()

    frames = [frame for at in range(0, len(stream), 7) for frame in reader.feed(stream[at : at + 7])]

    assert frames == [decode_frame(wire) for wire in GOLDEN]


def test_electricity_frames_on_the_same_line_are_passed_over() -> None:
    other = b"".join(golden_frames("dlt645-2007"))
    reader = FrameReader()

    frames = reader.feed(other + WATER) + reader.flush()

    assert frames == [decode_frame(WATER)]


@pytest.mark.parametrize("end", [0, 5, 11, 20, len(WATER) - 1])
def test_truncated_frame_is_refused_and_waited_for(end: int) -> None:
    reader = FrameReader()

    assert reader.feed(WATER[:end]) == []
    assert reader.feed(WATER[end:]) == [decode_frame(WATER)]
    with pytest.raises(FrameError):
        decode_frame(WATER[:end])


@given(
    st.integers(0x10, 0x49),
    st.text("0123456789", min_size=14, max_size=14),
    st.sampled_from(["901F", "D120", "810A", "A017"]),
    st.booleans(),
    st.integers(0, 255),
    st.binary(max_size=60),
)
def test_any_frame_round_trips(meter_type, address, identifier, low_first, serial, data) -> None:
    frame = Frame(meter_type, address, 0x81, identifier, low_first, serial, data, 3)

    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=300))
def test_random_bytes_are_a_frame_or_a_frame_error(noise: bytes) -> None:
    try:
        frame = decode_frame(noise)
    except FrameError:
        return
    assert encode_frame(frame) == noise


def test_requests_are_the_published_bytes() -> None:
    read = cjt188.read_request(0x10, "00201510270588", preamble_count=0)
    swapped = cjt188.read_request(0x10, "78330011223344", serial=0, di_low_first=True)
    valve = cjt188.valve_request(0x10, "00000019121301", 0x99, preamble_count=3)
    vendor_valve = cjt188.valve_request(
        0x10, "00000805000001", 0x55, control_code=0x2A, serial=0, preamble_count=3
    )
    address = cjt188.read_address_request(0x10, preamble_count=3)

    assert encode_frame(read).hex() == "6810880527101520000103901f012516"
    assert encode_frame(swapped).hex() == "fefefefe68104433221100337801031f90008016"
    assert encode_frame(valve).hex() == "fefefe6810011312190000000404a01701991016"
    assert encode_frame(vendor_valve).hex() == "fefefe6810010000050800002a04a0170055c016"
    assert encode_frame(address).hex() == "fefefe6810aaaaaaaaaaaaaa0303810a01b016"


REQUEST = cjt188.read_request(0x10, "00201707010069", serial=2, di_low_first=True)


def test_reply_that_fits_gives_volume_clock_and_status() -> None:
    water = decode_water(check_reply(REQUEST, decode_frame(WATER)))

    assert water.current == Amount(Decimal("0.00"), "m3")
    assert water.clock is not None
    assert water.clock.isoformat() == "2017-08-19T16:54:59"
    assert (water.status.valve, water.status.is_battery_low) == ("abnormal", False)


@pytest.mark.parametrize(
    ("request_frame", "said"),
    [
        (replace(REQUEST, address="00201707010068"), "meter 00201707010069 answered"),
        (replace(REQUEST, meter_type=0x11), "meter type 10 answered a request to type 11"),
        (replace(REQUEST, data_identifier="D120"), "data identifier 901F in reply to D120"),
        (replace(REQUEST, serial=3), "serial 2 in reply to 3: a late answer"),
        (replace(REQUEST, control_code=0x03), "function 01 in reply to function 03"),
    ],
    ids=["address", "type", "identifier", "serial", "function"],
)
def test_reply_to_something_else_is_refused(request_frame: Frame, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        check_reply(request_frame, decode_frame(WATER))


def test_echo_of_our_own_request_is_refused() -> None:
    with pytest.raises(FrameError, match="our own echo"):
        check_reply(REQUEST, REQUEST)


def test_meter_that_always_sends_serial_zero_is_believed() -> None:
    reply = replace(decode_frame(WATER), serial=0)

    assert check_reply(REQUEST, reply)


def test_any_type_and_any_address_match_whoever_answers() -> None:
    request = replace(REQUEST, meter_type=cjt188.ANY_METER_TYPE, address=cjt188.ANY_ADDRESS)

    assert check_reply(request, decode_frame(WATER))


def test_abnormal_reply_without_identifier_is_a_refusal() -> None:
    wire = encode_frame(cjt188.abnormal_reply(REQUEST, 0x10, "00201707010069", b"\x04\x00"))

    reply = decode_frame(wire)

    assert (reply.control_code, reply.serial, reply.data_identifier) == (0xC1, 2, "")
    with pytest.raises(Refused, match="refused function 01, status 0400") as refused:
        check_reply(REQUEST, reply)
    assert refused.value.code == 4


# Data


@pytest.mark.parametrize("unit", UNITS.values())
@given(number=st.none() | st.integers(0, 10**8 - 1))
def test_amounts_round_trip_on_both_sides_of_their_unit(unit: str, number: int | None) -> None:
    decimals = 4 if unit in ("L/h", "m3/h") else 2
    amount = Amount(None if number is None else Decimal(number).scaleb(-decimals), unit)

    for is_unit_first in (False, True):
        wire = encode_amount(amount, is_unit_first=is_unit_first)
        assert decode_amount(wire, is_unit_first=is_unit_first) == amount


def test_value_without_a_known_unit_is_not_believed() -> None:
    with pytest.raises(FrameError, match="unit code 99"):
        decode_amount(bytes.fromhex("0000000099"))
    with pytest.raises(ProtocolError, match="unit 'gallon'"):
        encode_amount(Amount(Decimal(1), "gallon"))


def test_absent_volume_is_none_and_never_a_number() -> None:
    assert decode_amount(bytes.fromhex("ffffffff2c")) == Amount(None, "m3")
    assert decode_amount(bytes.fromhex("ffffffffff")) == Amount(None, "")
    assert encode_amount(Amount(None, "")).hex() == "ffffffffff"


def test_volume_with_a_nibble_above_nine_is_refused_and_flagged() -> None:
    frame = replace(decode_frame(WATER), data=bytes.fromhex("0a0000002c") + decode_frame(WATER).data[5:])

    with pytest.raises(FrameError, match="non-BCD 0000000a"):
        decode_water(frame.data)
    assert CJT188.facts(Message(encode_frame(frame)))["decode_error"] == "non-BCD 0000000a"


@pytest.mark.parametrize("is_unit_first", [True, False])
def test_heat_data_are_read_whichever_side_the_units_stand(is_unit_first: bool) -> None:
    captured = decode_heat(decode_frame(HEAT).data)
    assert encode_heat(captured) == decode_frame(HEAT).data
    wire = encode_heat(replace(captured, is_unit_first=is_unit_first))

    heat = decode_heat(wire)

    assert heat.is_unit_first is is_unit_first
    assert heat.current_heat == Amount(Decimal("0.02"), "MWh")
    assert heat.volume == Amount(Decimal("10.34"), "m3")
    assert (heat.supply_temperature, heat.return_temperature) == (Decimal("25.35"), Decimal("25.66"))


def test_water_data_round_trip() -> None:
    captured = decode_frame(WATER).data

    assert encode_water(decode_water(captured)) == captured


def test_meter_without_settlement_value_still_tells_the_current_one() -> None:
    water = WaterData(Amount(Decimal("12.34"), "m3"), Amount(None, ""), None, Status(b"\x00\x00"))

    assert decode_water(encode_water(water)) == water


def test_history_is_one_settlement_value() -> None:
    assert decode_history(bytes.fromhex("341200002c")) == Amount(Decimal("12.34"), "m3")
    with pytest.raises(FrameError, match="4 bytes of history"):
        decode_history(bytes(4))


@pytest.mark.parametrize("length", [0, 5, 18])
def test_short_water_data_are_refused(length: int) -> None:
    with pytest.raises(FrameError, match=f"{length} bytes of water data, expected 19"):
        decode_water(bytes(length))


@pytest.mark.parametrize(
    "wire", ["00000000000000", "ffffffffffffff", "60000001011720", "00000031021720", "0a000001011720"]
)
def test_impossible_clock_is_none(wire: str) -> None:
    assert decode_clock(bytes.fromhex(wire)) is None


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 12, 31)))  # noqa: DTZ001
def test_clock_round_trips_to_the_second(clock: datetime) -> None:
    clock = clock.replace(microsecond=0)

    assert decode_clock(encode_clock(clock)) == clock
