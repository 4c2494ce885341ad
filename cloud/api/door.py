"""The API as a door of the application: its routes, its document, its errors.

The invariant: what is mounted is the route table and nothing else, and mounting fails if the table could
not be served as it is described.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

import msgspec
from aiohttp import web

from cloud.api.documentation import show_documentation
from cloud.api.endpoint import endpoint
from cloud.api.errors import KINDS, PROBLEM_PREFIX, render_problem
from cloud.api.openapi import openapi_document, operation_id_of
from cloud.api.route import PATH_CODES, PATH_NUMBERS, Open, Route
from cloud.api.routes import ROUTES
from cloud.domain.access import POLICY
from cloud.web.door import Door


class RouteError(Exception):
    """The route table contradicts itself: a mistake of ours, told before anything is served."""


_PREFIXES = ("/api/", "/docs", "/openapi.json", PROBLEM_PREFIX)


def mount(app: web.Application) -> None:
    """Add the API's routes and the pages that explain them."""
    check_routes(ROUTES)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, endpoint(route))
    app.router.add_get("/openapi.json", _openapi)
    app.router.add_get("/docs", show_documentation)
    app.router.add_get(PROBLEM_PREFIX + "{name}", _problem)


def check_routes(routes: Sequence[Route]) -> None:
    """Refuse a table with two routes of one address or operation, an action without a policy, or a
    parameter of the path that no document could describe."""
    for listed in ([f"{r.method} {r.path}" for r in routes], [operation_id_of(r) for r in routes]):
        if twice := sorted({entry for entry in listed if listed.count(entry) > 1}):
            raise RouteError(f"listed twice: {', '.join(twice)}")
    for route in routes:
        if not isinstance(route.policy, Open) and route.policy not in POLICY:
            raise RouteError(f"{route.method} {route.path}: {route.policy} is not in the policy table")
        for name in re.findall(r"\{(\w+)\}", route.path):
            if name not in PATH_NUMBERS | PATH_CODES and not name.endswith("_id"):
                raise RouteError(f"{route.method} {route.path}: what is {name!r}? An id ends with _id")


async def _openapi(request: web.Request) -> web.Response:
    del request
    return web.Response(body=document_bytes(), content_type="application/json")


async def _problem(request: web.Request) -> web.Response:
    """Explain a problem's `type` to the person who follows it."""
    kind = KINDS.get(request.match_info["name"])
    if kind is None:
        raise web.HTTPNotFound
    return web.Response(text=f"{kind.status} {kind.title_en} / {kind.title_zh}\n\n{kind.advice}\n")


@cache
def document_bytes() -> bytes:
    """Return the document as it is served; written once, when somebody first asks."""
    return msgspec.json.encode(openapi_document(ROUTES, version=version("gatehouse")))


API = Door("api", _PREFIXES, mount, render_problem)
