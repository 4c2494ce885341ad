"""OSDP: frames with CRC and checksum, secure blocks, session keys. Frames from tests/vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Message
from protocol.fieldbus.osdp import (
    DEFAULT_BASE_KEY,
    LENGTH_MAX,
    Frame,
    FrameReader,
    decode_frame,
    derive_session_keys,
    encode_frame,
)
from protocol.fieldbus.osdp_annotation import OSDP
from tests.fieldbus.golden import golden_frames

GOLDEN = golden_frames("osdp")
CARD = bytes.fromhex("53ff10000550ff011a00cd22c71600c9")
KEYPAD = bytes.fromhex("53ff0e000553ff043132333481b6")


@pytest.mark.parametrize("wire", GOLDEN, ids=lambda wire: wire.hex()[:40])
def test_golden_frame_encodes_to_the_bytes_it_came_from(wire: bytes) -> None:
    assert encode_frame(decode_frame(wire)) == wire


def test_every_single_bit_flip_behind_the_mark_is_refused() -> None:
    survivors = []
    for wire in GOLDEN:
        mark = wire[0] == 0xFF
        for bit in range(8 * mark, 8 * len(wire)):
            damaged = bytearray(wire)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                survivors.append((wire.hex(), bit, decode_frame(bytes(damaged))))
            except FrameError:
                continue

    # A flip that turns "CRC" into "checksum" leaves a frame whose last byte is the other check:
    # one in 256 such frames passes, which no receiver can tell.
    assert all(bit // 8 == (wire.startswith("ff") + 4) for wire, bit, _ in survivors)
    assert len(survivors) <= 1


def test_frames_are_found_one_by_one_between_marks_and_junk() -> None:
    stream = b"\xff\xff\x00\x53" + b"\xff".join(GOLDEN)
    reader = FrameReader()

    frames = [f for at in range(0, len(stream), 11) for f in reader.feed(stream[at : at + 11])]
    frames += reader.flush()

    found = [(frame.code, frame.payload, frame.mac) for frame in frames]
    assert found == [(f.code, f.payload, f.mac) for f in (decode_frame(wire) for wire in GOLDEN)]


@given(
    st.integers(0, 127),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x11\x00", b"\x15", b"\x17", b"\x18"]),
    st.booleans(),
    st.booleans(),
)
def test_any_frame_round_trips(address, is_reply, sequence, code, payload, security, uses_crc, mark) -> None:
    mac = b"\x01\x02\x03\x04" if security[:1] in (b"\x15", b"\x17", b"\x18") else b""
    frame = Frame(address, is_reply, sequence, code, payload, security, mac, uses_crc, mark)

    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=80))
def test_random_bytes_are_a_frame_or_a_frame_error(noise: bytes) -> None:
    try:
        frame = decode_frame(b"\xff\x53" + noise)
    except FrameError:
        return
    assert encode_frame(frame) == b"\xff\x53" + noise


def test_impossible_frames_are_refused_when_built() -> None:
    for frame in (
        Frame(128, False, 0, 0x60),
        Frame(0, False, 4, 0x60),
        Frame(0, False, 0, 0x60, mac=b"\0\0\0\0"),
        Frame(0, False, 0, 0x60, security=b"\x15"),
        Frame(0, False, 0, 0x60, bytes(LENGTH_MAX)),
    ):
        with pytest.raises(ProtocolError):
            encode_frame(frame)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ("5300080004600000", "crc is 0000, computed"),
        ("53000700026441", "checksum is 41, computed 40"),
        ("53000900026440", "length says 9 bytes, the frame has 7"),
        ("54000700026440", "start is 54"),
        ("530007", "3 bytes are too few"),
    ],
)
def test_damaged_frames_are_refused_by_reason(wire: str, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        decode_frame(bytes.fromhex(wire))


def test_encrypted_payloads_are_never_read_as_plain_ones() -> None:
    secure = Frame(0, False, 2, 0x68, bytes(16), b"\x17", b"\x01\x02\x03\x04")

    facts = OSDP.facts(Message(encode_frame(secure)))

    assert facts["encrypted_payload"] == "00" * 16
    assert "outputs" not in facts
    assert "payload" not in facts


@pytest.mark.parametrize(("wire", "secret"), [(CARD, "cd22c716"), (KEYPAD, "1234")])
def test_explanations_do_not_show_credentials(wire: bytes, secret: str) -> None:
    told = " ".join(field.text for field in OSDP.explain(Message(wire)))

    assert secret not in told
    assert "credential not shown" in told


def test_star_and_hash_of_a_keypad_are_told_as_such() -> None:
    wire = encode_frame(Frame(1, True, 1, 0x53, b"\x00\x03\x7f\x0d5"))

    assert OSDP.facts(Message(wire))["keys"] == "*#5"


def test_session_keys_are_those_of_the_standards_annex() -> None:
    keys = derive_session_keys(
        DEFAULT_BASE_KEY, bytes.fromhex("b0b1b2b3b4b5b6b7"), bytes.fromhex("a0a1a2a3a4a5a6a7")
    )

    assert keys.encryption.hex() == "bf8dc2a8329acb8c67c6d0cd9a451682"
    assert keys.initial_reply_mac.hex() == "b2a30057eb98ba2229ec1f875662b524"


def test_other_randoms_give_other_keys_and_wrong_lengths_are_refused() -> None:
    one = derive_session_keys(DEFAULT_BASE_KEY, bytes(8), bytes(8))
    other = derive_session_keys(DEFAULT_BASE_KEY, bytes(7) + b"\x01", bytes(8))

    assert one.client_cryptogram != other.client_cryptogram
    with pytest.raises(ProtocolError, match="16 bytes"):
        derive_session_keys(bytes(15), bytes(8), bytes(8))
    with pytest.raises(FrameError, match="no keys to derive"):
        OSDP.facts(Message(b"", given={"scbk": "00"}))
