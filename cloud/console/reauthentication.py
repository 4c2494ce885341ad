"""Showing again who one is, between a form and what it does: the same form comes back with one field more.

The invariant: what was typed is sent again as it was, by the reader's own click; the field that shows who
they are is read here and nowhere else.
"""

from dataclasses import dataclass

from aiohttp import web

from cloud.console.language import language_of, mark
from cloud.console.login import frame_of
from cloud.console.templating import render
from cloud.domain.errors import ReauthenticationNeeded, Unauthenticated
from cloud.keys import ACTOR, DATABASE
from cloud.services import second_factors
from cloud.web.identity import actor_anew, reauthenticate

_FORM = "application/x-www-form-urlencoded"
_CODE, _PASSWORD = "again_code", "again_password"
_LENGTH_MAX = 1024

_WRONG_CODE = mark("The code is wrong, or was used already.")
_WRONG_PASSWORD = mark("The password is wrong.")


@dataclass(frozen=True, slots=True)
class AgainView:
    """The form that was sent, and what is asked besides."""

    path: str
    fields: tuple[tuple[str, str], ...]
    asks_code: bool
    error: str


async def take_again(request: web.Request) -> None:
    """Take the field that shows again who asks, if the form has it."""
    if request.method != "POST" or request.content_type != _FORM:
        return
    form = await request.post()
    if _CODE not in form and _PASSWORD not in form:
        return
    code, password = (str(form.get(name, ""))[:_LENGTH_MAX] for name in (_CODE, _PASSWORD))
    try:
        await reauthenticate(request, password=password, code=code)
    except Unauthenticated as error:
        raise ReauthenticationNeeded(_WRONG_CODE if _CODE in form else _WRONG_PASSWORD) from error
    request[ACTOR] = await actor_anew(request)


async def ask_again(request: web.Request, error: ReauthenticationNeeded) -> web.Response:
    """Return the page that asks, with everything that was sent kept."""
    actor = request.get(ACTOR)
    assert actor is not None, "only of somebody signed in is it asked again"
    asks_code = await request.app[DATABASE].read(actor.tenant_id, second_factors.is_asked, actor.user_id)
    form = await request.post() if request.content_type == _FORM else {}
    fields = tuple((name, str(value)) for name, value in form.items() if name not in (_CODE, _PASSWORD))
    frame = frame_of(request)
    told = str(error) if str(error) in (_WRONG_CODE, _WRONG_PASSWORD) else ""
    view = AgainView(
        request.path, fields, asks_code, language_of(frame.language).gettext(told) if told else ""
    )
    return render(
        request, frame.language, "again.html", {"page": frame, "view": view}, status=422 if told else 401
    )
