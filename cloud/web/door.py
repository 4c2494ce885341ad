"""A door: one way into the cloud over HTTP.

The invariant: every path belongs to exactly one door, the one with the longest matching prefix, and
that door alone decides how an error on the path looks (a page, a problem document, an acknowledgement).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Door:
    """A named set of paths, who lays them, and who speaks when something goes wrong on them.

    `mount` adds the routes and whatever else the door needs to the application. `render_error`
    turns a GatehouseError, an `web.HTTPException` or, as the last resort, any other exception into
    an answer; it must not raise, and never tells more of an unknown exception than a reference number.
    Doors for gateways are open on the gateways' port alone, the others everywhere else.
    """

    name: str
    prefixes: tuple[str, ...]
    mount: Callable[[web.Application], None]
    render_error: Callable[[web.Request, Exception], Awaitable[web.StreamResponse]]
    for_gateways: bool = False


def door_of(doors: Sequence[Door], path: str) -> Door | None:
    """Return the door the path belongs to; None if no prefix matches."""
    matching = [(len(prefix), door) for door in doors for prefix in door.prefixes if path.startswith(prefix)]
    return max(matching, key=lambda match: match[0])[1] if matching else None
