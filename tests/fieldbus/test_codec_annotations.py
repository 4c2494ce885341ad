"""What frames say beyond plain reads: commands, refusals, rare replies, built by the codecs themselves."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus import CODECS, cjt188, dlt645, dlt645_1997, mbus, osdp
from protocol.fieldbus.annotation import Field, Message, Role, check_cover
from protocol.fieldbus.cjt188_data import Amount, decode_history, encode_amount
from protocol.fieldbus.dlt645_frame import Frame, encode_frame
from protocol.fieldbus.modbus import (
    Framing,
    FunctionCode,
    Request,
    encode_exception,
    encode_reply,
    encode_request,
)

CHINA = timezone(timedelta(hours=8))
AT = datetime(2026, 11, 23, 10, 30, 15, tzinfo=CHINA)
METER = "123456789012"


def said(protocol: str, data: bytes, **known) -> tuple[dict, str]:
    """Return the facts and all texts of a frame, its explanation checked for cover."""
    codec = CODECS[protocol].load()
    message = Message(data, **known)
    fields = codec.explain(message)
    check_cover(fields, len(data))
    return dict(codec.facts(message)), " | ".join(field.text for field in fields)


def test_cover_check_notices_gaps_overlaps_and_missing_ends() -> None:
    good = [Field(0, 2, Role.START, "a"), Field(2, 1, Role.END, "b")]

    check_cover(good, 3)
    for fields, length in ((good, 4), (good[1:], 1), ([good[0], Field(1, 2, Role.END, "b")], 3)):
        with pytest.raises(ProtocolError):
            check_cover(fields, length)


# DL/T 645-2007


@pytest.mark.parametrize(
    ("frame", "facts"),
    [
        (dlt645.freeze_request(METER, "99010000"), {"freeze_pattern": "99010000"}),
        (
            dlt645.relay_request(
                METER, dlt645.RelayAction.ALLOW_CLOSING, AT, password_level=4, password="000000"
            ),
            {
                "relay_code": "1b",
                "relay_action": "allow closing",
                "password_level": 4,
                "valid_until": "2026-11-23 10:30:15",
            },
        ),
        (
            dlt645.write_request(
                METER, "04000102", b"\x15\x30\x10", password_level=2, password="123456", operator="00000007"
            ),
            {"di": "04000102", "password_level": 2, "operator": "00000007", "data_raw": "153010"},
        ),
        (dlt645.write_address_request("202611230001"), {"new_address": "202611230001"}),
        (Frame(METER, 0x97, b"\x08"), {"baud_flag": "08", "baud": 2400}),
        (
            Frame(METER, 0x1C, b"\x00" * 8 + b"\x77" + b"\x00" * 7),
            {"relay_code": "77", "relay_action": None},
        ),
        (Frame(METER, 0x9C), {"abnormal": False, "length": 0}),
        (Frame(METER, 0xD1), {"error_byte": None, "error_bits": []}),
        (Frame(METER, 0x08, b"\xaa" * 6), {"time": None}),
        (Frame(METER, 0x91, b"\x00"), {"data_raw": "00"}),
        (Frame(METER, 0x14, b"\x01\x02"), {"data_raw": "0102"}),
        (dlt645.address_reply(METER), {"meter_address": METER}),
        (
            dlt645.follow_up_reply(METER, "00010000", b"\x56\x34\x12\x00", 1, has_follow_up=True),
            {"frame_seq": 1, "value": Decimal("1234.56"), "has_followup": True},
        ),
        (
            dlt645.read_reply(METER, "01010000", bytes.fromhex("563412 3010231126")),
            {"value": Decimal("12.3456"), "unit": "kW", "time": "2026-11-23 10:30"},
        ),
        (
            Frame(
                METER,
                0x11,
                dlt645.read_request(METER, "06000001").data + b"\x05" + bytes.fromhex("3010231126"),
            ),
            {"block_count": 5, "time": "2026-11-23 10:30"},
        ),
        (dlt645.read_reply(METER, "FE010203", b"\x01\x02"), {"di": "FE010203", "data_raw": "0102"}),
        (
            dlt645.read_reply(METER, "00010000", b"\x01"),
            {"decode_error": "00010000: 1 bytes of data end inside item 1"},
        ),
        (dlt645.read_reply(METER, "04000503", b"\x10\x00"), {"value": "0010"}),
        (
            dlt645.read_reply(METER, "0400010C", bytes.fromhex("15301001231126")),
            {"value": "2026-11-23 wd01 10:30:15"},
        ),
        (dlt645.read_reply(METER, "05060001", bytes.fromhex("0000231126")), {"value": "2026-11-23 00:00"}),
        (
            dlt645.read_reply(METER, "05060101", bytes.fromhex("00010000 01000000")),
            {"values": [Decimal("1.00"), Decimal("0.01")], "unit": "kWh"},
        ),
        (dlt645.read_reply(METER, "020A0103", b"\x50\x01"), {"value": Decimal("1.50"), "unit": "%"}),
        (dlt645.read_reply(METER, "04000102", b"\xff\xff\xff"), {"value": None}),
        (dlt645.read_reply(METER, "04000102", b"\x0a\x00\x00"), {"decode_error": "non-BCD 00000a"}),
        (dlt645.read_reply(METER, "04000404", b"\xff" * 6), {"value": ""}),
        (dlt645.read_reply(METER, "04000404", b"\x80" * 6), {"decode_error": "non-ASCII text 808080808080"}),
    ],
    ids=lambda value: value.data.hex()[:24] or "empty" if isinstance(value, Frame) else "",
)
def test_dlt645_2007_frames_say(frame: Frame, facts: dict) -> None:
    told, _ = said("dlt645-2007", encode_frame(frame))

    assert {name: told.get(name, "missing") for name in facts} == facts


@pytest.mark.parametrize(
    ("di", "title"),
    [
        ("00010001", "settlement 1"),
        ("00150000", "phase A forward active"),
        ("0094FF00", "phase A associated"),
        ("0001403F", None),
        ("01020000", "reverse active maximum demand total"),
        ("0101FF00", None),
        ("05000101", "timed freeze 1: forward active energy"),
        ("05040101", "hourly freeze 1: forward active energy"),
        ("05061001", "daily freeze 1: powers"),
        ("05066601", None),
        ("05990001", None),
        ("020A0401", None),
        ("02030400", None),
    ],
)
def test_dlt645_2007_identifiers_are_known_by_family(di: str, title: str | None) -> None:
    if title is None:
        with pytest.raises(ProtocolError):
            dlt645.data_identifier(di)
        return

    assert title in dlt645.data_identifier(di).title


def test_dlt645_replies_without_data_are_what_they_are() -> None:
    request = dlt645.freeze_request(METER)

    assert dlt645.check_reply(request, dlt645.plain_reply(request, METER)) == b""
    with pytest.raises(FrameError, match="too few for an identifier"):
        dlt645.items_from_reply(Frame(METER, 0x91, b"\x00"))
    assert "no such" not in dlt645.describe_error(0)
    assert dlt645.describe_error(0) == "no reason given"


# DL/T 645-1997


@pytest.mark.parametrize(
    ("frame", "facts"),
    [
        (Frame(METER, 0x0A, bytes.fromhex("010023112620")), {"new_address": "202611230001"}),
        (Frame(METER, 0x0C, b"\x08"), {"baud_flag": "08", "baud": 2400}),
        (Frame(METER, 0x08, bytes.fromhex("153010231126")), {"time": "2026-11-23 10:30:15"}),
        (Frame(METER, 0x08, b"\xaa" * 6), {"time": None}),
        (Frame(METER, 0x04, bytes.fromhex("10c0 00000000 23112601")), {"di": "C010", "data_raw": "23112601"}),
        (Frame(METER, 0x10), {"length": 0}),
        (Frame(METER, 0x0F, b"\x01\x02"), {"data_raw": "0102"}),
        (Frame(METER, 0xC1, b"\x06"), {"error_bits": ["no requested data", "password error / unauthorised"]}),
        (dlt645_1997.read_reply(METER, "C199", b"\x01"), {"di": "C199", "data_raw": "01"}),
        (dlt645_1997.read_reply(METER, "B611", b"\xff\xff"), {"value": None, "unit": "V"}),
    ],
    ids=lambda value: value.data.hex()[:24] or "empty" if isinstance(value, Frame) else "",
)
def test_dlt645_1997_frames_say(frame: Frame, facts: dict) -> None:
    told, _ = said("dlt645-1997", encode_frame(frame))

    assert {name: told.get(name, "missing") for name in facts} == facts


def test_functions_of_the_other_edition_are_refused() -> None:
    with pytest.raises(FrameError, match="function 01 is not one of DL/T 645-2007"):
        said("dlt645-2007", encode_frame(Frame(METER, 0x01, b"\x10\x90")))
    with pytest.raises(FrameError, match="function 11 is not one of DL/T 645-1997"):
        said("dlt645-1997", encode_frame(Frame(METER, 0x11, bytes(4))))
    with pytest.raises(FrameError, match="function 01 in reply to function 02"):
        dlt645_1997.check_reply(Frame(METER, 0x02, b"\x10\x90\x01"), Frame(METER, 0x81, b"\x10\x90"))
    with pytest.raises(ProtocolError, match="4 hex digits"):
        dlt645_1997.read_request(METER, "00010000")


# CJ/T 188

WATER_METER = "20260700000101"


@pytest.mark.parametrize(
    ("frame", "facts"),
    [
        (cjt188.Frame(0x10, WATER_METER, 0x83, serial=None), {"length": 0, "function": "read address"}),
        (cjt188.Frame(0x10, WATER_METER, 0xC1, serial=7, data=b"\x04\x00"), {"serial": 7, "abnormal": True}),
        (cjt188.Frame(0x10, WATER_METER, 0xC1, serial=7, data=b"\x04"), {"status": "04"}),
        (
            cjt188.Frame(0x19, WATER_METER, 0x3B, "A015"),
            {"meter_type_name": "water", "function": "function 3b"},
        ),
        (cjt188.Frame(0x10, WATER_METER, 0x84, "A017", data=b"\x01\x00"), {"valve_op": None}),
        (cjt188.Frame(0x10, WATER_METER, 0x04, "A017", data=b"\x42"), {"valve_op": None}),
        (
            cjt188.Frame(0x10, WATER_METER, 0x81, "D120", data=encode_amount(Amount(Decimal("9.99"), "m3"))),
            {"volume": Decimal("9.99"), "volume_unit": "m3"},
        ),
        (cjt188.Frame(0x30, WATER_METER, 0x81, "8105", data=b"\x01\x02"), {"data_raw": "0102"}),
        (
            cjt188.Frame(0x10, WATER_METER, 0x81, "901F", data=b"\x01"),
            {"decode_error": "1 bytes of water data, expected 19"},
        ),
        (
            cjt188.Frame(0x20, WATER_METER, 0x81, "901F", data=b"\x01"),
            {"decode_error": "1 bytes of heat data, expected 43"},
        ),
        (
            cjt188.write_address_request(0x10, WATER_METER, "20260700000102"),
            {"new_address": "20260700000102"},
        ),
    ],
    ids=lambda value: (
        f"{value.control_code:02x}-{value.data_identifier}" if isinstance(value, cjt188.Frame) else ""
    ),
)
def test_cjt188_frames_say(frame: cjt188.Frame, facts: dict) -> None:
    told, _ = said("cjt188", cjt188.encode_frame(frame))

    assert {name: told.get(name, "missing") for name in facts} == facts


def test_cjt188_frames_that_cannot_be_are_not_built() -> None:
    good = cjt188.read_request(0x10, WATER_METER)
    assert cjt188.reply_to(good, 0x10, WATER_METER, b"\x01").control_code == 0x81
    for frame in (
        cjt188.Frame(0x10, "1234", 0x01),
        cjt188.Frame(0x10, WATER_METER, 0x01, "901F00"),
        cjt188.Frame(0x10, WATER_METER, 0x01, "901F", data=bytes(201)),
    ):
        with pytest.raises(ProtocolError):
            cjt188.encode_frame(frame)
    with pytest.raises(ProtocolError, match="is not 14 digits"):
        cjt188.write_address_request(0x10, WATER_METER, "1234")
    assert decode_history(encode_amount(Amount(None, "m3"))).value is None


# Modbus

COILS = Request(1, FunctionCode.READ_COILS, 10, 3)


@pytest.mark.parametrize("framing", list(Framing))
def test_modbus_frames_say(framing: Framing) -> None:
    protocol = f"modbus-{framing.value}"
    write_bits = Request(1, FunctionCode.WRITE_COILS, 0, 3, (1, 0, 1))
    write_words = Request(1, FunctionCode.WRITE_HOLDING_REGISTERS, 5, 2, (7, 8))
    asked = encode_request(COILS, framing)

    bits, _ = said(protocol, encode_reply(COILS, framing, (1, 0, 1)), is_reply=True, request=asked)
    written, _ = said(protocol, encode_request(write_bits, framing), is_reply=False)
    words, _ = said(protocol, encode_request(write_words, framing), is_reply=False)
    done, text = said(protocol, encode_reply(write_words, framing), is_reply=True)
    refused, reason = said(protocol, encode_exception(COILS, framing, 9), is_reply=True)

    assert (bits["bits"], len(bits["bits_lsb_first"])) == ([1, 0, 1], 8)
    assert (written["bits"], written["quantity"]) == ([1, 0, 1], 3)
    assert (words["registers"], words["byte_count"]) == ([7, 8], 4)
    assert (done["start"], done["quantity"]) == (5, 2)
    assert "2 values written" in text
    assert refused["exception"] == 9
    assert "exception 9" in reason


def test_modbus_frames_of_unknown_direction_are_taken_as_replies_first() -> None:
    request = encode_request(COILS, Framing.RTU)
    reply = encode_reply(COILS, Framing.RTU, (1, 1, 0))

    assert said("modbus-rtu", request)[0]["start"] == 10
    assert said("modbus-rtu", reply, request=b"\x00\x01")[0]["byte_count"] == 1


@pytest.mark.parametrize(
    ("data", "is_reply", "reason"),
    [
        ("0110000000020300010002", False, "missing|follow"),
        ("01", True, "too few"),
        ("016500000000", True, "unknown"),
    ],
)
def test_modbus_frames_that_do_not_add_up_are_refused(data: str, is_reply: bool, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        said("modbus-rtu", bytes.fromhex(data), is_reply=is_reply)


@pytest.mark.parametrize(
    ("pdu", "is_reply", "reason"),
    [
        ("0303000100", True, "byte count 3 is odd"),
        ("0304000100", True, "byte count 4 but 3 data bytes"),
        ("03", True, "ends before its byte count"),
        ("1000000002030001000200", False, "byte count 3 for a write of 2, expected 4"),
        ("10000000020400", False, "byte count 4 but 1 data bytes"),
        ("100000", False, "ends before its byte count"),
    ],
)
def test_modbus_byte_counts_are_checked_against_what_is_there(pdu: str, is_reply: bool, reason: str) -> None:
    content = bytes.fromhex(pdu)
    frame = b"\x00\x01\x00\x00" + (len(content) + 1).to_bytes(2, "big") + b"\x01" + content

    with pytest.raises(FrameError, match=reason):
        said("modbus-tcp", frame, is_reply=is_reply)


# M-Bus


def test_mbus_short_frames_and_acknowledgements_say() -> None:
    ack, _ = said("mbus", mbus.ACK)
    asked, text = said("mbus", mbus.encode_frame(mbus.data_request(5, frame_count_bit=True)))
    _, selected = said("mbus", mbus.encode_frame(mbus.select_request("12345678")))

    assert ack["link"] == {"ack": True}
    assert asked["link"] == {"c": "7b", "a": 5}
    assert "request data" in text
    assert "selection" in selected


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("10 5b 01 5c", "length is 4"),
        ("10 5b 01 5d 16", "checksum is 5d, computed 5c"),
        ("68 03 04 68 08 01 72 7b 16", "length is given twice differently"),
        ("68 03 03 69 08 01 72 7b 16", "second start byte is 69"),
        ("68 02 02 68 08 01 72 7b 16", "length 2 is below 3"),
        ("68 03 03 68 08 01 72 7b 17", "end byte is 17"),
        ("68", "too few"),
        ("", "start byte is missing"),
    ],
)
def test_mbus_link_errors_are_named(wire: str, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        mbus.decode_frame(bytes.fromhex(wire))


def test_mbus_things_that_cannot_be_are_not_built() -> None:
    with pytest.raises(ProtocolError, match="at most 252"):
        mbus.encode_frame(mbus.Frame(8, 1, 0x72, bytes(253)))
    with pytest.raises(ProtocolError, match="is not 8 digits"):
        mbus.select_request("1234")
    with pytest.raises(ProtocolError, match="is not 8 digits"):
        mbus.encode_header(mbus.Header("12", "ABC", 1, 1))
    with pytest.raises(ProtocolError, match="three capital letters"):
        mbus.manufacturer_code("abc")
    with pytest.raises(FrameError, match="not a fixed-length reply"):
        mbus.decode_fixed(mbus.Frame(8, 1, 0x72))


# OSDP


@pytest.mark.parametrize(
    ("frame", "facts"),
    [
        (osdp.Frame(1, False, 1, 0x6B, b"\x00\x01\x00\x01\x01\x02OK"), {"text": "OK", "text_length": 2}),
        (osdp.Frame(1, False, 1, 0x6D, bytes.fromhex("ea070d0b0c0a00")), {"time": None}),
        (osdp.Frame(1, False, 1, 0x7B, b"\x00\x04"), {"max_size": 1024}),
        (osdp.Frame(1, True, 1, 0x48, b"\x01\x00"), {"tamper": 1, "power": 0}),
        (osdp.Frame(1, True, 1, 0x49, b"\x01\x00"), {"inputs": [1, 0]}),
        (osdp.Frame(1, True, 1, 0x51, b"\x00\x00\x02AB"), {"count": 2}),
        (osdp.Frame(1, True, 1, 0x54, b"\x05\x00\x96\x00\x00"), {"new_address": 5, "baud": 38400}),
        (osdp.Frame(1, True, 1, 0x76, bytes(32), b"\x12\x01"), {"scb_type": "12", "rnd_b": "00" * 8}),
        (osdp.Frame(1, False, 1, 0x76, bytes(8), b"\x11\x01"), {"rnd_a": "00" * 8}),
        (osdp.Frame(1, True, 1, 0x45, b"\x00"), {"payload": "00"}),
        (osdp.Frame(1, True, 1, 0xEE, b"\x01"), {"name": "unknown ee", "payload": "01"}),
    ],
    ids=lambda value: f"{value.code:02x}" if isinstance(value, osdp.Frame) else "",
)
def test_osdp_frames_say(frame: osdp.Frame, facts: dict) -> None:
    told, _ = said("osdp", osdp.encode_frame(frame))

    assert {name: told.get(name, "missing") for name in facts} == facts


def test_osdp_security_blocks_must_fit() -> None:
    for body in (b"\x53\x01\x0b\x00\x0e\x09\x15\x60", b"\x53\x01\x0b\x00\x0e\x02\x15\x60\x01"):
        sealed = body + osdp._check(body, uses_crc=True)
        sealed = sealed[:2] + len(sealed).to_bytes(2, "little") + sealed[4:-2]
        with pytest.raises(FrameError, match="security"):
            osdp.decode_frame(sealed + osdp._check(sealed, uses_crc=True))
