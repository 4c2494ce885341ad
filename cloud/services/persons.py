"""People: kept with their numbers sealed, shown masked, revealed for a reason that is written down.

The invariant: no number leaves whole but through `reveal` and a person's own copy, and both are in the
audit log with who and why; what somebody asks for of their data is due and answered once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from cloud.domain.access import Action, may, require, require_recent
from cloud.domain.complaint import Complaint, ComplaintState
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.identity_number import identity_number, mobile_number, plate_number
from cloud.domain.ids import PersonId, SiteId, SpaceId, VehicleId
from cloud.domain.invoice import InvoiceSummary
from cloud.domain.page import Page, checked_limit, cursor_from_key, key_from_cursor
from cloud.domain.people import Account
from cloud.domain.periods import local_date, time_zone
from cloud.domain.person import (
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    Consent,
    ConsentPurpose,
    Occupancy,
    Person,
    PersonField,
    PersonRow,
    PrivacyRequest,
    Relation,
    Tag,
    Vehicle,
    checked_name,
    tags_of,
)
from cloud.domain.repair import Repair, RepairState
from cloud.domain.user import User
from cloud.services import invoices, ledger, payments
from cloud.services.premises import site_of
from cloud.store import audit, complaints, people, persons, premises, privacy, repairs
from cloud.store.db import Tx
from cloud.store.repairs import RepairFilter

_REASON_LENGTH_MIN, _REASON_LENGTH_MAX = 4, 200
_INVOICES_SHOWN, _REPAIRS_SHOWN, _COMPLAINTS_SHOWN = 12, 20, 20


@dataclass(frozen=True, slots=True)
class AccountOfPerson:
    """An account of a home somebody lives in, and what is owed on it."""

    account: Account
    balance_fen: int
    overdue: int


@dataclass(frozen=True, slots=True)
class PersonDetail:
    """One person's whole story; what the reader may not see of it is empty."""

    person: Person
    homes: tuple[Occupancy, ...]
    vehicles: tuple[Vehicle, ...]
    consents: tuple[Consent, ...]
    requests: tuple[PrivacyRequest, ...]
    accounts: tuple[AccountOfPerson, ...]
    invoices: tuple[InvoiceSummary, ...]
    repairs: tuple[Repair, ...]
    complaints: tuple[Complaint, ...]
    tags: tuple[Tag, ...]


def add_person(
    tx: Tx, actor: User, site_id: SiteId, name: str, phone: str = "", identity: str = "", note: str = ""
) -> Person:
    """Add a person; Conflict if the site knows somebody of this identity number."""
    require(actor, Action.MANAGE_PEOPLE)
    site_of(tx, site_id)
    checked = checked_name(name), phone and mobile_number(phone), identity and identity_number(identity)
    person_id = persons.insert_person(tx, site_id, *checked, _checked_note(note))
    if person_id is None:
        raise Conflict("somebody with this identity number is known already: look for them by it")
    audit.record(tx, actor.user_id, "add_person", "person", person_id)
    return _found(tx, person_id)


def edit_person(
    tx: Tx,
    actor: User,
    person_id: PersonId,
    name: str,
    note: str = "",
    phone: str | None = None,
    identity: str | None = None,
) -> Person:
    """Change a person; numbers that are not given stay as they are, empty ones are removed."""
    require(actor, Action.MANAGE_PEOPLE)
    _living(tx, person_id)
    persons.update_person(
        tx,
        person_id,
        checked_name(name),
        _checked_note(note),
        mobile_number(phone) if phone else phone,
        identity_number(identity) if identity else identity,
    )
    changed = [word for word, value in (("phone", phone), ("identity", identity)) if value is not None]
    audit.record(tx, actor.user_id, "edit_person", "person", person_id, {"numbers": ", ".join(changed)})
    return _found(tx, person_id)


