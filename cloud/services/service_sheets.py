"""Service sheets: a visit answers every item of its list, and signs; clocks count from the signature alone.

The invariant: a longer cycle's visit answers the items of all shorter ones and starts their clocks too; a
plan with a list has no other way of being completed. A contractor's link leads to one plan's sheet, until
its time is over or the sheet is signed, and to nothing else.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from cloud.checklists import shipped_checklists
from cloud.domain.access import Action, require
from cloud.domain.checklist import Checklist, checked_answers, checked_list, items_of
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import PhotoId, PlanId, ServiceSheetId, SiteId
from cloud.domain.maintenance import MaintenancePlan
from cloud.domain.photo import CleanPhoto, PhotoRecord, PhotoSubject
from cloud.domain.service_sheet import (
    LINK_DAYS_MAX,
    ServiceLink,
    ServiceSheet,
    SheetDraft,
    Signing,
    sheet_digest,
)
from cloud.domain.user import User, system_user
from cloud.services import photos
from cloud.services.maintenance import clocks_of, record_completion, today_at
from cloud.services.premises import site_of
from cloud.store import audit, equipment, service_sheets
from cloud.store import photos as photo_store
from cloud.store import plans as plan_store
from cloud.store.db import Tx

SHEETS_SHOWN = 30
_SECRET_BYTES = 24  # 192 bits: nobody guesses one
_REASON_LENGTH_MAX = 200
_DAY_MS = timedelta(days=1) // timedelta(milliseconds=1)

# Result, value and note by the item's code, as they were typed.
Said = Mapping[str, tuple[str, str, str]]


def list_checklists(tx: Tx, actor: User) -> list[Checklist]:
    """Return the item lists as they are now, by code: the company's own version, else the published one."""
    require(actor, Action.READ_EQUIPMENT)
    codes = sorted({*shipped_checklists(), *service_sheets.checklist_codes(tx)})
    return [_checklist(tx, code) for code in codes]


def get_checklist(tx: Tx, actor: User, code: str) -> Checklist:
    """Return one item list as it is now."""
    require(actor, Action.READ_EQUIPMENT)
    return _checklist(tx, code)


def set_checklist(tx: Tx, actor: User, wanted: Checklist, reason: str) -> Checklist:
    """Let a list say something else from now on; what was signed before keeps its words."""
    require(actor, Action.MANAGE_MAINTENANCE)
    _checklist(tx, wanted.code)
    return _write_checklist(tx, actor, wanted, reason)


def add_checklist(tx: Tx, actor: User, wanted: Checklist, reason: str) -> Checklist:
    """Add a list of the company's own; Conflict if there is one of that code."""
    require(actor, Action.MANAGE_MAINTENANCE)
    if wanted.code in shipped_checklists() or service_sheets.newest_checklist(tx, wanted.code) is not None:
        raise Conflict(f"there is a checklist {wanted.code!r} already")
    return _write_checklist(tx, actor, wanted, reason)


def _write_checklist(tx: Tx, actor: User, wanted: Checklist, reason: str) -> Checklist:
    if not 1 <= len(reason.strip()) <= _REASON_LENGTH_MAX:
        raise Invalid(f"reason has {len(reason.strip())} characters, expected 1 to {_REASON_LENGTH_MAX}")
    checked_list(wanted)
    known = service_sheets.newest_checklist(tx, wanted.code)
    number = 1 if known is None else known[0] + 1
    if not service_sheets.insert_checklist(tx, number, wanted, reason.strip(), actor.person_id):
        raise Conflict(f"the list {wanted.code} has just been changed: look at it again")
    audit.record(tx, actor.user_id, "set_checklist", "checklist", wanted.code, {"version": number})
    return wanted


def draft(tx: Tx, actor: User, plan_id: PlanId) -> SheetDraft:
    """Return the sheet of a plan's next visit."""
    require(actor, Action.READ_EQUIPMENT)
    plan, owner = _plan(tx, plan_id)
    return _draft(tx, plan, owner)


def sign(
    tx: Tx,
    actor: User,
    plan_id: PlanId,
    said: Said,
    signing: Signing,
    pictures: Sequence[CleanPhoto] = (),
    link: ServiceLink | None = None,
) -> ServiceSheet:
    """Sign a sheet, now: its clock starts again, and those of the shorter cycles it includes.

    Invalid names every item without an answer; nothing is signed then.
    """
    require(actor, Action.COMPLETE_MAINTENANCE)
    plan_store.lock_plan(tx, plan_id)
    plan, owner = _plan(tx, plan_id)
    answers = checked_answers(_draft(tx, plan, owner).items, said)
    order = record_completion(tx, actor, plan, owner, signing.signed_by, signing.note)
    site = site_of(tx, owner.site_id)
    for other in plan_store.plans_of(tx, owner.equipment_id, today_at(tx, site)):
        if other.plan_id != plan_id and plan.does_too(other):
            record_completion(tx, actor, other, owner, signing.signed_by, plan.title)
    digest = sheet_digest(owner.code, plan.code, tx.now_ms, signing, plan.checklist_code, answers)
    sheet = ServiceSheet(
        ServiceSheetId(tx.new_id()),
        plan_id,
        order,
        tx.now_ms,
        signing,
        plan.checklist_code,
        plan.cycle,
        answers,
        digest,
        actor.person_id,
        None if link is None else link.link_id,
    )
    service_sheets.insert_sheet(tx, sheet)
    for picture in pictures:
        photos.keep(tx, PhotoSubject.SERVICE, sheet.sheet_id, picture, actor.person_id)
    audit.record(tx, actor.user_id, "sign_service_sheet", "service_sheet", sheet.sheet_id, {"sha256": digest})
    return sheet


