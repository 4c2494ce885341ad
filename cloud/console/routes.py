"""Every page and act of the console, with the action the policy asks of its caller.

The invariant: the table is complete; a handler that is not in it is not served, and a page that is in
it can be opened by exactly those the policy allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from cloud.console import login
from cloud.console.assets import PREFIX, Assets
from cloud.console.desk import PageHandler, at_desk
from cloud.console.failures import render_failure
from cloud.console.templating import add_templates
from cloud.domain.access import Action
from cloud.web.door import Door


@dataclass(frozen=True, slots=True)
class Page:
    """One address, what answers it, and who may."""

    method: str
    path: str
    handler: PageHandler
    action: Action


PAGES: Sequence[Page] = ()


def add_routes(app: web.Application) -> None:
    """Mount the console: its assets, its sign-in, its pages."""
    assets = Assets()
    add_templates(app, assets)
    assets.add_routes(app)
    app.router.add_get("/login", login.show)
    app.router.add_post("/login", login.submit)
    app.router.add_post("/logout", login.leave)
    app.router.add_post("/preferences", login.set_preferences)
    for page in PAGES:
        app.router.add_route(page.method, page.path, at_desk(page.handler, page.action))


CONSOLE = Door("console", ("/", f"{PREFIX}/"), add_routes, render_failure)
