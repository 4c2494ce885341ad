"""Dunning schedules of sites, and accounts nobody is to remind for a while."""

from datetime import date

import sqlalchemy as sa

from cloud.domain.dunning import DunningPause, DunningSchedule
from cloud.domain.ids import AccountId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import dunning_pause, dunning_schedule, notice

_S, _P = dunning_schedule.c, dunning_pause.c


def set_schedule(tx: Tx, site_id: SiteId, schedule: DunningSchedule, recorded_by: UserId | None) -> None:
    """Let a site remind by this schedule from now on."""
    values = {"days": list(schedule.days), "recorded_by": recorded_by, "recorded_at_ms": tx.now_ms}
    # The site's schedule is this one now.
    tx.conn.execute(
        tx.insert(dunning_schedule)
        .values(tenant_id=tx.tenant_id, site_id=site_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "site_id"], set_=values)
    )


def schedule_of_site(tx: Tx, site_id: SiteId) -> DunningSchedule:
    """Return a site's schedule; one without a step where none was set."""
    # When does this site remind?
    days = tx.conn.execute(
        sa.select(_S.days).where(_S.tenant_id == tx.tenant_id, _S.site_id == site_id)
    ).scalar_one_or_none()
    return DunningSchedule(tuple(days or ()))


def set_pause(tx: Tx, pause: DunningPause, recorded_by: UserId | None) -> None:
    """Remind an account of nothing before a day."""
    values = {
        "until_on": pause.until_on,
        "reason": pause.reason,
        "recorded_by": recorded_by,
        "recorded_at_ms": tx.now_ms,
    }
    # The account's pause is this one now.
    tx.conn.execute(
        tx.insert(dunning_pause)
        .values(tenant_id=tx.tenant_id, account_id=pause.account_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "account_id"], set_=values)
    )


def pauses(tx: Tx, today: date) -> dict[AccountId, DunningPause]:
    """Return who is reminded of nothing today."""
    # Who is left alone, until when and why?
    rows = tx.conn.execute(
        sa.select(_P.account_id, _P.until_on, _P.reason).where(
            _P.tenant_id == tx.tenant_id, _P.until_on > today
        )
    )
    return {
        AccountId(row.account_id): DunningPause(AccountId(row.account_id), row.until_on, row.reason)
        for row in rows
    }


def reminders(tx: Tx, topic: str) -> dict[AccountId, tuple[int, int]]:
    """Return, by account, how many reminders there were and when the last was written down."""
    # Who was reminded how often, and when last?
    rows = tx.conn.execute(
        sa.select(notice.c.account_id, sa.func.count(), sa.func.max(notice.c.created_at_ms))
        .where(notice.c.tenant_id == tx.tenant_id, notice.c.topic == topic, notice.c.account_id.is_not(None))
        .group_by(notice.c.account_id)
    )
    return {AccountId(account_id): (count, last_ms) for account_id, count, last_ms in rows}
