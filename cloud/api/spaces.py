"""Spaces as they are and were: found and counted on any day, added, changed from a day on, with papers."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from msgspec import UNSET

from cloud.api.parse import read_bytes
from cloud.api.route import Call, Nothing, Page, Route, page_of, view_of
from cloud.api.space_views import (
    AddedBuildingView,
    AttachmentQuery,
    NewBuilding,
    NewSpace,
    OnQuery,
    SpaceChange,
    SpaceCountsView,
    SpaceDetailView,
    SpaceName,
    SpaceQuery,
    SpaceRecordView,
    count_view,
    detail_view,
    record_view,
)
from cloud.domain.access import Action
from cloud.domain.attachment import ATTACHMENT_BYTES_MAX, ATTACHMENT_TYPES
from cloud.domain.ids import AttachmentId, BuildingId, SiteId, SpaceId
from cloud.domain.space_history import (
    FACT_NAMES,
    SpaceFacts,
    SpaceSearch,
    first_use,
)
from cloud.services import spaces


async def find_spaces(call: Call[SpaceQuery, Nothing]) -> Page[SpaceRecordView]:
    """Find spaces as they were on a day."""
    query, site_id = call.query, SiteId(call.id("site_id"))
    found = await call.read(spaces.search, site_id, _wanted(query), query.on, query.cursor, query.limit)
    return page_of(found, record_view)


async def count_spaces(call: Call[SpaceQuery, Nothing]) -> SpaceCountsView:
    """Count spaces on a day: by kind, state, layout and area."""
    site_id = SiteId(call.id("site_id"))
    found = await call.read(spaces.counts, site_id, _wanted(call.query), call.query.on)
    return SpaceCountsView(counts=tuple(count_view(one) for one in found))


async def get_space(call: Call[OnQuery, Nothing]) -> SpaceDetailView:
    """Show a space on a day with its history."""
    return detail_view(await call.read(spaces.get_space, _space_id(call), call.query.on))


async def add_building(call: Call[Nothing, NewBuilding]) -> web.Response:
    """Add a building."""
    body = call.body
    site_id = SiteId(call.id("site_id"))
    return await call.create(
        lambda added: view_of(added, AddedBuildingView),
        spaces.add_building,
        site_id,
        body.code,
        body.name,
        body.floors,
    )


async def add_space(call: Call[Nothing, NewSpace]) -> web.Response:
    """Add a space to a building."""
    body = call.body
    said: dict[str, Any] = {name: getattr(body, name) for name in FACT_NAMES}
    facts = SpaceFacts(**{**said, "use": body.use or first_use(body.kind)})
    return await call.create(
        detail_view,
        spaces.add_space,
        BuildingId(call.id("building_id")),
        body.code,
        body.unit_code,
        body.floor,
        body.kind,
        facts,
    )


async def change_space(call: Call[Nothing, SpaceChange]) -> SpaceDetailView:
    """Say what a space is like from a day on."""
    body = call.body
    said = {name: getattr(body, name) for name in FACT_NAMES}
    changes: Mapping[str, Any] = {name: value for name, value in said.items() if value is not UNSET}
    changed = await call.write(spaces.change_space, _space_id(call), body.from_on, changes, body.reason)
    return detail_view(changed)


async def rename_space(call: Call[Nothing, SpaceName]) -> SpaceDetailView:
    """Correct what a space is called and where it lies."""
    body = call.body
    return detail_view(
        await call.write(spaces.rename_space, _space_id(call), body.code, body.unit_code, body.floor)
    )


async def attach_to_space(call: Call[AttachmentQuery, Nothing]) -> SpaceDetailView:
    """Keep a paper about a space: the body is the file itself."""
    # Known to exist before a megabyte of it is read.
    await call.read(spaces.get_space, _space_id(call))
    raw = await read_bytes(call.request, bytes_max=ATTACHMENT_BYTES_MAX)
    await call.write(spaces.attach, _space_id(call), call.query.title, raw)
    return detail_view(await call.read(spaces.get_space, _space_id(call)))


async def get_space_attachment(call: Call[Nothing, Nothing]) -> web.Response:
    """Return a paper about a space."""
    attachment_id = AttachmentId(call.id("attachment_id"))
    record, content = await call.read(spaces.fetch_attachment, _space_id(call), attachment_id)
    return web.Response(
        body=content, content_type=record.media_type, headers={"Content-Disposition": "attachment"}
    )


async def withdraw_space_attachment(call: Call[Nothing, Nothing]) -> None:
    """Show a paper about a space no more."""
    await call.write(spaces.withdraw_attachment, _space_id(call), AttachmentId(call.id("attachment_id")))


def _wanted(query: SpaceQuery) -> SpaceSearch:
    return SpaceSearch(
        query.text.strip(),
        query.building_id,
        query.kind,
        query.status,
        query.use,
        query.orientation,
        query.layout,
        query.unit_code,
        query.floor,
        query.area_from_dm2,
        query.area_to_dm2,
    )


def _space_id(call: Call[Any, Any]) -> SpaceId:
    return SpaceId(call.id("space_id"))


_SITE, _SPACE = "/api/v1/sites/{site_id}", "/api/v1/spaces/{space_id}"
_READ, _MANAGE = Action.READ_PREMISES, Action.MANAGE_PREMISES

ROUTES = (
    Route(
        "GET",
        _SITE + "/space_records",
        "Find spaces as they were on a day",
        _READ,
        find_spaces,
        Page[SpaceRecordView],
        query=SpaceQuery,
    ),
    Route(
        "GET",
        _SITE + "/space_counts",
        "Count spaces on a day",
        _READ,
        count_spaces,
        SpaceCountsView,
        query=SpaceQuery,
    ),
    Route(
        "POST",
        _SITE + "/buildings",
        "Add a building",
        _MANAGE,
        add_building,
        AddedBuildingView,
        body=NewBuilding,
        status=201,
        creates=True,
    ),
    Route(
        "POST",
        "/api/v1/buildings/{building_id}/spaces",
        "Add a space",
        _MANAGE,
        add_space,
        SpaceDetailView,
        body=NewSpace,
        status=201,
        creates=True,
    ),
    Route(
        "GET", _SPACE, "Show a space on a day with its history", _READ, get_space, SpaceDetailView, OnQuery
    ),
    Route(
        "POST",
        _SPACE + "/changes",
        "Say what a space is like from a day on",
        _MANAGE,
        change_space,
        SpaceDetailView,
        body=SpaceChange,
        description="Nothing is overwritten: before that day it stays what it was, and is billed as such.",
    ),
    Route(
        "PUT",
        _SPACE + "/name",
        "Correct what a space is called",
        _MANAGE,
        rename_space,
        SpaceDetailView,
        body=SpaceName,
    ),
    Route(
        "POST",
        _SPACE + "/attachments",
        "Attach a paper to a space",
        _MANAGE,
        attach_to_space,
        SpaceDetailView,
        query=AttachmentQuery,
        uploads=ATTACHMENT_TYPES,
        body_bytes_max=ATTACHMENT_BYTES_MAX,
        description="The body is the file: PDF, JPEG or PNG, at most 10 MB.",
    ),
    Route(
        "GET",
        _SPACE + "/attachments/{attachment_id}",
        "Fetch a paper about a space",
        Action.READ_LEDGER,
        get_space_attachment,
        ", ".join(ATTACHMENT_TYPES),
    ),
    Route(
        "DELETE",
        _SPACE + "/attachments/{attachment_id}",
        "Show a paper about a space no more",
        _MANAGE,
        withdraw_space_attachment,
        None,
        status=204,
    ),
)