def list_people(
    tx: Tx, actor: User, site_id: SiteId, search: str = "", cursor: str | None = None, limit: int = 50
) -> Page[PersonRow]:
    """Return a site's people by name; `search` is part of a name or a home, or a whole number."""
    require(actor, Action.READ_PEOPLE)
    checked_limit(limit)
    today = local_date(tx.now_ms, time_zone(site_of(tx, site_id).time_zone))
    after = None
    if cursor:
        name, person_id = key_from_cursor(cursor, str, UUID)
        after = (str(name), str(person_id))
    text = search.strip()[:100]
    numbers = {text, text.upper().replace("·", "").replace(" ", "")} if text else set()
    found = persons.list_persons(tx, site_id, text, sorted(numbers), after, limit + 1)
    homes: dict[PersonId, list[Occupancy]] = {}
    for one in persons.occupancies_of_people(tx, [one.person_id for one in found]):
        if one.holds_on(today):
            homes.setdefault(one.person_id, []).append(one)
    rows = tuple(PersonRow(one, tuple(homes.get(one.person_id, ()))) for one in found[:limit])
    last = found[limit - 1] if len(found) > limit else None
    return Page(rows, None if last is None else cursor_from_key(last.name, last.person_id))


def get_person(tx: Tx, actor: User, person_id: PersonId) -> PersonDetail:
    """Return one person's whole story, as far as the actor may read it."""
    require(actor, Action.READ_PEOPLE)
    found = _found(tx, person_id)
    today = local_date(tx.now_ms, time_zone(site_of(tx, found.site_id).time_zone))
    homes = persons.occupancies_of_people(tx, [person_id])
    account_ids = [account.account_id for account in accounts_of_homes(tx, homes)]
    told = repairs.list_repairs(
        tx,
        found.site_id,
        RepairFilter(frozenset(RepairState), account_ids=account_ids),
        None,
        _REPAIRS_SHOWN,
    )
    said: list[Complaint] = []
    if may(actor, Action.READ_COMMUNITY):
        said = complaints.list_complaints(
            tx, found.site_id, frozenset(ComplaintState), account_ids, None, _COMPLAINTS_SHOWN
        )
    accounts: tuple[AccountOfPerson, ...] = ()
    papers: tuple[InvoiceSummary, ...] = ()
    if may(actor, Action.READ_LEDGER):
        accounts = tuple(_account(tx, actor, account, today) for account in accounts_of_homes(tx, homes))
        papers = tuple(
            paper
            for one in accounts
            for paper in invoices.list_invoices(
                tx, actor, account_id=one.account.account_id, limit=_INVOICES_SHOWN
            ).items
        )
    overdue = sum(one.overdue for one in accounts)
    is_judged = may(actor, Action.READ_LEDGER)
    return PersonDetail(
        found,
        tuple(homes),
        tuple(persons.vehicles_of(tx, person_id)),
        tuple(privacy.consents_of(tx, person_id)),
        tuple(privacy.requests_of(tx, person_id)),
        accounts,
        papers,
        tuple(told),
        tuple(said),
        tags_of(homes, papers, overdue, told, said, today, tx.now_ms) if is_judged else (),
    )


def people_of_space(tx: Tx, actor: User, space_id: SpaceId) -> list[tuple[Person, Occupancy]]:
    """Return who belongs to a space today."""
    require(actor, Action.READ_PEOPLE)
    still = [one for one in persons.occupancies_of_space(tx, space_id) if one.to_on is None]
    return [(_found(tx, one.person_id), one) for one in still]


def reveal(tx: Tx, actor: User, person_id: PersonId, field: PersonField, reason: str) -> str:
    """Return a number whole, and write down who looked and why."""
    require(actor, Action.REVEAL_PERSONAL_DATA)
    require_recent(actor, tx.now_ms)
    said = reason.strip()
    if not _REASON_LENGTH_MIN <= len(said) <= _REASON_LENGTH_MAX:
        raise Invalid(f"say why in {_REASON_LENGTH_MIN} to {_REASON_LENGTH_MAX} characters; it is kept")
    _living(tx, person_id)
    audit.record(
        tx, actor.user_id, "reveal_number", "person", person_id, {"field": field.value, "reason": said}
    )
    if field is PersonField.PLATE:
        return ", ".join(one.plate for one in persons.vehicles_of(tx, person_id, is_whole=True))
    return persons.reveal(tx, person_id, field)


