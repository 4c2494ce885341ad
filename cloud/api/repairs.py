"""Repairs: told of, given to somebody, moved on, quoted, rated; with photos."""

import asyncio
from typing import Any

from aiohttp import web

from cloud.api.errors import Malformed
from cloud.api.parse import read_bytes
from cloud.api.repair_views import (
    Assignment,
    NewQuote,
    NewRepair,
    QuoteAnswer,
    Rating,
    RepairDetailView,
    RepairMove,
    RepairNote,
    RepairOfAlarm,
    RepairQuery,
    RepairView,
    entry_view,
    photo_view,
    repair_view,
)
from cloud.api.route import Call, Nothing, Page, Route, page_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, AlarmId, EquipmentId, PhotoId, RepairId, SiteId, SpaceId, UserId
from cloud.domain.photo import PHOTO_BYTES_MAX
from cloud.domain.repair import (
    UNFINISHED,
    RepairState,
)
from cloud.services import photos, repair_work, repairs
from cloud.services.repairs import RepairDetail, RepairRequest

_STATES: dict[str, frozenset[RepairState]] = {
    "unfinished": UNFINISHED,
    "all": frozenset(RepairState),
    **{state.value: frozenset({state}) for state in RepairState},
}


async def list_repairs(call: Call[RepairQuery, Nothing]) -> Page[RepairView]:
    """List a site's repairs, the last told first; a resident's own."""
    query = call.query
    found = await call.read(
        repairs.list_repairs,
        SiteId(call.id("site_id")),
        _STATES[query.state],
        query.cursor,
        query.limit,
        assignee_id=None if query.assignee_id is None else UserId(query.assignee_id),
        account_id=None if query.account_id is None else AccountId(query.account_id),
    )
    return page_of(found, lambda repair: repair_view(call, repair))


async def request_repair_of_home(call: Call[Nothing, NewRepair]) -> web.Response:
    """Tell of something broken."""
    body = call.body
    asked = RepairRequest(
        body.category,
        body.urgency,
        body.channel,
        body.description,
        body.place,
        None if body.account_id is None else AccountId(body.account_id),
        None if body.space_id is None else SpaceId(body.space_id),
        None if body.equipment_id is None else EquipmentId(body.equipment_id),
        body.wanted_at_ms,
    )
    site_id = SiteId(call.id("site_id"))
    return await call.create(lambda repair: repair_view(call, repair), repairs.request, site_id, asked)


async def request_repair_of_alarm(call: Call[Nothing, RepairOfAlarm]) -> RepairView:
    """Have what an alarm is about mended; asked again it is the same repair."""
    alarm_id = AlarmId(call.id("alarm_id"))
    return repair_view(call, await call.write(repairs.request_for_alarm, alarm_id, call.body.category))


async def get_repair(call: Call[Nothing, Nothing]) -> RepairDetailView:
    """Show a repair, its history and its photos."""
    found: RepairDetail = await call.read(repairs.detail, _repair_id(call))
    return RepairDetailView(
        repair=repair_view(call, found.repair),
        history=tuple(entry_view(entry) for entry in found.entries),
        photos=tuple(photo_view(photo) for photo in found.photos),
    )


async def move_repair(call: Call[Nothing, RepairMove]) -> web.Response:
    """Take a repair a step further."""
    return await call.change(
        lambda repair: repair_view(call, repair),
        repairs.get_repair,
        repair_work.move,
        _repair_id(call),
        call.body.state,
        call.body.text,
    )


async def assign_repair(call: Call[Nothing, Assignment]) -> RepairView:
    """Give a repair to somebody."""
    user_id = UserId(call.body.user_id)
    return repair_view(call, await call.write(repair_work.assign, _repair_id(call), user_id))


async def note_repair(call: Call[Nothing, RepairNote]) -> RepairView:
    """Add something to a repair's history."""
    return repair_view(call, await call.write(repair_work.note, _repair_id(call), call.body.text))


async def quote_repair(call: Call[Nothing, NewQuote]) -> RepairView:
    """Say what the resident would pay."""
    body = call.body
    return repair_view(
        call, await call.write(repair_work.quote, _repair_id(call), body.amount_fen, body.text)
    )


