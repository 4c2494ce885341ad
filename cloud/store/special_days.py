"""Days of a site that were told to be of another kind: heat, a local holiday."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from cloud.domain.ids import SiteId
from cloud.store.db import Tx
from cloud.store.schema import day_type


@dataclass(frozen=True, slots=True)
class ToldDay:
    """A day, of what kind it is, and who says so."""

    on: date
    kind: str
    source: str


def tell_day(tx: Tx, site_id: SiteId, on: date, kind: str, source: str) -> None:
    """Note what kind of day it was, and who says so; said again, the last holds."""
    statement = tx.insert(day_type).values(
        tenant_id=tx.tenant_id, site_id=site_id, on_date=on, kind=kind, source=source
    )
    # Note one day.
    tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "site_id", "on_date"],
            set_={"kind": statement.excluded.kind, "source": statement.excluded.source},
        )
    )


def forget_day(tx: Tx, site_id: SiteId, on: date) -> ToldDay | None:
    """Take a day back; return what was told of it, None if nothing was."""
    # Forget one day.
    row = tx.conn.execute(
        sa.delete(day_type)
        .where(day_type.c.tenant_id == tx.tenant_id, day_type.c.site_id == site_id, day_type.c.on_date == on)
        .returning(day_type.c.kind, day_type.c.source)
    ).one_or_none()
    return None if row is None else ToldDay(on, row.kind, row.source)


def told_at(tx: Tx, site_id: SiteId) -> dict[date, str]:
    """Return the kind of every day that was told of."""
    # Which days were not like others here?
    rows = tx.conn.execute(
        sa.select(day_type.c.on_date, day_type.c.kind).where(
            day_type.c.tenant_id == tx.tenant_id, day_type.c.site_id == site_id
        )
    )
    return {row.on_date: row.kind for row in rows}


def days_between(tx: Tx, site_id: SiteId, since_on: date, until_on: date) -> list[ToldDay]:
    """Return the days told of in `[since_on, until_on)`, in order."""
    # Which days were told of, and by whom?
    rows = tx.conn.execute(
        sa.select(day_type.c.on_date, day_type.c.kind, day_type.c.source)
        .where(
            day_type.c.tenant_id == tx.tenant_id,
            day_type.c.site_id == site_id,
            day_type.c.on_date >= since_on,
            day_type.c.on_date < until_on,
        )
        .order_by(day_type.c.on_date)
    )
    return [ToldDay(row.on_date, row.kind, row.source) for row in rows]
