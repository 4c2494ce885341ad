"""People: found by name, home or whole number; one person's whole story; a number shown for a reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of
from cloud.domain.access import Action, may
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.household import HouseholdInvitation
from cloud.domain.ids import PersonId, SiteId, VehicleId, is_uuid
from cloud.domain.person import (
    ConsentPurpose,
    PersonField,
    PersonRow,
    PrivacyRequest,
    Relation,
    RequestKind,
)
from cloud.domain.user import User
from cloud.services import cameras, households, persons, premises, privacy
from cloud.services.persons import PersonDetail
from cloud.store.db import Tx

_ROWS = 50
_FIELDS = ("name", "phone", "identity", "note", "space", "relation", "from_on")


@dataclass(frozen=True, slots=True)
class PeopleView:
    """The list, and what people asked for of their data."""

    rows: tuple[PersonRow, ...]
    query: str
    next_cursor: str | None
    requests: tuple[PrivacyRequest, ...]
    registrations: tuple[HouseholdInvitation, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person's page; `revealed` is a number shown whole, this once."""

    detail: PersonDetail
    spaces: tuple[str, ...]
    relations: tuple[str, ...]
    purposes: tuple[str, ...]
    agreed: frozenset[str]
    revealed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class NewPersonView:
    """The form for somebody new."""

    spaces: tuple[str, ...]
    relations: tuple[str, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show a site's people."""
    query = desk.request.query
    view = await desk.read(_list, desk.site.site_id, query.get("q", ""), query.get("after"))
    return await desk.page("people/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one person's whole story."""
    view = await desk.read(_one, desk.site.site_id, _person_id(desk), {}, "")
    return await desk.page("people/person.html", view=view)


async def reveal(desk: Desk) -> web.StreamResponse:
    """Show a number whole, once, for a reason that is kept."""
    form = await desk.request.post()
    person_id, word = _person_id(desk), str(form.get("field", ""))
    shown: dict[str, str] = {}
    error, status = "", 200
    try:
        wanted = PersonField(word)
        shown[word] = await desk.write(persons.reveal, person_id, wanted, str(form.get("reason", "")))
    except (Conflict, Invalid) as refused:
        error, status = str(refused), 422
    except ValueError as refused:
        raise NotFound(f"there is no number {word!r}") from refused
    view = await desk.read(_one, desk.site.site_id, person_id, shown, error)
    return await desk.page("people/person.html", status=status, view=view)


async def act(desk: Desk) -> web.StreamResponse:
    """Do what a form on a person's page asks for."""
    form = {name: str(value).strip() for name, value in (await desk.request.post()).items()}
    person_id = _person_id(desk)
    try:
        await desk.write(_act, desk.site.site_id, person_id, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_one, desk.site.site_id, person_id, {}, str(error))
        return await desk.page("people/person.html", status=422, view=view)
    return desk.go(f"/people/{person_id}", "person-changed")


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show the form for somebody new."""
    return await desk.page("people/new.html", view=await desk.read(_form, desk.site.site_id, {}, ""))


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Add somebody, or show the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip()[:500] for name in _FIELDS}
    try:
        person_id = await desk.write(_add, desk.site.site_id, typed, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, desk.site.site_id, typed, str(error))
        return await desk.page("people/new.html", status=422, view=view)
    return desk.go(f"/people/{person_id}", "person-changed")


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident what is kept about them."""
    view = await desk.read(privacy.my_story)
    hung = await desk.read(cameras.notices, desk.site.site_id)
    return await desk.page("home/privacy.html", tab="/home/more", view=view, cameras=hung)


async def copy_own(desk: Desk) -> web.StreamResponse:
    """Hand a resident a copy of everything kept about them."""
    copy = await desk.write(privacy.copy_of_mine)
    text = json.dumps(copy, ensure_ascii=False, indent=1)
    headers = {"Content-Disposition": 'attachment; filename="gatehouse-my-data.json"'}
    return web.Response(text=text, content_type="application/json", headers=headers)


async def act_own(desk: Desk) -> web.StreamResponse:
    """Ask for deletion, or agree to something no longer."""
    form = await desk.request.post()
    word = str(form.get("act", ""))
    if word == "erase":
        await desk.write(privacy.ask, RequestKind.ERASE)
    else:
        try:
            purpose = ConsentPurpose(str(form.get("purpose", "")))
        except ValueError as error:
            raise NotFound("there is no such consent") from error
        await desk.write(privacy.withdraw, purpose)
    return desk.go("/home/privacy", "privacy-asked")


def _list(tx: Tx, actor: User, site_id: SiteId, search: str, cursor: str | None) -> PeopleView:
    page = persons.list_people(tx, actor, site_id, search, cursor, _ROWS)
    waiting: tuple[PrivacyRequest, ...] = ()
    registered: tuple[HouseholdInvitation, ...] = ()
    if may(actor, Action.MANAGE_PEOPLE):
        waiting = tuple(privacy.open_requests(tx, actor))
        registered = tuple(households.waiting(tx, actor, site_id))
    return PeopleView(page.items, search, page.next_cursor, waiting, registered)


def _one(
    tx: Tx, actor: User, site_id: SiteId, person_id: PersonId, revealed: Mapping[str, str], error: str
) -> PersonView:
    detail = persons.get_person(tx, actor, person_id)
    return PersonView(
        detail,
        _space_codes(tx, actor, site_id),
        tuple(one.value for one in Relation),
        tuple(one.value for one in ConsentPurpose),
        frozenset(one.purpose.value for one in detail.consents if one.withdrawn_at_ms is None),
        revealed,
        error,
    )


def _form(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], error: str) -> NewPersonView:
    filled = {"relation": Relation.OWNER.value, **typed}
    return NewPersonView(
        _space_codes(tx, actor, site_id), tuple(one.value for one in Relation), filled, error
    )


def _add(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], fmt: Format) -> PersonId:
    added = persons.add_person(
        tx, actor, site_id, typed["name"], typed["phone"], typed["identity"], typed["note"]
    )
    if typed["space"]:
        _relate(tx, actor, site_id, added.person_id, typed, fmt)
    return added.person_id


