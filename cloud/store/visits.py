"""Visits; a code exists whole only for its host."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.identity_number import mask_plate
from cloud.domain.ids import AccountId, SiteId, SpaceId, UserId, VisitId
from cloud.domain.visit import Visit
from cloud.store.db import Tx
from cloud.store.schema import app_user, space, visit
from cloud.store.sealing import blind, seal_findable, unseal

_host, _guard = app_user.alias("host"), app_user.alias("guard")


def insert_visit(
    tx: Tx,
    site_id: SiteId,
    account_id: AccountId,
    space_id: SpaceId | None,
    host_id: UserId,
    name: str,
    plate: str,
    from_ms: int,
    until_ms: int,
    code: str,
) -> VisitId | None:
    """Write a visit down; None if its code is taken."""
    visit_id = VisitId(tx.new_id())
    plate_sealed, plate_blind = seal_findable(tx, "visit", visit_id, "plate", "plate", plate)
    code_sealed, code_blind = seal_findable(tx, "visit", visit_id, "code", "visit code", code)
    # Add one visit, unless its code is in use.
    count = tx.conn.execute(
        tx.insert(visit)
        .values(
            tenant_id=tx.tenant_id,
            id=visit_id,
            site_id=site_id,
            account_id=account_id,
            space_id=space_id,
            host_id=host_id,
            name=name,
            plate_sealed=plate_sealed,
            plate_blind=plate_blind,
            code_sealed=code_sealed,
            code_blind=code_blind,
            from_ms=from_ms,
            until_ms=until_ms,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "code_blind"])
    ).rowcount
    return visit_id if count else None


def admit(tx: Tx, visit_id: VisitId, admitted_by: UserId | None) -> bool:
    """Note that a visitor was let in; tell whether they had not been."""
    # Let one visitor in, once.
    return bool(
        tx.conn.execute(
            sa.update(visit)
            .where(
                visit.c.tenant_id == tx.tenant_id,
                visit.c.id == visit_id,
                visit.c.arrived_at_ms.is_(None),
                visit.c.cancelled_at_ms.is_(None),
            )
            .values(arrived_at_ms=tx.now_ms, admitted_by=admitted_by)
        ).rowcount
    )


def cancel(tx: Tx, visit_id: VisitId) -> bool:
    """Take a visit back; tell whether nobody had come yet."""
    # Take one visit back.
    return bool(
        tx.conn.execute(
            sa.update(visit)
            .where(
                visit.c.tenant_id == tx.tenant_id,
                visit.c.id == visit_id,
                visit.c.arrived_at_ms.is_(None),
                visit.c.cancelled_at_ms.is_(None),
            )
            .values(cancelled_at_ms=tx.now_ms)
        ).rowcount
    )


def find_visit(tx: Tx, visit_id: VisitId, *, is_host: bool = False) -> Visit | None:
    """Return one visit, its code whole if `is_host`; or None."""
    found = _visits(tx, visit.c.id == visit_id, 1, is_host=is_host)
    return found[0] if found else None


def find_by_code(tx: Tx, site_id: SiteId, code: str) -> Visit | None:
    """Return the visit a code belongs to, or None."""
    which = sa.and_(visit.c.site_id == site_id, visit.c.code_blind == blind(tx, "visit code", code))
    found = _visits(tx, which, 1)
    return found[0] if found else None


def visits_of_accounts(tx: Tx, account_ids: Collection[AccountId], limit: int) -> list[Visit]:
    """Return the visits of homes, the last invited first, codes whole: for their hosts alone."""
    return _visits(tx, visit.c.account_id.in_(sorted(account_ids)), limit, is_host=True)


def visits_of_site(tx: Tx, site_id: SiteId, from_ms: int, until_ms: int, limit: int) -> list[Visit]:
    """Return a site's visits whose time meets the span, the last invited first."""
    which = sa.and_(visit.c.site_id == site_id, visit.c.until_ms >= from_ms, visit.c.from_ms < until_ms)
    return _visits(tx, which, limit)


def visits_to_come(tx: Tx, site_id: SiteId, until_ms: int) -> list[Visit]:
    """Return a site's visits that begin before a moment and may still come, codes whole: for its doors."""
    which = sa.and_(
        visit.c.site_id == site_id,
        visit.c.until_ms > tx.now_ms,
        visit.c.from_ms < until_ms,
        visit.c.arrived_at_ms.is_(None),
        visit.c.cancelled_at_ms.is_(None),
    )
    return _visits(tx, which, None, is_host=True)


def count_expected(tx: Tx, account_id: AccountId) -> int:
    """Return how many visits of a home are still to come."""
    # How many does this home expect?
    return int(
        tx.conn.execute(
            sa.select(sa.func.count()).where(
                visit.c.tenant_id == tx.tenant_id,
                visit.c.account_id == account_id,
                visit.c.until_ms >= tx.now_ms,
                visit.c.arrived_at_ms.is_(None),
                visit.c.cancelled_at_ms.is_(None),
            )
        ).scalar_one()
    )


def _visits(
    tx: Tx, which: sa.ColumnElement[bool], limit: int | None, *, is_host: bool = False
) -> list[Visit]:
    joined = (
        visit.outerjoin(
            space, sa.and_(space.c.tenant_id == visit.c.tenant_id, space.c.id == visit.c.space_id)
        )
        .outerjoin(_host, sa.and_(_host.c.tenant_id == visit.c.tenant_id, _host.c.id == visit.c.host_id))
        .outerjoin(
            _guard, sa.and_(_guard.c.tenant_id == visit.c.tenant_id, _guard.c.id == visit.c.admitted_by)
        )
    )
    # Who is expected, or came?
    rows: Any = tx.conn.execute(
        sa.select(
            visit,
            space.c.code.label("space_code"),
            _host.c.display_name.label("host_name"),
            _guard.c.display_name.label("guard_name"),
        )
        .select_from(joined)
        .where(visit.c.tenant_id == tx.tenant_id, which)
        .order_by(visit.c.id.desc())
        .limit(limit)
    )
    return [
        Visit(
            VisitId(row.id),
            SiteId(row.site_id),
            AccountId(row.account_id),
            None if row.space_id is None else SpaceId(row.space_id),
            row.space_code or "",
            UserId(row.host_id),
            row.host_name or "",
            row.name,
            mask_plate(unseal(tx, "visit", row.id, "plate", row.plate_sealed)),
            row.from_ms,
            row.until_ms,
            unseal(tx, "visit", row.id, "code", row.code_sealed) if is_host else "",
            row.arrived_at_ms,
            row.guard_name or "",
            row.cancelled_at_ms,
        )
        for row in rows
    ]
