"""Second factors: setting one up, giving its codes, losing the telephone.

The invariant: a secret is shown to its holder alone, until the first code of it was given and never after;
a code is good once, whoever saw it typed. Who must have one is the company's word, by role.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyotp

from cloud.domain.access import Action, require, require_may_grant, require_recent
from cloud.domain.errors import Conflict, Invalid, NotFound, Unauthenticated
from cloud.domain.ids import UserId
from cloud.domain.second_factor import (
    RECOVERY_ALPHABET,
    RECOVERY_CODES,
    RECOVERY_HALF,
    SecondFactor,
    SecondFactorState,
    intervals_around,
    is_one_time,
    plain_code,
)
from cloud.domain.user import Role, User
from cloud.services.staff import STAFF_ROLES, get_staff
from cloud.store import audit, second_factors, sessions, tenants, users
from cloud.store.db import Tx

_WRONG = "the code is wrong, or was used already"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a telephone is shown, once: `address` as a QR code, or `secret` to be typed."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


def state(tx: Tx, actor: User) -> SecondFactorState:
    """Return how the actor's own second factor stands."""
    found = second_factors.find(tx, actor.user_id)
    return SecondFactorState(
        None if found is None else found.confirmed_at_ms,
        second_factors.count_codes(tx, actor.user_id),
        is_required(tx, actor.role),
    )


def is_required(tx: Tx, role: Role) -> bool:
    """Tell whether the company lets nobody of this role in by a password alone."""
    return role in second_factors.required_roles(tx)


def is_asked(tx: Tx, user_id: UserId) -> bool:
    """Tell whether a password alone does not let this user in."""
    found = second_factors.find(tx, user_id)
    return found is not None and found.confirmed_at_ms is not None


def begin(tx: Tx, actor: User) -> Enrolment:
    """Begin to set up the actor's own second factor; what was begun before and not confirmed is forgotten."""
    require_recent(actor, tx.now_ms)
    found = second_factors.find(tx, actor.user_id)
    if found is not None and found.confirmed_at_ms is not None:
        raise Conflict("you have a second factor: remove it before you set up another")
    secret = pyotp.random_base32()
    second_factors.put_unconfirmed(tx, actor.user_id, secret)
    return _enrolment(tx, actor, secret)


def begun(tx: Tx, actor: User) -> Enrolment | None:
    """Return what the actor began and has not confirmed, to be shown again; None if there is nothing such."""
    found = second_factors.find(tx, actor.user_id)
    if found is None or found.confirmed_at_ms is not None:
        return None
    return _enrolment(tx, actor, found.secret)


def confirm(tx: Tx, actor: User, code: str) -> tuple[str, ...]:
    """Give the first code, which shows that the telephone has the secret; return the recovery codes, once."""
    found = second_factors.find(tx, actor.user_id)
    if found is None or found.confirmed_at_ms is not None:
        raise Conflict("there is no second factor to confirm: begin to set one up")
    _take(tx, found, plain_code(code))
    second_factors.confirm(tx, actor.user_id)
    audit.record(tx, actor.user_id, "set_up_second_factor", "user", actor.user_id)
    return _new_codes(tx, actor.user_id)


def renew_codes(tx: Tx, actor: User) -> tuple[str, ...]:
    """Return other recovery codes; those before are good no more."""
    require_recent(actor, tx.now_ms)
    if not is_asked(tx, actor.user_id):
        raise Conflict("you have no second factor: set one up first")
    audit.record(tx, actor.user_id, "renew_recovery_codes", "user", actor.user_id)
    return _new_codes(tx, actor.user_id)


def remove(tx: Tx, actor: User) -> None:
    """Do without a second factor from now on; Conflict where the company requires one."""
    require_recent(actor, tx.now_ms)
    if is_required(tx, actor.role):
        raise Conflict(f"the company requires a second factor of everybody who is {actor.role.value}")
    if second_factors.delete(tx, actor.user_id):
        audit.record(tx, actor.user_id, "remove_second_factor", "user", actor.user_id)


