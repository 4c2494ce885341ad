"""Inviting somebody to choose a password, and taking that up."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Open, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.errors import NotFound
from cloud.domain.ids import UserId
from cloud.keys import DATABASE, PASSWORDS
from cloud.services import invitations
from cloud.services.passwords import LENGTH_MAX, LENGTH_MIN
from cloud.services.users import tenant_of_token


class InvitationView(View, frozen=True):
    """What to hand to whoever is invited: `path` on this host; told this once."""

    login: str
    path: str
    token: str
    expires_at_ms: int


class Acceptance(Request, frozen=True):
    """The secret of an invitation and the password chosen."""

    token: Annotated[str, Meta(max_length=80)]
    password: Annotated[str, Meta(min_length=LENGTH_MIN, max_length=LENGTH_MAX)]


async def invite(call: Call[Nothing, Nothing]) -> InvitationView:
    """Invite somebody to choose a password."""
    made = await call.write(invitations.invite, UserId(call.id("user_id")))
    return InvitationView(
        login=made.record.login,
        path=f"/invitation/{made.token}",
        token=made.token,
        expires_at_ms=made.expires_at_ms,
    )


async def accept(call: Call[Nothing, Acceptance]) -> None:
    """Choose a password by an invitation."""
    tenant_id = tenant_of_token(call.body.token)
    if tenant_id is None:
        raise NotFound("this is the secret of no invitation")
    app = call.request.app
    await app[DATABASE].read(tenant_id, invitations.invited, call.body.token)
    hashed = await app[PASSWORDS].hash(call.body.password)
    await app[DATABASE].write(tenant_id, invitations.accept, call.body.token, hashed)


ROUTES = (
    Route(
        "POST",
        "/api/v1/users/{user_id}/invitation",
        "Invite a user to choose a password",
        Action.MANAGE_USERS,
        invite,
        InvitationView,
        status=201,
        description="Good once, for a week, and until the next one. Also for a password that is lost.",
    ),
    Route(
        "POST",
        "/api/v1/invitations",
        "Choose a password by an invitation",
        Open.EVERYBODY,
        accept,
        None,
        body=Acceptance,
    ),
)
