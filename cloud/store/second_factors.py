"""Second factors: the sealed secret of somebody's one-time codes, their recovery codes, who must have one."""

from collections.abc import Iterable

import sqlalchemy as sa

from cloud.domain.ids import UserId
from cloud.domain.second_factor import SecondFactor
from cloud.domain.user import Role
from cloud.store import sealing
from cloud.store.db import Tx
from cloud.store.schema import recovery_code, second_factor, second_factor_role


def put_unconfirmed(tx: Tx, user_id: UserId, secret: str) -> None:
    """Begin a second factor, in place of one that was begun and never confirmed."""
    values = {
        "secret": sealing.seal(tx, "second_factor", user_id, "secret", secret),
        "begun_at_ms": tx.now_ms,
        "confirmed_at_ms": None,
        "last_interval": 0,
    }
    # Somebody sets up a second factor.
    tx.conn.execute(
        tx.insert(second_factor)
        .values(tenant_id=tx.tenant_id, user_id=user_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "user_id"], set_=values)
    )


def find(tx: Tx, user_id: UserId) -> SecondFactor | None:
    """Return somebody's second factor, confirmed or not; None if they have none."""
    # What do this user's codes come from?
    row = tx.conn.execute(
        sa.select(
            second_factor.c.secret,
            second_factor.c.begun_at_ms,
            second_factor.c.confirmed_at_ms,
            second_factor.c.last_interval,
        ).where(second_factor.c.tenant_id == tx.tenant_id, second_factor.c.user_id == user_id)
    ).one_or_none()
    if row is None:
        return None
    secret = sealing.unseal(tx, "second_factor", user_id, "secret", bytes(row.secret))
    return SecondFactor(user_id, row.begun_at_ms, row.confirmed_at_ms, row.last_interval, secret)


def holders(tx: Tx) -> frozenset[UserId]:
    """Return who has a confirmed second factor."""
    # Whom is a code asked of?
    rows = tx.conn.execute(
        sa.select(second_factor.c.user_id).where(
            second_factor.c.tenant_id == tx.tenant_id, second_factor.c.confirmed_at_ms.is_not(None)
        )
    )
    return frozenset(UserId(row.user_id) for row in rows)


def note_interval(tx: Tx, user_id: UserId, interval: int) -> bool:
    """Take the code of an interval, once; False if it, or a later one, was taken before."""
    # Let no code be good twice.
    return bool(
        tx.conn.execute(
            sa.update(second_factor)
            .where(
                second_factor.c.tenant_id == tx.tenant_id,
                second_factor.c.user_id == user_id,
                second_factor.c.last_interval < interval,
            )
            .values(last_interval=interval)
        ).rowcount
    )


def confirm(tx: Tx, user_id: UserId) -> None:
    """From now on a code is asked."""
    # The first code was right.
    tx.conn.execute(
        sa.update(second_factor)
        .where(second_factor.c.tenant_id == tx.tenant_id, second_factor.c.user_id == user_id)
        .values(confirmed_at_ms=tx.now_ms)
    )


def delete(tx: Tx, user_id: UserId) -> bool:
    """Forget somebody's second factor and recovery codes; tell whether there was one."""
    _delete_codes(tx, user_id)
    # No code is asked of this user any more.
    return bool(
        tx.conn.execute(
            sa.delete(second_factor).where(
                second_factor.c.tenant_id == tx.tenant_id, second_factor.c.user_id == user_id
            )
        ).rowcount
    )


def replace_codes(tx: Tx, user_id: UserId, codes: Iterable[str]) -> None:
    """Give somebody other recovery codes; those before are good no more."""
    _delete_codes(tx, user_id)
    rows = [
        {"tenant_id": tx.tenant_id, "user_id": user_id, "code_hash": _code_hash(tx, user_id, code)}
        for code in codes
    ]
    # Add what opens the door when the telephone is lost.
    tx.conn.execute(sa.insert(recovery_code), rows)


def use_code(tx: Tx, user_id: UserId, code: str) -> bool:
    """Take a recovery code, once; False if it is none of theirs or was used."""
    # Let no recovery code be good twice.
    return bool(
        tx.conn.execute(
            sa.update(recovery_code)
            .where(
                recovery_code.c.tenant_id == tx.tenant_id,
                recovery_code.c.user_id == user_id,
                recovery_code.c.code_hash == _code_hash(tx, user_id, code),
                recovery_code.c.used_at_ms.is_(None),
            )
            .values(used_at_ms=tx.now_ms)
        ).rowcount
    )


def count_codes(tx: Tx, user_id: UserId) -> int:
    """Return how many recovery codes somebody has left."""
    # How often may this user lose the telephone?
    return tx.conn.execute(
        sa.select(sa.func.count()).where(
            recovery_code.c.tenant_id == tx.tenant_id,
            recovery_code.c.user_id == user_id,
            recovery_code.c.used_at_ms.is_(None),
        )
    ).scalar_one()


def required_roles(tx: Tx) -> frozenset[Role]:
    """Return the roles the company lets in by a password alone no more."""
    # Whose role must have a second factor?
    rows = tx.conn.execute(
        sa.select(second_factor_role.c.role).where(second_factor_role.c.tenant_id == tx.tenant_id)
    )
    return frozenset(Role(row.role) for row in rows)


def replace_required_roles(tx: Tx, roles: Iterable[Role]) -> None:
    """Say anew which roles must have a second factor."""
    # What was required before.
    tx.conn.execute(sa.delete(second_factor_role).where(second_factor_role.c.tenant_id == tx.tenant_id))
    rows = [
        {"tenant_id": tx.tenant_id, "role": role.value, "required_at_ms": tx.now_ms}
        for role in sorted(roles, key=lambda role: role.value)
    ]
    if rows:
        # What is required now.
        tx.conn.execute(sa.insert(second_factor_role), rows)


def _delete_codes(tx: Tx, user_id: UserId) -> None:
    # Forget a user's recovery codes.
    tx.conn.execute(
        sa.delete(recovery_code).where(
            recovery_code.c.tenant_id == tx.tenant_id, recovery_code.c.user_id == user_id
        )
    )


def _code_hash(tx: Tx, user_id: UserId, code: str) -> str:
    """Return what a code is kept as: without the company's key nobody can try codes against it."""
    return sealing.blind(tx, "recovery code", f"{user_id}|{code}")
