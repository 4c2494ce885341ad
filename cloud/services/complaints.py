"""Complaints and suggestions: a resident tells, the property answers, the resident has the last word.

The invariant: nobody's words are changed; a resident sees their own homes' complaints and no notes of staff.
"""

from collections.abc import Collection
from uuid import UUID

from cloud.domain.access import Action, may, require, require_account
from cloud.domain.complaint import (
    STEPS,
    TEXT_LENGTH_MAX,
    Complaint,
    ComplaintAct,
    ComplaintEntry,
    ComplaintKind,
    ComplaintState,
    ComplaintSubject,
)
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, ComplaintId, SiteId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.user import Role, User
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.store import audit, complaints, people
from cloud.store.db import Tx
from cloud.store.numbers import next_number

# More that wait for an answer at once help nobody.
OPEN_MAX = 10


def tell(
    tx: Tx, actor: User, account_id: AccountId, kind: ComplaintKind, subject: ComplaintSubject, text: str
) -> Complaint:
    """Tell the property what is wrong or could be better."""
    require(actor, Action.USE_COMMUNITY)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    words = _said(text)
    waiting = complaints.list_complaints(tx, None, {ComplaintState.OPEN}, {account_id}, None, OPEN_MAX)
    if len(waiting) >= OPEN_MAX:
        raise Conflict(f"{OPEN_MAX} of yours wait for an answer already")
    site = site_of(tx, account.site_id)
    year = str(local_date(tx.now_ms, time_zone(site.time_zone)).year)
    number = f"{site.code}-F-{year}-{next_number(tx, site.code, 'complaint', year):04d}"
    complaint_id = complaints.insert_complaint(
        tx, site.site_id, number, kind, subject, words, account_id, actor.user_id
    )
    complaints.add_entry(tx, complaint_id, ComplaintAct.TOLD, words, actor.user_id)
    audit.record(tx, actor.user_id, "tell_complaint", "complaint", complaint_id, {"kind": kind.value})
    return _found(tx, complaint_id)


def answer(tx: Tx, actor: User, complaint_id: ComplaintId, text: str) -> Complaint:
    """Answer; the resident is told."""
    _own(tx, actor, complaint_id)  # to others it does not exist, whatever they would do with it
    require(actor, Action.MANAGE_COMMUNITY)
    return _act(tx, actor, complaint_id, ComplaintAct.ANSWERED, _said(text))


def note(tx: Tx, actor: User, complaint_id: ComplaintId, text: str) -> Complaint:
    """Note something among staff; the resident never sees it."""
    found = _own(tx, actor, complaint_id)
    require(actor, Action.MANAGE_COMMUNITY)
    complaints.add_entry(tx, found.complaint_id, ComplaintAct.NOTED, _said(text), actor.user_id)
    return found


def close(tx: Tx, actor: User, complaint_id: ComplaintId, text: str = "") -> Complaint:
    """Say that it is settled: the resident's word, or a manager's who heard it from them."""
    require(actor, Action.USE_COMMUNITY)
    return _act(tx, actor, complaint_id, ComplaintAct.CLOSED, text.strip()[:TEXT_LENGTH_MAX])


def reopen(tx: Tx, actor: User, complaint_id: ComplaintId, text: str) -> Complaint:
    """Say that it is not settled; the clock begins again."""
    require(actor, Action.USE_COMMUNITY)
    _own(tx, actor, complaint_id)
    return _act(tx, actor, complaint_id, ComplaintAct.REOPENED, _said(text))


def list_complaints(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    states: Collection[ComplaintState] = frozenset(ComplaintState),
    cursor: str | None = None,
    limit: int = 50,
    account_id: AccountId | None = None,
) -> Page[Complaint]:
    """Return a site's complaints, newest first; a resident's only those of own homes."""
    checked_limit(limit)
    require(actor, Action.USE_COMMUNITY if actor.role is Role.RESIDENT else Action.READ_COMMUNITY)
    site_of(tx, site_id)
    own = actor.account_ids if actor.role is Role.RESIDENT else None
    if account_id is not None:
        own = frozenset({account_id}) if own is None else own & {account_id}
    before = ComplaintId(str(key_from_cursor(cursor, UUID)[0])) if cursor else None
    found = complaints.list_complaints(tx, site_id, states, own, before, limit + 1)
    return page_of(found, limit, lambda last: (last.complaint_id,))


def get_complaint(tx: Tx, actor: User, complaint_id: ComplaintId) -> tuple[Complaint, list[ComplaintEntry]]:
    """Return a complaint with what was said; to residents without the notes of staff."""
    require(actor, Action.USE_COMMUNITY if actor.role is Role.RESIDENT else Action.READ_COMMUNITY)
    found = _own(tx, actor, complaint_id)
    entries = complaints.entries_of(tx, complaint_id)
    sees_notes = may(actor, Action.READ_COMMUNITY)
    return found, [one for one in entries if sees_notes or one.act is not ComplaintAct.NOTED]


def find_by_number(tx: Tx, actor: User, site_id: SiteId, number: str) -> Complaint:
    """Return the complaint people call by this number."""
    require(actor, Action.USE_COMMUNITY if actor.role is Role.RESIDENT else Action.READ_COMMUNITY)
    found = complaints.find_by_number(tx, site_id, number)
    if found is None:
        raise NotFound(f"there is no complaint {number}")
    return _own(tx, actor, found.complaint_id)


def count_open(tx: Tx, actor: User, site_id: SiteId) -> tuple[int, int]:
    """Return how many of a site wait for an answer, and how many of them too long."""
    require(actor, Action.READ_COMMUNITY)
    waiting, late, _ = complaints.count_open(tx, site_id)
    return waiting, late


def _act(tx: Tx, actor: User, complaint_id: ComplaintId, act: ComplaintAct, text: str) -> Complaint:
    _own(tx, actor, complaint_id)
    before, after = STEPS[act]
    if not complaints.set_state(tx, complaint_id, before, after):
        raise Conflict("it has come further meanwhile: look again, then decide anew")
    complaints.add_entry(tx, complaint_id, act, text, actor.user_id)
    audit.record(tx, actor.user_id, f"{act.value}_complaint", "complaint", complaint_id)
    found = _found(tx, complaint_id)
    if act is ComplaintAct.ANSWERED:
        _tell_resident(tx, found, text)
    return found


def _tell_resident(tx: Tx, found: Complaint, text: str) -> None:
    notify(
        tx,
        NewNotice(
            Topic.ANNOUNCEMENT,
            f"complaint:{found.complaint_id}:{tx.new_id()}",
            {
                "site": site_of(tx, found.site_id).name,
                "title": "complaint_answered",
                "text": f"{found.number} {text}",
            },
            account_id=found.account_id,
            about=f"complaint:{found.complaint_id}",
            link=f"/home/complaints/{found.number}",
        ),
    )


def _own(tx: Tx, actor: User, complaint_id: ComplaintId) -> Complaint:
    found = _found(tx, complaint_id)
    require_account(actor, found.account_id)
    return found


def _found(tx: Tx, complaint_id: ComplaintId) -> Complaint:
    found = complaints.find_complaint(tx, complaint_id)
    if found is None:
        raise NotFound(f"there is no complaint {complaint_id}")
    return found


def _said(text: str) -> str:
    words = text.strip()
    if not 1 <= len(words) <= TEXT_LENGTH_MAX:
        raise Invalid(f"the text has {len(words)} characters, expected 1 to {TEXT_LENGTH_MAX}")
    return words
