"""A picture on its way: whole, bounded, and what it was taken for."""

import uuid

import msgspec
import pytest

from protocol.errors import EnvelopeError
from protocol.picture import (
    PICTURE_BYTES_MAX,
    PICTURE_VERSION,
    Picture,
    PictureCause,
    decode_picture,
    encode_picture,
)

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
ASKED = Picture(
    PICTURE_VERSION,
    str(uuid.UUID(int=1)),
    "cam-1",
    1_788_192_000_000,
    True,
    PictureCause.ASKED,
    "",
    "",
    "",
    JPEG,
)


def test_a_picture_arrives_as_it_left() -> None:
    assert decode_picture(encode_picture(ASKED)) == ASKED


def test_the_longest_picture_passes_and_one_byte_more_does_not() -> None:
    room = PICTURE_BYTES_MAX - len(JPEG)
    longest = msgspec.structs.replace(ASKED, content=JPEG[:3] + b"x" * room + JPEG[3:])

    assert decode_picture(encode_picture(longest)) == longest
    with pytest.raises(EnvelopeError, match="more than"):
        decode_picture(
            encode_picture(msgspec.structs.replace(longest, content=JPEG[:3] + b"x" + longest.content[3:]))
        )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"content": JPEG[:-1]}, "no whole JPEG"),
        ({"content": b"GIF89a"}, "no whole JPEG"),
        ({"version": 2}, "version 2"),
        ({"device_id": ""}, "an id is missing"),
        ({"kind": "water_leak"}, "names its event"),
        ({"cause": PictureCause.ALARM}, "names its event"),
        ({"point_key": "x" * 257}, "longer than 256"),
    ],
)
def test_what_cannot_be_kept_is_no_picture(change: dict[str, object], says: str) -> None:
    with pytest.raises(EnvelopeError, match=says):
        decode_picture(encode_picture(msgspec.structs.replace(ASKED, **change)))
