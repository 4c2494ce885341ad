"""A service sheet: what a visit found at every item, what it used, and the hand it was signed by.

The invariant: what was signed can be told from anything else by its hash; a sheet is written once.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cloud.domain.checklist import Answer, CheckItem, Cycle
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Invalid
from cloud.domain.ids import PlanId, ServiceLinkId, ServiceSheetId, UserId, WorkOrderId
from cloud.domain.maintenance import MaintenanceClock

# A signature of some seconds has a few thousand points; more is a drawing.
SIGNATURE_LENGTH_MAX = 12_000
SIGNATURE_LENGTH_MIN = 20
TEXT_LENGTH_MAX = 500
COST_FEN_MAX = 100_000_000
LINK_DAYS_MAX = 30
_STROKES = re.compile(r"(?:M\d{1,4} \d{1,4}(?:L\d{1,4} \d{1,4})+)+")


@dataclass(frozen=True, slots=True)
class SheetDraft:
    """A sheet to be filled in: the plan's clock today and the items a visit must answer."""

    equipment: Equipment
    clock: MaintenanceClock
    checklist_name: str
    basis: str
    items: tuple[CheckItem, ...]
    checklist_name_en: str = ""


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs a sheet by which strokes, and what the visit used and cost besides."""

    signed_by: str
    signature: str
    parts: str = ""
    cost_fen: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.signed_by.strip()) <= TEXT_LENGTH_MAX:
            raise Invalid(
                f"the name has {len(self.signed_by.strip())} characters, expected 1 to {TEXT_LENGTH_MAX}"
            )
        drawn = len(self.signature)
        if not SIGNATURE_LENGTH_MIN <= drawn <= SIGNATURE_LENGTH_MAX or not _STROKES.fullmatch(
            self.signature
        ):
            raise Invalid("the sheet is not signed: draw the signature in the field")
        if max(len(self.parts), len(self.note)) > TEXT_LENGTH_MAX:
            raise Invalid(f"parts and note have at most {TEXT_LENGTH_MAX} characters each")
        if not 0 <= self.cost_fen <= COST_FEN_MAX:
            raise Invalid(f"the cost is {self.cost_fen} fen, expected 0 to {COST_FEN_MAX}")


@dataclass(frozen=True, slots=True)
class ServiceSheet:
    """A sheet as it was signed."""

    sheet_id: ServiceSheetId
    plan_id: PlanId
    work_order_id: WorkOrderId | None
    signed_at_ms: int
    signing: Signing
    checklist_code: str
    cycle: Cycle
    answers: tuple[Answer, ...]
    sha256: str
    recorded_by: UserId | None
    link_id: ServiceLinkId | None


@dataclass(frozen=True, slots=True)
class ServiceLink:
    """A contractor's way to one plan's sheet; `is_open` while it may still be used."""

    link_id: ServiceLinkId
    plan_id: PlanId
    contractor: str
    created_at_ms: int
    expires_at_ms: int
    used_at_ms: int | None
    revoked_at_ms: int | None

    def is_open(self, now_ms: int) -> bool:
        """Tell whether the link still leads to its sheet."""
        return self.used_at_ms is None and self.revoked_at_ms is None and now_ms < self.expires_at_ms


def sheet_digest(
    equipment_code: str,
    plan_code: str,
    signed_at_ms: int,
    signing: Signing,
    checklist_code: str,
    answers: Sequence[Answer],
) -> str:
    """Return the hash of what is signed: canonical JSON of everything on the sheet, in UTF-8."""
    said = {
        "equipment": equipment_code,
        "plan": plan_code,
        "signed_at_ms": signed_at_ms,
        "signed_by": signing.signed_by,
        "signature": signing.signature,
        "parts": signing.parts,
        "cost_fen": signing.cost_fen,
        "note": signing.note,
        "checklist": checklist_code,
        "answers": [[one.item_code, one.text, one.result.value, one.value, one.note] for one in answers],
    }
    canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
