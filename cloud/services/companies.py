"""Companies: begun by whoever runs the installation, run by their own admin from then on.

The invariant: a company begins with one person in it, who is told a secret once and chooses their password.
"""

from cloud.domain.access import Action, require
from cloud.domain.company import Company, checked_code, checked_name
from cloud.domain.errors import Conflict, Forbidden
from cloud.domain.user import Role, User
from cloud.services import invitations, users
from cloud.services.invitations import Invitation
from cloud.services.passwords import HASH_OF_NOBODY
from cloud.store import audit, tenants
from cloud.store.db import Tx


def list_companies(tx: Tx) -> list[Company]:
    """Return every company; for the installation's own command, and to find where somebody signs in."""
    return tenants.list_companies(tx)


def own_company(tx: Tx, actor: User) -> Company:
    """Return the actor's own company."""
    return next(one for one in tenants.list_companies(tx) if one.tenant_id == actor.tenant_id)


def begin(tx: Tx, actor: User, code: str, name: str, login: str, display_name: str) -> Invitation:
    """Begin the transaction's own tenant as a company and invite its first admin."""
    if actor.role is not Role.SYSTEM:
        raise Forbidden("only whoever runs the installation begins a company")
    if not tenants.add_tenant(tx, checked_code(code), checked_name(name)):
        raise Conflict(f"there is a company {code!r} already, or another was begun at this moment: try again")
    user_id = users.create_user(tx, actor, login, display_name, Role.COMPANY_ADMIN, HASH_OF_NOBODY)
    audit.record(tx, actor.user_id, "begin_company", "tenant", str(tx.tenant_id), {"code": code})
    return invitations.invite(tx, actor, user_id)


def rename(tx: Tx, actor: User, name: str) -> Company:
    """Call the actor's own company something else."""
    require(actor, Action.MANAGE_USERS)
    told = checked_name(name)
    tenants.rename(tx, told)
    audit.record(tx, actor.user_id, "rename_company", "tenant", str(tx.tenant_id), {"name": told})
    return own_company(tx, actor)
