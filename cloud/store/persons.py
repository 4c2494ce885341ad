"""People and what belongs to them; numbers are sealed here and nowhere else, and leave masked."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.identity_number import mask_identity, mask_mobile, mask_plate
from cloud.domain.ids import OccupancyId, PersonId, SiteId, SpaceId, UserId, VehicleId
from cloud.domain.person import Occupancy, Person, PersonField, Relation, Vehicle
from cloud.store.db import Tx
from cloud.store.schema import occupancy, person, space, vehicle
from cloud.store.sealing import blind, opener_of, seal_findable, unseal, unseal_with

_COLUMNS = {PersonField.IDENTITY: "identity_sealed", PersonField.PHONE: "phone_sealed"}


def insert_person(
    tx: Tx, site_id: SiteId, name: str, phone: str, identity: str, note: str, user_id: UserId | None = None
) -> PersonId | None:
    """Add a person; None if the site knows somebody of this identity number, or this login."""
    person_id = PersonId(tx.new_id())
    phone_sealed, phone_blind = seal_findable(tx, "person", person_id, "phone", "phone", phone)
    identity_sealed, identity_blind = seal_findable(tx, "person", person_id, "identity", "identity", identity)
    # Add one person, unless they are known.
    count = tx.conn.execute(
        tx.insert(person)
        .values(
            tenant_id=tx.tenant_id,
            id=person_id,
            site_id=site_id,
            name=name,
            phone_sealed=phone_sealed,
            phone_blind=phone_blind,
            identity_sealed=identity_sealed,
            identity_blind=identity_blind,
            note=note,
            user_id=user_id,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing()
    ).rowcount
    return person_id if count else None


def update_person(
    tx: Tx, person_id: PersonId, name: str, note: str, phone: str | None, identity: str | None
) -> None:
    """Change a person's name and note, and the numbers that are given."""
    changed: dict[str, Any] = {"name": name, "note": note}
    if phone is not None:
        changed["phone_sealed"], changed["phone_blind"] = seal_findable(
            tx, "person", person_id, "phone", "phone", phone
        )
    if identity is not None:
        changed["identity_sealed"], changed["identity_blind"] = seal_findable(
            tx, "person", person_id, "identity", "identity", identity
        )
    _update(tx, person_id, changed)


def erase_person(tx: Tx, person_id: PersonId) -> None:
    """Take everything from a person that says who they are."""
    _update(
        tx,
        person_id,
        {
            "name": "",
            "note": "",
            "phone_sealed": None,
            "phone_blind": None,
            "identity_sealed": None,
            "identity_blind": None,
            "user_id": None,
            "erased_at_ms": tx.now_ms,
        },
    )
    # Their vehicles' plates go with them.
    tx.conn.execute(
        sa.update(vehicle)
        .where(vehicle.c.tenant_id == tx.tenant_id, vehicle.c.person_id == person_id)
        .values(plate_sealed=None, plate_blind=None, label="", removed_at_ms=tx.now_ms)
    )


def find_person(tx: Tx, person_id: PersonId) -> Person | None:
    """Return one person, or None."""
    found = _persons(tx, person.c.id == person_id)
    return found[0] if found else None


def find_by_user(tx: Tx, user_id: UserId) -> Person | None:
    """Return who signs in as this user, or None."""
    found = _persons(tx, person.c.user_id == user_id)
    return found[0] if found else None


def find_unsigned(tx: Tx, person_ids: Collection[PersonId], phone: str) -> PersonId | None:
    """Return which of some people has this number and no login yet, or None."""
    # Who of them is it?
    found = tx.conn.scalars(
        sa.select(person.c.id).where(
            person.c.tenant_id == tx.tenant_id,
            person.c.id.in_(sorted(person_ids)),
            person.c.phone_blind == blind(tx, "phone", phone),
            person.c.user_id.is_(None),
        )
    ).first()
    return None if found is None else PersonId(found)


def tie_user(tx: Tx, person_id: PersonId, user_id: UserId) -> None:
    """Note by which login somebody signs in."""
    _update(tx, person_id, {"user_id": user_id})


