"""People: kept, found, revealed for a reason; their homes, vehicles and consents."""

from datetime import date
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.ids import PersonId, SiteId, SpaceId, VehicleId
from cloud.domain.person import (
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    ConsentPurpose,
    Occupancy,
    Person,
    PersonField,
    PersonRow,
    Relation,
    TagKind,
)
from cloud.services import persons, privacy
from cloud.services.persons import PersonDetail

Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Note = Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)]
Number = Annotated[str, Meta(max_length=20)]


class PeopleQuery(PageQuery, frozen=True):
    """Part of a name or a home, or a whole telephone, identity or plate number."""

    search: Annotated[str, Meta(max_length=100)] = ""


class NewPerson(Request, frozen=True, kw_only=True):
    """A person; numbers are checked, sealed, and shown masked from then on."""

    name: Name
    phone: Number = ""
    identity: Number = ""
    note: Note = ""


class EditedPerson(Request, frozen=True, kw_only=True):
    """A person changed; numbers that are left out stay."""

    name: Name
    note: Note = ""
    phone: Number | None = None
    identity: Number | None = None


class Reveal(Request, frozen=True):
    """Which number, and why it is needed whole."""

    field: PersonField
    reason: Annotated[str, Meta(min_length=4, max_length=200)]


class NewRelation(Request, frozen=True):
    """That a person belongs to a home from a day on."""

    space_id: Id
    relation: Relation
    from_on: date


class RelationEnd(Request, frozen=True):
    """From which day a person belongs to a home no longer."""

    on: date


class NewVehicle(Request, frozen=True):
    """A vehicle and what it is called."""

    plate: Number
    label: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] = ""


class ConsentChange(Request, frozen=True, kw_only=True):
    """Whether a person agrees, and how they said so."""

    purpose: ConsentPurpose
    is_given: bool
    how: Annotated[str, Meta(max_length=200)] = ""


class PersonView(View, frozen=True):
    """A person; numbers are masked."""

    person_id: str
    name: str
    phone: str
    identity: str
    note: str
    created_at_ms: int
    erased_at_ms: int | None


class OccupancyView(View, frozen=True):
    """That a person belongs to a home."""

    occupancy_id: str
    space_id: str
    space_code: str
    relation: Relation
    from_on: date
    to_on: date | None


class PersonRowView(View, frozen=True):
    """A person and where they live today."""

    person: PersonView
    homes: tuple[OccupancyView, ...]


class VehicleView(View, frozen=True):
    """A vehicle; its plate is masked."""

    vehicle_id: str
    plate: str
    label: str


class ConsentView(View, frozen=True):
    """What a person agreed to."""

    purpose: ConsentPurpose
    given_at_ms: int
    withdrawn_at_ms: int | None
    how: str


class TagView(View, frozen=True):
    """What facts say of a person; `count` is the number the rule compares."""

    kind: TagKind
    count: int


class PersonDetailView(View, frozen=True):
    """A person's whole story."""

    person: PersonView
    homes: tuple[OccupancyView, ...]
    vehicles: tuple[VehicleView, ...]
    consents: tuple[ConsentView, ...]
    account_ids: tuple[str, ...]
    repair_numbers: tuple[str, ...]
    complaint_numbers: tuple[str, ...]
    tags: tuple[TagView, ...]


class RevealedView(View, frozen=True):
    """A number, whole."""

    value: str


async def list_people(call: Call[PeopleQuery, Nothing]) -> Page[PersonRowView]:
    """List a site's people by name."""
    query, site_id = call.query, SiteId(call.id("site_id"))
    found = await call.read(persons.list_people, site_id, query.search, query.cursor, query.limit)
    return page_of(found, _row_view)


async def add_person(call: Call[Nothing, NewPerson]) -> web.Response:
    """Add a person."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    return await call.create(
        _person_view, persons.add_person, site_id, body.name, body.phone, body.identity, body.note
    )


async def get_person(call: Call[Nothing, Nothing]) -> PersonDetailView:
    """Show a person's whole story."""
    return _detail_view(await call.read(persons.get_person, _person_id(call)))


async def edit_person(call: Call[Nothing, EditedPerson]) -> PersonView:
    """Change a person."""
    body = call.body
    return _person_view(
        await call.write(
            persons.edit_person, _person_id(call), body.name, body.note, body.phone, body.identity
        )
    )


