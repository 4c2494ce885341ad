"""An attachment: a paper kept beside the thing it is about, as it came, with its hash.

The invariant: what a file is was found in its own first bytes, never believed from its name; it is handed
out as a download of that kind, so that no page of ours ever runs what somebody attached.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import AttachmentId, UserId

# A scanned deed of ten pages has 5 MB.
ATTACHMENT_BYTES_MAX = 10 * 1024 * 1024
ATTACHMENTS_A_SUBJECT_MAX = 20
TITLE_LENGTH_MAX = 100

# How files of each kind begin: ISO 32000-1 7.5.2, ISO/IEC 10918-1 B.1.1.3, PNG (Third Edition) 5.2.
_BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
ATTACHMENT_TYPES = tuple(media_type for _, media_type in _BEGINNINGS)


class AttachmentSubject(Enum):
    """What an attachment may be about."""

    EQUIPMENT = "equipment"
    SPACE = "space"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that may be attached."""

    content: bytes
    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    """An attachment without its content."""

    attachment_id: AttachmentId
    title: str
    media_type: str
    sha256: str
    size_bytes: int
    added_at_ms: int
    added_by: UserId | None


def checked_file(content: bytes) -> CheckedFile:
    """Return a file that may be attached; Invalid for what is too large or of no kind we keep."""
    if len(content) > ATTACHMENT_BYTES_MAX:
        raise Invalid(f"the file has {len(content)} bytes, expected at most {ATTACHMENT_BYTES_MAX}")
    media_type = next((kind for start, kind in _BEGINNINGS if content.startswith(start)), None)
    if media_type is None:
        raise Invalid("the file is of no kind that is kept: expected PDF, JPEG or PNG")
    return CheckedFile(content, media_type, hashlib.sha256(content).hexdigest())


def checked_title(title: str) -> str:
    """Return what an attachment is called; Invalid for nothing or too much."""
    plain = " ".join(title.split())
    if not 1 <= len(plain) <= TITLE_LENGTH_MAX:
        raise Invalid(f"the title has {len(plain)} characters, expected 1 to {TITLE_LENGTH_MAX}")
    return plain
