"""Modbus over pymodbus: what is believed on a line and what is not. Frames from tests/vectors."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.modbus import (
    Framing,
    FunctionCode,
    ReplyReader,
    Request,
    RequestReader,
    decode_request,
    encode_exception,
    encode_reply,
    encode_request,
    reply_length,
)
from protocol.fieldbus.modbus_frame import decode_pdu
from protocol.fieldbus.words import (
    NumberKind,
    WordOrder,
    decode_number,
    decode_text,
    encode_number,
    registers_from_bytes,
)
from tests.fieldbus.golden import golden_frames, vectors

READ = Request(17, FunctionCode.READ_HOLDING_REGISTERS, 124, 2)
RTU_REPLY = bytes.fromhex("110304008d008efbbd")
FRAMINGS = pytest.mark.parametrize("framing", list(Framing))


def answered(vector_id: str) -> tuple[Request, bytes]:
    vector = next(v for v in vectors("modbus-rtu") if v["id"] == vector_id)
    return decode_request(bytes.fromhex(vector["request_hex"]), Framing.RTU), bytes.fromhex(vector["hex"])


@pytest.mark.parametrize("framing", list(Framing))
def test_golden_requests_encode_to_the_bytes_they_came_from(framing: Framing) -> None:
    frames = golden_frames(f"modbus-{framing.value}", "request")

    assert len(frames) >= 4
    for wire in frames:
        assert encode_request(decode_request(wire, framing), framing) == wire


@pytest.mark.parametrize("framing", list(Framing))
def test_golden_replies_are_rebuilt_from_their_values(framing: Framing) -> None:
    rebuilt = 0
    for vector in vectors(f"modbus-{framing.value}"):
        if not vector["valid"] or "request_hex" not in vector:
            continue
        request = decode_request(bytes.fromhex(vector["request_hex"]), framing)
        wire = bytes.fromhex(vector["hex"])
        try:
            values = ReplyReader(request, framing).feed(wire)
        except Refused as refused:
            assert encode_exception(request, framing, refused.code) == wire
            rebuilt += 1
            continue
        assert values is not None
        expected = wire
        if request.counts_bits and not request.is_write:
            # Bits beyond the quantity are the device's own; ours are zero.
            assert encode_reply(request, framing, values)[:3] == wire[:3]
        else:
            assert encode_reply(request, framing, values) == expected
        rebuilt += 1

    assert rebuilt >= 8


def test_every_single_bit_flip_of_a_golden_rtu_reply_is_passed_over() -> None:
    survivors = []
    for vector in vectors("modbus-rtu"):
        if not vector["valid"] or "request_hex" not in vector:
            continue
        request = decode_request(bytes.fromhex(vector["request_hex"]), Framing.RTU)
        wire = bytes.fromhex(vector["hex"])
        for bit in range(8 * len(wire)):
            damaged = bytearray(wire)
            damaged[bit // 8] ^= 1 << bit % 8
            reader = ReplyReader(request, Framing.RTU)
            if reader.feed(bytes(damaged)) is not None:
                survivors.append((vector["id"], bit))

    assert survivors == []


def test_reply_is_found_after_echo_and_noise_and_before_noise() -> None:
    reader = ReplyReader(READ, Framing.RTU)
    stream = b"\x00\xff\x11" + encode_request(READ, Framing.RTU) + b"\x11\x03" + RTU_REPLY + b"\xb0\xaa"

    values = [reader.feed(bytes((byte,))) for byte in stream]

    assert next(value for value in values if value) == (141, 142)


def test_noise_vector_is_taken_by_its_length() -> None:
    request, wire = answered("modbus-rtu-163")
    reader = ReplyReader(request, Framing.RTU)

    values = reader.feed(wire)

    assert values == (0x1178,)
    assert reader.frame == wire[:7]


@pytest.mark.parametrize("vector_id", ["modbus-rtu-005", "modbus-rtu-148", "modbus-rtu-159"])
def test_answers_to_another_question_are_passed_over_and_reported(vector_id: str) -> None:
    request, wire = answered(vector_id)
    reader = ReplyReader(request, Framing.RTU)

    values = reader.feed(wire)

    assert values is None
    with pytest.raises(FrameError):
        reader.conclude()


def test_silence_is_no_bad_frame() -> None:
    reader = ReplyReader(READ, Framing.RTU)

    assert reader.feed(b"") is None
    reader.conclude()  # says nothing: the caller calls it no reply


def test_bad_checksum_is_reported_at_the_end() -> None:
    reader = ReplyReader(READ, Framing.RTU)
    reader.feed(RTU_REPLY[:-1] + b"\x00")

    with pytest.raises(FrameError, match="crc is fb00, computed fbbd"):
        reader.conclude()


def test_reply_with_another_quantity_is_refused() -> None:
    other = Request(17, FunctionCode.READ_HOLDING_REGISTERS, 124, 3)
    reader = ReplyReader(other, Framing.RTU)

    assert reader.feed(encode_reply(READ, Framing.RTU, [1, 2])) is None


@FRAMINGS
def test_exception_is_a_refusal_with_its_code(framing: Framing) -> None:
    reader = ReplyReader(READ, framing)

    with pytest.raises(Refused, match="unit 17: exception 2, illegal data address") as refused:
        reader.feed(encode_exception(READ, framing, 2))

    assert refused.value.code == 2


def test_late_tcp_reply_of_an_earlier_transaction_is_passed_over() -> None:
    earlier = Request(1, FunctionCode.READ_INPUT_REGISTERS, 0, 1, transaction_id=7)
    request = Request(1, FunctionCode.READ_INPUT_REGISTERS, 0, 1, transaction_id=8)
    reader = ReplyReader(request, Framing.TCP)

    late = reader.feed(encode_reply(earlier, Framing.TCP, [111]))
    mine = reader.feed(encode_reply(request, Framing.TCP, [222]))

    assert (late, mine) == (None, (222,))


@pytest.mark.parametrize(
    ("header", "said"),
    [("000100020002ff", "protocol id 2"), ("0001000000ff01", "length 255"), ("00010000000101", "length 1")],
)
def test_tcp_stream_out_of_step_is_a_frame_error(header: str, said: str) -> None:
    reader = ReplyReader(Request(1, FunctionCode.READ_COILS, 0, 1, transaction_id=1), Framing.TCP)

    with pytest.raises(FrameError, match=said):
        reader.feed(bytes.fromhex(header))


requests = st.builds(
    lambda unit, code, start, data: Request(
        unit,
        code,
        start,
        1 if code in (FunctionCode.WRITE_COIL, FunctionCode.WRITE_HOLDING_REGISTER) else len(data),
        tuple(data[:1] if code in (FunctionCode.WRITE_COIL, FunctionCode.WRITE_HOLDING_REGISTER) else data)
        if code >= FunctionCode.WRITE_COIL
        else (),
        7,
    ),
    st.integers(0, 255),
    st.sampled_from(FunctionCode),
    st.integers(0, 60_000),
    st.lists(st.integers(0, 1), min_size=1, max_size=123),
)


@FRAMINGS
@given(request_made=requests, data=st.data())
def test_both_sides_understand_each_other(
    framing: Framing, request_made: Request, data: st.DataObject
) -> None:
    top = 1 if request_made.counts_bits else 0xFFFF
    count = request_made.quantity
    answer = data.draw(st.lists(st.integers(0, top), min_size=count, max_size=count))

    (heard,) = RequestReader(framing).feed(encode_request(request_made, framing))
    wire = encode_reply(heard, framing, answer)
    values = ReplyReader(request_made, framing).feed(wire)

    assert heard.start == request_made.start
    assert heard.values == request_made.values
    assert values == (request_made.values if request_made.is_write else tuple(answer))
    assert len(wire) == reply_length(request_made, framing)


@FRAMINGS
@given(noise=st.binary(max_size=600))
def test_random_bytes_never_raise_anything_but_frame_errors(framing: Framing, noise: bytes) -> None:
    request = Request(1, FunctionCode.READ_HOLDING_REGISTERS, 0, 2, transaction_id=1)

    for use in (
        lambda: ReplyReader(request, framing).feed(noise),
        lambda: RequestReader(framing).feed(noise),
        lambda: decode_pdu(noise, framing, is_request=True),
        lambda: decode_pdu(noise, framing, is_request=False),
    ):
        try:
            use()
        except (FrameError, Refused):
            continue


def test_request_reader_finds_requests_between_other_protocols() -> None:
    reader = RequestReader(Framing.RTU)
    other = b"".join(golden_frames("dlt645-2007", "request")[:5])

    found = reader.feed(other + encode_request(READ, Framing.RTU) + other)

    assert found == [READ]


@pytest.mark.parametrize(
    "arguments",
    [
        (1, FunctionCode.READ_HOLDING_REGISTERS, 0, 126),
        (1, FunctionCode.READ_HOLDING_REGISTERS, 0, 0),
        (1, FunctionCode.READ_COILS, 0, 2001),
        (1, FunctionCode.READ_HOLDING_REGISTERS, 65_535, 2),
        (1, FunctionCode.READ_HOLDING_REGISTERS, -1, 2),
        (256, FunctionCode.READ_HOLDING_REGISTERS, 0, 2),
        (1, FunctionCode.WRITE_HOLDING_REGISTER, 0, 1),
        (1, FunctionCode.WRITE_HOLDING_REGISTERS, 0, 124, (0,) * 124),
    ],
)
def test_impossible_requests_are_refused(arguments: tuple) -> None:
    with pytest.raises(ProtocolError):
        Request(*arguments)


def test_limits_themselves_are_allowed() -> None:
    assert Request(1, FunctionCode.READ_HOLDING_REGISTERS, 0, 125).quantity == 125
    assert Request(0, FunctionCode.READ_HOLDING_REGISTERS, 65_534, 2).start == 65_534


WRITE_WORD = Request(1, FunctionCode.WRITE_HOLDING_REGISTER, 5, 1, (7,))
WRITE_COIL = Request(1, FunctionCode.WRITE_COIL, 5, 1, (1,))
WRITE_WORDS = Request(1, FunctionCode.WRITE_HOLDING_REGISTERS, 5, 2, (7, 8))


@pytest.mark.parametrize(
    ("asked", "answered_as", "said"),
    [
        (WRITE_WORD, replace(WRITE_WORD, start=6), "address 6 confirmed, 5 was written"),
        (WRITE_WORD, replace(WRITE_WORD, values=(8,)), "value 8 confirmed, 7 was written"),
        (WRITE_COIL, replace(WRITE_COIL, values=(0,)), "the other state was confirmed"),
        (WRITE_WORDS, replace(WRITE_WORDS, quantity=1, values=(7,)), "quantity 1 confirmed, 2 were written"),
    ],
    ids=["address", "value", "coil", "quantity"],
)
def test_writes_confirmed_otherwise_than_written_are_not_believed(asked, answered_as, said: str) -> None:
    reader = ReplyReader(asked, Framing.RTU)

    assert reader.feed(encode_reply(answered_as, Framing.RTU)) is None
    with pytest.raises(FrameError, match=said):
        reader.conclude()


def test_coil_replies_of_another_width_are_not_believed() -> None:
    asked = Request(1, FunctionCode.READ_COILS, 0, 9, transaction_id=4)
    narrow = Request(1, FunctionCode.READ_COILS, 0, 8, transaction_id=4)

    with pytest.raises(FrameError, match="8 bits in reply to 9 asked"):
        ReplyReader(asked, Framing.TCP).feed(encode_reply(narrow, Framing.TCP, [1] * 8))


def test_requests_nobody_serves_and_impossible_ones_are_refused() -> None:
    unserved = b"\x00\x01\x00\x00\x00\x02\x01\x07"
    too_many = b"\x00\x01\x00\x00\x00\x06\x01\x03\xff\xff\x00\x02"

    with pytest.raises(FrameError, match="function 7 is not served"):
        RequestReader(Framing.TCP).feed(unserved)
    with pytest.raises(FrameError, match="start 65535 with quantity 2"):
        RequestReader(Framing.TCP).feed(too_many)
    with pytest.raises(ProtocolError, match="3 values in reply to a read of 2"):
        encode_reply(READ, Framing.RTU, [1, 2, 3])
    with pytest.raises(ProtocolError, match="cannot build"):
        encode_reply(READ, Framing.RTU, [1, 70_000])


# Words


@pytest.mark.parametrize(
    "vector",
    [v for v in vectors("modbus-rtu") if v["valid"] and "byte_order" in v and "meaning" in v],
    ids=lambda v: v["meaning"],
)
def test_numbers_and_texts_of_every_word_order_mean_what_the_source_says(vector: dict) -> None:
    registers = vector["decoded"].get("registers") or [vector["decoded"]["value"]]
    order = WordOrder(vector["byte_order"][:4])
    name, stated = vector["meaning"].split(" = ")

    if name.startswith("String"):
        meant = decode_text(registers, order, is_byte_a_character="8" in name)
        assert meant == stated
    elif name.startswith("Float"):
        meant = decode_number(registers, NumberKind.FLOAT32, order)
        assert abs(meant - Decimal(stated)) < Decimal("0.000001")
    else:
        meant = decode_number(registers, NumberKind(f"uint{16 * len(registers)}"), order)
        assert (int(meant) & 0xFF if name.startswith("U8") else meant) == Decimal(stated)


@pytest.mark.parametrize(
    ("registers", "kind", "value"),
    [
        ([17254, 13107], NumberKind.FLOAT32, "230.2"),
        ([0x42F6, 0xE979], NumberKind.FLOAT32, "123.456"),
        ([0x3F80, 0x0000], NumberKind.FLOAT32, "1.00000"),
        ([0x7FC0, 0x0000], NumberKind.FLOAT32, None),
        ([0xFF80, 0x0000], NumberKind.FLOAT32, None),
        ([0xFFFF, 0xFFFE], NumberKind.INT32, "-2"),
        ([0x1234, 0x5678], NumberKind.BCD32, "12345678"),
        ([0x4093, 0x4A45, 0x6D5C, 0xFAAD], NumberKind.FLOAT64, "1234.5678"),
    ],
)
def test_numbers_are_exact(registers, kind, value) -> None:
    meant = decode_number(registers, kind)

    assert meant == (None if value is None else Decimal(value))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(WordOrder))
def test_float32_survives_its_decimal_in_every_order(number: float, order: WordOrder) -> None:
    registers = encode_number(Decimal(repr(number)), NumberKind.FLOAT32, order)

    meant = decode_number(registers, NumberKind.FLOAT32, order)

    assert encode_number(meant, NumberKind.FLOAT32, order) == registers or number == 0


@given(st.integers(-(2**63), 2**64 - 1), st.sampled_from(NumberKind), st.sampled_from(WordOrder))
def test_integers_round_trip_or_are_refused(number: int, kind: NumberKind, order: WordOrder) -> None:
    if "float" in kind.value:
        return
    try:
        registers = encode_number(Decimal(number), kind, order)
    except ProtocolError as refused:
        assert "does not fit" in str(refused)
        return
    assert decode_number(registers, kind, order) == number


def test_wrong_register_count_fractions_and_bad_digits_are_refused() -> None:
    with pytest.raises(FrameError, match="1 registers for a uint32, expected 2"):
        decode_number([1], NumberKind.UINT32)
    with pytest.raises(FrameError, match="non-BCD 12a4"):
        decode_number([0x12A4], NumberKind.BCD16)
    with pytest.raises(ProtocolError, match="is not whole"):
        encode_number(Decimal("1.5"), NumberKind.UINT16)
    assert registers_from_bytes(b"\x01\x02\x03\x04", WordOrder.CDAB) == [0x0304, 0x0102]
