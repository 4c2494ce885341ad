"""Parcels: taken in for a home, handed out once by a code."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.parcel import CARRIER_LENGTH_MAX, SHELF_LENGTH_MAX, Parcel
from cloud.keys import DATABASE
from cloud.services import parcels


class NewParcel(Request, frozen=True, kw_only=True):
    """For which home, as people call it; by whom it came and where it lies."""

    home: Annotated[str, Meta(min_length=1, max_length=40)]
    carrier: Annotated[str, Meta(max_length=CARRIER_LENGTH_MAX)] = ""
    shelf: Annotated[str, Meta(max_length=SHELF_LENGTH_MAX)] = ""


class ParcelCode(Request, frozen=True):
    """The six digits somebody shows."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]


class ParcelView(View, frozen=True):
    """One parcel; `code` is told to its home alone."""

    parcel_id: str
    space_code: str
    carrier: str
    shelf: str
    code: str
    arrived_at_ms: int
    handed_out_at_ms: int | None


async def take_in_parcel(call: Call[Nothing, NewParcel]) -> web.Response:
    """Put a parcel on the shelf and tell its home."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    return await call.create(_view, parcels.take_in, site_id, body.home, body.carrier, body.shelf)


async def list_parcels(call: Call[PageQuery, Nothing]) -> Page[ParcelView]:
    """List what is on the shelf, and what was handed out within a day."""
    found = await call.read(parcels.list_shelf, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.parcel_id, _view)


async def hand_out_parcel(call: Call[Nothing, ParcelCode]) -> ParcelView:
    """Hand out the parcel of a code, once."""
    site_id = SiteId(call.id("site_id"))
    database = call.request.app[DATABASE]
    return _view(await parcels.hand_out_by_code(database, call.actor, site_id, call.body.code))


async def list_own_parcels(call: Call[PageQuery, Nothing]) -> Page[ParcelView]:
    """List the parcels of one's homes, with their codes."""
    return cut(await call.read(parcels.own_parcels), call.query, lambda one: one.parcel_id, _view)


def _view(found: Parcel) -> ParcelView:
    return view_of(found, ParcelView)


_OF_SITE = "/api/v1/sites/{site_id}/parcels"

ROUTES = (
    Route(
        "GET",
        _OF_SITE,
        "List parcels on the shelf",
        Action.HANDLE_PARCELS,
        list_parcels,
        Page[ParcelView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _OF_SITE,
        "Take a parcel in",
        Action.HANDLE_PARCELS,
        take_in_parcel,
        ParcelView,
        body=NewParcel,
        status=201,
        creates=True,
    ),
    Route(
        "POST",
        f"{_OF_SITE}/handing_out",
        "Hand a parcel out",
        Action.HANDLE_PARCELS,
        hand_out_parcel,
        ParcelView,
        body=ParcelCode,
        description="A code hands out one parcel, once.",
    ),
    Route(
        "GET",
        "/api/v1/own_parcels",
        "List parcels of one's homes",
        Action.USE_COMMUNITY,
        list_own_parcels,
        Page[ParcelView],
        query=PageQuery,
    ),
)
