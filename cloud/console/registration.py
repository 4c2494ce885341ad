"""Where somebody who was invited to a home registers themselves; for whoever holds the link, once."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.language import language_of
from cloud.console.login import frame_of
from cloud.console.notices import leave_notice
from cloud.console.preferences import preferences_of
from cloud.console.sayings import say
from cloud.console.templating import render
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from cloud.domain.household import HouseholdInvitation, Registrant
from cloud.domain.ids import TenantId
from cloud.domain.rate_limit import HOUSEHOLD_CODE_PER_LINK
from cloud.domain.user import Role, User
from cloud.keys import DATABASE, PASSWORDS
from cloud.services import households
from cloud.services.households import Joined
from cloud.services.passwords import LENGTH_MIN
from cloud.services.rate_limits import guess
from cloud.services.users import hash_of, tenant_of_token
from cloud.web.identity import actor_of
from cloud.web.origin import require_same_origin

_FIELDS = ("name", "phone", "login", "code", "contact")
_TYPED_LENGTH_MAX, _PASSWORD_LENGTH_MAX = 100, 1024


@dataclass(frozen=True, slots=True)
class RegistrationView:
    """The form as it was typed; no invitation: the link is not good any more."""

    invitation: HouseholdInvitation | None
    typed: Mapping[str, str]
    actor: User | None = None
    length_min: int = LENGTH_MIN
    error: str = ""
    joined: Joined | None = None


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form, or that the link is not good any more."""
    found = await _invited(request)
    view = RegistrationView(found, {}, await _resident(request))
    return _page(request, view, status=200 if found else 404)


async def submit(request: web.Request) -> web.StreamResponse:
    """Register, by the code at once or else to be confirmed; or show the form again."""
    require_same_origin(request, has_cookie=True)
    token = request.match_info["token"]
    tenant_id, found = tenant_of_token(token), await _invited(request)
    if found is None or tenant_id is None:
        return _page(request, RegistrationView(None, {}), status=404)
    form = await request.post()
    typed = {name: str(form.get(name, "")).strip()[:_TYPED_LENGTH_MAX] for name in _FIELDS}
    actor = await _resident(request)
    language = language_of(preferences_of(request, None).language)
    try:
        password = _agreed_password(form, actor)
        joined = await _take(request, tenant_id, token, typed, actor, password)
    except (Conflict, Forbidden, Invalid, TooMany) as error:
        told = say(str(error), language)
        return _page(request, RegistrationView(found, typed, actor, error=told), status=422)
    except NotFound:
        return _page(request, RegistrationView(None, {}), status=404)
    if joined.is_confirmed:
        response = web.Response(status=303, headers={"Location": "/home" if actor else "/login"})
        leave_notice(request, response, "home-joined", home=found.space_code)
        return response
    return _page(request, RegistrationView(found, typed, actor, joined=joined), status=200)


def _agreed_password(form: Mapping[str, object], actor: User | None) -> str:
    if not form.get("agree"):
        raise Invalid("agree that your name and number are kept, or do not register")
    password, again = (str(form.get(name, ""))[:_PASSWORD_LENGTH_MAX] for name in ("password", "again"))
    if actor is None and password != again:
        raise Invalid("the two passwords are not the same")
    return password


async def _take(
    request: web.Request,
    tenant_id: TenantId,
    token: str,
    typed: Mapping[str, str],
    actor: User | None,
    password: str,
) -> Joined:
    app = request.app
    agrees = bool(typed["contact"])
    hashed = "" if actor is not None else await app[PASSWORDS].hash(password)

    async def attempt() -> Joined:
        if actor is not None:
            return await app[DATABASE].write(
                tenant_id,
                households.join,
                actor,
                token,
                typed["code"],
                typed["phone"],
                agrees_to_contact=agrees,
            )
        locale = preferences_of(request, None).language
        who = Registrant(typed["name"], typed["phone"], agrees)
        return await app[DATABASE].write(
            tenant_id, households.register, token, typed["code"], who, typed["login"], hashed, locale
        )

    buckets = [(HOUSEHOLD_CODE_PER_LINK, hash_of(token))]
    return await guess(app[DATABASE], tenant_id, buckets, attempt, Forbidden)


async def _resident(request: web.Request) -> User | None:
    """Return who is signed in here, if they live here and the invitation is of their company."""
    actor = await actor_of(request)
    is_of_company = actor is not None and actor.tenant_id == tenant_of_token(request.match_info["token"])
    return actor if actor is not None and actor.role is Role.RESIDENT and is_of_company else None


async def _invited(request: web.Request) -> HouseholdInvitation | None:
    token = request.match_info["token"]
    tenant_id = tenant_of_token(token)
    if tenant_id is None:
        return None
    try:
        return await request.app[DATABASE].read(tenant_id, households.invited, token)
    except NotFound:
        return None


def _page(request: web.Request, view: RegistrationView, *, status: int) -> web.Response:
    frame = frame_of(request)
    return render(request, frame.language, "registration.html", {"page": frame, "view": view}, status=status)
