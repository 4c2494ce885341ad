"""Quiet hours of sites; a site without a row has those of everybody."""

import sqlalchemy as sa

from cloud.domain.ids import SiteId, UserId
from cloud.domain.quiet_hours import QuietHours
from cloud.store.db import Tx
from cloud.store.schema import quiet_hours

_Q = quiet_hours.c


def set_hours(tx: Tx, site_id: SiteId, hours: QuietHours | None, recorded_by: UserId | None) -> None:
    """Let a site be quiet in these hours from now on; None: never."""
    values = {
        "from_minute": None if hours is None else hours.from_minute,
        "until_minute": None if hours is None else hours.until_minute,
        "recorded_by": recorded_by,
        "recorded_at_ms": tx.now_ms,
    }
    # The site's quiet hours are these now.
    tx.conn.execute(
        tx.insert(quiet_hours)
        .values(tenant_id=tx.tenant_id, site_id=site_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "site_id"], set_=values)
    )


def hours_of_site(tx: Tx, site_id: SiteId) -> QuietHours | None:
    """Return when a site is quiet: as it said, or as any site is that said nothing; None: never."""
    # When may nobody be rung at this site?
    row = tx.conn.execute(
        sa.select(_Q.from_minute, _Q.until_minute).where(_Q.tenant_id == tx.tenant_id, _Q.site_id == site_id)
    ).one_or_none()
    if row is None:
        return QuietHours()
    return None if row.from_minute is None else QuietHours(row.from_minute, row.until_minute)
