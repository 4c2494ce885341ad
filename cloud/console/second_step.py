"""The second page of a sign-in: the code of the second factor, or setting one up where it is required."""

from dataclasses import dataclass

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.language import language_of
from cloud.console.login import frame_of, go_on, next_of
from cloud.console.templating import render
from cloud.domain.company import Company
from cloud.domain.errors import Conflict, TooMany, Unauthenticated
from cloud.domain.user import User
from cloud.keys import DATABASE, SESSION_LIMITS
from cloud.services import authentication, companies, second_factors
from cloud.services.second_factors import Enrolment
from cloud.services.users import SignedIn, tenant_of_token
from cloud.web.identity import clear_half_cookie, give_code, half_of, halves_of, set_session_cookie
from cloud.web.origin import require_same_origin

_CODE_LENGTH_MAX = 20


@dataclass(frozen=True, slots=True)
class StepView:
    """What is asked: a code; of a telephone that is shown the secret first where `enrolment` is there."""

    next: str
    name: str
    enrolment: Enrolment | None = None
    picture: Markup = Markup()  # noqa: RUF009 - of nothing
    error: str = ""
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompaniesView:
    """The companies somebody may go on to."""

    next: str
    companies: tuple[Company, ...]


async def show(request: web.Request) -> web.StreamResponse:
    """Ask for the code."""
    try:
        actor, enrolment = await _half(request)
    except Unauthenticated:
        return _begin_again(request)
    return _page(request, _view(actor, enrolment, next_of(request.query.get("next", ""))))


async def submit(request: web.Request) -> web.StreamResponse:
    """Take the code; wrong, it is asked again."""
    require_same_origin(request, has_cookie=True)
    form = await request.post()
    goal, code = next_of(str(form.get("next", ""))), str(form.get("code", ""))[:_CODE_LENGTH_MAX]
    try:
        actor, enrolment = await _half(request)
    except Unauthenticated:
        return _begin_again(request)
    gettext = language_of(frame_of(request).language).gettext
    try:
        if enrolment is None:
            return _signed_in(request, await give_code(request, half_of(request), code), goal)
        return await _set_up(request, actor, code, goal)
    except (Conflict, Unauthenticated):
        error = gettext("The code is wrong, or was used already.")
        return _page(request, _view(actor, enrolment, goal, error), status=401)
    except TooMany as too_many:
        error = gettext("Too many tries. The next one is possible in %s s.") % too_many.retry_after_s
        response = _page(request, _view(actor, enrolment, goal, error), status=429)
        response.headers["Retry-After"] = str(too_many.retry_after_s)
        return response


async def show_companies(request: web.Request) -> web.StreamResponse:
    """Ask for which of their companies somebody wants to work now."""
    found = await _companies(request)
    if not found:
        return _begin_again(request)
    view = CompaniesView(next_of(request.query.get("next", "")), tuple(found.values()))
    frame = frame_of(request)
    return render(request, frame.language, "companies.html", {"page": frame, "view": view})


async def choose_company(request: web.Request) -> web.StreamResponse:
    """Go on with one of them."""
    require_same_origin(request, has_cookie=True)
    form = await request.post()
    found = await _companies(request)
    token = next((one for one, company in found.items() if company.code == form.get("company")), "")
    if not token:
        return _begin_again(request)
    app, tenant_id = request.app, found[token].tenant_id
    try:
        chosen = await authentication.choose(app[DATABASE], app[SESSION_LIMITS], tenant_id, token)
    except Unauthenticated:
        return _begin_again(request)
    return go_on(request, (chosen,), next_of(str(form.get("next", ""))))


async def _companies(request: web.Request) -> dict[str, Company]:
    """Return the companies of the half sessions the browser holds, by their secrets."""
    found: dict[str, Company] = {}
    for token in halves_of(request):
        tenant_id = tenant_of_token(token)
        if tenant_id is None:
            continue
        try:
            actor = await request.app[DATABASE].read(tenant_id, authentication.half_signed_in, token)
        except Unauthenticated:
            continue
        found[token] = await request.app[DATABASE].read(tenant_id, companies.own_company, actor)
    return found


async def _set_up(request: web.Request, actor: User, code: str, goal: str) -> web.Response:
    signed_in, codes = await authentication.confirm_and_sign_in(
        request.app[DATABASE], request.app[SESSION_LIMITS], actor.tenant_id, half_of(request), code
    )
    response = _page(request, StepView(goal, actor.display_name, codes=codes))
    set_session_cookie(request, response, signed_in.token)
    clear_half_cookie(request, response)
    return response


async def _half(request: web.Request) -> tuple[User, Enrolment | None]:
    """Return who is half signed in, and what their telephone is to be shown; None: a code is all."""
    token = half_of(request)
    tenant_id = tenant_of_token(token)
    if tenant_id is None:
        raise Unauthenticated("nobody is signing in with this browser")
    actor = await request.app[DATABASE].read(tenant_id, authentication.half_signed_in, token)
    return actor, await request.app[DATABASE].read(tenant_id, second_factors.begun, actor)


def _view(actor: User, enrolment: Enrolment | None, goal: str, error: str = "") -> StepView:
    picture = Markup() if enrolment is None else picture_of_code(enrolment.address)
    return StepView(goal, actor.display_name, enrolment, picture, error)


def _signed_in(request: web.Request, signed_in: SignedIn, goal: str) -> web.Response:
    response = web.Response(status=303, headers={"Location": goal})
    set_session_cookie(request, response, signed_in.token)
    clear_half_cookie(request, response)
    return response


def _begin_again(request: web.Request) -> web.Response:
    response = web.Response(status=303, headers={"Location": "/login"})
    clear_half_cookie(request, response)
    return response


def _page(request: web.Request, view: StepView, *, status: int = 200) -> web.Response:
    frame = frame_of(request)
    return render(request, frame.language, "second_step.html", {"page": frame, "view": view}, status=status)
