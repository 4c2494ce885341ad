"""Entrances and access groups: which doors there are, who may pass them at which hours, and who did."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.entry import (
    GROUP_ENTRANCES_MAX,
    LABEL_LENGTH_MAX,
    READERS_MAX,
    WINDOWS_MAX,
    AccessGroup,
    Covers,
    Entrance,
    PassageOutcome,
)
from cloud.domain.ids import AccessGroupId, BuildingId, EntranceId, GatewayId, SiteId
from cloud.services import entrances, passages

Name = Annotated[str, Meta(min_length=1, max_length=LABEL_LENGTH_MAX)]
DeviceCode = Annotated[str, Meta(min_length=1, max_length=64)]
DayBits = Annotated[int, Meta(ge=1, le=127)]
Minute = Annotated[int, Meta(ge=0, le=1440)]


class NewEntrance(Request, frozen=True, kw_only=True):
    """A lock of a gateway, and the devices badges are shown at for it; without any, the lock's own."""

    gateway_id: Id
    name: Name
    device_code: DeviceCode
    readers: Annotated[tuple[DeviceCode, ...], Meta(max_length=READERS_MAX)] = ()


class EntranceView(View, frozen=True):
    """One entrance."""

    entrance_id: str
    gateway_id: str
    name: str
    device_code: str
    readers: tuple[str, ...]


class Hours(Request, frozen=True, kw_only=True):
    """Hours of some days: Monday is 1, Sunday 64; an end at or before the beginning is of the next day."""

    days: DayBits
    from_min: Minute
    until_min: Minute


class NewAccessGroup(Request, frozen=True, kw_only=True):
    """Who may pass: residents of a building or of all, or badges put in one by one; without hours always."""

    name: Name
    covers: Covers
    entrance_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=GROUP_ENTRANCES_MAX)]
    building_id: Id | None = None
    hours: Annotated[tuple[Hours, ...], Meta(max_length=WINDOWS_MAX)] = ()


class HoursView(View, frozen=True):
    """Hours of some days."""

    days: int
    from_min: int
    until_min: int


class AccessGroupView(View, frozen=True):
    """One access group; without hours at all hours."""

    group_id: str
    name: str
    covers: Covers
    building_id: str | None
    entrance_ids: tuple[str, ...]
    hours: tuple[HoursView, ...]


class PassageQuery(PageQuery, frozen=True, kw_only=True):
    """Which passages; without `entrance_id` of all entrances."""

    entrance_id: Id | None = None


class PassageView(View, frozen=True):
    """Somebody who passed, or was refused, and why; `reason` is `remote` for an opening from afar."""

    passage_id: str
    occurred_at_ms: int
    entrance_name: str
    device_code: str
    outcome: PassageOutcome
    reason: str
    kind: str
    badge_id: str | None
    visit_id: str | None
    who: str
    space_code: str
    ends: str


async def list_entrances(call: Call[PageQuery, Nothing]) -> Page[EntranceView]:
    """List a site's entrances."""
    found = await call.read(entrances.list_entrances, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.entrance_id, _view)


async def add_entrance(call: Call[Nothing, NewEntrance]) -> web.Response:
    """Make a lock an entrance."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    return await call.create(
        _view,
        entrances.add_entrance,
        site_id,
        GatewayId(body.gateway_id),
        body.name,
        body.device_code,
        body.readers,
    )


async def remove_entrance(call: Call[Nothing, Nothing]) -> None:
    """Let a lock be an entrance no more."""
    await call.write(entrances.remove_entrance, EntranceId(call.id("entrance_id")))


async def list_access_groups(call: Call[PageQuery, Nothing]) -> Page[AccessGroupView]:
    """List a site's access groups."""
    found = await call.read(entrances.list_groups, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.group_id, _group_view)


async def add_access_group(call: Call[Nothing, NewAccessGroup]) -> web.Response:
    """Say who may pass which entrances at which hours."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    return await call.create(
        _group_view,
        entrances.add_group,
        site_id,
        body.name,
        body.covers,
        tuple(EntranceId(one) for one in body.entrance_ids),
        tuple((one.days, one.from_min, one.until_min) for one in body.hours),
        None if body.building_id is None else BuildingId(body.building_id),
    )


async def remove_access_group(call: Call[Nothing, Nothing]) -> None:
    """Take an access group away."""
    await call.write(entrances.remove_group, AccessGroupId(call.id("group_id")))


async def list_passages(call: Call[PassageQuery, Nothing]) -> Page[PassageView]:
    """List who passed, or was refused, the last first."""
    query, site_id = call.query, SiteId(call.id("site_id"))
    wanted = None if query.entrance_id is None else EntranceId(query.entrance_id)
    found = await call.read(passages.list_passages, site_id, query.cursor, query.limit, wanted)
    return page_of(found, lambda one: view_of(one, PassageView))


def _view(one: Entrance) -> EntranceView:
    return view_of(one, EntranceView)


def _group_view(one: AccessGroup) -> AccessGroupView:
    hours = tuple(HoursView(window.days, window.from_min, window.until_min) for window in one.windows)
    return AccessGroupView(one.group_id, one.name, one.covers, one.building_id, one.entrance_ids, hours)


ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/entrances",
        "List entrances",
        Action.READ_PASSAGES,
        list_entrances,
        Page[EntranceView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/entrances",
        "Add an entrance",
        Action.MANAGE_ENTRANCES,
        add_entrance,
        EntranceView,
        body=NewEntrance,
        status=201,
        creates=True,
    ),
    Route(
        "DELETE",
        "/api/v1/entrances/{entrance_id}",
        "Remove an entrance",
        Action.MANAGE_ENTRANCES,
        remove_entrance,
        None,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/access_groups",
        "List access groups",
        Action.READ_PASSAGES,
        list_access_groups,
        Page[AccessGroupView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/access_groups",
        "Add an access group",
        Action.MANAGE_ENTRANCES,
        add_access_group,
        AccessGroupView,
        body=NewAccessGroup,
        status=201,
        creates=True,
    ),
    Route(
        "DELETE",
        "/api/v1/access_groups/{group_id}",
        "Remove an access group",
        Action.MANAGE_ENTRANCES,
        remove_access_group,
        None,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/passages",
        "List passages",
        Action.READ_PASSAGES,
        list_passages,
        Page[PassageView],
        query=PassageQuery,
        description="The door log: what each box decided, and what people opened from afar.",
    ),
)
