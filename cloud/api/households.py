"""Households: who signs in for a home, inviting to it, and registering by an invitation."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Open, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.errors import Forbidden, NotFound
from cloud.domain.household import HouseholdInvitation, HouseholdMember, HouseholdRole, Registrant
from cloud.domain.ids import AccountId, HouseholdInvitationId, SiteId, UserId
from cloud.domain.person import NAME_LENGTH_MAX, Relation
from cloud.domain.rate_limit import HOUSEHOLD_CODE_PER_LINK
from cloud.keys import DATABASE, PASSWORDS
from cloud.services import households
from cloud.services.households import Joined
from cloud.services.passwords import LENGTH_MAX, LENGTH_MIN
from cloud.services.rate_limits import guess
from cloud.services.users import hash_of, tenant_of_token


class NewInvitation(Request, frozen=True):
    """Who somebody is to the home, and what they will see of it."""

    relation: Relation
    role: HouseholdRole


class RoleChange(Request, frozen=True):
    """What somebody sees of the home from now on."""

    role: HouseholdRole


class Decision(Request, frozen=True):
    """Whether whoever registered is let in."""

    is_refused: bool


class Registration(Request, frozen=True, kw_only=True):
    """Who registers by an invitation's secret; without its code they wait to be confirmed.

    `agrees` is that name and number are kept for the login; without it nobody registers.
    """

    token: Annotated[str, Meta(max_length=80)]
    code: Annotated[str, Meta(max_length=10)] = ""
    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    phone: Annotated[str, Meta(min_length=1, max_length=20)]
    login: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=LENGTH_MIN, max_length=LENGTH_MAX)]
    agrees: bool
    agrees_to_contact: bool = False


class MemberView(View, frozen=True):
    """Somebody who signs in for the home."""

    user_id: str
    login: str
    display_name: str
    role: HouseholdRole
    since_ms: int | None


class InvitationView(View, frozen=True):
    """An invitation; who took it up is named, their number masked."""

    invitation_id: str
    account_number: str
    space_code: str
    relation: Relation
    role: HouseholdRole
    created_at_ms: int
    expires_at_ms: int
    taken_at_ms: int | None
    name: str
    phone: str


class MadeInvitationView(View, frozen=True):
    """What is handed over, told this once: `path` on this host, and the code by another way."""

    invitation: InvitationView
    path: str
    token: str
    code: str


class HouseholdView(View, frozen=True):
    """Who signs in for the home, and for its head who was invited."""

    members: tuple[MemberView, ...]
    invitations: tuple[InvitationView, ...]


class JoinedView(View, frozen=True):
    """Who registered, and whether they are let in at once."""

    login: str
    is_confirmed: bool


async def show_household(call: Call[Nothing, Nothing]) -> HouseholdView:
    """Show who signs in for a home."""
    found = await call.read(households.get_household, AccountId(call.id("account_id")))
    return HouseholdView(
        members=tuple(_member(one) for one in found.members),
        invitations=tuple(_invitation(one) for one in found.invitations),
    )


async def invite_to_household(call: Call[Nothing, NewInvitation]) -> MadeInvitationView:
    """Invite somebody to sign in for a home."""
    account_id, body = AccountId(call.id("account_id")), call.body
    made = await call.write(households.invite, account_id, body.relation, body.role)
    return MadeInvitationView(
        invitation=_invitation(made.invitation),
        path=f"/household/{made.token}",
        token=made.token,
        code=made.code,
    )


async def change_member(call: Call[Nothing, RoleChange]) -> None:
    """Let somebody see a home's bills, or no longer."""
    account_id, user_id = AccountId(call.id("account_id")), UserId(call.id("user_id"))
    await call.write(households.set_role, account_id, user_id, call.body.role)


async def end_access(call: Call[Nothing, Nothing]) -> None:
    """Let somebody sign in for a home no longer."""
    account_id, user_id = AccountId(call.id("account_id")), UserId(call.id("user_id"))
    await call.write(households.end_access, account_id, user_id)


async def revoke_invitation(call: Call[Nothing, Nothing]) -> None:
    """Take an invitation back."""
    await call.write(households.revoke, HouseholdInvitationId(call.id("invitation_id")))


async def decide_registration(call: Call[Nothing, Decision]) -> None:
    """Confirm or refuse who registered without the code."""
    invitation_id = HouseholdInvitationId(call.id("invitation_id"))
    await call.write(households.decide, invitation_id, is_refused=call.body.is_refused)


async def list_registrations(call: Call[PageQuery, Nothing]) -> Page[InvitationView]:
    """List who registered and waits to be confirmed."""
    found = await call.read(households.waiting, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.invitation_id, _invitation)


async def register(call: Call[Nothing, Registration]) -> JoinedView:
    """Register for a home by an invitation."""
    body, app = call.body, call.request.app
    tenant_id = tenant_of_token(body.token)
    if tenant_id is None:
        raise NotFound("this is the secret of no invitation")
    if not body.agrees:
        raise Forbidden("nobody is registered who does not agree that name and number are kept")
    await app[DATABASE].read(tenant_id, households.invited, body.token)
    hashed = await app[PASSWORDS].hash(body.password)
    who = Registrant(body.name, body.phone, body.agrees_to_contact)

    async def attempt() -> Joined:
        return await app[DATABASE].write(
            tenant_id, households.register, body.token, body.code, who, body.login, hashed
        )

    buckets = [(HOUSEHOLD_CODE_PER_LINK, hash_of(body.token))]
    return view_of(await guess(app[DATABASE], tenant_id, buckets, attempt, Forbidden), JoinedView)


def _member(one: HouseholdMember) -> MemberView:
    return view_of(one, MemberView)


def _invitation(one: HouseholdInvitation) -> InvitationView:
    return view_of(one, InvitationView)


_OF_ACCOUNT = "/api/v1/accounts/{account_id}/household"
_ONE = "/api/v1/household_invitations/{invitation_id}"
_ACTION = Action.MANAGE_HOUSEHOLDS

ROUTES = (
    Route("GET", _OF_ACCOUNT, "Show who signs in for a home", _ACTION, show_household, HouseholdView),
    Route(
        "POST",
        f"{_OF_ACCOUNT}/invitations",
        "Invite somebody to sign in for a home",
        _ACTION,
        invite_to_household,
        MadeInvitationView,
        body=NewInvitation,
        status=201,
        description="Good once, for three days. The link and the code go by two different ways.",
    ),
    Route(
        "PUT",
        _OF_ACCOUNT + "/{user_id}",
        "Say what somebody sees of a home",
        _ACTION,
        change_member,
        None,
        body=RoleChange,
    ),
    Route("DELETE", _OF_ACCOUNT + "/{user_id}", "End somebody's access to a home", _ACTION, end_access, None),
    Route("DELETE", _ONE, "Take an invitation to a home back", _ACTION, revoke_invitation, None),
    Route(
        "POST",
        f"{_ONE}/decision",
        "Confirm or refuse a registration",
        _ACTION,
        decide_registration,
        None,
        body=Decision,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/registrations",
        "List registrations that wait",
        Action.MANAGE_PEOPLE,
        list_registrations,
        Page[InvitationView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/registrations",
        "Register for a home by an invitation",
        Open.EVERYBODY,
        register,
        JoinedView,
        body=Registration,
        status=201,
        description="With the code the home is theirs to see at once; without it somebody confirms.",
    ),
)
