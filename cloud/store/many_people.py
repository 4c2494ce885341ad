"""Many people at once, for imports: who is known, where they live, and those who are new.

The invariant: numbers are sealed and compared sealed here too; what leaves is masked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from cloud.domain.identity_number import mask_identity, mask_mobile
from cloud.domain.ids import OccupancyId, PersonId, SiteId, SpaceId
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import occupancy, person, space, vehicle
from cloud.store.sealing import Sealer, opener, opener_of, sealer, unseal_with


@dataclass(frozen=True, slots=True)
class PersonAtHome:
    """One person and one home of theirs; numbers are masked."""

    occupancy_id: OccupancyId
    person_id: PersonId
    space_code: str
    name: str
    relation: str
    from_on: date
    to_on: date | None
    phone: str
    identity: str
    note: str


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to be added, with numbers whole."""

    person_id: PersonId
    name: str
    phone: str = field(repr=False)
    identity: str = field(repr=False)
    note: str


@dataclass(frozen=True, slots=True)
class NewOccupancy:
    """That a person belongs to a space."""

    person_id: PersonId
    space_id: SpaceId
    relation: str
    from_on: date
    to_on: date | None


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """Whom a site knows, found by whole numbers; without a key it knows nobody by any."""

    own: Sealer | None
    by_identity: Mapping[str, tuple[PersonId, str]]
    by_phone: Mapping[tuple[str, str], PersonId]

    def of_identity(self, number: str) -> PersonId | None:
        """Return who has this identity number, or None."""
        found = self._named(number)
        return None if found is None else found[0]

    def name_of(self, number: str) -> str:
        """Return the name of who has this identity number; nothing if nobody has."""
        found = self._named(number)
        return "" if found is None else found[1]

    def of_phone(self, number: str, name: str) -> PersonId | None:
        """Return who has this telephone number and name, or None."""
        return None if self.own is None else self.by_phone.get((self.own.blind("phone", number), name))

    def _named(self, number: str) -> tuple[PersonId, str] | None:
        return None if self.own is None else self.by_identity.get(self.own.blind("identity", number))


def known_people(tx: Tx, site_id: SiteId) -> KnownPeople:
    """Return whom a site knows."""
    by_identity: dict[str, tuple[PersonId, str]] = {}
    by_phone: dict[tuple[str, str], PersonId] = {}
    # Who is known here, and by which numbers?
    rows = tx.conn.execute(
        sa.select(person.c.id, person.c.name, person.c.identity_blind, person.c.phone_blind).where(
            person.c.tenant_id == tx.tenant_id, person.c.site_id == site_id, person.c.erased_at_ms.is_(None)
        )
    )
    for person_id, name, identity, phone in rows:
        if identity is not None:
            by_identity[identity] = (PersonId(person_id), name)
        if phone is not None:
            by_phone[phone, name] = PersonId(person_id)
    return KnownPeople(opener(tx), by_identity, by_phone)


def homes_of_people(tx: Tx, site_id: SiteId) -> list[PersonAtHome]:
    """Return every person with each home they belong or belonged to, the latest relation last."""
    # Who lives and lived where?
    rows = tx.conn.execute(
        sa.select(
            occupancy.c.id,
            occupancy.c.person_id,
            space.c.code,
            person.c.name,
            occupancy.c.relation,
            occupancy.c.from_on,
            occupancy.c.to_on,
            person.c.phone_sealed,
            person.c.identity_sealed,
            person.c.note,
        )
        .select_from(
            occupancy.join(
                person,
                sa.and_(person.c.tenant_id == occupancy.c.tenant_id, person.c.id == occupancy.c.person_id),
            ).join(
                space, sa.and_(space.c.tenant_id == occupancy.c.tenant_id, space.c.id == occupancy.c.space_id)
            )
        )
        .where(
            occupancy.c.tenant_id == tx.tenant_id,
            person.c.site_id == site_id,
            person.c.erased_at_ms.is_(None),
        )
        .order_by(occupancy.c.from_on, occupancy.c.id)
    ).all()
    own = opener_of(tx, (sealed for row in rows for sealed in (row.phone_sealed, row.identity_sealed)))
    return [
        PersonAtHome(
            OccupancyId(row.id),
            PersonId(row.person_id),
            row.code,
            row.name,
            row.relation,
            row.from_on,
            row.to_on,
            _masked(mask_mobile, unseal_with(own, "person", row.person_id, "phone", row.phone_sealed)),
            _masked(
                mask_identity, unseal_with(own, "person", row.person_id, "identity", row.identity_sealed)
            ),
            row.note,
        )
        for row in rows
    ]


def insert_people(tx: Tx, site_id: SiteId, added: Sequence[NewPerson]) -> None:
    """Add people under the ids they come with."""
    if not added:
        return
    own = sealer(tx)
    rows = []
    for one in added:
        phone, phone_blind = own.seal_findable("person", one.person_id, "phone", "phone", one.phone)
        identity, identity_blind = own.seal_findable(
            "person", one.person_id, "identity", "identity", one.identity
        )
        rows.append(
            {
                "tenant_id": tx.tenant_id,
                "id": one.person_id,
                "site_id": site_id,
                "name": one.name,
                "phone_sealed": phone,
                "phone_blind": phone_blind,
                "identity_sealed": identity,
                "identity_blind": identity_blind,
                "note": one.note,
                "created_at_ms": tx.now_ms,
            }
        )
    insert_rows(tx, person, rows)


def insert_homes(tx: Tx, added: Sequence[NewOccupancy]) -> list[str]:
    """Note where people belong; return the relations in order."""
    ids = [tx.new_id() for _ in added]
    insert_rows(
        tx,
        occupancy,
        [
            {
                "tenant_id": tx.tenant_id,
                "id": occupancy_id,
                "person_id": one.person_id,
                "space_id": one.space_id,
                "relation": one.relation,
                "from_on": one.from_on,
                "to_on": one.to_on,
            }
            for occupancy_id, one in zip(ids, added, strict=True)
        ],
    )
    return ids


def insert_vehicles(tx: Tx, added: Sequence[tuple[PersonId, str]]) -> list[str]:
    """Add vehicles by their plates; return them in order."""
    if not added:
        return []
    own, ids = sealer(tx), [tx.new_id() for _ in added]
    rows = []
    for vehicle_id, (person_id, plate) in zip(ids, added, strict=True):
        sealed, blinded = own.seal_findable("vehicle", vehicle_id, "plate", "plate", plate)
        rows.append(
            {
                "tenant_id": tx.tenant_id,
                "id": vehicle_id,
                "person_id": person_id,
                "plate_sealed": sealed,
                "plate_blind": blinded,
                "label": "",
            }
        )
    insert_rows(tx, vehicle, rows)
    return ids


def set_end(tx: Tx, occupancy_id: OccupancyId, to_on: date | None) -> None:
    """Say until when a person belongs to a home; None: still."""
    # Change one relation's end.
    tx.conn.execute(
        sa.update(occupancy)
        .where(occupancy.c.tenant_id == tx.tenant_id, occupancy.c.id == occupancy_id)
        .values(to_on=to_on)
    )


def set_note(tx: Tx, person_id: PersonId, note: str) -> None:
    """Change what is noted of a person."""
    # Change one person's note.
    tx.conn.execute(
        sa.update(person)
        .where(person.c.tenant_id == tx.tenant_id, person.c.id == person_id)
        .values(note=note)
    )


def _masked(mask: Callable[[str], str], number: str) -> str:
    return mask(number) if number else ""
