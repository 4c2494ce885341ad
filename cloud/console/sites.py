"""A company's first site, and any further one: the one page for staff that works before there is a site."""

from dataclasses import dataclass

from aiohttp import web

from cloud.console.language import language_of
from cloud.console.login import frame_of
from cloud.console.preferences import SITE_COOKIE, choose
from cloud.console.sayings import say
from cloud.console.templating import render
from cloud.domain.access import Action
from cloud.domain.company import Company
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services import companies, premises
from cloud.store.db import Tx
from cloud.web.identity import require_permission
from cloud.web.origin import require_same_origin

_FIELDS = ("code", "name", "address", "time_zone")
_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class NewSiteView:
    """The form as it was typed; `is_first` while the company has no site."""

    company: Company
    is_first: bool
    typed: dict[str, str]
    error: str = ""


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form."""
    actor = await require_permission(request, Action.MANAGE_SITES)
    return await _page(request, actor, {**dict.fromkeys(_FIELDS, ""), "time_zone": "Asia/Shanghai"})


async def submit(request: web.Request) -> web.StreamResponse:
    """Add the site and go on with its buildings."""
    require_same_origin(request, has_cookie=True)
    actor = await require_permission(request, Action.MANAGE_SITES)
    form = await request.post()
    typed = {name: str(form.get(name, "")).strip()[:_LENGTH_MAX] for name in _FIELDS}
    try:
        added = await request.app[DATABASE].write(
            actor.tenant_id, premises.add_site, actor, *(typed[name] for name in _FIELDS)
        )
    except (Conflict, Invalid) as error:
        return await _page(request, actor, typed, str(error))
    response = web.Response(status=303, headers={"Location": "/premises/new"})
    choose(request, response, SITE_COOKIE, added.code)
    return response


async def _page(request: web.Request, actor: User, typed: dict[str, str], error: str = "") -> web.Response:
    def known(tx: Tx, actor: User) -> tuple[Company, bool]:
        return companies.own_company(tx, actor), not premises.list_sites(tx, actor)

    company, is_first = await request.app[DATABASE].read(actor.tenant_id, known, actor)
    frame = frame_of(request)
    told = say(error, language_of(frame.language)) if error else ""
    view = NewSiteView(company, is_first, typed, told)
    return render(
        request, frame.language, "new_site.html", {"page": frame, "view": view}, status=422 if error else 200
    )
