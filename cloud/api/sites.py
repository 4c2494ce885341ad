"""Sites and what they consist of: buildings, spaces, service points."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.ids import BuildingId, SiteId
from cloud.domain.premises import Commodity, ServicePointKind, Site, Space, SpaceKind
from cloud.services import premises


class SpaceQuery(PageQuery, frozen=True, kw_only=True):
    """Which spaces of a site."""

    building_id: Id | None = None


class SiteView(View, frozen=True):
    """A community; `time_zone` is an IANA name, in which its local dates are meant."""

    site_id: str
    code: str
    name: str
    time_zone: str
    address: str


class NewSite(Request, frozen=True):
    """A site to be; its time zone is not changed later."""

    code: Annotated[str, Meta(min_length=1, max_length=10)]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    time_zone: Annotated[str, Meta(min_length=1, max_length=60)]
    address: Annotated[str, Meta(max_length=200)] = ""


class BuildingView(View, frozen=True):
    """One building of a site."""

    building_id: str
    site_id: str
    code: str
    name: str
    floors: int


class SpaceView(View, frozen=True):
    """A flat, shop, parking place or common part; areas in square decimetres (89.60 m² is 8960)."""

    space_id: str
    building_id: str
    code: str
    unit_code: str
    floor: int
    kind: SpaceKind
    built_area_dm2: int


class ServicePointView(View, frozen=True):
    """A place where one commodity is measured."""

    service_point_id: str
    site_id: str
    space_id: str | None
    code: str
    commodity: Commodity
    kind: ServicePointKind


async def list_sites(call: Call[PageQuery, Nothing]) -> Page[SiteView]:
    """List sites by code."""
    return cut(await call.read(premises.list_sites), call.query, lambda site: site.code, _site_view)


async def add_site(call: Call[Nothing, NewSite]) -> web.Response:
    """Add a site."""
    body = call.body
    return await call.create(
        _site_view, premises.add_site, body.code, body.name, body.address, body.time_zone
    )


async def get_site(call: Call[Nothing, Nothing]) -> SiteView:
    """Show a site."""
    return _site_view(await call.read(premises.get_site, SiteId(call.id("site_id"))))


async def list_buildings(call: Call[PageQuery, Nothing]) -> Page[BuildingView]:
    """List a site's buildings by code."""
    found = await call.read(premises.list_buildings, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.code, lambda one: view_of(one, BuildingView))


async def list_spaces(call: Call[SpaceQuery, Nothing]) -> Page[SpaceView]:
    """List a site's spaces by building and code."""
    building_id = None if call.query.building_id is None else BuildingId(call.query.building_id)
    found = await call.read(premises.list_spaces, SiteId(call.id("site_id")), building_id)
    return cut(found, call.query, _space_key, lambda space: view_of(space, SpaceView))


async def list_service_points(call: Call[PageQuery, Nothing]) -> Page[ServicePointView]:
    """List a site's service points by code."""
    found = await call.read(premises.list_service_points, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.code, lambda one: view_of(one, ServicePointView))


def _site_view(site: Site) -> SiteView:
    return view_of(site, SiteView)


def _space_key(space: Space) -> str:
    return f"{space.building_id} {space.code}"


_ONE = "/api/v1/sites/{site_id}"
_READ = Action.READ_PREMISES

ROUTES = (
    Route("GET", "/api/v1/sites", "List sites", _READ, list_sites, Page[SiteView], query=PageQuery),
    Route(
        "POST",
        "/api/v1/sites",
        "Add a site",
        Action.MANAGE_SITES,
        add_site,
        SiteView,
        body=NewSite,
        status=201,
        creates=True,
    ),
    Route("GET", _ONE, "Show a site", _READ, get_site, SiteView),
    Route(
        "GET",
        _ONE + "/buildings",
        "List a site's buildings",
        _READ,
        list_buildings,
        Page[BuildingView],
        query=PageQuery,
    ),
    Route(
        "GET", _ONE + "/spaces", "List a site's spaces", _READ, list_spaces, Page[SpaceView], query=SpaceQuery
    ),
    Route(
        "GET",
        _ONE + "/service_points",
        "List a site's service points",
        _READ,
        list_service_points,
        Page[ServicePointView],
        query=PageQuery,
    ),
)
