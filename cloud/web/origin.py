"""Cross-site request forgery: who may make a signed-in browser change something.

The invariant: an unsafe request that carries a cookie is served only if the browser itself says it
comes from our own pages (`Sec-Fetch-Site`, else an exact `Origin`). A request that proves itself by a
bearer token was made by a program that holds the token, and needs no such word.
"""

from urllib.parse import urlsplit

from aiohttp import hdrs, web

from cloud.domain.errors import Forbidden
from cloud.keys import CONFIG

SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


def require_same_origin(request: web.Request, *, has_cookie: bool) -> None:
    """Refuse an unsafe request that another site's page made; Forbidden says what gave it away.

    A browser that names neither `Sec-Fetch-Site` nor `Origin` is refused once it has a cookie;
    without one there is nothing to misuse, and scripts that sign in send neither.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site != "same-origin":
            raise Forbidden(f"the request comes from another site (Sec-Fetch-Site: {site})")
        return
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None:
        if origin != own_origin(request):
            raise Forbidden(f"the request comes from {origin!r}, expected {own_origin(request)!r}")
        return
    if has_cookie:
        raise Forbidden("the request names no origin: expected Sec-Fetch-Site or Origin beside a cookie")


def own_origin(request: web.Request) -> str:
    """Return scheme://host[:port] under which the browser knows us."""
    configured = request.app[CONFIG].http.public_origin
    return configured or f"{request.scheme}://{request.host}"


def is_own_path(target: str) -> bool:
    """Tell whether `target` is a path of ours, safe to redirect to after signing in."""
    parts = urlsplit(target)
    return (
        target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and not parts.scheme
        and not parts.netloc
        and target.isprintable()
    )
