"""A photo: proof of what something looked like, beside the thing it is about.

The invariant: what is kept was decoded and written anew by us, so that it is a picture and nothing
else: no place, no camera, no hidden second file.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import PhotoId, UserId

PHOTOS_A_SUBJECT_MAX = 12
# What a phone's camera makes today is up to 12 MB; more is not a photo of a dripping tap.
PHOTO_BYTES_MAX = 12 * 1024 * 1024
# 50 megapixels decode to 150 MB for a moment; a bomb of a few bytes claims far more.
PHOTO_PIXELS_MAX = 50_000_000
# The longer edge as kept: enough to read a nameplate, some 300 kB.
PHOTO_EDGE_MAX = 1_600


class PhotoSubject(Enum):
    """What a photo may be about."""

    REPAIR = "repair"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class CleanPhoto:
    """A photo as it is kept: JPEG without any metadata."""

    content: bytes
    width: int
    height: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A photo without its content."""

    photo_id: PhotoId
    width: int
    height: int
    size_bytes: int
    created_at_ms: int
    added_by: UserId | None
