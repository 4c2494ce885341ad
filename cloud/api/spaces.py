"""Spaces as they are and were: found and counted on any day, added, changed from a day on, with papers."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from cloud.api.parse import read_bytes
from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.attachment import ATTACHMENT_BYTES_MAX, TITLE_LENGTH_MAX
from cloud.domain.ids import AttachmentId, BuildingId, SiteId, SpaceId
from cloud.domain.premises import SpaceKind
from cloud.domain.space_history import (
    AREA_BANDS_DM2,
    AREA_DM2_MAX,
    FACT_NAMES,
    Orientation,
    SpaceCount,
    SpaceFacts,
    SpaceRecord,
    SpaceSearch,
    SpaceStatus,
    SpaceUse,
    SpaceVersion,
    first_use,
)
from cloud.services import spaces
from cloud.services.spaces import CODE_LENGTH_MAX, NAME_LENGTH_MAX, REASON_LENGTH_MAX, SpaceDetail

Code = Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH_MAX)]
Text = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
Area = Annotated[int, Meta(ge=0, le=AREA_DM2_MAX)]
Floor = Annotated[int, Meta(ge=-20, le=200)]


class OnQuery(Request, frozen=True, kw_only=True):
    """Which day; today if it is left out."""

    on: date | None = None


class SpaceQuery(PageQuery, frozen=True, kw_only=True):
    """Which spaces, on which day; `text` is part of a number, a title, an account or a holder's name."""

    on: date | None = None
    text: Annotated[str, Meta(max_length=100)] = ""
    building_id: Id | None = None
    kind: SpaceKind | None = None
    status: SpaceStatus | None = None
    use: SpaceUse | None = None
    orientation: Orientation | None = None
    layout: Text = ""
    unit_code: Text = ""
    floor: Floor | None = None
    area_from_dm2: Area | None = None
    area_to_dm2: Area | None = None


class NewBuilding(Request, frozen=True, kw_only=True):
    """A building to be added."""

    code: Code
    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    floors: Annotated[int, Meta(ge=1, le=200)]


class AddedBuildingView(View, frozen=True):
    """A building that was added."""

    building_id: str
    site_id: str
    code: str
    name: str
    floors: int


class NewSpace(Request, frozen=True, kw_only=True):
    """A space to be added; what is left out of its facts is not known."""

    code: Code
    unit_code: Annotated[str, Meta(max_length=CODE_LENGTH_MAX)] = ""
    floor: Floor
    kind: SpaceKind
    built_area_dm2: Area = 0
    inner_area_dm2: Area | None = None
    layout: Text = ""
    orientation: Orientation | None = None
    use: SpaceUse | None = None
    title_number: Text = ""
    status: SpaceStatus | None = None
    handed_over_on: date | None = None


class SpaceName(Request, frozen=True, kw_only=True):
    """What a space is called and where it lies."""

    code: Code
    unit_code: Annotated[str, Meta(max_length=CODE_LENGTH_MAX)] = ""
    floor: Floor


class SpaceChange(Request, frozen=True, kw_only=True):
    """What a space is like from a day on, and why; what is left out stays as it is."""

    from_on: date
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
    built_area_dm2: Area | UnsetType = UNSET
    inner_area_dm2: Area | UnsetType | None = UNSET
    layout: Text | UnsetType = UNSET
    orientation: Orientation | UnsetType | None = UNSET
    use: SpaceUse | UnsetType = UNSET
    title_number: Text | UnsetType = UNSET
    status: SpaceStatus | UnsetType | None = UNSET
    handed_over_on: date | UnsetType | None = UNSET


