"""Badges: given out, lost and found, ended; everybody's own in their hands.

The invariants: a card's number is not kept, only its token and last digits; what somebody reports lost opens
nothing from the next greeting of each box on; and a home's badges end with its account.
"""

import secrets
from collections.abc import Sequence

from cloud.domain.access import Action, require, require_account
from cloud.domain.entry import (
    BADGES_A_HOME_MAX,
    CODE_DIGITS,
    FACE_ID_LENGTH_MAX,
    LABEL_LENGTH_MAX,
    Badge,
    BadgeState,
    Covers,
    card_digits,
)
from cloud.domain.errors import Conflict, Invalid, NotFound, Problem
from cloud.domain.ids import AccessGroupId, AccountId, BadgeId, SiteId, is_uuid
from cloud.domain.people import Account
from cloud.domain.user import Role, User
from cloud.services import granting
from cloud.services.premises import site_of
from cloud.store import audit, badges, entrances, passages, people
from cloud.store.db import Tx
from protocol.access import BadgeKind, badge_token

_LISTED_MAX = 500
_CODES_TRIED = 8
_ENDS_DIGITS = 2


def list_badges(tx: Tx, actor: User, site_id: SiteId) -> list[Badge]:
    """Return a site's badges, the last given out first, without codes."""
    require(actor, Action.READ_PASSAGES)
    return badges.badges_of_site(tx, site_of(tx, site_id).site_id)


def own_badges(tx: Tx, actor: User, account_id: AccountId | None = None) -> list[Badge]:
    """Return the badges of a home, or of all of the actor's; codes are for those who live there alone."""
    require(actor, Action.USE_OWN_BADGES)
    if account_id is not None:
        _account(tx, actor, account_id)
    wanted = actor.account_ids if account_id is None else {account_id}
    is_holder = actor.role is Role.RESIDENT
    return badges.badges_of_accounts(tx, wanted, _LISTED_MAX, is_holder=is_holder) if wanted else []


def give(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    kind: BadgeKind,
    label: str,
    secret: str = "",
    account_id: AccountId | None = None,
    group_ids: Sequence[AccessGroupId] = (),
    from_ms: int | None = None,
    until_ms: int | None = None,
) -> Badge:
    """Give a card or a face to somebody, or make a code; Conflict where the card is somebody's.

    `secret` is the number printed on the card, the terminal's id of the face, or the id of the passage at
    which an unknown card was shown.
    """
    require(actor, Action.MANAGE_BADGES)
    site_of(tx, site_id)
    if account_id is not None and _account(tx, actor, account_id).site_id != site_id:
        raise NotFound("there is no such account")
    there = {one.group_id: one for one in entrances.groups_of_site(tx, site_id)}
    for group_id in group_ids:
        if group_id not in there:
            raise NotFound(f"there is no access group {group_id}")
        if there[group_id].covers is not Covers.CHOSEN:
            raise Invalid(f"{there[group_id].name} is for residents: nobody is put into it one by one")
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        raise Invalid("a badge ends after it begins")
    return _given(tx, actor, site_id, kind, label, secret, account_id, group_ids, from_ms, until_ms)


def make_own_code(tx: Tx, actor: User, account_id: AccountId, label: str) -> Badge:
    """Make a code for a home's own doors."""
    require(actor, Action.USE_OWN_BADGES)
    account = _account(tx, actor, account_id)
    if account.closed_on is not None:
        raise NotFound("there is no such account")
    return _given(tx, actor, account.site_id, BadgeKind.CODE, label, "", account_id)


def report_lost(tx: Tx, actor: User, badge_id: BadgeId) -> Badge:
    """Block a badge at once; a resident only one of their own. A second report changes nothing."""
    require(actor, Action.REPORT_BADGE_LOST)
    found = _badge(tx, actor, badge_id)
    if badges.set_lost(tx, badge_id, is_lost=True):
        audit.record(tx, actor.user_id, "report_badge_lost", "badge", badge_id)
        granting.changed(tx, found.site_id)
    return _badge(tx, actor, badge_id)


def report_found(tx: Tx, actor: User, badge_id: BadgeId) -> Badge:
    """Let a lost badge open again; who reported it lost cannot, whoever holds a stolen telephone could."""
    require(actor, Action.MANAGE_BADGES)
    found = _badge(tx, actor, badge_id)
    if found.state is BadgeState.ENDED:
        raise Conflict("the badge has ended: give it out anew")
    if badges.set_lost(tx, badge_id, is_lost=False):
        audit.record(tx, actor.user_id, "report_badge_found", "badge", badge_id)
        granting.changed(tx, found.site_id)
    return _badge(tx, actor, badge_id)