async def reveal_number(call: Call[Nothing, Reveal]) -> RevealedView:
    """Return a number whole; who looked and why is kept."""
    body = call.body
    return RevealedView(value=await call.write(persons.reveal, _person_id(call), body.field, body.reason))


async def relate_person(call: Call[Nothing, NewRelation]) -> None:
    """Note that a person belongs to a home."""
    body = call.body
    await call.write(persons.relate, _person_id(call), SpaceId(body.space_id), body.relation, body.from_on)


async def end_relation(call: Call[Nothing, RelationEnd]) -> None:
    """Note that a person belongs to a home no longer."""
    await call.write(persons.end_relation, _person_id(call), call.id("occupancy_id"), call.body.on)


async def add_vehicle(call: Call[Nothing, NewVehicle]) -> None:
    """Add a vehicle."""
    await call.write(persons.add_vehicle, _person_id(call), call.body.plate, call.body.label)


async def remove_vehicle(call: Call[Nothing, Nothing]) -> None:
    """Take a vehicle off a person."""
    await call.write(persons.remove_vehicle, _person_id(call), VehicleId(call.id("vehicle_id")))


async def change_consent(call: Call[Nothing, ConsentChange]) -> None:
    """Note that a person agrees, or no longer."""
    body = call.body
    await call.write(persons.record_consent, _person_id(call), body.purpose, body.how, is_given=body.is_given)


async def erase_person(call: Call[Nothing, Nothing]) -> None:
    """Delete who a person is."""
    await call.write(privacy.erase, _person_id(call))


def _person_id(call: Call[Any, Any]) -> PersonId:
    return PersonId(call.id("person_id"))


def _person_view(one: Person) -> PersonView:
    return view_of(one, PersonView)


def _occupancy_view(one: Occupancy) -> OccupancyView:
    return view_of(one, OccupancyView)


def _row_view(row: PersonRow) -> PersonRowView:
    return PersonRowView(
        person=_person_view(row.person), homes=tuple(_occupancy_view(home) for home in row.homes)
    )


def _detail_view(found: PersonDetail) -> PersonDetailView:
    return PersonDetailView(
        person=_person_view(found.person),
        homes=tuple(_occupancy_view(home) for home in found.homes),
        vehicles=tuple(view_of(one, VehicleView) for one in found.vehicles),
        consents=tuple(view_of(one, ConsentView) for one in found.consents),
        account_ids=tuple(one.account.account_id for one in found.accounts),
        repair_numbers=tuple(one.number for one in found.repairs),
        complaint_numbers=tuple(one.number for one in found.complaints),
        tags=tuple(view_of(one, TagView) for one in found.tags),
    )


_SITE, _ONE = "/api/v1/sites/{site_id}/people", "/api/v1/people/{person_id}"
_READ, _MANAGE = Action.READ_PEOPLE, Action.MANAGE_PEOPLE

ROUTES = (
    Route("GET", _SITE, "List people", _READ, list_people, Page[PersonRowView], query=PeopleQuery),
    Route(
        "POST",
        _SITE,
        "Add a person",
        _MANAGE,
        add_person,
        PersonView,
        body=NewPerson,
        status=201,
        creates=True,
    ),
    Route("GET", _ONE, "Show a person", _READ, get_person, PersonDetailView),
    Route("PUT", _ONE, "Change a person", _MANAGE, edit_person, PersonView, body=EditedPerson),
    Route("DELETE", _ONE, "Delete who a person is", _MANAGE, erase_person, None),
    Route(
        "POST",
        _ONE + "/reveal",
        "Show a number whole",
        Action.REVEAL_PERSONAL_DATA,
        reveal_number,
        RevealedView,
        body=Reveal,
        description="Who looked, at what and why, stands in the audit log.",
    ),
    Route("POST", _ONE + "/homes", "Add a relation", _MANAGE, relate_person, None, body=NewRelation),
    Route(
        "POST",
        _ONE + "/homes/{occupancy_id}/end",
        "End a relation",
        _MANAGE,
        end_relation,
        None,
        body=RelationEnd,
    ),
    Route("POST", _ONE + "/vehicles", "Add a vehicle", _MANAGE, add_vehicle, None, body=NewVehicle),
    Route("DELETE", _ONE + "/vehicles/{vehicle_id}", "Remove a vehicle", _MANAGE, remove_vehicle, None),
    Route("POST", _ONE + "/consents", "Record a consent", _MANAGE, change_consent, None, body=ConsentChange),
)
