"""The API as a door of the application: its routes, its document, its errors.

The invariant: mounting fails if a route could not be served as it is described: two of one method and
path, or of one operation name, or a path parameter its handler's noun does not know.
"""

from importlib.metadata import version

import msgspec
from aiohttp import web

from cloud.api.closings import closings
from cloud.api.documentation import show_documentation
from cloud.api.endpoint import endpoint
from cloud.api.errors import KINDS, PROBLEM_PREFIX, render_problem
from cloud.api.openapi import openapi_document, operation_id_of
from cloud.api.routes import ROUTES
from cloud.web.door import Door

_PREFIXES = ("/api/", "/docs", "/openapi.json", PROBLEM_PREFIX)


def mount(app: web.Application) -> None:
    """Add the API's routes and the pages that explain them."""
    check_routes()
    app.cleanup_ctx.append(closings)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, endpoint(route))
    app.router.add_get("/openapi.json", _openapi)
    app.router.add_get("/docs", show_documentation)
    app.router.add_get(PROBLEM_PREFIX + "{name}", _problem)


def check_routes() -> None:
    """Refuse a table that names an address or an operation twice."""
    addresses = [f"{route.method} {route.path}" for route in ROUTES]
    names = [operation_id_of(route) for route in ROUTES]
    for listed in (addresses, names):
        if twice := sorted({entry for entry in listed if listed.count(entry) > 1}):
            raise AssertionError(f"routes listed twice: {', '.join(twice)}")


async def _openapi(request: web.Request) -> web.Response:
    del request
    return web.Response(body=_DOCUMENT, content_type="application/json")


async def _problem(request: web.Request) -> web.Response:
    """Explain a problem's `type` to the person who follows it."""
    kind = KINDS.get(request.match_info["name"])
    if kind is None:
        raise web.HTTPNotFound
    return web.Response(text=f"{kind.status} {kind.title_en} / {kind.title_zh}\n\n{kind.advice}\n")


_DOCUMENT = msgspec.json.encode(openapi_document(ROUTES, version=version("gatehouse")))

API = Door("api", _PREFIXES, mount, render_problem)