class AttachmentQuery(Request, frozen=True, kw_only=True):
    """What a paper is called."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH_MAX)]


class SpaceFactsView(View, frozen=True):
    """What a space is like; areas in square decimetres. `status` is null where its account tells."""

    built_area_dm2: int
    inner_area_dm2: int | None
    layout: str
    orientation: Orientation | None
    use: SpaceUse
    title_number: str
    status: SpaceStatus | None
    handed_over_on: date | None


class SpaceRecordView(View, frozen=True):
    """A space on a day, and whose it was; `status` is what was said of it or what its account shows."""

    space_id: str
    building_id: str
    building_code: str
    code: str
    unit_code: str
    floor: int
    kind: SpaceKind
    status: SpaceStatus
    facts: SpaceFactsView
    account_id: str | None
    account_number: str
    holder_name: str


class SpaceVersionView(View, frozen=True):
    """That a space was like this from a day on; of one day the version recorded last counts."""

    number: int
    from_on: date
    facts: SpaceFactsView
    reason: str
    recorded_at_ms: int
    recorded_by: str | None


class AttachmentView(View, frozen=True):
    """A paper; fetch it under `…/attachments/{attachment_id}`."""

    attachment_id: str
    title: str
    media_type: str
    sha256: str
    size_bytes: int
    added_at_ms: int


class SpaceDetailView(View, frozen=True):
    """A space on a day, every version of it, the newest word first, and its papers."""

    space: SpaceRecordView
    versions: tuple[SpaceVersionView, ...]
    attachments: tuple[AttachmentView, ...]


class SpaceCountView(View, frozen=True):
    """How many spaces are alike; the band is from `area_from_dm2` up to and without `area_to_dm2`."""

    kind: SpaceKind
    status: SpaceStatus
    layout: str
    area_from_dm2: int
    area_to_dm2: int | None
    count: int
    area_dm2: int


class SpaceCountsView(View, frozen=True):
    """The spaces of a site on a day, counted."""

    counts: tuple[SpaceCountView, ...]


async def find_spaces(call: Call[SpaceQuery, Nothing]) -> Page[SpaceRecordView]:
    """Find spaces as they were on a day."""
    query, site_id = call.query, SiteId(call.id("site_id"))
    found = await call.read(spaces.search, site_id, _wanted(query), query.on, query.cursor, query.limit)
    return page_of(found, _record_view)


async def count_spaces(call: Call[SpaceQuery, Nothing]) -> SpaceCountsView:
    """Count spaces on a day: by kind, state, layout and area."""
    site_id = SiteId(call.id("site_id"))
    found = await call.read(spaces.counts, site_id, _wanted(call.query), call.query.on)
    return SpaceCountsView(counts=tuple(_count_view(one) for one in found))


async def get_space(call: Call[OnQuery, Nothing]) -> SpaceDetailView:
    """Show a space on a day with its history."""
    return _detail_view(await call.read(spaces.get_space, _space_id(call), call.query.on))


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
        _detail_view,
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
    return _detail_view(changed)


async def rename_space(call: Call[Nothing, SpaceName]) -> SpaceDetailView:
    """Correct what a space is called and where it lies."""
    body = call.body
    return _detail_view(
        await call.write(spaces.rename_space, _space_id(call), body.code, body.unit_code, body.floor)
    )


async def attach_to_space(call: Call[AttachmentQuery, Nothing]) -> SpaceDetailView:
    """Keep a paper about a space: the body is the file itself."""
    # Known to exist before a megabyte of it is read.
    await call.read(spaces.get_space, _space_id(call))
    raw = await read_bytes(call.request, bytes_max=ATTACHMENT_BYTES_MAX)
    await call.write(spaces.attach, _space_id(call), call.query.title, raw)
    return _detail_view(await call.read(spaces.get_space, _space_id(call)))


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


def _record_view(record: SpaceRecord) -> SpaceRecordView:
    return SpaceRecordView(
        space_id=record.space.space_id,
        building_id=record.space.building_id,
        building_code=record.building_code,
        code=record.space.code,
        unit_code=record.space.unit_code,
        floor=record.space.floor,
        kind=record.space.kind,
        status=record.status,
        facts=view_of(record.facts, SpaceFactsView),
        account_id=record.account_id,
        account_number=record.account_number,
        holder_name=record.holder_name,
    )


def _version_view(version: SpaceVersion) -> SpaceVersionView:
    return view_of(version, SpaceVersionView, facts=view_of(version.facts, SpaceFactsView))


def _detail_view(found: SpaceDetail) -> SpaceDetailView:
    return SpaceDetailView(
        space=_record_view(found.record),
        versions=tuple(_version_view(one) for one in found.versions),
        attachments=tuple(view_of(one, AttachmentView) for one in found.attachments),
    )


def _count_view(one: SpaceCount) -> SpaceCountView:
    edges = (0, *AREA_BANDS_DM2, None)
    return view_of(
        one, SpaceCountView, area_from_dm2=edges[one.area_band] or 0, area_to_dm2=edges[one.area_band + 1]
    )


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
        body_bytes_max=ATTACHMENT_BYTES_MAX,
        description="The body is the file: PDF, JPEG or PNG, at most 10 MB.",
    ),
    Route(
        "GET",
        _SPACE + "/attachments/{attachment_id}",
        "Fetch a paper about a space",
        Action.READ_LEDGER,
        get_space_attachment,
        "application/octet-stream",
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
