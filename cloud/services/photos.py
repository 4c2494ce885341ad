"""Photos: taken in, made harmless, kept beside what they prove.

The invariant: not a byte of what was sent is kept; the picture is decoded and written anew, so that
where it was taken, with what, and whatever hid behind it are gone.
"""

import hashlib
from io import BytesIO

from PIL import Image, ImageOps

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import PhotoId, UserId
from cloud.domain.photo import (
    PHOTO_BYTES_MAX,
    PHOTO_EDGE_MAX,
    PHOTO_PIXELS_MAX,
    PHOTOS_A_SUBJECT_MAX,
    CleanPhoto,
    PhotoSubject,
)
from cloud.store import photos
from cloud.store.db import Tx

_FORMATS = ("JPEG", "PNG", "WEBP")
PHOTO_TYPES = tuple(f"image/{name.lower()}" for name in _FORMATS)
# Between "good" and "very good": the text on a nameplate stays readable.
_JPEG_QUALITY = 82


def clean(raw: bytes) -> CleanPhoto:
    """Return what was sent as a photo we keep; Invalid if it is none. Slow: call it in a thread."""
    if len(raw) > PHOTO_BYTES_MAX:
        raise Invalid(f"the photo has {len(raw)} bytes, expected at most {PHOTO_BYTES_MAX}")
    try:
        with Image.open(BytesIO(raw), formats=_FORMATS) as sent:
            if sent.width * sent.height > PHOTO_PIXELS_MAX:
                raise Invalid(
                    f"the photo has {sent.width} x {sent.height} pixels, expected at most "
                    f"{PHOTO_PIXELS_MAX // 1_000_000} million"
                )
            # A JPEG is decoded no larger than it is needed.
            sent.draft("RGB", (PHOTO_EDGE_MAX, PHOTO_EDGE_MAX))
            # The camera's note which way is up goes with the other notes, so turn it now.
            upright = ImageOps.exif_transpose(sent).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Invalid("the file is no photo: expected JPEG, PNG or WebP") from error
    upright.thumbnail((PHOTO_EDGE_MAX, PHOTO_EDGE_MAX))
    upright.info.clear()
    written = BytesIO()
    upright.save(written, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    content = written.getvalue()
    return CleanPhoto(content, upright.width, upright.height, hashlib.sha256(content).hexdigest())


def keep(
    tx: Tx, kind: PhotoSubject, subject_id: str, added: CleanPhoto, added_by: UserId | None
) -> PhotoId | None:
    """Keep a photo of something already allowed; None if this very photo is kept already."""
    count = len(photos.list_photos(tx, kind, subject_id))
    if count >= PHOTOS_A_SUBJECT_MAX:
        raise Conflict(f"there are {count} photos already, the most there may be")
    return photos.insert_photo(tx, kind, subject_id, added, added_by)
