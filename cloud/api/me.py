"""Who one is, and what one may change of it."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Open, Request, Route, View
from cloud.domain.access import Action, may
from cloud.domain.user import Locale, Role
from cloud.keys import DATABASE, PASSWORDS
from cloud.services import users
from cloud.services.passwords import LENGTH_MAX, LENGTH_MIN
from cloud.web.identity import credential_of


class MeView(View, frozen=True):
    """Who asks, and what the policy lets them do."""

    user_id: str
    display_name: str
    role: Role
    locale: Locale
    account_ids: tuple[str, ...]
    site_ids: tuple[str, ...]
    building_ids: tuple[str, ...]
    may: tuple[str, ...]


class MyChoices(Request, frozen=True):
    """What one may choose."""

    locale: Locale


class NewPassword(Request, frozen=True):
    """A new password; the present one proves that it is not somebody at an unlocked screen."""

    present: Annotated[str, Meta(min_length=1, max_length=LENGTH_MAX)]
    new: Annotated[str, Meta(min_length=LENGTH_MIN, max_length=LENGTH_MAX)]


async def get_me(call: Call[Nothing, Nothing]) -> MeView:
    """Tell who one is."""
    actor = call.actor
    return MeView(
        user_id=actor.user_id,
        display_name=actor.display_name,
        role=actor.role,
        locale=actor.locale,
        account_ids=tuple(sorted(actor.account_ids)),
        site_ids=tuple(sorted(actor.scope.site_ids)),
        building_ids=tuple(sorted(actor.scope.building_ids)),
        may=tuple(sorted(action.value for action in Action if may(actor, action))),
    )


async def update_me(call: Call[Nothing, MyChoices]) -> None:
    """Remember the language one wants to read."""
    await call.write(users.set_locale, call.body.locale)


async def change_my_password(call: Call[Nothing, NewPassword]) -> None:
    """Replace one's own password; every other session of one's own ends."""
    app = call.request.app
    token, _ = credential_of(call.request)
    await users.change_password(
        app[DATABASE], app[PASSWORDS], call.actor, token, call.body.present, call.body.new
    )


ROUTES = (
    Route("GET", "/api/v1/me", "Tell who one is and what one may do", Open.SIGNED_IN, get_me, MeView),
    Route("PATCH", "/api/v1/me", "Choose one's language", Open.SIGNED_IN, update_me, None, body=MyChoices),
    Route(
        "PUT",
        "/api/v1/me/password",
        "Change one's password",
        Open.SIGNED_IN,
        change_my_password,
        None,
        body=NewPassword,
        description="Ends every other session of one's own.",
    ),
)
