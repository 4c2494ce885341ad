"""The directory of what is near a site."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut
from cloud.domain.access import Action
from cloud.domain.ids import NearbyServiceId, SiteId
from cloud.domain.nearby import (
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    PHONE_PATTERN,
    POSITION_MAX,
    TEXT_LENGTH_MAX,
    NearbyCategory,
    NearbySaid,
    NearbyService,
)
from cloud.services import nearby

Text = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]


class NearbyServiceBody(Request, frozen=True, kw_only=True):
    """What a service is and how to reach it: an empty `phone` asks for an address."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    category: NearbyCategory
    phone: Annotated[str, Meta(pattern=PHONE_PATTERN)]
    address: Text = ""
    hours: Text = ""
    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""
    position: Annotated[int, Meta(ge=0, le=POSITION_MAX)] = 0


class NearbyServiceView(View, frozen=True):
    """One entry of a site's directory."""

    nearby_service_id: str
    name: str
    category: NearbyCategory
    phone: str
    address: str
    hours: str
    note: str
    position: int


async def list_services(call: Call[PageQuery, Nothing]) -> Page[NearbyServiceView]:
    """List what is near a site."""
    found = await call.read(nearby.list_services, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.service_id, _view)


async def add_service(call: Call[Nothing, NearbyServiceBody]) -> web.Response:
    """Add a service to a site's directory."""
    return await call.create(_view, nearby.add_service, SiteId(call.id("site_id")), _said(call.body))


async def change_service(call: Call[Nothing, NearbyServiceBody]) -> NearbyServiceView:
    """Say anew what a service is."""
    return _view(await call.write(nearby.change_service, _service_id(call), _said(call.body)))


async def remove_service(call: Call[Nothing, Nothing]) -> None:
    """Take a service out of the directory."""
    await call.write(nearby.remove_service, NearbyServiceId(call.id("nearby_service_id")))


def _service_id(call: Call[Nothing, NearbyServiceBody]) -> NearbyServiceId:
    return NearbyServiceId(call.id("nearby_service_id"))


def _said(body: NearbyServiceBody) -> NearbySaid:
    return NearbySaid(
        body.name, body.category, body.phone, body.address, body.hours, body.note, body.position
    )


def _view(found: NearbyService) -> NearbyServiceView:
    said = found.said
    return NearbyServiceView(
        nearby_service_id=found.service_id,
        name=said.name,
        category=said.category,
        phone=said.phone,
        address=said.address,
        hours=said.hours,
        note=said.note,
        position=said.position,
    )


_OF_SITE = "/api/v1/sites/{site_id}/nearby_services"
_ONE = "/api/v1/nearby_services/{nearby_service_id}"
_MANAGE = Action.MANAGE_COMMUNITY

ROUTES = (
    Route(
        "GET",
        _OF_SITE,
        "List nearby services",
        Action.USE_COMMUNITY,
        list_services,
        Page[NearbyServiceView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _OF_SITE,
        "Add a nearby service",
        _MANAGE,
        add_service,
        NearbyServiceView,
        body=NearbyServiceBody,
        status=201,
        creates=True,
    ),
    Route(
        "PUT",
        _ONE,
        "Change a nearby service",
        _MANAGE,
        change_service,
        NearbyServiceView,
        body=NearbyServiceBody,
    ),
    Route("DELETE", _ONE, "Remove a nearby service", _MANAGE, remove_service, None),
)