def end(tx: Tx, actor: User, badge_id: BadgeId) -> None:
    """End a badge for good; a resident only a code of their own."""
    require(actor, Action.USE_OWN_BADGES)
    found = _badge(tx, actor, badge_id)
    if actor.role is Role.RESIDENT and found.kind is not BadgeKind.CODE:
        raise Conflict("report the card lost, or hand it in at the office")
    if badges.end(tx, badge_id):
        audit.record(tx, actor.user_id, "end_badge", "badge", badge_id)
        granting.changed(tx, found.site_id)


def end_of_account(tx: Tx, actor: User, account_id: AccountId, site_id: SiteId) -> None:
    """End a home's badges with its account, as part of a move."""
    require(actor, Action.MANAGE_PEOPLE)
    if badges.end_of_account(tx, account_id):
        audit.record(tx, actor.user_id, "end_badges", "account", account_id)
    granting.changed(tx, site_id)


def _given(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    kind: BadgeKind,
    label: str,
    secret: str,
    account_id: AccountId | None,
    group_ids: Sequence[AccessGroupId] = (),
    from_ms: int | None = None,
    until_ms: int | None = None,
) -> Badge:
    name = " ".join(label.split())
    if not 1 <= len(name) <= LABEL_LENGTH_MAX:
        message = f"the name has {len(name)} characters, expected 1 to {LABEL_LENGTH_MAX}"
        raise Invalid(message, [Problem("/label", message)])
    if account_id is not None and badges.count_of_account(tx, account_id) >= BADGES_A_HOME_MAX:
        raise Conflict(f"the home has {BADGES_A_HOME_MAX} badges already: end one first")
    key = granting.token_key(tx, site_id)
    for _ in range(_CODES_TRIED):
        token, ends, code = _token(tx, site_id, key, kind, secret)
        badge_id = badges.insert_badge(
            tx, site_id, kind, name, account_id, token, ends, code, from_ms, until_ms, actor.person_id
        )
        if badge_id is not None or kind is not BadgeKind.CODE:
            break
    if badge_id is None:
        raise Conflict("this badge is somebody's already: end it there first")
    badges.put_into_groups(tx, badge_id, group_ids)
    audit.record(tx, actor.user_id, "give_badge", "badge", badge_id, {"kind": kind.value})
    granting.changed(tx, site_id)
    found = badges.find_badge(tx, badge_id, is_holder=True)
    assert found is not None, "it has just been written"
    return found


def _token(tx: Tx, site_id: SiteId, key: bytes, kind: BadgeKind, secret: str) -> tuple[bytes, str, str]:
    """Return what a badge is known by, its last digits, and the code where one is made."""
    if kind is BadgeKind.CODE:
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        return badge_token(key, kind, code), "", code
    if kind is BadgeKind.FACE:
        face = secret.strip()
        if not 1 <= len(face) <= FACE_ID_LENGTH_MAX:
            message = f"the terminal's id has {len(face)} characters, expected 1 to {FACE_ID_LENGTH_MAX}"
            raise Invalid(message, [Problem("/secret", message)])
        return badge_token(key, kind, face), "", ""
    shown = passages.find_unknown(tx, secret) if is_uuid(secret) else None
    if shown is not None and shown.site_id == site_id:
        return bytes.fromhex(shown.token), shown.ends, ""
    number = card_digits(secret)
    return badge_token(key, kind, number), f"{int(number) % 10**_ENDS_DIGITS:0{_ENDS_DIGITS}d}", ""


def _account(tx: Tx, actor: User, account_id: AccountId) -> Account:
    require_account(actor, account_id)
    found = people.find_account(tx, account_id)
    if found is None:
        raise NotFound("there is no such account")
    return found


def _badge(tx: Tx, actor: User, badge_id: BadgeId) -> Badge:
    found = badges.find_badge(tx, badge_id)
    is_others = actor.role is Role.RESIDENT and (
        found is None or found.account_id is None or found.account_id not in actor.account_ids
    )
    if found is None or is_others:
        raise NotFound(f"there is no badge {badge_id}")
    return found
