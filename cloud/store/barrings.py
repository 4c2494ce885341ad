"""Who is not let in, and which visits that is."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.barring import BarredVisit, Barring
from cloud.domain.identity_number import mask_plate
from cloud.domain.ids import BarringId, SiteId, UserId, VisitId
from cloud.store.db import Tx
from cloud.store.schema import app_user, barring, visit
from cloud.store.sealing import seal_findable, unseal

_B = barring.c


def insert_barring(
    tx: Tx,
    site_id: SiteId,
    name: str,
    plate: str,
    reason: str,
    until_ms: int | None,
    barred_by: UserId | None,
) -> BarringId:
    """Let somebody in no more."""
    barring_id = BarringId(tx.new_id())
    plate_sealed, plate_blind = seal_findable(tx, "barring", barring_id, "plate", "plate", plate)
    # Add one of the barred.
    tx.conn.execute(
        tx.insert(barring).values(
            tenant_id=tx.tenant_id,
            id=barring_id,
            site_id=site_id,
            name=name,
            plate_sealed=plate_sealed,
            plate_blind=plate_blind,
            reason=reason,
            until_ms=until_ms,
            barred_at_ms=tx.now_ms,
            barred_by=barred_by,
        )
    )
    return barring_id


def lift(tx: Tx, barring_id: BarringId) -> bool:
    """Let somebody in again; tell whether they were barred."""
    # Lift one barring.
    return bool(
        tx.conn.execute(
            sa.update(barring)
            .where(_B.tenant_id == tx.tenant_id, _B.id == barring_id, _B.lifted_at_ms.is_(None))
            .values(lifted_at_ms=tx.now_ms)
        ).rowcount
    )


def find_barring(tx: Tx, barring_id: BarringId) -> Barring | None:
    """Return one of the barred, or None."""
    found = _barrings(tx, _B.id == barring_id)
    return found[0] if found else None


def list_barrings(tx: Tx, site_id: SiteId) -> list[Barring]:
    """Return who is barred now, the last first."""
    return _barrings(tx, sa.and_(_B.site_id == site_id, _holds(tx)))


def barred_visits(tx: Tx, visit_ids: Collection[VisitId]) -> list[BarredVisit]:
    """Return which of these visits are of somebody barred now, by whichever barring came first."""
    fits = sa.and_(
        _B.tenant_id == visit.c.tenant_id,
        _B.site_id == visit.c.site_id,
        sa.or_(_B.plate_blind == visit.c.plate_blind, sa.and_(_B.name != "", _B.name == visit.c.name)),
    )
    # Which of these visits are of somebody barred?
    rows = tx.conn.execute(
        sa.select(visit.c.id, _B.id.label("barring_id"))
        .select_from(visit.join(barring, fits))
        .where(visit.c.tenant_id == tx.tenant_id, visit.c.id.in_(sorted(visit_ids)), _holds(tx))
        .order_by(_B.id)
    ).all()
    if not rows:
        return []
    known = {one.barring_id: one for one in _barrings(tx, _B.id.in_([row.barring_id for row in rows]))}
    first: dict[str, Barring] = {}
    for row in rows:
        first.setdefault(row.id, known[BarringId(row.barring_id)])
    return [BarredVisit(VisitId(visit_id), one) for visit_id, one in first.items()]


def _holds(tx: Tx) -> sa.ColumnElement[bool]:
    return sa.and_(_B.lifted_at_ms.is_(None), sa.or_(_B.until_ms.is_(None), _B.until_ms > tx.now_ms))


def _barrings(tx: Tx, which: sa.ColumnElement[bool]) -> list[Barring]:
    who = sa.and_(app_user.c.tenant_id == _B.tenant_id, app_user.c.id == _B.barred_by)
    # Who is barred?
    rows: Any = tx.conn.execute(
        sa.select(barring, app_user.c.display_name)
        .select_from(barring.outerjoin(app_user, who))
        .where(_B.tenant_id == tx.tenant_id, which)
        .order_by(_B.id.desc())
    ).all()
    return [
        Barring(
            BarringId(row.id),
            SiteId(row.site_id),
            row.name,
            mask_plate(unseal(tx, "barring", row.id, "plate", row.plate_sealed)),
            row.reason,
            row.until_ms,
            row.barred_at_ms,
            row.display_name or "",
        )
        for row in rows
    ]
