"""Visits: a home invites, the gate lets in by the code, the host hears of it.

The invariant: a code lets in once; who guesses codes waits ever longer; what a guard sees of a visit is
where it goes, never its code.
"""

import secrets

from cloud.domain.access import Action, require, require_account
from cloud.domain.barring import Barring
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.identity_number import plate_number
from cloud.domain.ids import AccountId, SiteId, VisitId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.rate_limit import VISIT_CODE_PER_USER
from cloud.domain.user import User
from cloud.domain.visit import (
    CODE_DIGITS,
    INVITED_AHEAD_MAX_MS,
    NAME_LENGTH_MAX,
    VISIT_LENGTH_MAX_MS,
    VISITS_OPEN_MAX,
    Visit,
)
from cloud.services import barrings, granting
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.services.rate_limits import guess
from cloud.store import audit, people, visits
from cloud.store.db import Database, Tx

_CODES_TRIED = 8
_LISTED_MAX = 200
_DAY_MS = 24 * 3600 * 1000


def invite(
    tx: Tx, actor: User, account_id: AccountId, name: str, from_ms: int, until_ms: int, plate: str = ""
) -> Visit:
    """Expect somebody at a home from one moment to another; return the visit with its code."""
    require(actor, Action.INVITE_VISITORS)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    if account is None or account.closed_on is not None:
        raise NotFound("there is no such account")
    said = " ".join(name.split())
    if not 1 <= len(said) <= NAME_LENGTH_MAX:
        raise Invalid(f"the name has {len(said)} characters, expected 1 to {NAME_LENGTH_MAX}")
    if not 0 < until_ms - from_ms <= VISIT_LENGTH_MAX_MS:
        raise Invalid("a visit lasts a day at most, and ends after it begins")
    if until_ms <= tx.now_ms or from_ms - tx.now_ms > INVITED_AHEAD_MAX_MS:
        raise Invalid("a visit is within the next 30 days")
    if visits.count_expected(tx, account_id) >= VISITS_OPEN_MAX:
        raise Conflict(f"{VISITS_OPEN_MAX} visits are expected already: take one back first")
    checked = plate_number(plate) if plate.strip() else ""
    for _ in range(_CODES_TRIED):
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        visit_id = visits.insert_visit(
            tx,
            account.site_id,
            account_id,
            account.space_id,
            actor.user_id,
            said,
            checked,
            from_ms,
            until_ms,
            code,
        )
        if visit_id is not None:
            audit.record(tx, actor.user_id, "invite_visitor", "visit", visit_id)
            granting.changed(tx, account.site_id)
            found = visits.find_visit(tx, visit_id, is_host=True)
            assert found is not None, "it has just been written"
            return found
    raise Conflict("no free code was found: try again")


def own_visits(tx: Tx, actor: User) -> list[Visit]:
    """Return the visits of the actor's homes with their codes, the last invited first."""
    require(actor, Action.INVITE_VISITORS)
    return visits.visits_of_accounts(tx, actor.account_ids, _LISTED_MAX) if actor.account_ids else []


def visits_today(tx: Tx, actor: User, site_id: SiteId) -> list[Visit]:
    """Return who is expected or came today, without codes."""
    require(actor, Action.ADMIT_VISITORS)
    zone = time_zone(site_of(tx, site_id).time_zone)
    begin_ms = midnight_ms(local_date(tx.now_ms, zone), zone)
    return visits.visits_of_site(tx, site_id, begin_ms, begin_ms + _DAY_MS, _LISTED_MAX)


def gate_today(tx: Tx, actor: User, site_id: SiteId) -> tuple[list[Visit], dict[VisitId, Barring]]:
    """Return who is expected or came today, and which of them are barred and why."""
    found = visits_today(tx, actor, site_id)
    return found, barrings.barred(tx, [one.visit_id for one in found])


async def admit_by_code(database: Database, actor: User, site_id: SiteId, code: str) -> Visit:
    """Let in who has this code; TooMany for who tries too often, for it may be a guess."""

    async def attempt() -> Visit:
        # Written down in a transaction of its own: a refusal undoes the one it is said in.
        await database.write(actor.tenant_id, _note_barred, actor, site_id, code)
        return await database.write(actor.tenant_id, admit, actor, site_id, code)

    limits = [(VISIT_CODE_PER_USER, actor.user_id)]
    return await guess(database, actor.tenant_id, limits, attempt, NotFound)


def admit(tx: Tx, actor: User, site_id: SiteId, code: str) -> Visit:
    """Let in who has this code, once, and tell the host."""
    require(actor, Action.ADMIT_VISITORS)
    found = _by_code(tx, site_id, code)
    if found is None:
        raise NotFound("no visit has this code")
    if found.arrived_at_ms is not None:
        raise Conflict("this code has let somebody in already")
    if barrings.barred(tx, [found.visit_id]):
        # Said so that whoever reads it over the guard's shoulder learns nothing; the reason is in the list.
        raise Conflict("this visit is for the manager on duty: ask the visitor to wait")
    if not found.lets_in_at(tx.now_ms) or not visits.admit(tx, found.visit_id, actor.person_id):
        raise Conflict("this code does not hold now: it was taken back, is over, or has not begun")
    audit.record(tx, actor.user_id, "admit_visitor", "visit", found.visit_id)
    _tell_host(tx, found)
    after = visits.find_visit(tx, found.visit_id)
    assert after is not None, "a visit is never deleted"
    return after


def _note_barred(tx: Tx, actor: User, site_id: SiteId, code: str) -> None:
    require(actor, Action.ADMIT_VISITORS)
    found = _by_code(tx, site_id, code)
    if found is not None and (fits := barrings.barred(tx, [found.visit_id])):
        barrings.note_refusal(tx, actor, found, fits[found.visit_id])


def _by_code(tx: Tx, site_id: SiteId, code: str) -> Visit | None:
    digits = "".join(sign for sign in code if sign.isdecimal())
    return visits.find_by_code(tx, site_id, digits) if len(digits) == CODE_DIGITS else None


def let_in_by_door(tx: Tx, visit_id: VisitId) -> None:
    """Take note that a door let a visitor in by their code; for services that know so."""
    found = visits.find_visit(tx, visit_id)
    if found is not None and visits.admit(tx, visit_id, None):
        audit.record(tx, None, "admit_visitor", "visit", visit_id)
        _tell_host(tx, found)


def _tell_host(tx: Tx, found: Visit) -> None:
    """Tell the host that their visitor is here; no door takes the code any more."""
    granting.changed(tx, found.site_id)
    site = site_of(tx, found.site_id)
    notify(
        tx,
        NewNotice(
            Topic.ANNOUNCEMENT,
            f"visit:{found.visit_id}",
            {"site": site.name, "title": "visitor_arrived", "text": f"{found.space_code} {found.name}"},
            account_id=found.account_id,
            link="/home/visitors",
            is_urgent=True,
        ),
    )


def take_back(tx: Tx, actor: User, visit_id: VisitId) -> None:
    """Take a visit back before anybody came; to others' hosts it does not exist."""
    require(actor, Action.INVITE_VISITORS)
    found = visits.find_visit(tx, visit_id)
    if found is None:
        raise NotFound(f"there is no visit {visit_id}")
    require_account(actor, found.account_id)
    if not visits.cancel(tx, visit_id):
        raise Conflict("somebody has come already, or it was taken back")
    audit.record(tx, actor.user_id, "take_back_visit", "visit", visit_id)
    granting.changed(tx, found.site_id)