def reveal(tx: Tx, person_id: PersonId, field: PersonField) -> str:
    """Return a number of a person whole; nothing if there is none."""
    column = person.c[_COLUMNS[field]]
    # What is this number, whole?
    sealed = tx.conn.execute(
        sa.select(column).where(person.c.tenant_id == tx.tenant_id, person.c.id == person_id)
    ).scalar_one_or_none()
    return unseal(tx, "person", person_id, field.value, sealed)


def list_persons(
    tx: Tx, site_id: SiteId, search: str, numbers: Collection[str], after: tuple[str, str] | None, limit: int
) -> list[Person]:
    """Return a site's people by name, those after `(name, id)`.

    `search` is part of a name, or a space's code; `numbers` are exact numbers in their normal forms.
    """
    clauses = [person.c.site_id == site_id, person.c.erased_at_ms.is_(None)]
    if search:
        found: list[sa.ColumnElement[bool]] = [
            person.c.name.icontains(search, autoescape=True),
            person.c.id.in_(_living_in(tx, search)),
        ]
        for number in numbers:
            found += [
                person.c.phone_blind == blind(tx, "phone", number),
                person.c.identity_blind == blind(tx, "identity", number),
                person.c.id.in_(_driving(tx, blind(tx, "plate", number))),
            ]
        clauses.append(sa.or_(*found))
    if after is not None:
        clauses.append(sa.tuple_(person.c.name, person.c.id) > after)
    return _persons(tx, sa.and_(*clauses), limit)


def insert_occupancy(
    tx: Tx,
    person_id: PersonId,
    space_id: SpaceId,
    relation: Relation,
    from_on: date,
    to_on: date | None = None,
) -> bool:
    """Note that somebody belongs to a space; False if that is noted already."""
    # Add one relation, unless it is there.
    return bool(
        tx.conn.execute(
            tx.insert(occupancy)
            .values(
                tenant_id=tx.tenant_id,
                id=tx.new_id(),
                person_id=person_id,
                space_id=space_id,
                relation=relation.value,
                from_on=from_on,
                to_on=to_on,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "person_id", "space_id", "from_on"])
        ).rowcount
    )


def end_occupancies(tx: Tx, ids: Sequence[OccupancyId], on: date) -> None:
    """Note that relations end with the day before `on`."""
    # These people have left.
    tx.conn.execute(
        sa.update(occupancy)
        .where(occupancy.c.tenant_id == tx.tenant_id, occupancy.c.id.in_(list(ids)))
        .values(to_on=on)
    )


def occupancies_of_people(tx: Tx, person_ids: Collection[PersonId]) -> list[Occupancy]:
    """Return where people live and lived, oldest first."""
    return _occupancies(tx, occupancy.c.person_id.in_(sorted(person_ids)))


def occupancies_of_space(tx: Tx, space_id: SpaceId) -> list[Occupancy]:
    """Return who belongs and belonged to a space, oldest first."""
    return _occupancies(tx, occupancy.c.space_id == space_id)


def insert_vehicle(tx: Tx, person_id: PersonId, plate: str, label: str) -> VehicleId:
    """Add a vehicle."""
    vehicle_id = VehicleId(tx.new_id())
    sealed, blinded = seal_findable(tx, "vehicle", vehicle_id, "plate", "plate", plate)
    # Add one vehicle.
    tx.conn.execute(
        tx.insert(vehicle).values(
            tenant_id=tx.tenant_id,
            id=vehicle_id,
            person_id=person_id,
            plate_sealed=sealed,
            plate_blind=blinded,
            label=label,
        )
    )
    return vehicle_id


def remove_vehicle(tx: Tx, person_id: PersonId, vehicle_id: VehicleId) -> bool:
    """Note that a vehicle is theirs no longer; tell whether it was."""
    # Take one vehicle off.
    return bool(
        tx.conn.execute(
            sa.update(vehicle)
            .where(
                vehicle.c.tenant_id == tx.tenant_id,
                vehicle.c.id == vehicle_id,
                vehicle.c.person_id == person_id,
                vehicle.c.removed_at_ms.is_(None),
            )
            .values(removed_at_ms=tx.now_ms)
        ).rowcount
    )


