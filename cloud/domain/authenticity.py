"""Whether a piece of paper is one of ours: a code printed on it, which only the issued document gives.

The code is a digest of what makes the document what it is, its random id among it; so it cannot be
guessed, does not fit a document whose number or amount was altered, and needs no secret to be kept.
The invariant: verifying tells nothing about a person, only about the paper in somebody's hand.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from enum import Enum

# 80 bits: at one guess a second for all mankind's time nobody finds one, and it can still be typed.
_CODE_BYTES = 10
_GROUP = 4


class Standing(Enum):
    """What became of a genuine document since it was issued."""

    STANDS = "stands"
    REPLACED = "replaced"  # an invoice that was taken back; a newer one holds
    TAKEN_BACK = "taken_back"  # an invoice or a payment that no longer counts, with nothing in its place
    UNKNOWN = "unknown"  # no such document, or not with this code


class DocumentKind(Enum):
    """What the paper says it is."""

    CREDIT_NOTE = "credit_note"
    INVOICE = "invoice"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What anybody who holds the paper is told; of an unknown one only that."""

    standing: Standing
    number: str
    kind: DocumentKind | None = None
    issued_on: date | None = None
    amount_fen: int | None = None
    currency: str = ""


def code_of(kind: DocumentKind, document_id: str, number: str, on: date, amount_fen: int) -> str:
    """Return the code of a document, in groups of four letters and digits: `2K7M-Q4XD-9T3A-HB6W`."""
    # Base32's own alphabet has no 0, 1, 8 or 9, which are misread.
    said = "|".join((kind.value, document_id, number, on.isoformat(), str(amount_fen)))
    digest = hashlib.sha256(b"gatehouse document 1|" + said.encode()).digest()[:_CODE_BYTES]
    text = base64.b32encode(digest).decode()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def is_code(said: str, code: str) -> bool:
    """Tell whether somebody's typing means the code: case, spaces and hyphens do not matter."""
    return hmac.compare_digest(_bare(said).encode(), _bare(code).encode())


def _bare(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())
