"""Households: a resident's page of who signs in for their home, and the same page at the office's desk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.domain.access import Action, may
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.household import (
    RELATIONS_GIVEN_AT_HOME,
    ROLES_GIVEN_AT_HOME,
    Household,
    HouseholdRole,
    NewHouseholdInvitation,
)
from cloud.domain.ids import HouseholdInvitationId, SiteId, UserId, is_uuid
from cloud.domain.people import Account
from cloud.domain.person import Relation
from cloud.domain.user import Role, User
from cloud.services import households, premises
from cloud.store.db import Tx
from cloud.web.origin import own_origin

_TAB = "/home/more"
_REFUSALS = (Conflict, Forbidden, Invalid)
_Word = TypeVar("_Word", Relation, HouseholdRole)


@dataclass(frozen=True, slots=True)
class HouseholdView:
    """A home's household; `made` is an invitation that is shown this once."""

    account: Account
    accounts: tuple[Account, ...]
    household: Household
    is_head: bool
    relations: tuple[str, ...]
    roles: tuple[str, ...]
    path: str
    typed: Mapping[str, str]
    made: NewHouseholdInvitation | None = None
    link: str = ""
    picture: Markup = Markup()  # noqa: RUF009 - of nothing
    error: str = ""


class _Load(Protocol):
    """What reads the view again: of a resident's own home, or of one at the office."""

    def __call__(
        self,
        tx: Tx,
        actor: User,
        number: str,
        typed: Mapping[str, str],
        made: NewHouseholdInvitation | None,
        error: str,
    ) -> HouseholdView: ...


async def show(desk: Desk) -> web.StreamResponse:
    """Show a resident who signs in for their home."""
    view = await desk.read(_own, desk.request.query.get("account", ""), {}, None, "")
    return await desk.page("home/household.html", tab=_TAB, view=view)


async def act(desk: Desk) -> web.StreamResponse:
    """Let somebody in, or no longer."""
    return await _act(desk, "home/household.html", _own)


async def show_office(desk: Desk) -> web.StreamResponse:
    """Show the office who signs in for a home."""
    number = desk.request.match_info["account"]
    view = await desk.read(_office, number, {}, None, "", site_id=desk.site.site_id)
    return await desk.page("people/household.html", view=view)


async def act_office(desk: Desk) -> web.StreamResponse:
    """Let somebody in for a home, or no longer, at the office."""

    def office(
        tx: Tx,
        actor: User,
        number: str,
        typed: Mapping[str, str],
        made: NewHouseholdInvitation | None,
        error: str,
    ) -> HouseholdView:
        return _office(tx, actor, number, typed, made, error, site_id=desk.site.site_id)

    return await _act(desk, "people/household.html", office)


async def _act(desk: Desk, template: str, load: _Load) -> web.StreamResponse:
    form = {name: str(value).strip()[:80] for name, value in (await desk.request.post()).items()}
    number = desk.request.match_info.get("account", form.get("account", ""))
    try:
        made = await desk.write(_change, load, number, form)
    except _REFUSALS as error:
        view = await desk.read(load, number, form, None, str(error))
        return await desk.page(template, status=422, tab=_TAB, view=view)
    if made is None:
        gone = form.get("act") == "end" and form.get("user") == desk.actor.user_id
        path = "/" if gone else f"{desk.request.path}?account={number}"
        return desk.go(path, "person-changed")
    view = await desk.read(load, number, {}, made, "")
    return await desk.page(template, tab=_TAB, view=_shown(view, own_origin(desk.request)))


def _shown(view: HouseholdView, origin: str) -> HouseholdView:
    assert view.made is not None, "only a fresh invitation is shown"
    link = f"{origin}/household/{view.made.token}"
    return replace(view, link=link, picture=picture_of_code(link))


def _own(
    tx: Tx,
    actor: User,
    number: str,
    typed: Mapping[str, str],
    made: NewHouseholdInvitation | None,
    error: str,
) -> HouseholdView:
    accounts = tuple(
        one for one in premises.own_accounts(tx, actor) if one.closed_on is None and one.space_id
    )
    account = next((one for one in accounts if one.number == number), accounts[0] if accounts else None)
    if account is None:
        raise NotFound("no home is tied to this login: ask the property office")
    return _view(tx, actor, account, accounts, "/home/household", typed, made, error)


def _office(
    tx: Tx,
    actor: User,
    number: str,
    typed: Mapping[str, str],
    made: NewHouseholdInvitation | None,
    error: str,
    *,
    site_id: SiteId,
) -> HouseholdView:
    account = premises.account_numbered(tx, actor, site_id, number)
    return _view(tx, actor, account, (), f"/households/{account.number}", typed, made, error)


def _view(
    tx: Tx,
    actor: User,
    account: Account,
    accounts: tuple[Account, ...],
    path: str,
    typed: Mapping[str, str],
    made: NewHouseholdInvitation | None,
    error: str,
) -> HouseholdView:
    is_resident = actor.role is Role.RESIDENT
    return HouseholdView(
        account,
        accounts,
        households.get_household(tx, actor, account.account_id),
        may(actor, Action.MANAGE_PEOPLE) or account.account_id in actor.head_account_ids,
        tuple(one.value for one in (RELATIONS_GIVEN_AT_HOME if is_resident else Relation)),
        tuple(one.value for one in (ROLES_GIVEN_AT_HOME if is_resident else HouseholdRole)),
        path,
        typed,
        made,
        error=error,
    )


def _change(
    tx: Tx, actor: User, load: _Load, number: str, form: Mapping[str, str]
) -> NewHouseholdInvitation | None:
    account_id = load(tx, actor, number, {}, None, "").account.account_id
    match form.get("act", ""):
        case "invite":
            relation, role = _word(Relation, form, "relation"), _word(HouseholdRole, form, "role")
            return households.invite(tx, actor, account_id, relation, role)
        case "role":
            role = _word(HouseholdRole, form, "role")
            households.set_role(tx, actor, account_id, UserId(_id(form, "user")), role)
        case "end":
            households.end_access(tx, actor, account_id, UserId(_id(form, "user")))
        case "revoke":
            households.revoke(tx, actor, HouseholdInvitationId(_id(form, "invitation")))
        case "confirm" | "refuse" as word:
            invitation_id = HouseholdInvitationId(_id(form, "invitation"))
            households.decide(tx, actor, invitation_id, is_refused=word == "refuse")
        case other:
            raise Invalid(f"there is no act {other!r}")
    return None


def _id(form: Mapping[str, str], name: str) -> str:
    if not is_uuid(form.get(name, "")):
        raise NotFound("there is no such user or invitation")
    return form[name]


def _word(words: type[_Word], form: Mapping[str, str], name: str) -> _Word:
    try:
        return words(form.get(name, ""))
    except ValueError as error:
        raise Invalid(f"choose one of those offered, not {form.get(name, '')!r}") from error
