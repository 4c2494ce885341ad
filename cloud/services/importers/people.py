"""A table of people and their homes: who is known already is not added again."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cloud.domain.access import Action
from cloud.domain.ids import PersonId
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values, shown
from cloud.domain.imports.kinds.people import MASK, PEOPLE
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.person import NAME_LENGTH_MAX, NOTE_LENGTH_MAX
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import many_people, premises
from cloud.store.db import Tx
from cloud.store.many_people import KnownPeople, NewOccupancy, NewPerson

_NUMBERS = ("phone", "identity", "plate")


def look(tx: Tx, site: Site) -> Look:
    """Return who lives and lived where, numbers masked; a home that is named must be there."""
    spaces = {one.code for one in premises.list_spaces(tx, site.site_id)}
    known = many_people.known_people(tx, site.site_id)
    present: dict[Key, Values] = {
        (one.space_code, one.name): {
            "space": one.space_code,
            "name": one.name,
            "relation": one.relation,
            "from_on": one.from_on,
            "to_on": one.to_on,
            "phone": one.phone or None,
            "identity": one.identity or None,
            "plate": None,
            "note": one.note or None,
        }
        for one in many_people.homes_of_people(tx, site.site_id)
    }
    named: dict[str, str] = {}  # by identity number, within the table

    def check(values: Values, there: Values | None) -> Sequence[Fault]:
        faults = [
            Fault("masked", (shown(values[number]),), number)
            for number in _NUMBERS
            if there is None and MASK in shown(values[number])
        ]
        if values["space"] not in spaces:
            faults.append(Fault("no_space", (shown(values["space"]),), "space"))
        for column, most in (("name", NAME_LENGTH_MAX), ("note", NOTE_LENGTH_MAX)):
            if len(shown(values[column])) > most:
                faults.append(Fault("length", (str(len(shown(values[column]))), str(most)), column))
        from_on, to_on = values["from_on"], values["to_on"]
        if isinstance(from_on, date) and isinstance(to_on, date) and to_on < from_on:
            faults.append(Fault("ends_first", (shown(to_on), shown(from_on)), "to_on"))
        if there is None and values["identity"] is not None and not faults:
            identity, name = str(values["identity"]), str(values["name"])
            owner = named.setdefault(identity, known.name_of(identity) or name)
            if owner != name:
                faults.append(Fault("identity_elsewhere", (owner,), "identity"))
        return faults

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Add people nobody knows yet, and that they, or those who are known, belong to these homes."""
    del actor
    spaces = {one.code: one.space_id for one in premises.list_spaces(tx, site.site_id)}
    known = many_people.known_people(tx, site.site_id)
    people: dict[object, PersonId] = {}
    added: list[NewPerson] = []
    homes: list[NewOccupancy] = []
    plates: dict[tuple[PersonId, str], None] = {}
    for row in rows:
        values = row.values
        key = _key_of(row)
        if key not in people:
            found = _known(known, values)
            if found is None:
                found = PersonId(tx.new_id())
                numbers = shown(values["phone"]), shown(values["identity"])
                added.append(NewPerson(found, str(values["name"]), *numbers, shown(values["note"])))
            people[key] = found
        from_on, to_on = values["from_on"], values["to_on"]
        assert isinstance(from_on, date), "the column is needed"
        homes.append(
            NewOccupancy(
                people[key],
                spaces[str(values["space"])],
                str(values["relation"]),
                from_on,
                to_on if isinstance(to_on, date) else None,
            )
        )
        if values["plate"] is not None:
            plates[people[key], str(values["plate"])] = None
    many_people.insert_people(tx, site.site_id, added)
    return {
        "person": [one.person_id for one in added],
        "occupancy": many_people.insert_homes(tx, homes),
        "vehicle": many_people.insert_vehicles(tx, list(plates)),
    }


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Change until when people belong to homes, and what is noted of them."""
    del actor
    there = {(one.space_code, one.name): one for one in many_people.homes_of_people(tx, site.site_id)}
    for (space, name), values in changed.items():
        one = there[str(space), str(name)]
        if "to_on" in values:
            many_people.set_end(tx, one.occupancy_id, _date(values["to_on"]))
        if "note" in values:
            many_people.set_note(tx, one.person_id, shown(values["note"]))


def _key_of(row: PlannedRow) -> object:
    """Return what says which rows are one person."""
    identity, phone, name = row.values["identity"], row.values["phone"], row.values["name"]
    if identity is not None:
        return identity
    return (name, phone) if phone is not None else row.line


def _known(known: KnownPeople, values: Values) -> PersonId | None:
    if values["identity"] is not None:
        return known.of_identity(str(values["identity"]))
    return None if values["phone"] is None else known.of_phone(str(values["phone"]), str(values["name"]))


def _date(value: Any) -> date | None:
    return value if isinstance(value, date) else None


IMPORTER = Importer(PEOPLE, Action.MANAGE_PEOPLE, look, add, change)
