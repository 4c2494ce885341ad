"""Whether the process can work: for a supervisor or a load balancer, who want a status and nothing else."""

from aiohttp import web

from cloud.config import DEFAULT_TENANT
from cloud.keys import DATABASE
from cloud.web.door import Door

PATH = "/healthz"


async def show(request: web.Request) -> web.Response:
    """Answer 204 while transactions run; what is wrong is in the log, not here."""
    await request.app[DATABASE].read(DEFAULT_TENANT, lambda tx: tx.now_ms)
    return web.Response(status=204)


async def render_error(request: web.Request, error: Exception) -> web.StreamResponse:
    """Answer a bare status."""
    del request
    return web.Response(status=error.status if isinstance(error, web.HTTPException) else 503)


def mount(app: web.Application) -> None:
    """Add the one path."""
    app.router.add_get(PATH, show)


HEALTH = Door("health", (PATH,), mount, render_error)
