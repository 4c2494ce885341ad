"""DL/T 645-1997: two-byte identifiers, whole volts, wildcards of 99. Frames from tests/vectors."""

from decimal import Decimal

import pytest

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.dlt645_1997 import (
    abnormal_reply,
    check_reply,
    data_identifier,
    read_reply,
    read_request,
    values_from_reply,
)
from protocol.fieldbus.dlt645_format import encode_items
from protocol.fieldbus.dlt645_frame import Frame, decode_frame, encode_frame
from tests.fieldbus.golden import golden_frames

GOLDEN = golden_frames("dlt645-1997")
ENERGY = decode_frame(bytes.fromhex("6895320600000068810643c3593333331c16"))
REQUEST = read_request("000000063295", "9010")


@pytest.mark.parametrize("wire", GOLDEN, ids=lambda wire: wire.hex()[:48])
def test_golden_frame_encodes_to_the_bytes_it_came_from(wire: bytes) -> None:
    assert encode_frame(decode_frame(wire)) == wire


def test_requests_are_the_published_bytes() -> None:
    assert encode_frame(read_request("010003635927", "B611", 0)).hex() == "6827596303000168010244e9e716"
    assert encode_frame(read_request("999999999999", "9020", 0)).hex() == "6899999999999968010253c37f16"


@pytest.mark.parametrize("asked", ["000000063295", "999999999999", "aaaaaaaaaaaa", "aaaaaaaa3295"])
def test_reply_is_believed_by_address_or_wildcard(asked: str) -> None:
    assert check_reply(read_request(asked, "9010"), ENERGY).hex() == "26000000"
    assert values_from_reply(ENERGY) == (Decimal("0.26"),)


def test_late_reply_of_another_meter_is_refused() -> None:
    late = decode_frame(bytes.fromhex("6820110600415668810643c33c3333330016"))

    with pytest.raises(FrameError, match="meter 564100061120 answered a request to 000000063295"):
        check_reply(REQUEST, late)


def test_reply_with_another_identifier_and_echo_are_refused() -> None:
    with pytest.raises(FrameError, match="data identifier 9010 in reply to 9020"):
        check_reply(read_request("000000063295", "9020"), ENERGY)
    with pytest.raises(FrameError, match="our own echo"):
        check_reply(REQUEST, REQUEST)


def test_abnormal_reply_is_a_refusal() -> None:
    with pytest.raises(Refused, match="no requested data") as refused:
        check_reply(REQUEST, abnormal_reply(REQUEST, "000000063295"))

    assert refused.value.code == 2


def test_a_reply_of_the_2007_edition_is_not_read_with_this_table() -> None:
    reply = decode_frame(golden_frames("dlt645-2007", "response")[0])

    with pytest.raises(FrameError):
        check_reply(read_request(reply.meter_address, "9010"), reply)


@pytest.mark.parametrize(
    ("di", "value", "payload"),
    [
        ("9010", "1062.48", "48621000"),
        ("B611", "226", "2602"),
        ("B621", "12.34", "3412"),
        ("B630", "1.2345", "452301"),
        ("A010", "3.4567", "674503"),
        ("9410", "1.00", "00010000"),
    ],
)
def test_values_round_trip_with_the_decimals_of_this_edition(di: str, value: str, payload: str) -> None:
    identifier = data_identifier(di)
    wire = encode_items(identifier, [Decimal(value)])

    reply = decode_frame(encode_frame(read_reply("000000063295", di, wire)))

    assert wire.hex() == payload
    assert [str(number) for number in values_from_reply(reply)] == [value]


@pytest.mark.parametrize(
    ("di", "quantity"),
    [
        ("9010", "active_energy_import"),
        ("9014", "active_energy_import_valley"),
        ("9020", "active_energy_export"),
        ("9410", ""),
        ("B612", "voltage_b"),
    ],
)
def test_identifiers_name_quantities_of_the_vocabulary(di: str, quantity: str) -> None:
    assert data_identifier(di).quantities == (quantity,)


@pytest.mark.parametrize("di", ["", "90", "00010000", "C099", "9610", "92FF", "zz10"])
def test_unknown_identifiers_are_refused(di: str) -> None:
    with pytest.raises(ProtocolError):
        data_identifier(di)


def test_texts_and_short_replies_are_no_numbers() -> None:
    number = decode_frame(bytes.fromhex("fefefefe6834691708172068810865f3679c4a3b4a53c916"))

    with pytest.raises(FrameError, match="'201708176934' is not a number"):
        values_from_reply(number)
    with pytest.raises(FrameError, match="too few for an identifier"):
        values_from_reply(Frame("000000063295", 0x81, b"\x10"))
