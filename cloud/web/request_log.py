"""One line a request, one number a request, and the net below every handler.

The invariant: a request is answered whatever happens in its handler, by the door it belongs to, and
its number is in the answer (`X-Request-Id`) and in every log line about it. The line holds the route's
pattern, not the path, and ids only: no query, no name, no token.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from cloud.domain.errors import GatehouseError
from cloud.keys import ACTOR, REQUEST_ID
from cloud.web.door import Door, Handler, door_of
from cloud.web.peer import is_gateways_port

log = logging.getLogger(__name__)

_UNKNOWN_ROUTE = "(no such path)"


def request_middleware(doors: Sequence[Door]) -> Middleware:
    """Return the outermost middleware: number, log, and the last resort."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[REQUEST_ID] = new_request_id()
        started_s = asyncio.get_running_loop().time()
        response = await _answered(request, handler, doors)
        if not response.prepared:
            response.headers["X-Request-Id"] = request[REQUEST_ID]
        _write_line(request, response, asyncio.get_running_loop().time() - started_s)
        return response

    return answer


def new_request_id() -> str:
    """Return a number short enough to read out on the telephone, e.g. `7f2c-19ab-03de`."""
    digits = secrets.token_hex(6)
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


async def _answered(request: web.Request, handler: Handler, doors: Sequence[Door]) -> web.StreamResponse:
    door = door_of(doors, request.path)
    if door is None or door.for_gateways != is_gateways_port(request):
        return web.Response(status=404)  # of a door this process, or this port, does not have
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:  # a redirect is an answer, not a failure
            return error
        problem: Exception = error
    except GatehouseError as error:
        problem = error
    except ConnectionError:  # the peer has gone: nobody reads an answer
        return web.Response(status=499, reason="Client Closed Request")
    except Exception as error:  # the last resort: logged in full here, a reference number outside
        log.exception("unhandled error", extra={"request_id": request[REQUEST_ID]})
        problem = error
    return await door.render_error(request, problem)


def _write_line(request: web.Request, response: web.StreamResponse, duration_s: float) -> None:
    resource = request.match_info.route.resource
    actor = request.get(ACTOR)
    log.log(
        logging.ERROR if response.status >= 500 else logging.INFO,
        "request",
        extra={
            "request_id": request[REQUEST_ID],
            "method": request.method,
            "route": _UNKNOWN_ROUTE if resource is None else resource.canonical,
            "status": response.status,
            "duration_ms": round(duration_s * 1000, 1),
            "user_id": None if actor is None else actor.user_id,
        },
    )
