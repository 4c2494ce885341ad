"""Who works here: their roles, and the sites and buildings they are bound to.

The invariant: nobody lets anybody, themselves included, do more than they may; what is changed about
somebody is recorded, and holds from their very next request.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cloud.domain.access import Action, require, require_may_grant, require_recent
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import BuildingId, SiteId, UserId
from cloud.domain.premises import Building, Site
from cloud.domain.user import Role, User, UserRecord
from cloud.store import audit, premises, users
from cloud.store.db import Tx

STAFF_MAX = 2_000  # more people than any company of ours employs; the list is read whole

# The roles a person can be given by another, as a page offers them.
STAFF_ROLES = (
    Role.COMPANY_ADMIN,
    Role.MANAGER,
    Role.FINANCE,
    Role.MAINTENANCE,
    Role.GUARD,
    Role.CONTRACTOR,
    Role.AUDITOR,
    Role.PLATFORM,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A site and its buildings: what somebody may be bound to."""

    site: Site
    buildings: tuple[Building, ...]


def list_staff(tx: Tx, actor: User) -> list[UserRecord]:
    """Return everybody who works here, by login."""
    require(actor, Action.MANAGE_USERS)
    return users.list_staff(tx, STAFF_MAX)


def get_staff(tx: Tx, actor: User, user_id: UserId) -> UserRecord:
    """Return somebody who works here."""
    require(actor, Action.MANAGE_USERS)
    record = users.find_user(tx, user_id)
    if record is None or record.user.role is Role.RESIDENT:
        raise NotFound("there is no such user")
    return record


def list_places(tx: Tx, actor: User) -> list[Place]:
    """Return what somebody may be bound to."""
    require(actor, Action.MANAGE_USERS)
    return [Place(site, tuple(premises.list_buildings(tx, site.site_id))) for site in premises.list_sites(tx)]


def set_scope(
    tx: Tx, actor: User, user_id: UserId, site_ids: Iterable[SiteId], building_ids: Iterable[BuildingId]
) -> UserRecord:
    """Bind somebody to whole sites and single buildings; to none of either: they work everywhere."""
    record = _changeable(tx, actor, user_id)
    sites, buildings = frozenset(site_ids), frozenset(building_ids)
    for site_id in sites:
        if premises.find_site(tx, site_id) is None:
            raise NotFound(f"there is no site {site_id}")
    for building_id in buildings:
        if premises.find_building(tx, building_id) is None:
            raise NotFound(f"there is no building {building_id}")
    users.replace_scope(tx, user_id, sites, buildings)
    detail = {
        "before": _listed([*record.user.scope.site_ids, *record.user.scope.building_ids]),
        "after": _listed([*sites, *buildings]),
    }
    audit.record(tx, actor.user_id, "set_scope", "user", user_id, detail)
    return get_staff(tx, actor, user_id)


def set_role(tx: Tx, actor: User, user_id: UserId, role: Role) -> UserRecord:
    """Give somebody another role, which the actor must be able to fill, as the one before."""
    record = _changeable(tx, actor, user_id)
    if role not in STAFF_ROLES:
        raise Invalid(f"the role {role.value!r} is none of somebody who works here")
    require_may_grant(actor, record.user.role)
    require_may_grant(actor, role)
    if role is not record.user.role:
        users.set_role(tx, user_id, role)
        detail = {"before": record.user.role.value, "after": role.value}
        audit.record(tx, actor.user_id, "set_role", "user", user_id, detail)
    return get_staff(tx, actor, user_id)


def enable(tx: Tx, actor: User, user_id: UserId) -> None:
    """Let somebody who was disabled sign in again."""
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    record = users.find_user(tx, user_id)
    if record is None:
        raise NotFound("there is no such user")
    if record.disabled_at_ms is not None:
        require_may_grant(actor, record.user.role)
        users.set_disabled(tx, user_id, None)
        audit.record(tx, actor.user_id, "enable_user", "user", user_id)


def _changeable(tx: Tx, actor: User, user_id: UserId) -> UserRecord:
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    record = get_staff(tx, actor, user_id)
    if user_id == actor.user_id:
        raise Conflict("you cannot change your own role or sites: ask another manager")
    require_may_grant(actor, record.user.role)
    return record


def _listed(ids: Iterable[str]) -> str:
    return " ".join(sorted(ids)) or "everywhere"
