"""People who may sign in."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, BuildingId, SiteId, UserId
from cloud.domain.user import Locale, Role, UserRecord
from cloud.keys import PASSWORDS
from cloud.services import staff, users
from cloud.services.passwords import LENGTH_MAX, LENGTH_MIN


class NewUser(Request, frozen=True):
    """Somebody who shall be able to sign in; a resident names the accounts they may see."""

    login: Annotated[str, Meta(min_length=1, max_length=64)]
    display_name: Annotated[str, Meta(min_length=1, max_length=100)]
    role: Role
    password: Annotated[str, Meta(min_length=LENGTH_MIN, max_length=LENGTH_MAX)]
    locale: Locale = Locale.CHINESE
    account_ids: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()


class ScopeBody(Request, frozen=True):
    """Where somebody works: whole sites and single buildings; none of either: everywhere."""

    site_ids: Annotated[tuple[Id, ...], Meta(max_length=200)] = ()
    building_ids: Annotated[tuple[Id, ...], Meta(max_length=500)] = ()


class RoleBody(Request, frozen=True):
    """What somebody is to be."""

    role: Role


class CreatedUser(View, frozen=True):
    """The new user's id."""

    user_id: str


class UserView(View, frozen=True):
    """Somebody who may, or might once, sign in."""

    user_id: str
    login: str
    display_name: str
    role: Role
    locale: Locale
    account_ids: tuple[str, ...]
    site_ids: tuple[str, ...]
    building_ids: tuple[str, ...]
    created_at_ms: int
    disabled_at_ms: int | None


async def list_users(call: Call[PageQuery, Nothing]) -> Page[UserView]:
    """List users by login."""
    return page_of(await call.read(users.list_users, call.query.cursor, call.query.limit), user_view)


async def create_user(call: Call[Nothing, NewUser]) -> web.Response:
    """Let somebody sign in."""
    new = call.body
    password_hash = await call.request.app[PASSWORDS].hash(new.password)
    accounts = [AccountId(account_id) for account_id in new.account_ids]
    return await call.create(
        lambda user_id: CreatedUser(user_id=user_id),
        users.create_user,
        new.login,
        new.display_name,
        new.role,
        password_hash,
        new.locale,
        accounts,
    )


async def disable_user(call: Call[Nothing, Nothing]) -> None:
    """Let somebody sign in no more, and end their sessions at once."""
    await call.write(users.disable_user, UserId(call.id("user_id")))


async def enable_user(call: Call[Nothing, Nothing]) -> None:
    """Let somebody who was disabled sign in again."""
    await call.write(staff.enable, UserId(call.id("user_id")))


async def set_scope(call: Call[Nothing, ScopeBody]) -> UserView:
    """Bind somebody to sites and buildings."""
    sites = [SiteId(site_id) for site_id in call.body.site_ids]
    buildings = [BuildingId(building_id) for building_id in call.body.building_ids]
    return user_view(await call.write(staff.set_scope, UserId(call.id("user_id")), sites, buildings))


async def set_role(call: Call[Nothing, RoleBody]) -> UserView:
    """Give somebody another role."""
    return user_view(await call.write(staff.set_role, UserId(call.id("user_id")), call.body.role))


def user_view(record: UserRecord) -> UserView:
    """Return a user as it is told."""
    return UserView(
        user_id=record.user.user_id,
        login=record.login,
        display_name=record.user.display_name,
        role=record.user.role,
        locale=record.user.locale,
        account_ids=tuple(sorted(record.user.account_ids)),
        site_ids=tuple(sorted(record.user.scope.site_ids)),
        building_ids=tuple(sorted(record.user.scope.building_ids)),
        created_at_ms=record.created_at_ms,
        disabled_at_ms=record.disabled_at_ms,
    )


_ALL, _ONE = "/api/v1/users", "/api/v1/users/{user_id}"

ROUTES = (
    Route("GET", _ALL, "List users", Action.MANAGE_USERS, list_users, Page[UserView], query=PageQuery),
    Route(
        "POST",
        _ALL,
        "Add a user",
        Action.MANAGE_USERS,
        create_user,
        CreatedUser,
        body=NewUser,
        status=201,
        creates=True,
    ),
    Route("DELETE", _ONE, "Let a user sign in no more", Action.MANAGE_USERS, disable_user, None),
    Route("POST", f"{_ONE}/enable", "Let a user sign in again", Action.MANAGE_USERS, enable_user, None),
    Route(
        "PUT", f"{_ONE}/role", "Give a user a role", Action.MANAGE_USERS, set_role, UserView, body=RoleBody
    ),
    Route(
        "PUT",
        f"{_ONE}/scope",
        "Bind a user to sites and buildings",
        Action.MANAGE_USERS,
        set_scope,
        UserView,
        body=ScopeBody,
        description="None of either: they work everywhere. It holds from their next request on.",
    ),
)
