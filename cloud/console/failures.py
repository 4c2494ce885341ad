"""When something goes wrong on a page: what did not happen, what to do, and a number to quote.

The one table from exceptions to statuses for pages. The invariant: an exception we don't know tells
nothing but the request's number, and a page is drawn even if nobody is signed in or the database is down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from cloud.console.language import mark
from cloud.console.preferences import preferences_of
from cloud.console.reauthentication import ask_again
from cloud.console.templating import render
from cloud.domain.errors import (
    Conflict,
    Forbidden,
    GatehouseError,
    Invalid,
    NotFound,
    ReauthenticationNeeded,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from cloud.keys import ACTOR, REQUEST_ID


@dataclass(frozen=True, slots=True)
class Failure:
    """How one kind of failure is told; `shows_message` if the exception's own words are for people."""

    status: int
    title: str
    advice: str
    shows_message: bool = False


_UNKNOWN = Failure(
    500,
    mark("This page did not open"),
    mark("Nothing was changed. Try again; if that does not help, tell the server's keeper the number below."),
)

_FAILURES: Sequence[tuple[type[Exception], Failure]] = (
    (
        NotFound,
        Failure(
            404,
            mark("There is nothing here"),
            mark("The address may be mistyped, or what it named is not for you to see."),
        ),
    ),
    (
        Forbidden,
        Failure(
            403,
            mark("Your role may not do this"),
            mark("Ask the property manager, who may."),
            shows_message=True,
        ),
    ),
    (
        Conflict,
        Failure(
            409,
            mark("Somebody was quicker, or it is done already"),
            mark("Nothing was changed. Look at the page again and decide anew."),
            shows_message=True,
        ),
    ),
    (
        Invalid,
        Failure(
            422,
            mark("That does not fit"),
            mark("Nothing was changed. Go back and correct it; what you typed is still there."),
            shows_message=True,
        ),
    ),
    (
        TooMany,
        Failure(429, mark("Too many tries"), mark("Wait a little, then try again."), shows_message=True),
    ),
    (
        Unavailable,
        Failure(
            503,
            mark("The database does not answer"),
            mark("Nothing was changed. The building goes on collecting; try again in a few seconds."),
        ),
    ),
    (web.HTTPNotFound, Failure(404, mark("There is nothing here"), mark("The address may be mistyped."))),
    (
        web.HTTPMethodNotAllowed,
        Failure(405, mark("This page cannot be called that way"), mark("Open it from the menu instead.")),
    ),
)


async def render_failure(request: web.Request, error: Exception) -> web.StreamResponse:
    """Return the page for `error`; somebody who is not signed in is sent to do so and comes back."""
    if isinstance(error, ReauthenticationNeeded):
        return await ask_again(request, error)
    if isinstance(error, Unauthenticated):
        return _to_sign_in(request)
    failure = next((failure for kind, failure in _FAILURES if isinstance(error, kind)), _UNKNOWN)
    preferences = preferences_of(request, request.get(ACTOR))
    template = "failure_part.html" if request.headers.get("HX-Request") == "true" else "failure.html"
    context: dict[str, object] = {
        "failure": failure,
        "message": str(error) if failure.shows_message and isinstance(error, GatehouseError) else "",
        "number": request.get(REQUEST_ID, ""),
        "page": _Frame(preferences.language, preferences.theme),
    }
    response = render(request, preferences.language, template, context, status=failure.status)
    if isinstance(error, TooMany | Unavailable):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the outermost template needs of a page without a desk."""

    language: object
    theme: object
    notice: str = ""


def _to_sign_in(request: web.Request) -> web.Response:
    back = request.path_qs if request.method in ("GET", "HEAD") else "/"
    location = "/login" if back == "/" else f"/login?{urlencode({'next': back})}"
    if request.headers.get("HX-Request") == "true":
        return web.Response(status=401, headers={"HX-Redirect": location})
    return web.Response(status=303, headers={"Location": location})
