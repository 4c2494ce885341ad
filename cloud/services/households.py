"""Households: letting family and tenants sign in for a home, with bills or without, and ending it.

The invariant: a secret link names a home and nothing more; who takes it up belongs to the home by the code
that came another way, or once its head or the office says that it is them. What they agreed to is written
down with it. Whose access ends sees nothing more from their next request on.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from cloud.domain.access import Action, may, require, require_account, require_head
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.household import (
    CODE_DIGITS,
    INVITATION_LASTS_MS,
    INVITATIONS_OPEN_MAX,
    MEMBERS_MAX,
    RELATIONS_GIVEN_AT_HOME,
    ROLES_GIVEN_AT_HOME,
    Household,
    HouseholdInvitation,
    HouseholdMember,
    HouseholdRole,
    InvitationState,
    NewHouseholdInvitation,
    Registrant,
)
from cloud.domain.identity_number import mobile_number
from cloud.domain.ids import AccountId, HouseholdInvitationId, PersonId, SiteId, UserId
from cloud.domain.people import Account
from cloud.domain.periods import local_date, time_zone
from cloud.domain.person import ConsentPurpose, Relation, checked_name
from cloud.domain.user import Locale, Role, User
from cloud.services.premises import site_of
from cloud.services.users import TOKEN_BYTES, checked_login, hash_of
from cloud.store import audit, households, people, persons, privacy, users
from cloud.store.db import Tx

_GONE = "this invitation is not good: it was used, taken back or is over; ask for a new one"
_HOW = "app"  # where a consent was given


@dataclass(frozen=True, slots=True)
class Joined:
    """Who took an invitation up, and whether they are let in at once."""

    user_id: UserId
    login: str
    is_confirmed: bool


def invite(
    tx: Tx, actor: User, account_id: AccountId, relation: Relation, role: HouseholdRole
) -> NewHouseholdInvitation:
    """Invite somebody to sign in for a home; the link and the code go to them by two different ways."""
    account = _account(tx, actor, account_id)
    require_head(actor, account_id)
    if actor.role is Role.RESIDENT:
        _require_given(relation, RELATIONS_GIVEN_AT_HOME)
        _require_given(role, ROLES_GIVEN_AT_HOME)
    open_count = sum(
        one.state_at(tx.now_ms) is InvitationState.OPEN for one in households.invitations_of(tx, account_id)
    )
    if open_count >= INVITATIONS_OPEN_MAX:
        raise Conflict(f"{INVITATIONS_OPEN_MAX} invitations are open already: take one back first")
    if len(households.members_of(tx, account_id)) >= MEMBERS_MAX:
        raise Conflict(f"{MEMBERS_MAX} people sign in for this home already: end somebody's access first")
    token = f"{tx.tenant_id}.{secrets.token_urlsafe(TOKEN_BYTES)}"
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    invitation_id = households.insert_invitation(
        tx,
        account_id,
        relation,
        role,
        hash_of(token),
        _hash_of_code(token, code),
        actor.person_id,
        tx.now_ms + INVITATION_LASTS_MS,
    )
    detail = {"relation": relation.value, "role": role.value}
    audit.record(tx, actor.user_id, "invite_to_household", "account", account.account_id, detail)
    return NewHouseholdInvitation(_found(tx, invitation_id), token, code)


def invited(tx: Tx, token: str) -> HouseholdInvitation:
    """Return the invitation a secret opens; NotFound if it is not good, whyever."""
    return _open(tx, token)[0]


def register(
    tx: Tx,
    token: str,
    code: str,
    who: Registrant,
    login: str,
    password_hash: str,
    locale: Locale = Locale.CHINESE,
) -> Joined:
    """Take an invitation up with a login of one's own; without a code it waits to be confirmed.

    Refused with a code that is wrong: a slip of the finger must not become a wait of days.
    """
    invitation, code_hash = _open(tx, token)
    is_confirmed = _is_right(token, code, code_hash)
    checked = Registrant(checked_name(who.name), mobile_number(who.phone), who.agrees_to_contact)
    user_id = users.insert_user(tx, checked_login(login), checked.name, Role.RESIDENT, locale, password_hash)
    if user_id is None:
        raise Conflict(f"the login {login!r} is taken")
    return _take(tx, invitation, user_id, login, checked, is_confirmed=is_confirmed)


def join(tx: Tx, actor: User, token: str, code: str, phone: str, *, agrees_to_contact: bool) -> Joined:
    """Take an invitation up with the login one has: a further home."""
    require(actor, Action.USE_OWN_PRIVACY)
    invitation, code_hash = _open(tx, token)
    if actor.role is not Role.RESIDENT:
        raise Conflict("who works here takes up no home with that login: sign out first")
    if invitation.account_id in actor.account_ids:
        raise Conflict("you sign in for this home already")
    is_confirmed = _is_right(token, code, code_hash)
    who = Registrant(checked_name(actor.display_name), mobile_number(phone), agrees_to_contact)
    return _take(tx, invitation, actor.user_id, "", who, is_confirmed=is_confirmed)


def get_household(tx: Tx, actor: User, account_id: AccountId) -> Household:
    """Return who signs in for a home, and for its head who was invited to."""
    _account(tx, actor, account_id)
    is_head = actor.role is not Role.RESIDENT or account_id in actor.head_account_ids
    return Household(
        tuple(households.members_of(tx, account_id)),
        tuple(households.invitations_of(tx, account_id)) if is_head else (),
    )


def set_role(tx: Tx, actor: User, account_id: AccountId, user_id: UserId, role: HouseholdRole) -> None:
    """Let somebody of a home see its bills, or no longer."""
    _account(tx, actor, account_id)
    require_head(actor, account_id)
    found = _member(tx, account_id, user_id)
    if actor.role is Role.RESIDENT:
        _require_given(role, ROLES_GIVEN_AT_HOME)
        _require_given(found.role, ROLES_GIVEN_AT_HOME)
    households.set_role(tx, account_id, user_id, role)
    detail = {"user": user_id, "before": found.role.value, "after": role.value}
    audit.record(tx, actor.user_id, "set_household_role", "account", account_id, detail)


def end_access(tx: Tx, actor: User, account_id: AccountId, user_id: UserId) -> None:
    """Let somebody sign in for a home no longer; everybody may leave themselves."""
    _account(tx, actor, account_id)
    found = _member(tx, account_id, user_id)
    if user_id != actor.user_id:
        require_head(actor, account_id)
        if actor.role is Role.RESIDENT and found.role is HouseholdRole.HEAD:
            raise Forbidden("another head of this home is let go by the property office alone")
    households.end_access(tx, account_id, user_id)
    audit.record(tx, actor.user_id, "end_household_access", "account", account_id, {"user": user_id})


def revoke(tx: Tx, actor: User, invitation_id: HouseholdInvitationId) -> None:
    """Take an invitation back that nobody took up."""
    found = _headed(tx, actor, invitation_id)
    if not households.revoke(tx, invitation_id):
        raise Conflict("somebody has taken this invitation up, or it was taken back already")
    audit.record(tx, actor.user_id, "revoke_household_invitation", "account", found.account_id)


def waiting(tx: Tx, actor: User, site_id: SiteId) -> list[HouseholdInvitation]:
    """Return who has registered at a site and waits to be confirmed, the last first."""
    require(actor, Action.MANAGE_PEOPLE)
    site_of(tx, site_id)
    return households.waiting_of_site(tx, site_id)


def waits(tx: Tx, actor: User) -> list[HouseholdInvitation]:
    """Return what the actor has taken up and is not let into yet."""
    require(actor, Action.USE_OWN_PRIVACY)
    return households.waiting_of_user(tx, actor.user_id)


def decide(tx: Tx, actor: User, invitation_id: HouseholdInvitationId, *, is_refused: bool = False) -> None:
    """Confirm who has registered without the code, or refuse them."""
    found = _headed(tx, actor, invitation_id)
    if found.state_at(tx.now_ms) is not InvitationState.WAITING:
        raise Conflict("nobody waits on this invitation any more")
    _settle(tx, found, actor.person_id, is_refused=is_refused)
    act = "refuse_registration" if is_refused else "confirm_registration"
    audit.record(tx, actor.user_id, act, "account", found.account_id, {"user": str(found.taken_by)})


def end_with_account(tx: Tx, actor: User, account_id: AccountId) -> None:
    """Let everybody but its head go when the account of a home ends; open invitations go too."""
    for one in households.members_of(tx, account_id):
        if one.role is not HouseholdRole.HEAD:
            households.end_access(tx, account_id, one.user_id)
            audit.record(
                tx, actor.user_id, "end_household_access", "account", account_id, {"user": one.user_id}
            )
    for invitation in households.invitations_of(tx, account_id):
        if not households.revoke(tx, invitation.invitation_id):
            _settle(tx, invitation, actor.person_id, is_refused=True)


def _take(
    tx: Tx,
    invitation: HouseholdInvitation,
    user_id: UserId,
    login: str,
    who: Registrant,
    *,
    is_confirmed: bool,
) -> Joined:
    if not households.take(tx, invitation.invitation_id, user_id, who):
        raise NotFound(_GONE)
    detail: dict[str, str | int | None] = {"user": user_id, "by_code": int(is_confirmed)}
    audit.record(tx, user_id, "take_up_household", "account", invitation.account_id, detail)
    if is_confirmed:
        _settle(tx, _found(tx, invitation.invitation_id), None, is_refused=False)
    return Joined(user_id, login, is_confirmed)


def _settle(tx: Tx, found: HouseholdInvitation, by: UserId | None, *, is_refused: bool) -> None:
    """Let whoever came in, with what follows from it, or refuse them."""
    phone = households.phone_of(tx, found.invitation_id)
    if not households.settle(tx, found.invitation_id, by, is_refused=is_refused):
        raise Conflict("this was decided already")
    assert found.taken_by is not None, "only what was taken up is settled"
    if is_refused:
        return
    users.add_accounts(tx, found.taken_by, [found.account_id], found.role)
    person_id = _person(tx, found, found.taken_by, phone)
    purposes = [ConsentPurpose.REGISTRATION]
    if found.agrees_to_contact:
        purposes.append(ConsentPurpose.CONTACT)
    held = {one.purpose for one in privacy.consents_of(tx, person_id) if one.withdrawn_at_ms is None}
    for purpose in purposes:
        if purpose not in held:
            privacy.insert_consent(tx, person_id, purpose, _HOW, None)


def _person(tx: Tx, found: HouseholdInvitation, user_id: UserId, phone: str) -> PersonId:
    """Return who came as a person: known by login, or by number in that home, or new; and living there."""
    account = people.find_account(tx, found.account_id)
    assert account is not None and account.space_id is not None, "only homes are invited to"
    today = local_date(tx.now_ms, time_zone(site_of(tx, account.site_id).time_zone))
    there = [one for one in persons.occupancies_of_space(tx, account.space_id) if one.to_on is None]
    known = persons.find_by_user(tx, user_id)
    person_id = None if known is None else known.person_id
    if person_id is None:
        person_id = persons.find_unsigned(tx, [one.person_id for one in there], phone)
        if person_id is not None:
            persons.tie_user(tx, person_id, user_id)
    if person_id is None:
        person_id = persons.insert_person(tx, account.site_id, found.name, phone, "", "", user_id)
    assert person_id is not None, "a login that is nobody's yet makes a person"
    if person_id not in {one.person_id for one in there}:
        persons.insert_occupancy(tx, person_id, account.space_id, found.relation, today)
    return person_id


def _account(tx: Tx, actor: User, account_id: AccountId) -> Account:
    require(actor, Action.MANAGE_HOUSEHOLDS)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    if account.closed_on is not None or account.space_id is None:
        raise Conflict(f"{account.number} is no account of a home somebody lives in now")
    return account


def _headed(tx: Tx, actor: User, invitation_id: HouseholdInvitationId) -> HouseholdInvitation:
    require(actor, Action.MANAGE_HOUSEHOLDS)
    found = households.find_invitation(tx, invitation_id)
    if found is None or not (may(actor, Action.MANAGE_PEOPLE) or found.account_id in actor.head_account_ids):
        raise NotFound("there is no such invitation")
    return found


def _found(tx: Tx, invitation_id: HouseholdInvitationId) -> HouseholdInvitation:
    found = households.find_invitation(tx, invitation_id)
    assert found is not None, "it has just been written"
    return found


def _member(tx: Tx, account_id: AccountId, user_id: UserId) -> HouseholdMember:
    found = next((one for one in households.members_of(tx, account_id) if one.user_id == user_id), None)
    if found is None:
        raise NotFound("there is no such user")
    return found


def _open(tx: Tx, token: str) -> tuple[HouseholdInvitation, str]:
    found = households.find_open(tx, hash_of(token))
    if found is None:
        raise NotFound(_GONE)
    return found


def _is_right(token: str, code: str, code_hash: str) -> bool:
    digits = "".join(sign for sign in code if sign.isdecimal())
    if not digits:
        return False
    if not secrets.compare_digest(_hash_of_code(token, digits), code_hash):
        raise Forbidden("the code is wrong; without one, your registration waits to be confirmed")
    return True


def _hash_of_code(token: str, code: str) -> str:
    """Return what the store keeps of a code; without the link's secret it cannot be tried out."""
    return hash_of(f"{token}/{code}")


def _require_given(
    wanted: Relation | HouseholdRole, allowed: Collection[Relation] | Collection[HouseholdRole]
) -> None:
    if wanted not in allowed:
        raise Invalid(f"{wanted.value!r} is given by the property office alone")
