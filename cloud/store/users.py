"""Users and which accounts they may see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from cloud.domain.household import HouseholdRole
from cloud.domain.ids import AccountId, BuildingId, SiteId, TenantId, UserId
from cloud.domain.user import EVERYWHERE, Locale, Role, Scope, User, UserRecord
from cloud.store.db import Tx
from cloud.store.schema import app_user, building, user_account, user_building, user_site


@dataclass(frozen=True, slots=True)
class Credential:
    """What a password is checked against. The hash does not leave the services that check it."""

    user_id: UserId
    password_hash: str = field(repr=False)
    is_disabled: bool


def find_credential(tx: Tx, login: str) -> Credential | None:
    """Return the credential of a login, or None."""
    # Who signs in by this name?
    row = tx.conn.execute(
        sa.select(app_user.c.id, app_user.c.password_hash, app_user.c.disabled_at_ms).where(
            app_user.c.tenant_id == tx.tenant_id, app_user.c.login == login
        )
    ).one_or_none()
    if row is None:
        return None
    return Credential(UserId(row.id), row.password_hash, row.disabled_at_ms is not None)


def credential_of(tx: Tx, user_id: UserId) -> Credential | None:
    """Return the credential of a user, or None."""
    # What is this user's password checked against?
    row = tx.conn.execute(
        sa.select(app_user.c.id, app_user.c.password_hash, app_user.c.disabled_at_ms).where(
            app_user.c.tenant_id == tx.tenant_id, app_user.c.id == user_id
        )
    ).one_or_none()
    if row is None:
        return None
    return Credential(UserId(row.id), row.password_hash, row.disabled_at_ms is not None)


def find_user(tx: Tx, user_id: UserId) -> UserRecord | None:
    """Return a user with their accounts, or None."""
    found = _records(tx, app_user.c.id == user_id)
    return found[0] if found else None


def find_by_login(tx: Tx, login: str) -> UserRecord | None:
    """Return the user who signs in by this name, or None."""
    found = _records(tx, app_user.c.login == login)
    return found[0] if found else None


def list_users(tx: Tx, after_login: str, limit: int) -> list[UserRecord]:
    """Return users by login, those after `after_login` first."""
    return _records(tx, app_user.c.login > after_login, limit)


def list_staff(tx: Tx, limit: int) -> list[UserRecord]:
    """Return everybody who is not a resident, by login."""
    return _records(tx, app_user.c.role != Role.RESIDENT.value, limit)


def ids_of_roles(tx: Tx, roles: Iterable[Role]) -> list[UserId]:
    """Return everybody of these roles."""
    # Whom does a rule about these roles concern?
    rows = tx.conn.execute(
        sa.select(app_user.c.id).where(
            app_user.c.tenant_id == tx.tenant_id, app_user.c.role.in_([role.value for role in roles])
        )
    )
    return [UserId(row.id) for row in rows]


def insert_user(
    tx: Tx, login: str, display_name: str, role: Role, locale: Locale, password_hash: str
) -> UserId | None:
    """Add a user; None if the login is taken."""
    user_id = UserId(tx.new_id())
    # Add one person who may sign in, unless the login is taken.
    added = tx.conn.execute(
        tx.insert(app_user)
        .values(
            tenant_id=tx.tenant_id,
            id=user_id,
            login=login,
            display_name=display_name,
            role=role.value,
            password_hash=password_hash,
            locale=locale.value,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "login"])
    ).rowcount
    return user_id if added else None


def add_accounts(
    tx: Tx, user_id: UserId, account_ids: Iterable[AccountId], role: HouseholdRole = HouseholdRole.HEAD
) -> None:
    """Let the user see these accounts too."""
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "user_id": user_id,
            "account_id": account_id,
            "role": role.value,
            "since_ms": tx.now_ms,
        }
        for account_id in sorted(account_ids)
    ]
    if rows:
        # Tie accounts to a person; ties that exist stay.
        tx.conn.execute(tx.insert(user_account).on_conflict_do_nothing(), rows)


def replace_scope(
    tx: Tx, user_id: UserId, site_ids: Iterable[SiteId], building_ids: Iterable[BuildingId]
) -> None:
    """Say anew in which sites and buildings the user works."""
    for ties, column, ids in (
        (user_site, "site_id", sorted(site_ids)),
        (user_building, "building_id", sorted(building_ids)),
    ):
        # The user worked here, and now works there.
        tx.conn.execute(sa.delete(ties).where(ties.c.tenant_id == tx.tenant_id, ties.c.user_id == user_id))
        if ids:
            rows = [{"tenant_id": tx.tenant_id, "user_id": user_id, column: one} for one in ids]
            tx.conn.execute(sa.insert(ties), rows)


def set_password_hash(tx: Tx, user_id: UserId, password_hash: str) -> None:
    """Replace what the user's password is checked against."""
    # Change one user's password.
    tx.conn.execute(
        sa.update(app_user)
        .where(app_user.c.tenant_id == tx.tenant_id, app_user.c.id == user_id)
        .values(password_hash=password_hash)
    )


