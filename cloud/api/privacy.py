"""What people may ask of their own data: a copy of it, and its deletion."""

from aiohttp import web

from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.person import (
    RequestKind,
)
from cloud.services import privacy


class DataRequest(Request, frozen=True):
    """What one asks of the data kept about oneself."""

    kind: RequestKind


class DataRequestView(View, frozen=True):
    """The request that was written down."""

    request_id: str


async def copy_of_my_data(call: Call[Nothing, Nothing]) -> web.Response:
    """Return everything kept about the caller."""
    return web.json_response(await call.write(privacy.copy_of_mine))


async def ask_of_my_data(call: Call[Nothing, DataRequest]) -> DataRequestView:
    """Ask for something of one's own data."""
    return DataRequestView(request_id=await call.write(privacy.ask, call.body.kind))


_MINE = "/api/v1/me/data"

ROUTES = (
    Route(
        "GET", _MINE, "Get a copy of one's data", Action.USE_OWN_PRIVACY, copy_of_my_data, "application/json"
    ),
    Route(
        "POST",
        _MINE + "/requests",
        "Ask of one's data",
        Action.USE_OWN_PRIVACY,
        ask_of_my_data,
        DataRequestView,
        body=DataRequest,
    ),
)
