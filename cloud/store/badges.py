"""Badges: by token and holder; a code exists whole only for its holder."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.entry import Badge
from cloud.domain.ids import AccessGroupId, AccountId, BadgeId, BuildingId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import account, badge, badge_group, space
from cloud.store.sealing import seal, unseal
from protocol.access import BadgeKind


def insert_badge(
    tx: Tx,
    site_id: SiteId,
    kind: BadgeKind,
    label: str,
    account_id: AccountId | None,
    token: bytes,
    ends: str,
    code: str,
    from_ms: int | None,
    until_ms: int | None,
    issued_by: UserId | None,
) -> BadgeId | None:
    """Give out a badge; None if somebody has it already."""
    badge_id = BadgeId(tx.new_id())
    # Give out one badge, unless it is somebody's.
    count = tx.conn.execute(
        tx.insert(badge)
        .values(
            tenant_id=tx.tenant_id,
            id=badge_id,
            site_id=site_id,
            kind=kind.value,
            label=label,
            account_id=account_id,
            token=token.hex(),
            ends=ends,
            code_sealed=seal(tx, "badge", badge_id, "code", code) if code else None,
            from_ms=from_ms,
            until_ms=until_ms,
            issued_by=issued_by,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing()
    ).rowcount
    return badge_id if count else None


def put_into_groups(tx: Tx, badge_id: BadgeId, group_ids: Collection[AccessGroupId]) -> None:
    """Put a new badge into groups."""
    if group_ids:
        # Put one badge into its groups.
        tx.conn.execute(
            sa.insert(badge_group),
            [
                {"tenant_id": tx.tenant_id, "badge_id": badge_id, "group_id": one}
                for one in sorted(set(group_ids))
            ],
        )


def set_lost(tx: Tx, badge_id: BadgeId, *, is_lost: bool) -> bool:
    """Note that a badge is lost, or found again; tell whether that is news."""
    was = badge.c.lost_at_ms.is_(None) if is_lost else badge.c.lost_at_ms.is_not(None)
    # Block one badge, or let it open again.
    return bool(
        tx.conn.execute(
            sa.update(badge)
            .where(
                badge.c.tenant_id == tx.tenant_id, badge.c.id == badge_id, badge.c.ended_at_ms.is_(None), was
            )
            .values(lost_at_ms=tx.now_ms if is_lost else None)
        ).rowcount
    )


def end(tx: Tx, badge_id: BadgeId) -> bool:
    """End a badge for good; tell whether it had not."""
    return _end(tx, badge.c.id == badge_id) > 0


def end_of_account(tx: Tx, account_id: AccountId) -> int:
    """End every badge of a home; return how many had not."""
    return _end(tx, badge.c.account_id == account_id)


def find_badge(tx: Tx, badge_id: BadgeId, *, is_holder: bool = False) -> Badge | None:
    """Return one badge, its code whole if `is_holder`; or None."""
    found = _badges(tx, badge.c.id == badge_id, 1, is_holder=is_holder)
    return found[0] if found else None


def find_by_token(tx: Tx, site_id: SiteId, token: str) -> BadgeId | None:
    """Return whose token it is at a site, in hex as a box tells it; or None."""
    # Whose is this?
    found = tx.conn.execute(
        sa.select(badge.c.id).where(
            badge.c.tenant_id == tx.tenant_id,
            badge.c.site_id == site_id,
            badge.c.token == token,
            badge.c.ended_at_ms.is_(None),
        )
    ).scalar_one_or_none()
    return None if found is None else BadgeId(found)


def badges_of_accounts(
    tx: Tx, account_ids: Collection[AccountId], limit: int, *, is_holder: bool
) -> list[Badge]:
    """Return the badges of homes that have not ended, the last first; codes whole if `is_holder`."""
    which = sa.and_(badge.c.account_id.in_(sorted(account_ids)), badge.c.ended_at_ms.is_(None))
    return _badges(tx, which, limit, is_holder=is_holder)


def badges_of_site(tx: Tx, site_id: SiteId, limit: int | None = None) -> list[Badge]:
    """Return a site's badges that have not ended, the last given out first."""
    return _badges(tx, sa.and_(badge.c.site_id == site_id, badge.c.ended_at_ms.is_(None)), limit)


def count_of_account(tx: Tx, account_id: AccountId) -> int:
    """Return how many badges a home has."""
    # How many badges has this home?
    return int(
        tx.conn.execute(
            sa.select(sa.func.count()).where(
                badge.c.tenant_id == tx.tenant_id,
                badge.c.account_id == account_id,
                badge.c.ended_at_ms.is_(None),
            )
        ).scalar_one()
    )


def _end(tx: Tx, which: sa.ColumnElement[bool]) -> int:
    # End badges.
    return tx.conn.execute(
        sa.update(badge)
        .where(badge.c.tenant_id == tx.tenant_id, badge.c.ended_at_ms.is_(None), which)
        .values(ended_at_ms=tx.now_ms)
    ).rowcount


def _badges(
    tx: Tx, which: sa.ColumnElement[bool], limit: int | None, *, is_holder: bool = False
) -> list[Badge]:
    joined = badge.outerjoin(
        account, sa.and_(account.c.tenant_id == badge.c.tenant_id, account.c.id == badge.c.account_id)
    ).outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
    # Who has which badge?
    rows: Any = tx.conn.execute(
        sa.select(badge, space.c.code.label("space_code"), space.c.building_id)
        .select_from(joined)
        .where(badge.c.tenant_id == tx.tenant_id, which)
        .order_by(badge.c.id.desc())
        .limit(limit)
    ).all()
    groups = _groups_of(tx, [row.id for row in rows])
    return [
        Badge(
            BadgeId(row.id),
            SiteId(row.site_id),
            BadgeKind(row.kind),
            row.label,
            None if row.account_id is None else AccountId(row.account_id),
            row.space_code or "",
            None if row.building_id is None else BuildingId(row.building_id),
            tuple(groups.get(row.id, ())),
            bytes.fromhex(row.token),
            row.ends,
            unseal(tx, "badge", row.id, "code", row.code_sealed) if is_holder else "",
            row.from_ms,
            row.until_ms,
            row.created_at_ms,
            row.lost_at_ms,
            row.ended_at_ms,
        )
        for row in rows
    ]


def _groups_of(tx: Tx, badge_ids: Collection[str]) -> dict[str, list[AccessGroupId]]:
    found: dict[str, list[AccessGroupId]] = {}
    # Which groups were these badges put into?
    for row in tx.conn.execute(
        sa.select(badge_group.c.badge_id, badge_group.c.group_id)
        .where(badge_group.c.tenant_id == tx.tenant_id, badge_group.c.badge_id.in_(badge_ids))
        .order_by(badge_group.c.group_id)
    ):
        found.setdefault(row.badge_id, []).append(AccessGroupId(row.group_id))
    return found
