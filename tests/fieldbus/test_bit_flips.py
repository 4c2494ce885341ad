"""A single bit that tips over on the wire is noticed in every golden frame of every protocol with a check.

What is allowed besides refusal: that the bit was no part of the message (the wake-up bytes before it),
or that two spellings mean the same (hexadecimal in either case), so that every fact is as it was.
MQTT payloads and Modbus TCP have no check of their own: TCP has.
"""

from collections.abc import Iterator

import pytest

from protocol.errors import ProtocolError
from protocol.fieldbus import CODECS
from protocol.fieldbus.annotation import Facts, Message
from tests.fieldbus.golden import golden_frames

CHECKED = (
    "cjt188",
    "contact-id",
    "dlt645-1997",
    "dlt645-2007",
    "gb26875.3",
    "mbus",
    "modbus-rtu",
    "osdp",
    "sia-dc09",
)
# Facts of the spelling, not of what is said.
_SPELLING = ("crc", "length", "preamble", "preamble_count", "check_digit")


def facts_of(name: str, data: bytes) -> list[Facts]:
    """Return what a codec takes the bytes for, as a request, as an answer and without being told."""
    codec, found = CODECS[name].load(), []
    for is_reply in (None, False, True):
        try:
            facts = codec.facts(Message(data, is_reply))
        except ProtocolError:
            continue
        found.append({key: value for key, value in facts.items() if key not in _SPELLING})
    return found


def flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(changed)


@pytest.mark.parametrize("name", CHECKED)
def test_every_single_flipped_bit_of_every_golden_frame_is_noticed(name: str) -> None:
    frames = [frame for frame in golden_frames(name) if facts_of(name, frame)]
    missed = [
        f"{frame.hex()} bit {bit}"
        for frame in frames
        for before in [facts_of(name, frame)]
        for bit, damaged in flipped(frame)
        for fact in facts_of(name, damaged)
        if fact not in before
    ]

    assert frames
    assert missed == []