def set_locale(tx: Tx, user_id: UserId, locale: Locale) -> None:
    """Remember the language the user wants to read."""
    # Change one user's language.
    tx.conn.execute(
        sa.update(app_user)
        .where(app_user.c.tenant_id == tx.tenant_id, app_user.c.id == user_id)
        .values(locale=locale.value)
    )


def set_role(tx: Tx, user_id: UserId, role: Role) -> None:
    """Let the user be something else to the property."""
    # Change one user's role.
    tx.conn.execute(
        sa.update(app_user)
        .where(app_user.c.tenant_id == tx.tenant_id, app_user.c.id == user_id)
        .values(role=role.value)
    )


def set_disabled(tx: Tx, user_id: UserId, at_ms: int | None) -> None:
    """Let the user sign in no more, or again."""
    # Disable or enable one user.
    tx.conn.execute(
        sa.update(app_user)
        .where(app_user.c.tenant_id == tx.tenant_id, app_user.c.id == user_id)
        .values(disabled_at_ms=at_ms)
    )


def _records(tx: Tx, which: sa.ColumnElement[bool], limit: int | None = None) -> list[UserRecord]:
    # Who are these users?
    rows = tx.conn.execute(
        sa.select(
            app_user.c.id,
            app_user.c.login,
            app_user.c.display_name,
            app_user.c.role,
            app_user.c.locale,
            app_user.c.created_at_ms,
            app_user.c.disabled_at_ms,
        )
        .where(app_user.c.tenant_id == tx.tenant_id, which)
        .order_by(app_user.c.login)
        .limit(limit)
    ).all()
    accounts: dict[str, dict[AccountId, str]] = {row.id: {} for row in rows}
    # Which accounts may they see?
    ties = sa.select(user_account.c.user_id, user_account.c.account_id, user_account.c.role).where(
        user_account.c.tenant_id == tx.tenant_id, user_account.c.user_id.in_(list(accounts))
    )
    for tie in tx.conn.execute(ties):
        accounts[tie.user_id][AccountId(tie.account_id)] = tie.role
    scopes = _scopes(tx, list(accounts))
    return [
        UserRecord(
            User(
                UserId(row.id),
                TenantId(tx.tenant_id),
                Role(row.role),
                row.display_name,
                Locale(row.locale),
                frozenset(accounts[row.id]),
                scopes.get(row.id, EVERYWHERE),
                payer_of=_of_role(accounts[row.id], HouseholdRole.PAYER),
                member_of=_of_role(accounts[row.id], HouseholdRole.MEMBER),
            ),
            row.login,
            row.created_at_ms,
            row.disabled_at_ms,
        )
        for row in rows
    ]


def _of_role(ties: Mapping[AccountId, str], role: HouseholdRole) -> frozenset[AccountId]:
    return frozenset(account_id for account_id, word in ties.items() if word == role.value)


def _scopes(tx: Tx, user_ids: Iterable[str]) -> dict[str, Scope]:
    """Return where these users work, of those who do not work everywhere."""
    wanted = list(user_ids)
    no_building = sa.null().label("building_id")
    stands = sa.and_(
        building.c.tenant_id == user_building.c.tenant_id, building.c.id == user_building.c.building_id
    )
    # In which sites and buildings do these users work?
    rows = tx.conn.execute(
        sa.select(user_site.c.user_id, user_site.c.site_id, no_building)
        .where(user_site.c.tenant_id == tx.tenant_id, user_site.c.user_id.in_(wanted))
        .union_all(
            sa.select(user_building.c.user_id, building.c.site_id, user_building.c.building_id)
            .join_from(user_building, building, stands)
            .where(user_building.c.tenant_id == tx.tenant_id, user_building.c.user_id.in_(wanted))
        )
    ).all()
    return {
        user_id: Scope(
            frozenset(SiteId(r.site_id) for r in rows if r.user_id == user_id and r.building_id is None),
            frozenset(BuildingId(r.building_id) for r in rows if r.user_id == user_id and r.building_id),
            frozenset(SiteId(r.site_id) for r in rows if r.user_id == user_id and r.building_id),
        )
        for user_id in {row.user_id for row in rows}
    }
