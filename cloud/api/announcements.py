"""Announcements: told to some homes or the staff, with who has opened them."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.announcement import (
    BUILDINGS_MAX,
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Announcement,
    Audience,
    OwnAnnouncement,
    Readers,
    Receipt,
)
from cloud.domain.ids import AnnouncementId, BuildingId, SiteId
from cloud.services import announcements


class AudienceBody(Request, frozen=True, kw_only=True):
    """Whom it is for: no building means the whole site; a unit or a riser is part of one building."""

    readers: Readers = Readers.RESIDENTS
    building_ids: Annotated[tuple[Id, ...], Meta(max_length=BUILDINGS_MAX)] = ()
    unit_code: Annotated[str, Meta(max_length=20)] = ""
    riser: Annotated[str, Meta(max_length=10)] = ""


class NewAnnouncement(Request, frozen=True, kw_only=True):
    """What is told to whom; `until_on` is the last day residents see it."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH_MAX)]
    text: Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
    audience: AudienceBody = AudienceBody()
    until_on: date | None = None
    is_urgent: bool = False


class ReachView(View, frozen=True):
    """Whom an audience would reach; `silent_codes` are homes nobody signs in for."""

    codes: tuple[str, ...]
    silent_codes: tuple[str, ...]


class AnnouncementView(View, frozen=True):
    """One announcement; counts are of homes."""

    announcement_id: str
    title: str
    text: str
    readers: Readers
    building_ids: list[str]
    unit_code: str
    riser: str
    is_urgent: bool
    written_by: str
    published_at_ms: int
    until_on: date | None
    withdrawn_at_ms: int | None
    home_count: int
    read_count: int


class ReceiptView(View, frozen=True):
    """One home it was for."""

    account_id: str
    number: str
    space_code: str
    read_at_ms: int | None


class OwnAnnouncementView(View, frozen=True):
    """An announcement to one of its readers."""

    announcement_id: str
    title: str
    text: str
    is_urgent: bool
    published_at_ms: int
    until_on: date | None
    read_at_ms: int | None


async def preview_audience(call: Call[Nothing, AudienceBody]) -> ReachView:
    """Say whom an audience would reach; nothing is published."""
    site_id = SiteId(call.id("site_id"))
    return view_of(await call.read(announcements.reach, site_id, _audience(call.body)), ReachView)


async def publish_announcement(call: Call[Nothing, NewAnnouncement]) -> web.Response:
    """Tell an audience something."""
    body = call.body
    return await call.create(
        _view,
        announcements.publish,
        SiteId(call.id("site_id")),
        body.title,
        body.text,
        _audience(body.audience),
        body.until_on,
        is_urgent=body.is_urgent,
    )


async def list_announcements(call: Call[PageQuery, Nothing]) -> Page[AnnouncementView]:
    """List a site's announcements, newest first."""
    site_id = SiteId(call.id("site_id"))
    found = await call.read(announcements.list_announcements, site_id, call.query.cursor, call.query.limit)
    return page_of(found, _view)


async def get_announcement(call: Call[Nothing, Nothing]) -> AnnouncementView:
    """Return one announcement."""
    return _view(await call.read(announcements.get_announcement, _id(call)))


async def list_receipts(call: Call[PageQuery, Nothing]) -> Page[ReceiptView]:
    """List the homes it was for, with who has opened it."""
    found: list[Receipt] = await call.read(announcements.list_receipts, _id(call))
    return cut(found, call.query, lambda one: one.number, lambda one: view_of(one, ReceiptView))


async def take_back_announcement(call: Call[Nothing, Nothing]) -> None:
    """Take an announcement back."""
    await call.write(announcements.take_back, _id(call))


async def list_own_announcements(call: Call[PageQuery, Nothing]) -> Page[OwnAnnouncementView]:
    """List what one's homes were told."""
    found = await call.read(announcements.own_announcements, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: str(one.announcement.announcement_id), _own_view)


async def open_own_announcement(call: Call[Nothing, Nothing]) -> OwnAnnouncementView:
    """Open an announcement; that is noted."""
    return _own_view(await call.write(announcements.open_own, _id(call)))


def _id(call: Call[Nothing, Nothing] | Call[PageQuery, Nothing]) -> AnnouncementId:
    return AnnouncementId(call.id("announcement_id"))


def _audience(body: AudienceBody) -> Audience:
    buildings = frozenset(BuildingId(one) for one in body.building_ids)
    return Audience(body.readers, buildings, body.unit_code.strip(), body.riser.strip())


def _view(found: Announcement) -> AnnouncementView:
    audience = found.audience
    return view_of(
        found,
        AnnouncementView,
        readers=audience.readers,
        building_ids=sorted(audience.building_ids),
        unit_code=audience.unit_code,
        riser=audience.riser,
    )


def _own_view(found: OwnAnnouncement) -> OwnAnnouncementView:
    return view_of(found.announcement, OwnAnnouncementView, read_at_ms=found.read_at_ms)


_OF_SITE = "/api/v1/sites/{site_id}/announcements"
_ONE = "/api/v1/announcements/{announcement_id}"

ROUTES = (
    Route(
        "GET",
        _OF_SITE,
        "List announcements",
        Action.READ_COMMUNITY,
        list_announcements,
        Page[AnnouncementView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _OF_SITE,
        "Publish an announcement",
        Action.MANAGE_COMMUNITY,
        publish_announcement,
        AnnouncementView,
        body=NewAnnouncement,
        status=201,
        creates=True,
        description="Whom it was for is settled now; their notices follow by the outbox.",
    ),
    Route(
        "POST",
        f"{_OF_SITE}/reach",
        "Say whom an audience would reach",
        Action.MANAGE_COMMUNITY,
        preview_audience,
        ReachView,
        body=AudienceBody,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/own_announcements",
        "List announcements to one's homes",
        Action.USE_COMMUNITY,
        list_own_announcements,
        Page[OwnAnnouncementView],
        query=PageQuery,
    ),
    Route(
        "GET",
        _ONE,
        "Read an announcement",
        Action.READ_COMMUNITY,
        get_announcement,
        AnnouncementView,
    ),
    Route("DELETE", _ONE, "Take an announcement back", Action.MANAGE_COMMUNITY, take_back_announcement, None),
    Route(
        "GET",
        f"{_ONE}/receipts",
        "List who has opened an announcement",
        Action.READ_COMMUNITY,
        list_receipts,
        Page[ReceiptView],
        query=PageQuery,
    ),
    Route(
        "POST",
        f"{_ONE}/opening",
        "Open an announcement to one's home",
        Action.USE_COMMUNITY,
        open_own_announcement,
        OwnAnnouncementView,
        description="Notes, the first time, that somebody of the home has opened it.",
    ),
)
