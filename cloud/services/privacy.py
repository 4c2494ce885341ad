"""What people may ask of the data kept about them: a copy of all of it, and its deletion.

The invariant: a copy holds everything and is made for its person alone; what is deleted is gone from
the person and from the accounts that bore their name. What was issued (bills, receipts) keeps the name it
was issued in, as the law of accounts wants of a document, and nobody finds them by it.
"""

from dataclasses import dataclass
from typing import Any

from cloud.domain.access import Action, require, require_recent
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import PersonId
from cloud.domain.ledger import DEPOSIT, PREPAYMENT, RECEIVABLE
from cloud.domain.people import Account
from cloud.domain.periods import local_date, time_zone
from cloud.domain.person import (
    Consent,
    ConsentPurpose,
    Occupancy,
    Person,
    PrivacyRequest,
    RequestKind,
    Vehicle,
)
from cloud.domain.user import Role, User
from cloud.services.own_copy import everything
from cloud.services.persons import accounts_of_homes
from cloud.services.premises import site_of
from cloud.store import audit, erasure, households, ledger, people, persons, privacy, users
from cloud.store.db import Tx


@dataclass(frozen=True, slots=True)
class OwnStory:
    """What is kept about somebody, as they see it themselves."""

    person: Person
    homes: tuple[Occupancy, ...]
    vehicles: tuple[Vehicle, ...]
    consents: tuple[Consent, ...]
    requests: tuple[PrivacyRequest, ...]

    @property
    def agreed(self) -> tuple[ConsentPurpose, ...]:
        """Return what they agree to now."""
        return tuple(one.purpose for one in self.consents if one.withdrawn_at_ms is None)


def me(tx: Tx, actor: User) -> Person | None:
    """Return the person the actor is, or None if nobody has tied their login to one."""
    require(actor, Action.USE_OWN_PRIVACY)
    return persons.find_by_user(tx, actor.user_id)


def my_story(tx: Tx, actor: User) -> OwnStory | None:
    """Return what is kept about the actor, numbers masked; None if no person is tied to their login."""
    own = me(tx, actor)
    if own is None:
        return None
    return OwnStory(
        own,
        tuple(persons.occupancies_of_people(tx, [own.person_id])),
        tuple(persons.vehicles_of(tx, own.person_id)),
        tuple(privacy.consents_of(tx, own.person_id)),
        tuple(privacy.requests_of(tx, own.person_id)),
    )


def ask(tx: Tx, actor: User, kind: RequestKind) -> str:
    """Ask for something of one's own data; asked again while it waits, it is the same request."""
    own = _me(tx, actor)
    waiting = next(
        (
            one
            for one in privacy.requests_of(tx, own.person_id)
            if one.kind is kind and one.done_at_ms is None
        ),
        None,
    )
    if waiting is not None:
        return waiting.request_id
    request_id = privacy.insert_request(tx, own.person_id, kind)
    audit.record(tx, actor.user_id, "ask_for_own_data", "person", own.person_id, {"kind": kind.value})
    return request_id


def copy_of_mine(tx: Tx, actor: User) -> dict[str, Any]:
    """Return everything kept about the actor, whole, and write down that it was handed out."""
    own = me(tx, actor)
    if own is None:  # nothing is kept but the login
        return {"name": actor.display_name}
    audit.record(tx, actor.user_id, "hand_out_own_data", "person", own.person_id)
    return everything(tx, actor, own)


def withdraw(tx: Tx, actor: User, purpose: ConsentPurpose) -> None:
    """Agree to something no longer."""
    own = _me(tx, actor)
    if not privacy.withdraw_consent(tx, own.person_id, purpose):
        raise Conflict("this was not agreed to")
    if purpose is ConsentPurpose.REGISTRATION:  # without it there is no ground to keep a login tied to homes
        for account_id in actor.account_ids:
            households.end_access(tx, account_id, actor.user_id)
    audit.record(tx, actor.user_id, "withdraw_consent", "person", own.person_id, {"purpose": purpose.value})


def open_requests(tx: Tx, actor: User) -> list[PrivacyRequest]:
    """Return what waits for an answer, the oldest first."""
    require(actor, Action.MANAGE_PEOPLE)
    return privacy.open_requests(tx)


def erase(tx: Tx, actor: User, person_id: PersonId) -> None:
    """Delete who somebody is, once they live here no longer; their requests are answered by it.

    Conflict while a relation to a home holds, or while money stands between them and an account of theirs:
    the contract needs the person until it is settled (PIPL §47 (1)).
    """
    require(actor, Action.MANAGE_PEOPLE)
    require_recent(actor, tx.now_ms)
    found = persons.find_person(tx, person_id)
    if found is None:
        raise NotFound(f"there is no person {person_id}")
    today = local_date(tx.now_ms, time_zone(site_of(tx, found.site_id).time_zone))
    homes = persons.occupancies_of_people(tx, [person_id])
    held = [one for one in homes if one.holds_on(today)]
    if held:
        raise Conflict(f"{found.name} still belongs to {held[0].space_code}: end that first")
    for account in accounts_of_homes(tx, homes):
        if account.holder_name == found.name:
            _take_name_off(tx, account)
    persons.erase_person(tx, person_id)
    login = None if found.user_id is None else users.find_user(tx, found.user_id)
    if login is not None and login.user.role is Role.RESIDENT:  # who works here still signs in
        erasure.erase_login(tx, login.user.user_id)
    for one in privacy.requests_of(tx, person_id):
        privacy.finish_request(tx, one.request_id, "erased")
    audit.record(tx, actor.user_id, "erase_person", "person", person_id)


def _take_name_off(tx: Tx, account: Account) -> None:
    people.lock_account(tx, account.account_id)  # no payment in between
    for standing in (RECEIVABLE, PREPAYMENT, DEPOSIT):
        left_fen = ledger.balance_of(tx, account.account_id, [standing])
        if left_fen:
            raise Conflict(
                f"account {account.number} is not settled, {abs(left_fen)} fen stand on it: settle that first"
            )
    people.clear_holder(tx, account.account_id)


def answer(tx: Tx, actor: User, request_id: str, outcome: str) -> None:
    """Note how a request was answered other than by doing it."""
    require(actor, Action.MANAGE_PEOPLE)
    if not privacy.finish_request(tx, request_id, outcome.strip()[:500] or "answered"):
        raise NotFound("there is no such request, or it was answered already")
    audit.record(tx, actor.user_id, "answer_privacy_request", "privacy_request", request_id)


def _me(tx: Tx, actor: User) -> Person:
    own = me(tx, actor)
    if own is None:
        raise NotFound("no person is tied to this login: ask the property office")
    return own
