"""Where somebody who was invited chooses their password; for whoever holds the link, once."""

from dataclasses import dataclass

from aiohttp import web

from cloud.console.language import language_of
from cloud.console.login import frame_of
from cloud.console.notices import leave_notice
from cloud.console.preferences import preferences_of
from cloud.console.templating import render
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.user import UserRecord
from cloud.keys import DATABASE, PASSWORDS
from cloud.services import invitations
from cloud.services.passwords import LENGTH_MIN
from cloud.services.users import tenant_of_token
from cloud.web.origin import require_same_origin

_PASSWORD_LENGTH_MAX = 1024


@dataclass(frozen=True, slots=True)
class InvitationView:
    """Who is invited; nobody if the link is not good any more."""

    record: UserRecord | None
    length_min: int = LENGTH_MIN
    error: str = ""


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form, or that the link is not good any more."""
    record = await _invited(request)
    return _page(request, InvitationView(record), status=200 if record else 404)


async def submit(request: web.Request) -> web.StreamResponse:
    """Set the password and go to sign in with it."""
    require_same_origin(request, has_cookie=True)
    record = await _invited(request)
    if record is None:
        return _page(request, InvitationView(None), status=404)
    form = await request.post()
    password = str(form.get("password", ""))[:_PASSWORD_LENGTH_MAX]
    gettext = language_of(preferences_of(request, None).language).gettext
    if password != str(form.get("again", ""))[:_PASSWORD_LENGTH_MAX]:
        told = gettext("The two passwords are not the same.")
        return _page(request, InvitationView(record, error=told), status=422)
    try:
        hashed = await request.app[PASSWORDS].hash(password)
    except Invalid:
        told = gettext("A password has %s to 256 characters.") % LENGTH_MIN
        return _page(request, InvitationView(record, error=told), status=422)
    token = request.match_info["token"]
    tenant_id = record.user.tenant_id
    try:
        await request.app[DATABASE].write(tenant_id, invitations.accept, token, hashed)
    except NotFound:
        return _page(request, InvitationView(None), status=404)
    response = web.Response(status=303, headers={"Location": "/login"})
    leave_notice(request, response, "password-chosen", login=record.login)
    return response


async def _invited(request: web.Request) -> UserRecord | None:
    token = request.match_info["token"]
    tenant_id = tenant_of_token(token)
    if tenant_id is None:
        return None
    try:
        return await request.app[DATABASE].read(tenant_id, invitations.invited, token)
    except NotFound:
        return None


def _page(request: web.Request, view: InvitationView, *, status: int) -> web.Response:
    frame = frame_of(request)
    return render(request, frame.language, "invitation.html", {"page": frame, "view": view}, status=status)