def relate(
    tx: Tx,
    actor: User,
    person_id: PersonId,
    space_id: SpaceId,
    relation: Relation,
    from_on: date,
) -> None:
    """Note that somebody belongs to a home from a day on."""
    require(actor, Action.MANAGE_PEOPLE)
    found = _living(tx, person_id)
    if premises.site_of_space(tx, space_id) != found.site_id:
        raise NotFound(f"there is no space {space_id}")
    if not persons.insert_occupancy(tx, person_id, space_id, relation, from_on):
        raise Conflict(f"{found.name} belongs to this home from {from_on} already")
    audit.record(
        tx, actor.user_id, "relate_person", "person", person_id, {"space": space_id, "as": relation.value}
    )


def end_relation(tx: Tx, actor: User, person_id: PersonId, occupancy_id: str, on: date) -> None:
    """Note that somebody belongs to a home no longer from a day on."""
    require(actor, Action.MANAGE_PEOPLE)
    own = [one for one in persons.occupancies_of_people(tx, [person_id]) if one.occupancy_id == occupancy_id]
    if not own:
        raise NotFound("there is no such relation")
    if on < own[0].from_on:
        raise Invalid(f"{on} is before it began, {own[0].from_on}")
    persons.end_occupancies(tx, [own[0].occupancy_id], on)
    audit.record(tx, actor.user_id, "end_relation", "person", person_id, {"space": own[0].space_id})


def add_vehicle(tx: Tx, actor: User, person_id: PersonId, plate: str, label: str = "") -> None:
    """Add a vehicle to a person."""
    require(actor, Action.MANAGE_PEOPLE)
    _living(tx, person_id)
    vehicle_id = persons.insert_vehicle(tx, person_id, plate_number(plate), label.strip()[:NAME_LENGTH_MAX])
    audit.record(tx, actor.user_id, "add_vehicle", "person", person_id, {"vehicle": vehicle_id})


def remove_vehicle(tx: Tx, actor: User, person_id: PersonId, vehicle_id: VehicleId) -> None:
    """Take a vehicle off a person."""
    require(actor, Action.MANAGE_PEOPLE)
    if not persons.remove_vehicle(tx, person_id, vehicle_id):
        raise NotFound("there is no such vehicle")
    audit.record(tx, actor.user_id, "remove_vehicle", "person", person_id, {"vehicle": vehicle_id})


def record_consent(
    tx: Tx, actor: User, person_id: PersonId, purpose: ConsentPurpose, how: str, *, is_given: bool
) -> None:
    """Note that somebody agrees, or agrees no longer, and how they said so."""
    require(actor, Action.MANAGE_PEOPLE)
    _living(tx, person_id)
    if is_given:
        if not how.strip():
            raise Invalid("say how they agreed: signed, by telephone, in the app")
        privacy.insert_consent(tx, person_id, purpose, how.strip()[:NOTE_LENGTH_MAX], actor.person_id)
    elif not privacy.withdraw_consent(tx, person_id, purpose):
        raise Conflict("this was not agreed to")
    detail = {"purpose": purpose.value, "is_given": int(is_given)}
    audit.record(tx, actor.user_id, "record_consent", "person", person_id, detail)


def _account(tx: Tx, actor: User, account: Account, today: date) -> AccountOfPerson:
    items = payments.open_items(tx, actor, account.account_id, today)
    overdue = sum(item.invoice.due_on < today for item in items)
    return AccountOfPerson(account, ledger.balance(tx, actor, account.account_id), overdue)


def accounts_of_homes(tx: Tx, homes: Sequence[Occupancy]) -> list[Account]:
    """Return the accounts of the homes while somebody lived there."""
    return [
        account
        for account in people.accounts_of_spaces(tx, {home.space_id for home in homes})
        if any(
            home.space_id == account.space_id
            and (home.to_on is None or account.opened_on < home.to_on)
            and (account.closed_on is None or home.from_on < account.closed_on)
            for home in homes
        )
    ]


def _found(tx: Tx, person_id: PersonId) -> Person:
    found = persons.find_person(tx, person_id)
    if found is None:
        raise NotFound(f"there is no person {person_id}")
    return found


def _living(tx: Tx, person_id: PersonId) -> Person:
    found = _found(tx, person_id)
    if found.erased_at_ms is not None:
        raise Conflict("this person's data was deleted at their request")
    return found


def _checked_note(note: str) -> str:
    if len(note) > NOTE_LENGTH_MAX:
        raise Invalid(f"the note has {len(note)} characters, expected 0 to {NOTE_LENGTH_MAX}")
    return note.strip()