async def answer_quote(call: Call[Nothing, QuoteAnswer]) -> RepairView:
    """Agree to a quote or decline it."""
    is_agreed = call.body.is_agreed
    return repair_view(
        call, await call.write(repair_work.answer_quote, _repair_id(call), is_agreed=is_agreed)
    )


async def rate_repair(call: Call[Nothing, Rating]) -> RepairView:
    """Say how good the work was."""
    body = call.body
    return repair_view(call, await call.write(repair_work.rate, _repair_id(call), body.rating, body.text))


async def add_repair_photo(call: Call[Nothing, Nothing]) -> RepairDetailView:
    """Keep a photo of a repair: the body is the picture itself."""
    # Known to exist for the caller before a megabyte of it is read.
    await call.read(repairs.get_repair, _repair_id(call))
    raw = await read_bytes(call.request, bytes_max=PHOTO_BYTES_MAX)
    if not raw:
        raise Malformed("the body is empty, expected a JPEG, PNG or WebP picture")
    cleaned = await asyncio.to_thread(photos.clean, raw)
    await call.write(repair_work.add_photo, _repair_id(call), cleaned)
    return await get_repair(call)


async def get_repair_photo(call: Call[Nothing, Nothing]) -> web.Response:
    """Return a photo of a repair."""
    content = await call.read(repairs.photo, _repair_id(call), PhotoId(call.id("photo_id")))
    return web.Response(body=content, content_type="image/jpeg")


def _repair_id(call: Call[Any, Any]) -> RepairId:
    return RepairId(call.id("repair_id"))


_SITE, _ONE = "/api/v1/sites/{site_id}/repairs", "/api/v1/repairs/{repair_id}"
_READ, _ASK = Action.READ_OWN_REPAIRS, Action.REQUEST_REPAIRS

ROUTES = (
    Route("GET", _SITE, "List a site's repairs", _READ, list_repairs, Page[RepairView], query=RepairQuery),
    Route(
        "POST",
        _SITE,
        "Tell of something broken",
        _ASK,
        request_repair_of_home,
        RepairView,
        body=NewRepair,
        status=201,
        creates=True,
        description="Somebody is sent at once if somebody suits.",
    ),
    Route(
        "POST",
        "/api/v1/alarms/{alarm_id}/repair",
        "Have what an alarm is about mended",
        Action.RECORD_REPAIRS,
        request_repair_of_alarm,
        RepairView,
        body=RepairOfAlarm,
        description="An alarm has one repair under way at most; it is done only when the alarm is over.",
    ),
    Route("GET", _ONE, "Show a repair", _READ, get_repair, RepairDetailView),
    Route(
        "POST",
        _ONE + "/state",
        "Take a repair a step further",
        _ASK,
        move_repair,
        RepairView,
        body=RepairMove,
        is_guarded=True,
    ),
    Route(
        "POST",
        _ONE + "/assignee",
        "Give a repair to somebody",
        Action.MANAGE_REPAIRS,
        assign_repair,
        RepairView,
        body=Assignment,
    ),
    Route("POST", _ONE + "/notes", "Add a note to a repair", _ASK, note_repair, RepairView, body=RepairNote),
    Route(
        "POST",
        _ONE + "/quote",
        "Quote a repair",
        Action.WORK_REPAIRS,
        quote_repair,
        RepairView,
        body=NewQuote,
    ),
    Route(
        "POST",
        _ONE + "/quote/answer",
        "Answer a repair's quote",
        _ASK,
        answer_quote,
        RepairView,
        body=QuoteAnswer,
    ),
    Route("POST", _ONE + "/rating", "Rate a repair", _ASK, rate_repair, RepairView, body=Rating),
    Route(
        "POST",
        _ONE + "/photos",
        "Add a photo to a repair",
        _ASK,
        add_repair_photo,
        RepairDetailView,
        uploads=photos.PHOTO_TYPES,
        body_bytes_max=PHOTO_BYTES_MAX,
        description="The body is the picture: JPEG, PNG or WebP, at most 12 MB. Kept without metadata.",
    ),
    Route(
        "GET", _ONE + "/photos/{photo_id}", "Show a photo of a repair", _READ, get_repair_photo, "image/jpeg"
    ),
)
