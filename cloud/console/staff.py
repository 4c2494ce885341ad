"""Who works here: invite, give a role, bind to sites and buildings, let nobody in any more."""

from dataclasses import dataclass, replace

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import BuildingId, SiteId, UserId, is_uuid
from cloud.domain.user import Role, User, UserRecord
from cloud.services import invitations, second_factors, staff, users
from cloud.services.invitations import Invitation
from cloud.services.passwords import HASH_OF_NOBODY
from cloud.services.staff import Place
from cloud.store.db import Tx
from cloud.web.origin import own_origin

_REFUSALS = (Conflict, Forbidden, Invalid)


@dataclass(frozen=True, slots=True)
class StaffView:
    """Everybody who works here, and what a new one can be given."""

    people: tuple[UserRecord, ...]
    places: tuple[Place, ...]
    roles: tuple[str, ...]
    with_second_factor: frozenset[UserId] = frozenset()
    required_roles: frozenset[str] = frozenset()
    login: str = ""
    name: str = ""
    role: str = Role.MAINTENANCE.value
    error: str = ""


@dataclass(frozen=True, slots=True)
class PersonView:
    """One of them; `link` is what they are handed, told this once."""

    record: UserRecord
    places: tuple[Place, ...]
    roles: tuple[str, ...]
    is_oneself: bool
    has_second_factor: bool
    link: str = ""
    picture: Markup = Markup()  # noqa: RUF009 - of nothing
    expires_at_ms: int = 0
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show who works here."""
    return await desk.page("staff/list.html", view=await desk.read(_list))


async def invite(desk: Desk) -> web.StreamResponse:
    """Add somebody, and show what they are handed to choose their password by."""
    form = await desk.request.post()
    login, name = str(form.get("login", "")).strip(), str(form.get("name", "")).strip()
    sites = [SiteId(str(one)) for one in form.getall("site", []) if is_uuid(str(one))]
    role = _role(str(form.get("role", "")))
    try:
        made: Invitation = await desk.write(_add, login, name, role, sites)
    except _REFUSALS as error:
        view = await desk.read(_list)
        typed = replace(view, login=login, name=name, role=role.value, error=str(error))
        return await desk.page("staff/list.html", status=422, view=typed)
    return await _invited(desk, made)


async def require_second_factor(desk: Desk) -> web.StreamResponse:
    """Say whose role must have a second factor."""
    form = await desk.request.post()
    roles = [_role(str(word)) for word in form.getall("required", [])]
    try:
        await desk.write(second_factors.require_of_roles, roles)
    except _REFUSALS as error:
        view = replace(await desk.read(_list), error=str(error))
        return await desk.page("staff/list.html", status=422, view=view)
    return desk.go("/staff", "person-changed")


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one of them."""
    return await desk.page("staff/person.html", view=await desk.read(_person, _user_id(desk)))


async def act(desk: Desk) -> web.StreamResponse:
    """Change what somebody is, where they work, or whether they may sign in."""
    form = await desk.request.post()
    user_id = _user_id(desk)
    try:
        match str(form.get("act", "")):
            case "role":
                await desk.write(staff.set_role, user_id, _role(str(form.get("role", ""))))
            case "scope":
                sites = [SiteId(str(one)) for one in form.getall("site", []) if is_uuid(str(one))]
                parts = [BuildingId(str(one)) for one in form.getall("building", []) if is_uuid(str(one))]
                await desk.write(staff.set_scope, user_id, sites, parts)
            case "disable":
                await desk.write(users.disable_user, user_id)
            case "reset":
                await desk.write(second_factors.reset, user_id)
            case "enable":
                await desk.write(staff.enable, user_id)
            case "invite":
                return await _invited(desk, await desk.write(invitations.invite, user_id))
            case other:
                raise Invalid(f"there is no act {other!r}")
    except _REFUSALS as error:
        view = await desk.read(_person, user_id, str(error))
        return await desk.page("staff/person.html", status=422, view=view)
    return desk.go(f"/staff/{user_id}", "person-changed")


async def _invited(desk: Desk, made: Invitation) -> web.StreamResponse:
    link = f"{own_origin(desk.request)}/invitation/{made.token}"
    picture = picture_of_code(link)
    shown = await desk.read(_person, made.record.user.user_id)
    view = replace(shown, link=link, picture=picture, expires_at_ms=made.expires_at_ms)
    return await desk.page("staff/person.html", view=view)


def _add(tx: Tx, actor: User, login: str, name: str, role: Role, sites: list[SiteId]) -> Invitation:
    user_id = users.create_user(tx, actor, login, name, role, HASH_OF_NOBODY)
    if sites:
        staff.set_scope(tx, actor, user_id, sites, ())
    return invitations.invite(tx, actor, user_id)


def _list(tx: Tx, actor: User) -> StaffView:
    return StaffView(
        tuple(staff.list_staff(tx, actor)),
        tuple(staff.list_places(tx, actor)),
        _ROLES,
        second_factors.holders(tx, actor),
        frozenset(role.value for role in second_factors.required_roles(tx, actor)),
    )


def _person(tx: Tx, actor: User, user_id: UserId, error: str = "") -> PersonView:
    record = staff.get_staff(tx, actor, user_id)
    places = tuple(staff.list_places(tx, actor))
    has_one = user_id in second_factors.holders(tx, actor)
    return PersonView(record, places, _ROLES, user_id == actor.user_id, has_one, error=error)


def _role(text: str) -> Role:
    if text not in _ROLES:
        raise Invalid(f"the role {text!r} is none of somebody who works here")
    return Role(text)


def _user_id(desk: Desk) -> UserId:
    text = desk.request.match_info["user_id"]
    if not is_uuid(text):
        raise NotFound("there is no such user")
    return UserId(text)


_ROLES = tuple(role.value for role in staff.STAFF_ROLES)
