"""A picture of a camera as it travels from the box to the cloud, and the cloud's word that it has it.

The invariants: a picture is JPEG from its first byte to its last, no longer than `PICTURE_BYTES_MAX`, and
the box lets go of it only when the cloud names the digest of the very bytes it sent.
"""

import hashlib
from enum import Enum

import msgspec

from protocol.errors import UNREADABLE, EnvelopeError, FrameError

PICTURE_VERSION = 1
# A picture of 4 megapixels is some 800 kB; more is asked of a camera as its smaller profile.
PICTURE_BYTES_MAX = 2 * 1024 * 1024
# Around the content: ids, a time, a point.
PICTURE_BODY_BYTES_MAX = PICTURE_BYTES_MAX + 4_096
PICTURE_CONTENT_TYPE = "application/vnd.gatehouse.picture"
PICTURES_PATH = "/gateway/v1/pictures"
_TEXT_MAX = 256


class PictureCause(Enum):
    """Why a picture was taken."""

    ALARM = "alarm"  # the box took it by itself, because something was raised
    ASKED = "asked"  # somebody asked for it
    LIVE = "live"  # somebody is looking; it is kept by nobody


class Picture(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One picture. `view_id` is the command it follows from, "" where the box took it by itself.

    `kind` and `point_key` are of the event it was taken for, "" where somebody asked.
    """

    version: int
    picture_id: str  # UUID, made by who wanted the picture
    device_id: str
    taken_at_ms: int
    is_clock_set: bool
    cause: PictureCause
    view_id: str
    kind: str
    point_key: str
    content: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()


class PictureAck(msgspec.Struct, frozen=True):
    """The cloud has it, or will never take it: `problem` says why, "" where it is kept."""

    picture_id: str
    digest: str
    problem: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Picture)
_ack_decoder = msgspec.json.Decoder(PictureAck)


def check_jpeg(content: bytes) -> None:
    """Refuse what is no whole JPEG, or too long a one, by its ends alone; FrameError."""
    if len(content) > PICTURE_BYTES_MAX:
        raise FrameError(f"the picture has more than {PICTURE_BYTES_MAX} bytes")
    # Some cameras fill up behind the end with zeros.
    if not content.startswith(b"\xff\xd8\xff") or not content.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise FrameError(
            f"no whole JPEG: {len(content)} bytes that begin with {content[:4].hex() or 'nothing'}"
        )


def encode_picture(picture: Picture) -> bytes:
    """Return a picture for the wire, and for the box's own shelf."""
    return _encoder.encode(picture)


def decode_picture(body: bytes) -> Picture:
    """Return the picture; EnvelopeError if it is none that can be kept."""
    try:
        picture = _decoder.decode(body)
        if picture.version != PICTURE_VERSION:
            raise EnvelopeError(f"picture: version {picture.version}, expected {PICTURE_VERSION}")
        check_jpeg(picture.content)
    except (*UNREADABLE, FrameError) as error:
        raise EnvelopeError(f"picture: {error}") from error
    texts = (picture.picture_id, picture.device_id, picture.view_id, picture.kind, picture.point_key)
    if not picture.picture_id or not picture.device_id or max(map(len, texts)) > _TEXT_MAX:
        raise EnvelopeError(f"picture: an id is missing, or longer than {_TEXT_MAX} characters")
    if {bool(picture.kind), bool(picture.point_key)} != {picture.cause is PictureCause.ALARM}:
        raise EnvelopeError("picture: one of an alarm names its event, and no other does")
    return picture


def encode_picture_ack(ack: PictureAck) -> bytes:
    """Return an acknowledgement for the wire."""
    return msgspec.json.encode(ack)


def decode_picture_ack(body: bytes) -> PictureAck:
    """Return the acknowledgement; EnvelopeError if it is none."""
    try:
        return _ack_decoder.decode(body)
    except UNREADABLE as error:
        raise EnvelopeError(f"picture acknowledgement: {error}") from error
