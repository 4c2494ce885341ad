"""Signing in and out, and the sign-ins of one's own that are still good."""

from enum import Enum
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.answers import json_bytes, json_response
from cloud.api.route import Call, Nothing, Open, Request, Route, View
from cloud.domain.errors import Conflict, Forbidden, SecondFactorNeeded
from cloud.domain.user import Role, Session
from cloud.keys import DATABASE, SESSION_LIMITS
from cloud.services import users
from cloud.services.idempotency import Answer
from cloud.services.passwords import LENGTH_MAX
from cloud.services.users import Awaited
from cloud.web.identity import (
    clear_session_cookie,
    credential_of,
    give_code,
    reauthenticate,
    set_session_cookie,
    sign_in,
    sign_out,
)

# A one-time code of six digits, or a recovery code.
Code = Annotated[str, Meta(max_length=20)]


class Carrier(Enum):
    """What carries the session from now on."""

    COOKIE = "cookie"  # for pages: no script can read it
    TOKEN = "token"  # noqa: S105 - a word of the API: for programs, sent as `Authorization: Bearer`


class NewSession(Request, frozen=True):
    """Who signs in."""

    login: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=LENGTH_MAX)]
    carrier: Carrier = Carrier.TOKEN
    code: Code = ""
    company: Annotated[str, Meta(max_length=30)] = ""


class Reauthentication(Request, frozen=True):
    """Who one is, shown again: a code where one has a second factor, else the password."""

    code: Code = ""
    password: Annotated[str, Meta(max_length=LENGTH_MAX)] = ""


class NewSessionView(View, frozen=True):
    """The session that has begun; `token` is told this once, and only to programs."""

    session_id: str
    expires_at_ms: int
    user_id: str
    display_name: str
    role: Role
    token: str | None


class SessionView(View, frozen=True):
    """One sign-in; `client` is what the program or browser called itself, `address` where from."""

    session_id: str
    client: str
    address: str
    created_at_ms: int
    last_seen_at_ms: int
    expires_at_ms: int
    is_current: bool


class SessionsView(View, frozen=True):
    """One's own sessions, last used first."""

    items: tuple[SessionView, ...]


async def create_session(call: Call[Nothing, NewSession]) -> web.Response:
    """Check the password, begin a session, hand it over as asked."""
    begun = await sign_in(call.request, call.body.login, call.body.password, call.body.company)
    if len(begun) > 1:
        raise Conflict("the login and the password are right in several companies: send `company` too")
    (signed_in,) = begun
    match signed_in.awaited:
        case Awaited.SET_UP:
            raise Forbidden("your role needs a second factor: sign in to the console once to set it up")
        case Awaited.CODE if not call.body.code:
            raise SecondFactorNeeded("the password is right; send `code` too, from the second factor")
        case Awaited.CODE:
            signed_in = await give_code(call.request, signed_in.token, call.body.code)
    is_cookie = call.body.carrier is Carrier.COOKIE
    view = NewSessionView(
        session_id=signed_in.session.session_id,
        expires_at_ms=signed_in.session.expires_at_ms,
        user_id=signed_in.user.user_id,
        display_name=signed_in.user.display_name,
        role=signed_in.user.role,
        token=None if is_cookie else signed_in.token,
    )
    response = json_response(Answer(call.route.status, json_bytes(view)))
    if is_cookie:
        set_session_cookie(call.request, response, signed_in.token)
    return response


async def list_sessions(call: Call[Nothing, Nothing]) -> SessionsView:
    """List one's own sessions."""
    token, _ = credential_of(call.request)
    database, tenant_id = call.request.app[DATABASE], call.actor.tenant_id
    current = await database.read(tenant_id, users.current_session, token)
    found = await call.read(users.list_sessions, call.request.app[SESSION_LIMITS])
    return SessionsView(items=tuple(_session_view(session, current) for session in found))


async def reauthenticate_session(call: Call[Nothing, Reauthentication]) -> None:
    """Show again who one is."""
    await reauthenticate(call.request, password=call.body.password, code=call.body.code)


async def end_session(call: Call[Nothing, Nothing]) -> web.Response:
    """Sign out."""
    await sign_out(call.request)
    response = web.Response(status=204)
    if credential_of(call.request)[1]:
        clear_session_cookie(call.request, response)
    return response


async def revoke_session(call: Call[Nothing, Nothing]) -> None:
    """End one of one's own sessions, perhaps on a lost telephone."""
    await call.write(users.revoke_session, call.id("session_id"))


def _session_view(session: Session, current: Session | None) -> SessionView:
    return SessionView(
        session_id=session.session_id,
        client=session.client,
        address=session.address,
        created_at_ms=session.created_at_ms,
        last_seen_at_ms=session.last_seen_at_ms,
        expires_at_ms=session.expires_at_ms,
        is_current=current is not None and session.session_id == current.session_id,
    )


_OWN = "/api/v1/sessions/{session_id}"

ROUTES = (
    Route("GET", "/api/v1/sessions", "List one's own sessions", Open.SIGNED_IN, list_sessions, SessionsView),
    Route(
        "POST",
        "/api/v1/sessions",
        "Sign in",
        Open.EVERYBODY,
        create_session,
        NewSessionView,
        body=NewSession,
        status=201,
        description="Five attempts a minute for one login; then 429 with Retry-After. Who has a second "
        "factor sends `code` too; without it the answer is the problem `second-factor-needed`. Whose login "
        "and password are right in several companies names one, by its code, in `company`.",
    ),
    Route(
        "POST",
        "/api/v1/sessions/current/reauthentication",
        "Show again who one is",
        Open.SIGNED_IN,
        reauthenticate_session,
        None,
        body=Reauthentication,
        description="What opens doors, cuts supply, moves money or shows numbers whole answers "
        "`reauthentication-needed` once it is more than five minutes ago; do this, then send it again.",
    ),
    Route("DELETE", "/api/v1/sessions/current", "Sign out", Open.SIGNED_IN, end_session, None),
    Route("DELETE", _OWN, "End one of one's own sessions", Open.SIGNED_IN, revoke_session, None),
)