def vehicles_of(tx: Tx, person_id: PersonId, *, is_whole: bool = False) -> list[Vehicle]:
    """Return somebody's vehicles, plates masked unless `is_whole`."""
    # What do they drive?
    rows = tx.conn.execute(
        sa.select(vehicle.c.id, vehicle.c.plate_sealed, vehicle.c.label)
        .where(
            vehicle.c.tenant_id == tx.tenant_id,
            vehicle.c.person_id == person_id,
            vehicle.c.removed_at_ms.is_(None),
        )
        .order_by(vehicle.c.id)
    )
    found = []
    for row in rows:
        plate = unseal(tx, "vehicle", row.id, "plate", row.plate_sealed)
        found.append(Vehicle(VehicleId(row.id), plate if is_whole else mask_plate(plate), row.label))
    return found


def _update(tx: Tx, person_id: PersonId, changed: dict[str, Any]) -> None:
    # Change one person.
    tx.conn.execute(
        sa.update(person)
        .where(person.c.tenant_id == tx.tenant_id, person.c.id == person_id)
        .values(**changed)
    )


def _living_in(tx: Tx, code: str) -> sa.Select[Any]:
    return (
        sa.select(occupancy.c.person_id)
        .join(space, sa.and_(space.c.tenant_id == occupancy.c.tenant_id, space.c.id == occupancy.c.space_id))
        .where(
            occupancy.c.tenant_id == tx.tenant_id,
            occupancy.c.to_on.is_(None),
            space.c.code.icontains(code, autoescape=True),
        )
    )


def _driving(tx: Tx, plate_blind: str) -> sa.Select[Any]:
    return sa.select(vehicle.c.person_id).where(
        vehicle.c.tenant_id == tx.tenant_id, vehicle.c.plate_blind == plate_blind
    )


def _persons(tx: Tx, which: sa.ColumnElement[bool], limit: int | None = None) -> list[Person]:
    # Who are these people?
    rows = tx.conn.execute(
        sa.select(
            *(column for column in person.columns if column.name not in ("phone_blind", "identity_blind"))
        )
        .where(person.c.tenant_id == tx.tenant_id, which)
        .order_by(person.c.name, person.c.id)
        .limit(limit)
    ).all()
    own = opener_of(tx, (sealed for row in rows for sealed in (row.phone_sealed, row.identity_sealed)))
    found = []
    for row in rows:
        phone = unseal_with(own, "person", row.id, "phone", row.phone_sealed)
        number = unseal_with(own, "person", row.id, "identity", row.identity_sealed)
        found.append(
            Person(
                PersonId(row.id),
                SiteId(row.site_id),
                row.name,
                mask_mobile(phone) if phone else "",
                mask_identity(number) if number else "",
                row.note,
                None if row.user_id is None else UserId(row.user_id),
                row.created_at_ms,
                row.erased_at_ms,
            )
        )
    return found


def _occupancies(tx: Tx, which: sa.ColumnElement[bool]) -> list[Occupancy]:
    # Who lives where, since when?
    rows = tx.conn.execute(
        sa.select(
            occupancy.c.id,
            occupancy.c.person_id,
            occupancy.c.space_id,
            space.c.code,
            occupancy.c.relation,
            occupancy.c.from_on,
            occupancy.c.to_on,
        )
        .join(space, sa.and_(space.c.tenant_id == occupancy.c.tenant_id, space.c.id == occupancy.c.space_id))
        .where(occupancy.c.tenant_id == tx.tenant_id, which)
        .order_by(occupancy.c.from_on, occupancy.c.id)
    )
    return [
        Occupancy(
            OccupancyId(row.id),
            PersonId(row.person_id),
            SpaceId(row.space_id),
            row.code,
            Relation(row.relation),
            row.from_on,
            row.to_on,
        )
        for row in rows
    ]
