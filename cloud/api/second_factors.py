"""One's own second factor, whose roles must have one, and forgetting that of somebody who lost theirs."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Open, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.ids import UserId
from cloud.domain.user import Role
from cloud.keys import DATABASE
from cloud.services import authentication, second_factors
from cloud.services.staff import STAFF_ROLES


class SecondFactorView(View, frozen=True):
    """How one's second factor stands; not confirmed: no code is asked."""

    confirmed_at_ms: int | None
    recovery_codes_left: int
    is_required: bool


class EnrolmentView(View, frozen=True):
    """What the telephone is shown: `address` (otpauth://) as a QR code, or `secret` typed."""

    secret: str
    address: str


class FirstCode(Request, frozen=True):
    """The first code the telephone shows."""

    code: Annotated[str, Meta(min_length=6, max_length=20)]


class RecoveryCodesView(View, frozen=True):
    """For a lost telephone: each good once; told this once."""

    codes: tuple[str, ...]


class RequiredRoles(Request, frozen=True):
    """Whose role must have a second factor."""

    roles: Annotated[tuple[Role, ...], Meta(max_length=len(STAFF_ROLES))]


class RequiredRolesView(View, frozen=True):
    """Whose role must have a second factor."""

    roles: tuple[Role, ...]


async def get_second_factor(call: Call[Nothing, Nothing]) -> SecondFactorView:
    """Tell how one's own second factor stands."""
    found = await call.read(second_factors.state)
    return SecondFactorView(
        confirmed_at_ms=found.confirmed_at_ms,
        recovery_codes_left=found.codes_left,
        is_required=found.is_required,
    )


async def begin_second_factor(call: Call[Nothing, Nothing]) -> EnrolmentView:
    """Begin to set up a second factor."""
    begun = await call.write(second_factors.begin)
    return EnrolmentView(secret=begun.secret, address=begun.address)


async def confirm_second_factor(call: Call[Nothing, FirstCode]) -> RecoveryCodesView:
    """Give the first code."""
    codes = await authentication.confirm(call.request.app[DATABASE], call.actor, call.body.code)
    return RecoveryCodesView(codes=codes)


async def remove_second_factor(call: Call[Nothing, Nothing]) -> None:
    """Do without a second factor."""
    await call.write(second_factors.remove)


async def renew_recovery_codes(call: Call[Nothing, Nothing]) -> RecoveryCodesView:
    """Get other recovery codes."""
    return RecoveryCodesView(codes=await call.write(second_factors.renew_codes))


async def reset_second_factor(call: Call[Nothing, Nothing]) -> None:
    """Forget somebody's second factor."""
    await call.write(second_factors.reset, UserId(call.id("user_id")))


async def get_required_roles(call: Call[Nothing, Nothing]) -> RequiredRolesView:
    """Tell whose role must have a second factor."""
    return _roles_view(await call.read(second_factors.required_roles))


async def set_required_roles(call: Call[Nothing, RequiredRoles]) -> RequiredRolesView:
    """Say whose role must have a second factor."""
    return _roles_view(await call.write(second_factors.require_of_roles, call.body.roles))


def _roles_view(roles: frozenset[Role]) -> RequiredRolesView:
    return RequiredRolesView(roles=tuple(sorted(roles, key=lambda role: role.value)))


_OWN, _ROLES = "/api/v1/me/second_factor", "/api/v1/second_factor_roles"
_MANAGE = Action.MANAGE_USERS
_View, _RolesView = SecondFactorView, RequiredRolesView

ROUTES = (
    Route(
        "GET",
        _OWN,
        "Tell how one's second factor stands",
        Open.SIGNED_IN,
        get_second_factor,
        _View,
    ),
    Route(
        "POST",
        _OWN,
        "Begin to set up a second factor",
        Open.SIGNED_IN,
        begin_second_factor,
        EnrolmentView,
        status=201,
        description="No code is asked until the first one was given.",
    ),
    Route("DELETE", _OWN, "Do without a second factor", Open.SIGNED_IN, remove_second_factor, None),
    Route(
        "POST",
        f"{_OWN}/confirmation",
        "Give the first code of one's second factor",
        Open.SIGNED_IN,
        confirm_second_factor,
        RecoveryCodesView,
        body=FirstCode,
    ),
    Route(
        "POST",
        f"{_OWN}/recovery_codes",
        "Get other recovery codes",
        Open.SIGNED_IN,
        renew_recovery_codes,
        RecoveryCodesView,
        status=201,
        description="Those before are good no more.",
    ),
    Route(
        "GET",
        _ROLES,
        "Tell whose role must have a second factor",
        _MANAGE,
        get_required_roles,
        RequiredRolesView,
    ),
    Route(
        "PUT",
        _ROLES,
        "Say whose role must have a second factor",
        _MANAGE,
        set_required_roles,
        _RolesView,
        body=RequiredRoles,
        description="Whoever of a new one has none is signed out, and sets one up when they sign in.",
    ),
    Route(
        "DELETE",
        "/api/v1/users/{user_id}/second_factor",
        "Forget somebody's second factor",
        _MANAGE,
        reset_second_factor,
        None,
        description="For a lost telephone without recovery codes; their sessions end.",
    ),
)
