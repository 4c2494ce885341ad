"""The wrapping of a company's key, changed when whoever runs the installation changes the master key.

The invariant: the company's own key stays, so nothing it sealed is written anew; that it was wrapped anew is
on the company's record.
"""

from cloud.domain.errors import Forbidden
from cloud.domain.user import Role, User
from cloud.store import audit, sealing
from cloud.store.db import Tx


def is_current(tx: Tx, actor: User) -> bool:
    """Tell whether the company needs no former master key."""
    _require_installation(actor)
    return sealing.is_key_current(tx)


def wrap_anew(tx: Tx, actor: User) -> bool:
    """Wrap the company's key with the current master key; tell whether it was not yet."""
    if is_current(tx, actor):
        return False
    sealing.rewrap_key(tx)
    audit.record(tx, actor.user_id, "wrap_key_anew", "tenant", str(tx.tenant_id), {})
    return True


def _require_installation(actor: User) -> None:
    if actor.role is not Role.SYSTEM:
        raise Forbidden("only whoever runs the installation changes the master key")