def _act(
    tx: Tx, actor: User, site_id: SiteId, person_id: PersonId, form: Mapping[str, str], fmt: Format
) -> None:
    match form.get("act", ""):
        case "edit":
            numbers = {name: form[name] for name in ("phone", "identity") if form.get(name)}
            persons.edit_person(tx, actor, person_id, form.get("name", ""), form.get("note", ""), **numbers)
        case "relate":
            _relate(tx, actor, site_id, person_id, form, fmt)
        case "end":
            on = day_of(form.get("on") or fmt.today.isoformat(), fmt)
            persons.end_relation(tx, actor, person_id, form.get("occupancy", ""), on)
        case "vehicle":
            persons.add_vehicle(tx, actor, person_id, form.get("plate", ""), form.get("label", ""))
        case "unvehicle":
            persons.remove_vehicle(tx, actor, person_id, VehicleId(form.get("vehicle", "")))
        case "agree" | "disagree" as word:
            purpose = ConsentPurpose(form.get("purpose", ConsentPurpose.CONTACT.value))
            is_given = word == "agree"
            persons.record_consent(tx, actor, person_id, purpose, form.get("how", ""), is_given=is_given)
        case "erase":
            privacy.erase(tx, actor, person_id)
        case _:
            pass


def _relate(
    tx: Tx, actor: User, site_id: SiteId, person_id: PersonId, typed: Mapping[str, str], fmt: Format
) -> None:
    wanted = typed.get("space", "")
    space = premises.space_called(tx, actor, site_id, wanted)
    if space is None:
        raise Invalid(f"the site has no flat {wanted!r}")
    from_on = day_of(typed.get("from_on") or fmt.today.isoformat(), fmt)
    persons.relate(tx, actor, person_id, space.space_id, Relation(typed.get("relation", "owner")), from_on)


def _space_codes(tx: Tx, actor: User, site_id: SiteId) -> tuple[str, ...]:
    return premises.offered_codes(tx, actor, site_id)


def _person_id(desk: Desk) -> PersonId:
    text = desk.request.match_info["person"]
    if not is_uuid(text):
        raise NotFound(f"there is no person {text!r}")
    return PersonId(text)
