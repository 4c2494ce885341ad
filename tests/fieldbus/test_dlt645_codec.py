"""DL/T 645-2007: frames, finding them on a line, identifiers and values. Frames from tests/vectors."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus import dlt645
from protocol.fieldbus.dlt645 import (
    Frame,
    FrameReader,
    RelayAction,
    check_reply,
    data_identifier,
    decode_frame,
    encode_frame,
    encode_items,
    read_reply,
    read_request,
    values_from_reply,
)
from protocol.fieldbus.dlt645_format import decode_items, format_from_pattern
from tests.fieldbus.golden import golden_frames

CHINA = timezone(timedelta(hours=8))
GOLDEN = golden_frames("dlt645-2007")
REPLY = bytes.fromhex("6812907856341268910833333433896745335416")  # 1234.56 kWh of meter 123456789012


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


def test_a_damaged_preamble_costs_nothing_on_a_line() -> None:
    wire = bytes.fromhex("fefefefe") + REPLY
    for bit in range(32):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8

        frames = FrameReader().feed(bytes(damaged))

        assert [frame.data for frame in frames] == [decode_frame(REPLY).data]


def test_every_truncation_of_a_golden_frame_is_refused_and_waited_for() -> None:
    for wire in GOLDEN:
        for end in range(len(wire)):
            with pytest.raises(FrameError):
                decode_frame(wire[:end])
            reader = FrameReader()
            assert reader.feed(wire[:end]) == []
            assert reader.feed(wire[end:]) == [decode_frame(wire)]


def test_glued_replies_of_many_meters_come_out_one_by_one() -> None:
    frames = FrameReader().feed(b"".join(GOLDEN))

    assert frames == [decode_frame(wire) for wire in GOLDEN]


def test_reply_survives_junk_that_looks_like_a_start() -> None:
    junk = bytes.fromhex("686868 00 6811223344556668 91c8 fefe68")
    reader = FrameReader()

    frames = reader.feed(junk + REPLY) + reader.flush()

    assert decode_frame(REPLY) in frames


def test_flush_finds_the_frame_behind_an_unfinished_start() -> None:
    reader = FrameReader()
    cut_off = bytes.fromhex("68 123456789012 68 91 c8")

    waiting = reader.feed(cut_off + REPLY)
    flushed = reader.flush()

    assert waiting == []
    assert flushed == [decode_frame(REPLY)]
    assert reader.pending_count == 0


def test_reader_keeps_back_no_more_than_one_frame_and_its_preamble() -> None:
    reader = FrameReader()

    for chunk in (b"\xfe" * 100_000, b"\x68" * 100_000, bytes(100_000)):
        reader.feed(chunk)
        assert reader.pending_count <= 212 + 255


@given(st.binary(max_size=400), st.lists(st.integers(1, 40), max_size=12))
def test_chunking_never_changes_what_is_found(noise: bytes, cuts: list[int]) -> None:
    stream = noise[:200] + REPLY + noise[200:]
    whole, pieces = FrameReader(), FrameReader()

    expected = whole.feed(stream) + whole.flush()
    found, at = [], 0
    for cut in cuts:
        found += pieces.feed(stream[at : at + cut])
        at += cut
    found += pieces.feed(stream[at:]) + pieces.flush()

    assert found == expected


@given(
    st.text("0123456789", min_size=12, max_size=12),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.integers(0, 8),
)
def test_any_frame_round_trips(address: str, control_code: int, data: bytes, preamble_count: int) -> None:
    frame = Frame(address, control_code, data, preamble_count)

    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=300))
def test_random_bytes_are_a_frame_or_a_frame_error(noise: bytes) -> None:
    try:
        frame = decode_frame(noise)
    except FrameError:
        return
    assert encode_frame(frame) == noise


def test_length_above_the_standards_limit_is_refused() -> None:
    most = encode_frame(Frame("123456789012", 0x91, bytes(200)))
    with pytest.raises(ProtocolError, match="201 bytes of data"):
        encode_frame(Frame("123456789012", 0x91, bytes(201)))
    body = bytearray(encode_frame(Frame("123456789012", 0x91, bytes(200)))[:-2] + b"\x33")
    body[9] = 201
    too_long = bytes(body) + bytes((sum(body) & 0xFF, 0x16))

    assert len(decode_frame(most).data) == 200
    with pytest.raises(FrameError, match="length is 201, at most 200"):
        decode_frame(too_long)


# Requests against published frames


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (read_request("000010604867", "00010000"), "fefefefe6867486010000068110433333433d116"),
        (read_request("aaaaaaaaaaaa", "02010100", 0), "68aaaaaaaaaaaa68110433343435b116"),
        (dlt645.read_address_request(0), "68aaaaaaaaaaaa681300df16"),
        (
            dlt645.broadcast_time_request(datetime(2022, 3, 17, 14, 7, 47, tzinfo=CHINA), 0),
            "689999999999996808067a3a474a36554416",
        ),
        (
            dlt645.read_follow_up_request("123456789012", "03300001", 1, 0),
            "681290785634126812053433633634d116",
        ),
    ],
    ids=["read", "read by wildcard", "read address", "broadcast time", "follow-up"],
)
def test_requests_are_the_published_bytes(frame: Frame, wire: str) -> None:
    assert encode_frame(frame).hex() == wire


def test_relay_request_carries_level_password_operator_action_and_deadline() -> None:
    frame = dlt645.relay_request(
        "123456789012",
        RelayAction.TRIP,
        datetime(2026, 12, 31, 23, 59, 58, tzinfo=CHINA),
        password_level=2,
        password="123456",
        operator="87654321",
    )

    assert frame.control_code == 0x1C
    assert frame.data.hex(" ") == "02 56 34 12 21 43 65 87 1a 00 58 59 23 31 12 26"


@pytest.mark.parametrize(
    "build",
    [
        lambda: read_request("123456789012", "0001"),
        lambda: read_request("123456789012", "xx010000"),
        lambda: encode_frame(read_request("1234", "00010000")),
        lambda: dlt645.write_address_request("12345678901"),
        lambda: dlt645.write_address_request("aaaaaaaaaaaa"),
        lambda: dlt645.read_follow_up_request("123456789012", "00010000", 0),
        lambda: dlt645.freeze_request("123456789012", "9999"),
        lambda: dlt645.write_request("123456789012", "04000101", b"", password_level=2, password="12"),
    ],
)
def test_nonsense_is_refused_when_a_request_is_built(build) -> None:
    with pytest.raises(ProtocolError):
        build()


# Replies against their request

REQUEST = read_request("123456789012", "00010000")


def test_reply_that_fits_gives_its_payload_and_value() -> None:
    reply = decode_frame(REPLY)

    assert check_reply(REQUEST, reply).hex() == "56341200"
    assert values_from_reply(reply) == (Decimal("1234.56"),)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (REQUEST, "our own echo"),
        (read_reply("123456789013", "00010000", bytes(4)), "meter 123456789013 answered"),
        (read_reply("123456789012", "00020000", bytes(4)), "data identifier 00020000 in reply to 00010000"),
        (Frame("123456789012", 0x93, bytes(6)), "function 13 in reply to function 11"),
        (Frame("123456789012", 0x91, b"\0\0"), "data identifier 0000 in reply"),
    ],
    ids=["echo", "other meter", "other identifier", "other function", "no identifier"],
)
def test_reply_to_something_else_is_refused(reply: Frame, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        check_reply(REQUEST, reply)


def test_abnormal_reply_is_a_refusal_with_its_reasons() -> None:
    reply = decode_frame(bytes.fromhex("6812907856341268d101399116"))

    with pytest.raises(Refused, match=r"no requested data, password error / unauthorised") as refused:
        check_reply(REQUEST, reply)

    assert refused.value.code == 0x06


@pytest.mark.parametrize("asked", ["aaaaaaaaaaaa", "AAAAAAAAAAAA", "aaaaaaaa9012"])
def test_wildcards_match_whoever_answers(asked: str) -> None:
    assert check_reply(read_request(asked, "00010000"), decode_frame(REPLY)).hex() == "56341200"


def test_wildcard_in_part_still_refuses_another_meter() -> None:
    with pytest.raises(FrameError, match="answered a request to aaaaaaaa9013"):
        check_reply(read_request("aaaaaaaa9013", "00010000"), decode_frame(REPLY))


def test_follow_up_frames_are_asked_for_by_number_and_checked() -> None:
    request = dlt645.read_follow_up_request("123456789012", "00010000", 1)
    right = dlt645.follow_up_reply("123456789012", "00010000", b"\x12\x34", 1)
    wrong = dlt645.follow_up_reply("123456789012", "00010000", b"\x12\x34", 2)

    assert check_reply(request, right) == b"\x12\x34"
    with pytest.raises(FrameError, match="follow-up frame number differs"):
        check_reply(request, wrong)


# Values


@pytest.mark.parametrize(
    ("di", "payload", "values"),
    [
        ("00010000", "26062120", ["202106.26"]),
        ("00000000", "64020080", ["-2.64"]),
        ("02030000", "123480", ["-0.3412"]),
        ("02020100", "050080", ["-0.005"]),
        ("02010100", "1923", ["231.9"]),
        ("02010100", "ffff", [None]),
        ("0201FF00", "5622ffffffff", ["225.6", None, None]),
        ("02060000", "0010", ["1.000"]),
        ("02060000", "8589", ["-0.985"]),
        ("00900200", "56980100", ["198.56"]),
        ("00900200", "56980180", ["-198.56"]),
        ("02800007", "2580", ["-2.5"]),
        ("040005FF", "", None),
    ],
)
def test_values_are_exact_signed_and_absent_as_the_standard_says(di, payload, values) -> None:
    reply = read_reply("123456789012", di, bytes.fromhex(payload))

    if values is None:
        with pytest.raises(FrameError, match="hold no item"):
            values_from_reply(reply)
        return
    decoded = values_from_reply(reply)

    assert [None if value is None else str(value) for value in decoded] == values


def test_forward_energy_has_no_sign_so_its_top_digit_counts() -> None:
    reply = read_reply("123456789012", "00010000", bytes.fromhex("99999999"))

    assert values_from_reply(reply) == (Decimal("999999.99"),)


@pytest.mark.parametrize("payload", ["00000e00", "0000000a", "ffffff00", "00ffffff"])
def test_nibble_above_nine_is_never_a_digit(payload: str) -> None:
    reply = read_reply("123456789012", "00010000", bytes.fromhex(payload))

    with pytest.raises(FrameError, match="non-BCD"):
        values_from_reply(reply)


def test_payload_shorter_than_its_value_is_refused() -> None:
    with pytest.raises(FrameError, match="end inside item 1"):
        values_from_reply(read_reply("123456789012", "00010000", b"\0\0\0"))


def test_text_is_no_number() -> None:
    with pytest.raises(FrameError, match=r"'2\.0' is not a number"):
        values_from_reply(read_reply("123456789012", "04000407", b"\x00" + b"0.2"))


def test_vendor_identifier_needs_its_own_format() -> None:
    reply = read_reply("123456789012", "FE010203", bytes.fromhex("2301"))
    vendor = dlt645.DataIdentifier("FE010203", "tank level", (format_from_pattern("XXX.X"),), "cm")

    with pytest.raises(ProtocolError, match="FE010203 is not in the table"):
        values_from_reply(reply)
    assert values_from_reply(reply, vendor) == (Decimal("12.3"),)


@pytest.mark.parametrize(
    ("di", "quantities"),
    [
        ("00010000", ("active_energy_import",)),
        ("00010200", ("active_energy_import_peak",)),
        ("00010001", ("",)),
        ("0203FF00", ("active_power", "active_power_a", "active_power_b", "active_power_c")),
        ("02800002", ("frequency",)),
    ],
)
def test_identifiers_name_quantities_of_the_vocabulary(di: str, quantities: tuple[str, ...]) -> None:
    assert data_identifier(di).quantities == quantities


@pytest.mark.parametrize("di", ["0001", "zz010000", "", "0001000D", "02010500", "05050100", "FFFFFFFF"])
def test_unknown_identifiers_are_refused_by_name(di: str) -> None:
    with pytest.raises(ProtocolError, match=di or "8 hex digits"):
        data_identifier(di)


ENCODABLE = ["00010000", "00000000", "0201FF00", "0203FF00", "02060000", "02800007", "00900200", "0001FF00"]


@given(st.data())
def test_values_round_trip_through_their_format(data: st.DataObject) -> None:
    identifier = data_identifier(data.draw(st.sampled_from(ENCODABLE)))
    item = identifier.formats[0]
    limit = 10 ** (2 * item.width) - 1
    limit = min(limit, 8 * 10 ** (2 * item.width - 1) - 1) if item.is_signed else limit
    number = st.integers(-limit if item.is_signed else 0, limit)
    scaled = number.map(lambda n: Decimal(n).scaleb(-item.decimals))
    count = data.draw(st.integers(1, min(5, len(identifier.names))))
    values = data.draw(st.lists(st.none() | scaled, min_size=count, max_size=count))

    payload = encode_items(identifier, values)

    assert list(decode_items(identifier, payload).values) == values


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Decimal("0.001"), "more than 2 decimals"),
        (Decimal(-1), "does not fit"),
        (Decimal("1000000.00"), "does not fit"),
        ("text", "is text where a number"),
    ],
)
def test_values_that_do_not_fit_are_refused_when_encoding(value, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        encode_items(data_identifier("00010000"), [value])


@pytest.mark.parametrize(
    ("di", "value", "payload"),
    [
        ("04000101", "2026-11-23 wd01", "01231126"),
        ("04000102", "10:30:15", "153010"),
        ("04000401", "123456789012", "129078563412"),
        ("04000407", "2.0", "00302e32"),
        ("04000503", "0010", "1000"),
        ("04000102", None, "ffffff"),
    ],
)
def test_texts_times_and_bits_are_encoded_as_they_are_decoded(
    di: str, value: str | None, payload: str
) -> None:
    identifier = data_identifier(di)

    assert encode_items(identifier, [value]).hex() == payload
    assert decode_items(identifier, bytes.fromhex(payload)).values == (value,)


def test_texts_of_another_length_and_item_counts_are_refused() -> None:
    with pytest.raises(ProtocolError, match="is not 6 bytes long"):
        encode_items(data_identifier("04000401"), ["1234"])
    with pytest.raises(ProtocolError, match="has 3 items, 4 given"):
        encode_items(data_identifier("0201FF00"), [Decimal(1)] * 4)


@pytest.mark.parametrize("pattern", ["", "X", "XXX", "XX.X.X", "ASCII", "HEXX", "hhh", "±", "NNN"])
def test_patterns_that_mean_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(ProtocolError, match="is not a format"):
        format_from_pattern(pattern)


@pytest.mark.parametrize("wire", [REPLY, *GOLDEN[:20]], ids=lambda wire: wire.hex()[:40])
def test_another_implementation_takes_our_frames_apart_the_same(wire: bytes) -> None:
    """The `dlt645` package (Apache-2.0) is the independent oracle; it knows no preamble."""
    oracle = pytest.importorskip("dlt645.protocol.protocol").DLT645Protocol
    ours = decode_frame(wire)

    theirs = oracle.deserialize(encode_frame(ours).lstrip(b"\xfe"))

    assert bytes(theirs.addr)[::-1].hex() == ours.meter_address
    assert theirs.ctrl_code == ours.control_code
    assert bytes(theirs.data or b"") == ours.data
