"""M-Bus: link frames, telegrams, records. Frames and expectations from tests/vectors (libmbus's own)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus import mbus
from protocol.fieldbus.annotation import Message
from protocol.fieldbus.mbus import (
    Frame,
    FrameReader,
    Header,
    decode_fixed,
    decode_frame,
    decode_telegram,
    encode_frame,
    manufacturer_code,
    manufacturer_letters,
    telegram_reply,
)
from protocol.fieldbus.mbus_annotation import MBUS
from protocol.fieldbus.mbus_records import decode_records, encode_record
from protocol.fieldbus.mbus_units import unit_of
from tests.fieldbus.golden import golden_frames

GOLDEN = golden_frames("mbus")
TECSON = bytes.fromhex("681b1b6808007212345678a3501001010000000167090a14604592101488131816")
HEADER = Header("12345678", "KAM", 8, 0x04, 42)


@pytest.mark.parametrize("wire", GOLDEN, ids=lambda wire: wire.hex()[:40])
def test_golden_frame_encodes_to_the_bytes_it_came_from(wire: bytes) -> None:
    assert encode_frame(decode_frame(wire)) == wire


def test_every_single_bit_flip_of_a_golden_frame_is_refused() -> None:
    survivors = []
    for wire in [TECSON, encode_frame(mbus.data_request(5, frame_count_bit=True))]:
        for bit in range(8 * len(wire)):
            damaged = bytearray(wire)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                survivors.append(decode_frame(bytes(damaged)))
            except FrameError:
                continue

    assert survivors == []


def test_replies_are_found_between_acknowledgements_and_junk() -> None:
    reader = FrameReader()
    stream = b"\xe5\x00\x68\x68" + b"\xe5".join(GOLDEN) + b"\x68\x1b\x1b"

    frames = [f for at in range(0, len(stream), 50) for f in reader.feed(stream[at : at + 50])]

    assert frames == [decode_frame(wire) for wire in GOLDEN]


@pytest.mark.parametrize("end", [0, 1, 3, 4, 8, 20, len(TECSON) - 1])
def test_truncated_frame_is_refused_and_waited_for(end: int) -> None:
    reader = FrameReader()

    assert reader.feed(TECSON[:end]) == []
    assert reader.feed(TECSON[end:]) == [decode_frame(TECSON)]
    with pytest.raises(FrameError):
        decode_frame(TECSON[:end])


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (mbus.reset_request(1), "1040014116"),
        (mbus.data_request(1, frame_count_bit=False), "105b015c16"),
        (mbus.data_request(254, frame_count_bit=True), "107bfe7916"),
        (mbus.select_request("12345678"), "680b0b6853fd5278563412ffffffffb216"),
    ],
    ids=["reset", "data", "next data", "select"],
)
def test_requests_are_the_published_bytes(frame: Frame, wire: str) -> None:
    assert encode_frame(frame).hex() == wire


def test_values_are_exact_in_their_unit() -> None:
    telegram = decode_telegram(decode_frame(TECSON))

    assert [(str(record.value), record.unit.symbol) for record in telegram.records] == [
        ("9", "°C"),
        ("45.60", "m^3"),
        ("50.00", "m^3"),
    ]
    assert telegram.records[2].function == "Maximum value"
    assert (telegram.records[2].tariff, telegram.records[1].tariff) == (1, None)
    assert not telegram.has_more


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ("68040468080170007916", "unspecified error"),
        ("68040468080170037c16", "too many records"),
        ("68040468080170088116", "application busy"),
    ],
)
def test_application_errors_are_refusals(wire: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        decode_telegram(decode_frame(bytes.fromhex(wire)))


def test_encrypted_and_foreign_content_is_said_to_be_so_and_the_link_kept() -> None:
    encrypted = encode_frame(
        telegram_reply(1, Header("12345678", "KAM", 8, 4, signature=0x0510), [b"\x2f\x2f"])
    )
    foreign = encode_frame(Frame(0x08, 1, 0x78, b"\x2f"))

    assert MBUS.facts(Message(encrypted))["application_error"] == "the records are encrypted, security mode 5"
    assert "control information 78" in str(MBUS.facts(Message(foreign))["application_error"])
    assert MBUS.facts(Message(foreign))["link_layer_valid"] is True


@pytest.mark.parametrize("cut", range(1, 7))
def test_records_cut_short_are_refused_whole(cut: int) -> None:
    record = encode_record(b"\x06", 1234, width=4, storage=5, tariff=2)

    assert decode_records(record)[0].value == Decimal(1234000)
    with pytest.raises(FrameError, match="premature end"):
        decode_records(record + record[:cut])


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("8080808080808080808080800006", "more than 10 DIFEs"),
        ("04868080808080808080808080", "more than 10 VIFEs"),
        ("3f06", "DIF 3f is reserved"),
        ("0d06fb", "LVAR fb is reserved"),
        ("017c05414243", "premature end of VIF text"),
    ],
)
def test_malformed_records_are_refused_by_name(record: str, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        decode_records(bytes.fromhex(record))


@given(
    st.integers(-(10**11), 10**11),
    st.sampled_from([1, 2, 3, 4, 6, 8]),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 2**41 - 1),
    st.integers(0, 2**20 - 1),
    st.integers(0, 2**10 - 1),
)
def test_integer_records_round_trip(value, width, is_bcd, function, storage, tariff, subunit) -> None:
    try:
        wire = encode_record(
            b"\x13",
            value,
            width=width,
            is_bcd=is_bcd,
            function=function,
            storage=storage,
            tariff=tariff,
            subunit=subunit,
        )
    except ProtocolError as refused:
        assert "does not fit" in str(refused) or "bytes wide" in str(refused)
        return
    (record,) = decode_records(wire)

    assert record.value == Decimal(value).scaleb(-3)
    assert record.storage == storage
    assert (record.tariff or 0, record.subunit or 0) == (tariff, subunit)


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ("0c13ffffffff", None),
        ("0c130a000000", None),
        ("0b62 0200f0", "-0.2"),
        ("02 5a 9cff", "-10.0"),
        ("05 5b 0000c07f", None),
        ("05 5b 0000fa43", "500"),
        ("0d fd11 03 434241", "ABC"),
        ("0d 13 c2 3412", "1.234"),
        ("0d 13 d2 3412", "-1.234"),
        ("0d 13 e2 3412", "12 34"),
        ("0d 13 f0 " + "00" * 16, " ".join(["00"] * 16)),
        ("02 6c 1f0c", "2000-12-31"),
        ("02 6c 0000", "2000-00-00"),
        ("04 6d 00000000", "2000-00-00T00:00:00"),
        ("04 6d 80000000", "1900-01-00T00:00:00"),
        ("06 6d 1e2d0f7a1800", "2011-08-26T15:45:30"),
        ("00 13", ""),
        ("84 10 04 01000000", "10"),
        ("04 86 74 64000000", "1000"),
        ("04 86 7d 01000000", "1000000"),
        ("04 db 78 14000000", "20.001"),
    ],
)
def test_data_fields_mean_what_the_standard_says(record: str, value: str | None) -> None:
    (decoded,) = decode_records(bytes.fromhex(record))

    assert (None if decoded.value is None else str(decoded.value)) == value


def test_msb_first_telegrams_are_read_the_other_way_round() -> None:
    data = bytes.fromhex("12345678 2c2d 08 04 2a 00 0000 04 06 0000 04d2".replace(" ", ""))

    telegram = decode_telegram(Frame(0x08, 1, 0x76, data))

    assert telegram.header == HEADER
    assert telegram.records[0].value == Decimal(1234000)


def test_more_telegrams_are_announced() -> None:
    telegram = decode_telegram(telegram_reply(1, HEADER, [encode_record(b"\x06", 1), b"\x1f"]))

    assert telegram.has_more


def test_fixed_replies_carry_two_counters_in_bcd_or_binary() -> None:
    bcd = decode_frame(bytes.fromhex("68131368080173939291901000056931650000690000003f16"))
    binary = Frame(0x08, 1, 0x73, bcd.data[:5] + b"\x01" + bcd.data[6:])

    assert [c.value for c in decode_fixed(bcd).counters] == [6531, 69]
    assert [c.value for c in decode_fixed(binary).counters] == [0x6531, 0x69]
    with pytest.raises(FrameError, match="a fixed-length reply has 16"):
        decode_fixed(Frame(0x08, 1, 0x73, b"\x00" * 15))


@given(st.integers(0, 0x7FFF))
def test_manufacturer_letters_round_trip(code: int) -> None:
    assert manufacturer_code(manufacturer_letters(code)) == code


@pytest.mark.parametrize("vif", range(256))
def test_every_unit_code_means_something(vif: int) -> None:
    for vib in [bytes((vif,))] if vif < 0x80 else [bytes((vif, n)) for n in range(128)]:
        unit = unit_of(vib, "text")
        assert unit.quantity
        assert unit.printed


@given(st.binary(max_size=260))
def test_random_records_are_records_or_frame_errors(data: bytes) -> None:
    try:
        records = decode_records(data)
    except FrameError:
        return
    assert sum(sum(record.widths) for record in records) <= len(data)
