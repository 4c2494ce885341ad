"""Everything kept about somebody, as one document they can take with them.

The invariant: it holds what is theirs and nothing of who lived there before or after them; money only
where they may see it.
"""

from base64 import b64encode
from datetime import date
from typing import Any

from cloud.domain.complaint import ComplaintState
from cloud.domain.person import Occupancy, Person, PersonField
from cloud.domain.repair import RepairState
from cloud.domain.user import User
from cloud.services.persons import accounts_of_homes
from cloud.store import (
    ballots,
    complaints,
    contacts,
    goods,
    invoices,
    parcels,
    passages,
    payments,
    persons,
    photos,
    privacy,
    repairs,
    sessions,
    users,
    venues,
    visits,
)
from cloud.store.db import Tx
from cloud.store.repairs import RepairFilter

_PAPERS_MAX = 500
_PHOTOS_MAX = 100


def everything(tx: Tx, actor: User, own: Person) -> dict[str, Any]:
    """Return all that is kept about the actor, who is this person; numbers whole."""
    homes = persons.occupancies_of_people(tx, [own.person_id])
    accounts = accounts_of_homes(tx, homes)
    ids = [account.account_id for account in accounts]
    with_bills = [account_id for account_id in ids if account_id not in actor.member_of]
    told = repairs.list_repairs(
        tx, own.site_id, RepairFilter(frozenset(RepairState), account_ids=ids), None, _PAPERS_MAX
    )
    said = complaints.list_complaints(tx, None, frozenset(ComplaintState), ids, None, _PAPERS_MAX)
    papers = invoices.list_summaries(
        tx, site_id=None, account_ids=with_bills, period_code=None, before_id=None, limit=_PAPERS_MAX
    )
    return {
        "name": own.name,
        "phone": persons.reveal(tx, own.person_id, PersonField.PHONE),
        "identity_number": persons.reveal(tx, own.person_id, PersonField.IDENTITY),
        "note": own.note,
        "login": _login(tx, actor),
        "homes": [_home(home) for home in homes],
        "vehicles": [
            {"plate": one.plate, "label": one.label}
            for one in persons.vehicles_of(tx, own.person_id, is_whole=True)
        ],
        "consents": [
            {
                "purpose": one.purpose.value,
                "given_at_ms": one.given_at_ms,
                "withdrawn_at_ms": one.withdrawn_at_ms,
                "how": one.how,
            }
            for one in privacy.consents_of(tx, own.person_id)
        ],
        "requests": [
            {"kind": one.kind.value, "asked_at_ms": one.asked_at_ms, "outcome": one.outcome}
            for one in privacy.requests_of(tx, own.person_id)
        ],
        "accounts": [
            {"number": account.number, "opened_on": account.opened_on.isoformat()} for account in accounts
        ],
        "invoices": [
            {
                "number": paper.number,
                "period": paper.period_code,
                "issued_on": paper.issued_on.isoformat(),
                "total_fen": paper.total_fen,
            }
            for paper in papers
        ],
        "payments": [
            {"number": one.number, "received_on": one.received_on.isoformat(), "amount_fen": one.amount_fen}
            for account_id in with_bills
            for one in payments.payments_of(tx, account_id)
        ],
        "repairs": [
            {"number": one.number, "description": one.description, "reported_at_ms": one.reported_at_ms}
            for one in told
        ],
        "complaints": [
            {"number": one.number, "text": one.text, "told_at_ms": one.told_at_ms} for one in said
        ],
        "votes": [
            {
                "title": one.title,
                "home": one.space_code,
                "choice": one.choice,
                "cast_at_ms": one.cast_at_ms,
            }
            for one in ballots.votes_of_user(tx, actor.user_id, _PAPERS_MAX)
        ],
        "photos": [
            {"of": kind, "id": subject_id, "added_at_ms": one.created_at_ms, "jpeg": b64encode(jpeg).decode()}
            for one, kind, subject_id, jpeg in photos.photos_added_by(tx, actor.user_id, _PHOTOS_MAX)
        ],
        "passages": [
            {
                "at_ms": one.occurred_at_ms,
                "door": one.entrance_name,
                "outcome": one.outcome.value,
                "reason": one.reason,
            }
            for one in passages.passages_of_user(tx, actor.user_id, ids, own.name, _PAPERS_MAX)
        ],
        **_of_the_gate(tx, ids),
    }


def _login(tx: Tx, actor: User) -> dict[str, Any]:
    record = users.find_user(tx, actor.user_id)
    return {
        "name": "" if record is None else record.login,
        "display_name": actor.display_name,
        "language": actor.locale.value,
        "reached_at": [one.address for one in contacts.contacts_of_user(tx, actor.user_id)],
        "signed_in": [
            {"client": one.client, "address": one.address, "since_ms": one.created_at_ms}
            for one in sessions.list_sessions(tx, actor.user_id)
        ],
    }


def _of_the_gate(tx: Tx, ids: list[Any]) -> dict[str, Any]:
    return {
        "visits": [
            {"name": one.name, "from_ms": one.from_ms, "arrived_at_ms": one.arrived_at_ms}
            for one in visits.visits_of_accounts(tx, ids, _PAPERS_MAX)
        ],
        "goods": [
            {"asked_at_ms": one.asked_at_ms, "note": one.note, "released_at_ms": one.released_at_ms}
            for one in goods.slips_of_accounts(tx, ids, _PAPERS_MAX)
        ],
        "bookings": [
            {"venue": one.venue_name, "from_ms": one.from_ms}
            for one in venues.bookings_of_accounts(tx, ids, _PAPERS_MAX)
        ],
        "parcels": [
            {
                "home": one.space_code,
                "carrier": one.carrier,
                "arrived_at_ms": one.arrived_at_ms,
                "handed_out_at_ms": one.handed_out_at_ms,
            }
            for one in parcels.parcels_of_accounts(tx, ids, _PAPERS_MAX)
        ],
    }


def _home(home: Occupancy) -> dict[str, str | None]:
    def told(day: date | None) -> str | None:
        return None if day is None else day.isoformat()

    return {
        "home": home.space_code,
        "relation": home.relation.value,
        "from_on": told(home.from_on),
        "to_on": told(home.to_on),
    }
