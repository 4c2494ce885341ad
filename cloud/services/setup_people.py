"""The part of a site document that says who lives where."""

from collections.abc import Sequence

from cloud.domain.errors import GatehouseError
from cloud.domain.identity_number import mobile_number, plate_number
from cloud.domain.ids import PersonId
from cloud.domain.site_document import PersonEntry
from cloud.services.setup_known import Known
from cloud.store import persons
from cloud.store import users as user_store


def load_people(known: Known, entries: Sequence[PersonEntry]) -> None:
    """Add people with their homes and plates; who is known by name and home is left as they are."""
    for number, entry in enumerate(entries):
        place = f"/people/{number}"
        homes = [
            (known.find(known.spaces, home.space, f"{place}/homes/{index}/space", "space"), home)
            for index, home in enumerate(entry.homes)
        ]
        first = homes[0][0]
        if first is None:
            continue
        there = [one.person_id for one in persons.occupancies_of_space(known.tx, first)]
        if any(_is_called(known, person_id, entry.name) for person_id in there):
            continue
        user = None if entry.user is None else user_store.find_by_login(known.tx, entry.user)
        if entry.user is not None and user is None:
            known.wrong(f"{place}/user", f"there is no user {entry.user!r}")
            continue
        try:
            phone = mobile_number(entry.phone) if entry.phone else ""
            plates = [plate_number(plate) for plate in entry.plates]
        except GatehouseError as error:
            known.wrong(place, str(error))
            continue
        user_id = None if user is None else user.user.user_id
        person_id = persons.insert_person(known.tx, known.site_id, entry.name, phone, "", entry.note, user_id)
        if person_id is None:
            known.wrong(f"{place}/user", f"the login {entry.user!r} is somebody else already")
            continue
        for space_id, home in homes:
            if space_id is not None:
                persons.insert_occupancy(known.tx, person_id, space_id, home.relation, home.from_on)
        for plate in plates:
            persons.insert_vehicle(known.tx, person_id, plate, "")


def _is_called(known: Known, person_id: PersonId, name: str) -> bool:
    found = persons.find_person(known.tx, person_id)
    return found is not None and found.name == name
