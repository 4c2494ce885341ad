"""A desk: one request of one signed-in person, with everything a page needs.

Who asks, which site it is about, how they read, and a way to the services and the templates. The
invariant: a handler gets a desk only after the policy has let its actor in; whatever it reads or
writes, it does as that actor.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web

from cloud.console.formats import Format
from cloud.console.language import Language, language_of
from cloud.console.login import frame_of
from cloud.console.navigation import MENU, Count, Group, counts_of, is_long, menu_for, section_of
from cloud.console.notices import COOKIE as NOTICE_COOKIE
from cloud.console.notices import leave_notice, notice_of
from cloud.console.preferences import Preferences, Theme, preferences_of
from cloud.console.reauthentication import take_again
from cloud.console.templating import render
from cloud.domain.access import Action, may
from cloud.domain.errors import Forbidden, NotFound
from cloud.domain.periods import time_zone
from cloud.domain.premises import Site
from cloud.domain.user import Locale, Role, User
from cloud.keys import CLOCK, DATABASE
from cloud.services import households, notices, overview, premises
from cloud.store.db import Tx
from cloud.web.door import Handler
from cloud.web.identity import require_actor, require_permission

_P = ParamSpec("_P")
_T = TypeVar("_T")

PageHandler = Callable[["Desk"], Awaitable[web.StreamResponse]]

_OTHER_LANGUAGE = {Locale.CHINESE: "English", Locale.ENGLISH: "中文"}


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame around a page shows; `section` is the menu entry the page belongs to."""

    actor: User
    language: Locale
    other_language_name: str
    theme: Theme
    path: str
    section: str
    site: Site
    sites: tuple[Site, ...]
    navigation: tuple[Group, ...]
    counts: Mapping[str, Count]
    notice: str
    unread: int

    @property
    def is_menu_long(self) -> bool:
        """Tell whether the menu is folded but for the group being read."""
        return is_long(self.navigation)

    def opens(self, path: str) -> bool:
        """Tell whether a page is the reader's to open: a link that leads to a refusal is not shown."""
        return bool(section_of(path, self.navigation)) or not section_of(path, MENU)

    def may(self, action: str) -> bool:
        """Tell whether the reader may do something; a template leaves out what would be refused."""
        return may(self.actor, Action(action))


class Desk:
    """One request of one signed-in person."""

    __slots__ = ("actor", "format", "language", "preferences", "request", "site", "sites")

    def __init__(
        self, request: web.Request, actor: User, preferences: Preferences, sites: tuple[Site, ...]
    ) -> None:
        if not sites:
            raise NotFound("no site has been set up yet: a manager adds one by signing in")
        self.request = request
        self.actor = actor
        self.preferences = preferences
        self.sites = sites
        self.site = next((site for site in sites if site.code == preferences.site_code), sites[0])
        self.language: Language = language_of(preferences.language)
        self.format = Format(self.language, time_zone(self.site.time_zone), request.app[CLOCK]())

    async def read(
        self, work: Callable[Concatenate[Tx, User, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a service that only reads, as this actor."""
        return await self.request.app[DATABASE].read(self.actor.tenant_id, work, self.actor, *args, **kwargs)

    async def write(
        self, work: Callable[Concatenate[Tx, User, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a service that changes something, as this actor."""
        return await self.request.app[DATABASE].write(self.actor.tenant_id, work, self.actor, *args, **kwargs)

    async def page(self, template: str, *, status: int = 200, **view: object) -> web.Response:
        """Return a whole page; `view` is what its template calls things."""
        counts: Mapping[str, Count] = {}
        if may(self.actor, Action.READ_OVERVIEW):
            counts = counts_of(await self.read(overview.needs, self.site.site_id))
        unread = 0
        if may(self.actor, Action.READ_NOTICES):
            unread = await self.read(notices.count_unread, self.site.site_id)
        response = render(
            self.request,
            self.preferences.language,
            template,
            {"page": self._shell(counts, unread), "fmt": self.format, **view},
            status=status,
        )
        if NOTICE_COOKIE in self.request.cookies:
            response.del_cookie(NOTICE_COOKIE, path="/")
        return response

    def part(self, template: str, **view: object) -> web.Response:
        """Return a part of a page, for htmx to put in its place."""
        context: dict[str, object] = {"fmt": self.format, "page": self._shell({}), **view}
        return render(self.request, self.preferences.language, template, context)

    def go(self, path: str, notice: str = "", **values: str) -> web.Response:
        """Return a redirect after an act, with a sentence for the next page to say."""
        response = web.Response(status=303, headers={"Location": path})
        if notice:
            leave_notice(self.request, response, notice, **values)
        return response

    @property
    def is_partial(self) -> bool:
        """Tell whether htmx asks for a part of the page."""
        return self.request.headers.get("HX-Request") == "true"

    def _shell(self, counts: Mapping[str, Count], unread: int = 0) -> Shell:
        menu = menu_for(self.actor) if self.actor.role is not Role.RESIDENT else ()
        return Shell(
            self.actor,
            self.preferences.language,
            _OTHER_LANGUAGE[self.preferences.language],
            self.preferences.theme,
            self.request.path_qs,
            section_of(self.request.path, menu),
            self.site,
            self.sites,
            menu,
            counts,
            notice_of(self.request, self.language),
            unread,
        )


def at_desk(handler: PageHandler, action: Action) -> Handler:
    """Return what aiohttp calls for a page only those may open whom the policy allows `action`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await require_permission(request, action)
        await take_again(request)
        actor = await require_actor(request)
        sites = await request.app[DATABASE].read(actor.tenant_id, _sites_of, actor)
        if not sites and may(actor, Action.MANAGE_SITES):
            return web.Response(status=303, headers={"Location": "/sites/new"})
        if not sites and actor.role is Role.RESIDENT:
            return await _without_home(request, actor)
        return await handler(Desk(request, actor, preferences_of(request, actor), sites))

    return answer


async def _without_home(request: web.Request, actor: User) -> web.StreamResponse:
    """Return what somebody sees who registered and was not let in yet, or belongs to no home any more."""
    waiting = await request.app[DATABASE].read(actor.tenant_id, households.waits, actor)
    frame = frame_of(request)
    return render(request, frame.language, "home/none.html", {"page": frame, "view": waiting})


def at_front_door(handler: Handler, action: Action) -> Handler:
    """Return what answers at `/`: the first page, or where the actor's own first page is."""

    async def answer(request: web.Request) -> web.StreamResponse:
        actor = await require_actor(request)
        if may(actor, action):
            return await handler(request)
        if actor.role is Role.RESIDENT:
            path = "/home"
        else:
            path = next((entry.path for group in menu_for(actor) for entry in group.entries), "")
        if not path:
            raise Forbidden(f"role {actor.role.value} has no page yet, only the API")
        return web.Response(status=303, headers={"Location": path})

    return answer


def _sites_of(tx: Tx, actor: User) -> tuple[Site, ...]:
    """Return the sites the actor has to do with: all for staff, those of own accounts for residents."""
    if actor.role is not Role.RESIDENT:
        return tuple(premises.sites_of_staff(tx, actor))
    own = {account.site_id: None for account in premises.own_accounts(tx, actor)}
    return tuple(premises.site_of(tx, site_id) for site_id in own)