def reset(tx: Tx, actor: User, user_id: UserId) -> None:
    """Forget the second factor of somebody who lost telephone and recovery codes; their sessions end."""
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    record = get_staff(tx, actor, user_id)
    if user_id == actor.user_id:
        raise Conflict("you cannot reset your own second factor: ask another manager")
    require_may_grant(actor, record.user.role)
    if not second_factors.delete(tx, user_id):
        raise NotFound(f"{record.login} has no second factor")
    sessions.delete_user_sessions(tx, user_id)
    audit.record(tx, actor.user_id, "reset_second_factor", "user", user_id)


def holders(tx: Tx, actor: User) -> frozenset[UserId]:
    """Return who has a second factor."""
    require(actor, Action.MANAGE_USERS)
    return second_factors.holders(tx)


def required_roles(tx: Tx, actor: User) -> frozenset[Role]:
    """Return the roles that must have a second factor."""
    require(actor, Action.MANAGE_USERS)
    return second_factors.required_roles(tx)


def require_of_roles(tx: Tx, actor: User, roles: Iterable[Role]) -> frozenset[Role]:
    """Say which roles must have a second factor; whoever of a new one has none is signed out, to set one up.

    Conflict if it would be required of the actor, who has none yet.
    """
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    wanted = frozenset(roles)
    for role in sorted(wanted - frozenset(STAFF_ROLES), key=lambda role: role.value):
        raise Invalid(f"the role {role.value!r} is none of somebody who works here")
    before, having = second_factors.required_roles(tx), second_factors.holders(tx)
    for role in before ^ wanted:
        require_may_grant(actor, role)
    if actor.role in wanted and actor.person_id is not None and actor.user_id not in having:
        raise Conflict("set up your own second factor before you require one of your role")
    second_factors.replace_required_roles(tx, wanted)
    for user_id in users.ids_of_roles(tx, wanted - before):
        if user_id not in having:
            sessions.delete_user_sessions(tx, user_id)
    detail = {"before": _listed(before), "after": _listed(wanted)}
    audit.record(tx, actor.user_id, "require_second_factor", "tenant", str(tx.tenant_id), detail)
    return wanted


def give_code(tx: Tx, user_id: UserId, typed: str) -> None:
    """Take a one-time code or a recovery code of somebody; Unauthenticated if it is not good (any more)."""
    code = plain_code(typed)
    found = second_factors.find(tx, user_id)
    if found is None or found.confirmed_at_ms is None:
        raise Unauthenticated(_WRONG)
    if is_one_time(code):
        _take(tx, found, code)
    elif second_factors.use_code(tx, user_id, code):
        audit.record(tx, user_id, "use_recovery_code", "user", user_id)
    else:
        raise Unauthenticated(_WRONG)


def _take(tx: Tx, factor: SecondFactor, code: str) -> None:
    generator = pyotp.TOTP(factor.secret)
    for interval in intervals_around(tx.now_ms):
        is_same = hmac.compare_digest(generator.generate_otp(interval).encode(), code.encode())
        if is_same and second_factors.note_interval(tx, factor.user_id, interval):
            return
    raise Unauthenticated(_WRONG)


def _enrolment(tx: Tx, actor: User, secret: str) -> Enrolment:
    record = users.find_user(tx, actor.user_id)
    if record is None:
        raise NotFound("there is no such user")
    issuer = tenants.name_of(tx) or "Gatehouse"
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=record.login, issuer_name=issuer))


def _new_codes(tx: Tx, user_id: UserId) -> tuple[str, ...]:
    codes = tuple(_new_code() for _ in range(RECOVERY_CODES))
    second_factors.replace_codes(tx, user_id, codes)
    return codes


def _new_code() -> str:
    halves = ("".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_HALF)) for _ in range(2))
    return "-".join(halves)


def _listed(roles: Iterable[Role]) -> str:
    return " ".join(sorted(role.value for role in roles))
