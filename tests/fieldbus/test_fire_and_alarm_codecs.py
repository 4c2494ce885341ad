"""GB/T 26875.3, Contact ID and SIA DC-09: what raises alarms must never be misread."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Message as Frame
from protocol.fieldbus.contact_id import Event, check_digit, decode_event, encode_event
from protocol.fieldbus.gb26875 import (
    Command,
    Packet,
    PacketReader,
    confirmation_of,
    decode_packet,
    encode_packet,
)
from protocol.fieldbus.gb26875_annotation import GB26875
from protocol.fieldbus.gb26875_table import COMPONENT_TYPES, type_named
from protocol.fieldbus.gb26875_units import (
    ComponentStatus,
    UnitType,
    build_unit,
    decode_component_status,
    encode_component_status,
    split_unit,
)
from protocol.fieldbus.sia_dc09 import (
    Message,
    acknowledgement_of,
    decode_message,
    encode_message,
    read_leniently,
    sia_code_of,
)
from protocol.fieldbus.sia_dc09_annotation import SIA_DC09
from protocol.fieldbus.sia_dc09_cipher import sealed, unsealed
from tests.fieldbus.golden import golden_frames, vectors

FIRE = bytes.fromhex(
    "4040140010000509091b07152c312c320000784d07918e23300002020101012a01000100020031bac5bdd3bfdab0e531"
    "bbd8c2b731bac500bac5d6f7bbfaf898cfa000000025110301060c472323"
)


# GB/T 26875.3


@pytest.mark.parametrize("wire", golden_frames("gb26875.3"), ids=lambda wire: wire.hex()[:24])
def test_golden_packet_encodes_to_the_bytes_it_came_from(wire: bytes) -> None:
    assert encode_packet(decode_packet(wire)) == wire


def test_every_single_bit_flip_of_a_packet_is_refused() -> None:
    survivors = []
    for bit in range(8 * len(FIRE)):
        damaged = bytearray(FIRE)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            survivors.append(decode_packet(bytes(damaged)))
        except FrameError:
            continue

    assert survivors == []


def test_packets_are_found_in_a_split_and_dirty_stream() -> None:
    golden = golden_frames("gb26875.3")
    stream = b"@" + b"@hello".join(golden)
    reader = PacketReader()

    packets = [p for at in range(0, len(stream), 9) for p in reader.feed(stream[at : at + 9])]

    assert packets + reader.flush() == [decode_packet(wire) for wire in golden]


def test_fire_report_names_the_detector_and_drops_stale_text() -> None:
    kind, items = split_unit(decode_packet(FIRE).unit)

    status = decode_component_status(items[0])

    assert kind is UnitType.COMPONENT_STATUS
    assert (status.is_fire, status.is_fault) == (True, False)
    assert status.text == "1号接口板1回路1号"
    assert status.measured == datetime(2012, 6, 1, 3, 17, 37)  # noqa: DTZ001 - the panel's own clock


def test_confirmation_copies_the_serial_and_turns_the_addresses() -> None:
    packet = decode_packet(FIRE)

    answer = decode_packet(encode_packet(confirmation_of(packet, bytes(6))))

    assert (answer.serial, answer.command, answer.unit) == (packet.serial, Command.CONFIRM, b"")
    assert (answer.source, answer.destination) == (packet.destination, packet.source)


def test_component_status_round_trips() -> None:
    status = ComponentStatus(1, 3, 42, b"\xd9\0\6\0", 2, "Ａ区１层走廊", datetime(2026, 8, 1, 19, 18, 48))  # noqa: DTZ001
    unit = build_unit(UnitType.COMPONENT_STATUS, [encode_component_status(status)] * 2)

    assert [decode_component_status(item) for item in split_unit(unit)[1]] == [status, status]


@pytest.mark.parametrize(
    ("unit", "said"),
    [("02", "has no type and count"), ("8700", "type 135 is not known"), ("0202" + "00" * 46, "do not fit")],
)
def test_units_that_do_not_add_up_are_refused_and_given_raw(unit: str, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        split_unit(bytes.fromhex(unit))

    facts = GB26875.facts(Frame(encode_packet(Packet(1, 2, bytes.fromhex(unit)))))

    assert facts["app_raw"] == unit


# Constructed from tables 4 to 6: what a panel says of itself, without a time at the end.
@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        pytest.param(
            "050101010203",
            {"system_type_name": "fire alarm system", "system_addr": 1, "version": "2.3"},
            id="software of a panel",
        ),
        pytest.param(
            "06010b0106" + "消火栓".encode("gb18030").hex(),
            {"system_type_name": "hydrant system", "description": "消火栓"},
            id="description of a system",
        ),
        pytest.param(
            "070101012a03000500" + "一层走廊".encode("gb18030").ljust(31, b"\0").hex(),
            {"component_type_name": "photoelectric smoke detector", "zone_le": 3, "description": "一层走廊"},
            id="description of a detector",
        ),
        pytest.param("0801010125110301060c", {"clock": "2012-06-01 03:17:37"}, id="clock of a panel"),
        pytest.param("19010203", {"version": "2.3"}, id="software of a transmitter"),
        pytest.param("1a0103616263", {"description": "abc"}, id="description of a transmitter"),
        pytest.param("1c0125110301060c", {"clock": "2012-06-01 03:17:37"}, id="clock of a transmitter"),
    ],
)
def test_what_a_panel_says_of_itself_is_taken_apart(unit: str, expected: dict) -> None:
    wire = encode_packet(Packet(1, 2, bytes.fromhex(unit)))

    (told,) = GB26875.facts(Frame(wire))["objects"]
    fields = GB26875.explain(Frame(wire))

    assert expected.items() <= told.items()
    assert sum(field.length for field in fields) == len(wire)


@pytest.mark.parametrize(
    "unit", ["0601010105616263", "06010101036162636400", "06020101016101010362", "0601", "0601010103616200ff"]
)
def test_texts_that_do_not_fit_their_length_are_refused(unit: str) -> None:
    with pytest.raises(FrameError, match=r"do not fit|follow the"):
        split_unit(bytes.fromhex(unit))


@pytest.mark.parametrize(
    ("number", "name"),
    [(42, "photoelectric smoke detector"), (9, "reserved type 9"), (200, "maker's type 200")],
)
def test_types_are_named(number: int, name: str) -> None:
    assert type_named(number, COMPONENT_TYPES) == name


@pytest.mark.parametrize(
    ("status", "bits"), [(0, []), (1, ["normal run"]), (6, ["fire", "fault"]), (0x8000, ["bit 15"])]
)
def test_status_bits_are_named(status: int, bits: list[str]) -> None:
    unit = build_unit(UnitType.SYSTEM_STATUS, [b"\x01\x01" + status.to_bytes(2, "little") + bytes(6)])

    facts = GB26875.facts(Frame(encode_packet(Packet(1, 2, unit))))

    assert facts["objects"][0]["status_bits"] == bits
    assert facts["objects"][0]["time"] is None


def test_analog_values_are_signed_and_scaled() -> None:
    body = b"\x01\x01\x00" + bytes(4) + b"\x03" + (-125).to_bytes(2, "little", signed=True) + bytes(6)
    packet = Packet(1, 2, build_unit(UnitType.COMPONENT_ANALOG, [body]))

    item = GB26875.facts(Frame(encode_packet(packet)))["objects"][0]

    assert (str(item["value"]), item["unit"]) == ("-12.5", "°C")


def test_packets_too_large_or_misshapen_are_not_built() -> None:
    for packet in (Packet(1, 2, bytes(1025)), Packet(1, 2, source=b"\0")):
        with pytest.raises(ProtocolError):
            encode_packet(packet)


# Contact ID


@pytest.mark.parametrize("vector", vectors("contact-id"), ids=lambda v: v["text"])
def test_golden_event_encodes_to_the_digits_it_came_from(vector: dict) -> None:
    assert encode_event(decode_event(vector["text"]))[:-1] == vector["text"].replace("A", "0")[:-1]


def test_every_wrong_digit_is_noticed() -> None:
    good = "1234181110010073"
    good = good[:-1] + check_digit(good[:-1])
    passed = []
    for at in range(16):
        for digit in "0123456789BCDEF":
            changed = good[:at] + digit + good[at + 1 :]
            if digit == good[at]:
                continue
            try:
                decode_event(changed)
            except FrameError:
                continue
            passed.append((at, digit, good[at]))

    # 0 counts ten and F fifteen: only digits that weigh the same modulo 15 can be confused, and in
    # Contact ID no two of them do.
    assert passed == []


digits = st.sampled_from("0123456789BCDEF")


@given(*(st.text(digits, min_size=n, max_size=n) for n in (4, 1, 3, 2, 3)))
def test_events_round_trip(account, qualifier, code, partition, zone) -> None:
    event = Event(account, qualifier, code, partition, zone)

    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("123418111001007", "length is 15"),
        ("123418111001007G", "no digits"),
        ("1234181110010070", "checksum is 0"),
        ("1234191110010074", "message type 19"),
    ],
)
def test_reports_that_are_none_are_refused(text: str, said: str) -> None:
    if "message type" in said:
        text = text[:-1] + check_digit(text[:-1])
    with pytest.raises(FrameError, match=said):
        decode_event(text)


# SIA DC-09

ALARM = Message("ADM-CID", "0001", "1", "1", "1234", "#1234|1110 01 007", None, "08:00:00,03-01-2026")


@pytest.mark.parametrize("wire", golden_frames("sia-dc09"), ids=lambda wire: wire.decode()[9:25])
def test_golden_message_encodes_to_the_bytes_it_came_from(wire: bytes) -> None:
    assert encode_message(decode_message(wire)) == wire


def test_every_single_bit_flip_of_a_message_is_refused() -> None:
    wire = encode_message(ALARM)
    survivors = []
    for bit in range(8 * len(wire)):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            survivors.append((bit, decode_message(bytes(damaged))))
        except FrameError:
            continue

    # The case of the CRC's and length's hex letters is the only thing that may change.
    assert all(message == ALARM for _, message in survivors)


def test_acknowledgement_repeats_sequence_and_account() -> None:
    answer = decode_message(encode_message(acknowledgement_of(ALARM)))

    assert (answer.id, answer.sequence, answer.account, answer.data) == ("ACK", "0001", "1234", "")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("#AAA|Nri1/XC12", ("AAA", "1", "XC", "12", None)),
        ("|Nri1/CL501", (None, "1", "CL", "501", None)),
        ("#123456|Nri0KR1^TAST. 001 ^", ("123456", "0", "KR", "1", "TAST. 001")),
        ("#12345A|NFA129", ("12345A", None, "FA", "129", None)),
        ("#1234|Nti12:30/ri2/BA005", ("1234", "2", "BA", "005", None)),
    ],
)
def test_sia_events_are_taken_apart(data: str, expected: tuple) -> None:
    event = Message("SIA-DCS", "0001", None, "0", None, data).sia()

    assert event is not None
    assert (event.account, event.partition, event.code, event.zone, event.text) == expected


def test_refusals_in_their_odd_form_keep_the_line_number() -> None:
    body = '"NAK"0000R0L0A0[]_14:00:00,01-02-2026'
    wire = encode_message(Message("NAK", "0000", "0", "0", None, "", None, "14:00:00,01-02-2026"))
    odd = _sealed(body)

    assert decode_message(odd).line == "0"
    assert decode_message(wire) == replace(decode_message(odd))


def _sealed(body: str) -> bytes:
    from protocol.fieldbus.sia_dc09 import checksum

    return f"\n{checksum(body):04X}{len(body):04X}{body}\r".encode()


def test_data_that_are_no_event_are_said_to_be_none() -> None:
    facts = SIA_DC09.facts(Frame(encode_message(replace(ALARM, data="#1234|hello"))))

    assert "no Contact ID event" in facts["data_error"]
    assert "contact_id" not in facts


def test_encrypted_messages_are_known_as_such() -> None:
    message = decode_message(
        encode_message(replace(ALARM, id="*ADM-CID", data="A1B2C3D4" * 4, timestamp=None))
    )

    assert message.is_encrypted
    assert message.contact_id() is None


# Sealed and opened again by another implementation (pysiaalarm 3.2.2) with the same key.
KEY = b"A" * 16
SEALED = (
    b'\nE61C0078"*ADM-CID"0002R1L1#1234[7F220946CB72C62355401D7007862F27'
    b"1BF2614E81C30C02556E3080E3344AA628D0D10F8AB8F7AAE8353A055E96933F\r"
)
SEALED_ACK = (
    b'\nA7620054"*ACK"0002R1L1#1234[D89E19EE1D8D89ECBAB1D30A50E9B8BC38DC31A068AF0C1E11015C5F58777658\r'
)


def test_a_sealed_event_is_opened_with_its_key() -> None:
    message = unsealed(decode_message(SEALED), KEY)

    assert (message.id, message.data, message.timestamp) == (
        "ADM-CID",
        "#1234|1110 01 007",
        "08:05:00,03-01-2026",
    )


def test_another_receivers_sealed_acknowledgement_is_opened() -> None:
    message = unsealed(decode_message(SEALED_ACK), KEY)

    assert (message.id, message.sequence, message.data) == ("ACK", "0002", "")


@given(
    st.integers(0, 15),
    st.sampled_from(["#1234|1110 01 007", "#1234|Nri1/FA007", ""]),
    st.binary(min_size=15, max_size=15),
)
def test_what_is_sealed_is_opened_again(extra: int, data: str, filling: bytes) -> None:
    message = replace(ALARM, data=data, extra="X" * extra or None)

    opened = unsealed(decode_message(encode_message(sealed(message, KEY, filling))), KEY)

    assert opened == message


def test_another_key_opens_nothing() -> None:
    with pytest.raises(FrameError, match="another key"):
        unsealed(decode_message(SEALED), b"B" * 16)


def test_a_sealed_event_without_its_time_is_none() -> None:
    with pytest.raises(ProtocolError, match="needs the time"):
        sealed(replace(ALARM, timestamp=None), KEY, bytes(15))


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolError, match="AES takes 16, 24 or 32"):
        unsealed(decode_message(SEALED), b"A" * 15)


def test_every_byte_of_a_sealed_message_is_explained() -> None:
    fields = SIA_DC09.explain(Frame(SEALED))

    assert sum(field.length for field in fields) == len(SEALED)


def test_lenient_reading_is_apart_from_the_strict_one() -> None:
    damaged = encode_message(ALARM).replace(b"003D", b"0032")

    with pytest.raises(FrameError, match="length field 0032 but body has 61 = 003D"):
        decode_message(damaged)
    event = read_leniently(damaged).contact_id()

    assert event is not None
    assert sia_code_of(event) == "FA"
    assert sia_code_of(replace(event, qualifier="3")) == "FR"


def test_overlong_and_binary_messages_are_refused() -> None:
    for wire in (b"\n" + b"0" * 5000, b"\n\xff\xfe\r", b"\nhello\r", b""):
        with pytest.raises(FrameError):
            decode_message(wire)
    with pytest.raises(ProtocolError):
        encode_message(replace(ALARM, data="x" * 5000))


@given(st.text(st.characters(codec="ascii"), max_size=120))
def test_any_text_is_a_message_or_a_frame_error(body: str) -> None:
    for wire in (_sealed(body), _sealed(f'"SIA-DCS"0001L0#1234[{body}]')):
        try:
            message = decode_message(wire)
            message.contact_id()
            message.sia()
        except FrameError:
            continue