def get_sheet(
    tx: Tx, actor: User, sheet_id: ServiceSheetId
) -> tuple[ServiceSheet, MaintenancePlan, Equipment, tuple[PhotoRecord, ...]]:
    """Return a signed sheet with its plan, equipment and photos."""
    require(actor, Action.READ_EQUIPMENT)
    found = service_sheets.find_sheet(tx, sheet_id)
    if found is None:
        raise NotFound(f"there is no service sheet {sheet_id}")
    plan, owner = _plan(tx, found.plan_id, needs_list=False)
    return found, plan, owner, tuple(photo_store.list_photos(tx, PhotoSubject.SERVICE, sheet_id))


def photo(tx: Tx, actor: User, sheet_id: ServiceSheetId, photo_id: PhotoId) -> bytes:
    """Return a photo of a signed sheet."""
    require(actor, Action.READ_EQUIPMENT)
    get_sheet(tx, actor, sheet_id)
    content = photo_store.content_of(tx, PhotoSubject.SERVICE, sheet_id, photo_id)
    if content is None:
        raise NotFound(f"there is no photo {photo_id}")
    return content


def sheets_of(tx: Tx, actor: User, plan_id: PlanId) -> list[ServiceSheet]:
    """Return a plan's signed sheets, the newest first."""
    require(actor, Action.READ_EQUIPMENT)
    _plan(tx, plan_id, needs_list=False)
    return service_sheets.sheets_of(tx, plan_id, SHEETS_SHOWN)


def open_link(tx: Tx, actor: User, plan_id: PlanId, contractor: str, days: int) -> str:
    """Return the secret of a new way to a plan's sheet for a contractor; those there were end."""
    require(actor, Action.MANAGE_MAINTENANCE)
    _plan(tx, plan_id)
    if not 1 <= len(contractor.strip()) <= _REASON_LENGTH_MAX:
        raise Invalid(f"the contractor's name has {len(contractor.strip())} characters, expected 1 to 200")
    if not 1 <= days <= LINK_DAYS_MAX:
        raise Invalid(f"a link holds 1 to {LINK_DAYS_MAX} days, not {days}")
    service_sheets.revoke_links(tx, plan_id)
    secret = f"{tx.tenant_id:x}-{secrets.token_urlsafe(_SECRET_BYTES)}"
    expires_at_ms = tx.now_ms + days * _DAY_MS
    link_id = service_sheets.insert_link(
        tx, plan_id, contractor.strip(), _digest(secret), expires_at_ms, actor.person_id
    )
    audit.record(tx, actor.user_id, "open_service_link", "service_link", link_id, {"days": days})
    return secret


def revoke_link(tx: Tx, actor: User, plan_id: PlanId) -> None:
    """Let nobody in by a plan's links any more."""
    require(actor, Action.MANAGE_MAINTENANCE)
    _plan(tx, plan_id, needs_list=False)
    count = service_sheets.revoke_links(tx, plan_id)
    audit.record(tx, actor.user_id, "revoke_service_links", "maintenance_plan", plan_id, {"count": count})


def links_of(tx: Tx, actor: User, plan_id: PlanId) -> list[ServiceLink]:
    """Return a plan's links, the newest first; never their secrets."""
    require(actor, Action.READ_EQUIPMENT)
    _plan(tx, plan_id, needs_list=False)
    return service_sheets.links_of(tx, plan_id)


def draft_by_link(tx: Tx, secret: str) -> tuple[SheetDraft, ServiceLink, SiteId]:
    """Return the sheet a contractor's link leads to; NotFound for one that is over, used or made up."""
    link = _open(tx, secret)
    plan, owner = _plan(tx, link.plan_id)
    return _draft(tx, plan, owner), link, owner.site_id


def sign_by_link(
    tx: Tx, secret: str, said: Said, signing: Signing, pictures: Sequence[CleanPhoto] = ()
) -> ServiceSheet:
    """Sign the sheet a contractor's link leads to; the link leads nowhere afterwards."""
    link = _open(tx, secret)
    sheet = sign(tx, system_user(tx.tenant_id), link.plan_id, said, signing, pictures, link)
    if not service_sheets.use_link(tx, link.link_id):
        raise Conflict("the sheet of this link has just been signed")
    return sheet


def _open(tx: Tx, secret: str) -> ServiceLink:
    found = service_sheets.find_link(tx, _digest(secret))
    if found is None or not found.is_open(tx.now_ms):
        raise NotFound("this link is over, was used, or never was: ask the property office for a new one")
    return found


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _plan(tx: Tx, plan_id: PlanId, *, needs_list: bool = True) -> tuple[MaintenancePlan, Equipment]:
    plan = plan_store.find_plan(tx, plan_id)
    owner = None if plan is None else equipment.find_equipment(tx, plan.equipment_id)
    if plan is None or owner is None:
        raise NotFound(f"there is no maintenance plan {plan_id}")
    if needs_list and not plan.checklist_code:
        raise Conflict(f"{plan.title} has no item list: sign it as done")
    return plan, owner


def _draft(tx: Tx, plan: MaintenancePlan, owner: Equipment) -> SheetDraft:
    found = _checklist(tx, plan.checklist_code)
    [clock] = clocks_of(tx, site_of(tx, owner.site_id), [plan])
    items = items_of(found, plan.cycle)
    return SheetDraft(owner, clock, found.name_zh, found.basis, items, found.name_en)


def _checklist(tx: Tx, code: str) -> Checklist:
    own = service_sheets.newest_checklist(tx, code)
    found = shipped_checklists().get(code) if own is None else own[1]
    if found is None:
        raise NotFound(f"there is no checklist {code!r}")
    return found
