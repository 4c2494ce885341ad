"""Signing in and out, and the reader's preferences: the pages that work for nobody in particular."""

from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlencode

from aiohttp import web

from cloud.console.language import language_of
from cloud.console.notices import leave_notice, notice_of
from cloud.console.preferences import (
    LANGUAGE_COOKIE,
    SITE_COOKIE,
    THEME_COOKIE,
    Theme,
    choose,
    preferences_of,
)
from cloud.console.templating import render
from cloud.domain.errors import Invalid, TooMany, Unauthenticated
from cloud.domain.user import Locale
from cloud.keys import DATABASE
from cloud.services import users
from cloud.services.users import Awaited, SignedIn
from cloud.web.identity import (
    actor_of,
    clear_half_cookie,
    clear_session_cookie,
    set_half_cookie,
    set_session_cookie,
    sign_in,
    sign_out,
)
from cloud.web.origin import is_own_path, require_same_origin

_LOGIN_LENGTH_MAX = 64
_PASSWORD_LENGTH_MAX = 1024
_OTHER_LANGUAGE = {Locale.CHINESE: "English", Locale.ENGLISH: "中文"}


@dataclass(frozen=True, slots=True)
class LoginView:
    """The form as it is shown: again after a mistake, with what was typed except the password."""

    next: str
    login: str
    error: str
    version: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What the outermost template shows and offers without a reader."""

    language: Locale
    theme: Theme
    other_language_name: str
    path: str
    notice: str


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form; somebody already signed in goes on."""
    if await actor_of(request) is not None:
        return web.Response(status=303, headers={"Location": next_of(request.query.get("next", ""))})
    return _form(request, next_of(request.query.get("next", "")))


async def submit(request: web.Request) -> web.StreamResponse:
    """Check the password; wrong, the form comes back with one sentence that says no more than that."""
    form = await request.post()
    login = str(form.get("login", "")).strip()[:_LOGIN_LENGTH_MAX]
    password = str(form.get("password", ""))[:_PASSWORD_LENGTH_MAX]
    goal = next_of(str(form.get("next", "")))
    gettext = language_of(preferences_of(request, None).language).gettext
    try:
        begun = await sign_in(request, login, password)
    except Unauthenticated:
        return _form(request, goal, login, gettext("Login or password is wrong."), status=401)
    except TooMany as error:
        text = gettext("Too many tries. The next one is possible in %s s.") % error.retry_after_s
        response = _form(request, goal, login, text, status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    return go_on(request, begun, goal)


def go_on(request: web.Request, begun: tuple[SignedIn, ...], goal: str) -> web.Response:
    """Return the way on from a right password: to the page wanted, or to what is asked besides."""
    if len(begun) == 1 and begun[0].awaited is Awaited.NOTHING:
        response = web.Response(status=303, headers={"Location": goal})
        set_session_cookie(request, response, begun[0].token)
        clear_half_cookie(request, response)
        return response
    step = "/login/code" if len(begun) == 1 else "/login/company"
    response = web.Response(status=303, headers={"Location": f"{step}?{urlencode({'next': goal})}"})
    set_half_cookie(request, response, *(one.token for one in begun))
    return response


async def leave(request: web.Request) -> web.StreamResponse:
    """Sign out."""
    await sign_out(request)
    response = web.Response(status=303, headers={"Location": "/login"})
    clear_session_cookie(request, response)
    leave_notice(request, response, "signed-out")
    return response


async def set_preferences(request: web.Request) -> web.StreamResponse:
    """Remember a language, theme or site for this browser, and the language for the account too."""
    require_same_origin(request, has_cookie=bool(request.cookies))
    form = await request.post()
    response = web.Response(status=303, headers={"Location": next_of(str(form.get("back", "")))})
    try:
        if "language" in form:
            language = Locale(str(form["language"]))
            choose(request, response, LANGUAGE_COOKIE, language.value)
            actor = await actor_of(request)
            if actor is not None:
                await request.app[DATABASE].write(actor.tenant_id, users.set_locale, actor, language)
        if "theme" in form:
            choose(request, response, THEME_COOKIE, Theme(str(form["theme"])).value)
    except ValueError as error:
        raise Invalid(str(error)) from error
    if "site" in form:
        choose(request, response, SITE_COOKIE, str(form["site"])[:40])
    return response


def _form(
    request: web.Request, goal: str, login: str = "", error: str = "", *, status: int = 200
) -> web.Response:
    frame = frame_of(request)
    view = LoginView(goal, login, error, version("gatehouse"))
    return render(request, frame.language, "login.html", {"page": frame, "view": view}, status=status)


def frame_of(request: web.Request) -> Frame:
    """Return what the outermost template needs of a page that is nobody's in particular."""
    preferences = preferences_of(request, None)
    return Frame(
        preferences.language,
        preferences.theme,
        _OTHER_LANGUAGE[preferences.language],
        request.path_qs if request.method == "GET" else "/login",
        notice_of(request, language_of(preferences.language)),
    )


def next_of(target: str) -> str:
    """Return where to go after signing in: only to a page of ours."""
    return target if is_own_path(target) and not target.startswith("/login") else "/"
