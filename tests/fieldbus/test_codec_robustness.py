"""Whatever arrives, a codec answers with facts or a ProtocolError, quickly."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.fieldbus import CODECS, explain
from protocol.fieldbus.annotation import Message, check_cover
from tests.fieldbus.golden import golden_frames, vectors

# A codec that needs longer on one frame would stall a line; generous for a busy test machine.
CODEC_LIMIT_MS = 250


def tried(name: str, message: Message) -> None:
    codec = CODECS[name].load()
    for use in (codec.facts, codec.explain):
        try:
            result = use(message)
        except ProtocolError:
            continue
        if isinstance(result, list):
            check_cover(result, len(message.data))


@pytest.mark.parametrize("name", CODECS)
@given(noise=st.binary(max_size=300), is_reply=st.sampled_from([None, True, False]))
def test_random_bytes_never_raise_anything_but_protocol_errors(name: str, noise: bytes, is_reply) -> None:
    topics = {v["topic"] for v in vectors(name) if "topic" in v}

    for topic in topics or {""}:
        tried(name, Message(noise, is_reply, noise[:20], topic))


@pytest.mark.parametrize("name", CODECS)
def test_mutated_golden_frames_never_raise_anything_but_protocol_errors(name: str) -> None:
    chance = random.Random(f"{name}-2026")
    topics = {bytes.fromhex(v["hex"]): v["topic"] for v in vectors(name) if "topic" in v}

    for wire in golden_frames(name):
        for _ in range(40):
            damaged = bytearray(wire)
            for _ in range(chance.randint(1, 3)):
                match chance.randint(0, 2):
                    case 0 if damaged:
                        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
                    case 1 if damaged:
                        del damaged[chance.randrange(len(damaged))]
                    case _:
                        damaged.insert(chance.randint(0, len(damaged)), chance.randrange(256))
            started = time.perf_counter()
            tried(
                name, Message(bytes(damaged), chance.choice([None, True, False]), b"", topics.get(wire, ""))
            )
            assert (time.perf_counter() - started) * 1000 < CODEC_LIMIT_MS


def test_an_exchange_is_explained_on_both_sides() -> None:
    request = bytes.fromhex("1103007c00020743")
    reply = bytes.fromhex("110304008d008efbbd")

    asked, answered = explain("modbus-rtu", request, reply)

    check_cover(asked, len(request))
    check_cover(answered, len(reply))
    assert [field.text for field in answered if field.role.value == "value"] == [
        "register 124: 141 (008d)",
        "register 125: 142 (008e)",
    ]


def test_a_device_that_speaks_unasked_has_no_request_to_explain() -> None:
    asked, answered = explain("mqtt-zigbee2mqtt", b"", b'{"water_leak":true}', "zigbee2mqtt/Pump room")

    assert asked == []
    assert answered[0].text == "water leak True"


def test_an_unknown_protocol_is_named_with_the_known_ones() -> None:
    with pytest.raises(ProtocolError, match=r"'dlms'; known are .*dlt645-2007"):
        explain("dlms", b"", b"")
