"""What was done about alarms: added beside the act, never changed."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.alarm_handling import AlarmAct, AlarmActKind
from cloud.domain.ids import AlarmId, UserId
from cloud.store.db import Tx
from cloud.store.schema import alarm_act, app_user

_who, _whom = app_user.alias("who"), app_user.alias("whom")


def insert_act(
    tx: Tx,
    alarm_id: AlarmId,
    kind: AlarmActKind,
    text: str = "",
    user_id: UserId | None = None,
    about_id: UserId | None = None,
    until_ms: int | None = None,
) -> None:
    """Remember what was done about an alarm."""
    # Add one act.
    tx.conn.execute(
        tx.insert(alarm_act).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            alarm_id=alarm_id,
            at_ms=tx.now_ms,
            kind=kind.value,
            text=text,
            user_id=user_id,
            about_id=about_id,
            until_ms=until_ms,
        )
    )


def acts_of(tx: Tx, alarm_ids: Collection[AlarmId]) -> dict[AlarmId, list[AlarmAct]]:
    """Return what was done about each of these alarms, oldest first."""
    # What have people done about these?
    rows: Any = tx.conn.execute(
        sa.select(
            alarm_act.c.alarm_id,
            alarm_act.c.at_ms,
            alarm_act.c.kind,
            alarm_act.c.text,
            alarm_act.c.user_id,
            _who.c.display_name.label("user_name"),
            alarm_act.c.about_id,
            _whom.c.display_name.label("about_name"),
            alarm_act.c.until_ms,
        )
        .select_from(
            alarm_act.outerjoin(
                _who, sa.and_(_who.c.tenant_id == alarm_act.c.tenant_id, _who.c.id == alarm_act.c.user_id)
            ).outerjoin(
                _whom,
                sa.and_(_whom.c.tenant_id == alarm_act.c.tenant_id, _whom.c.id == alarm_act.c.about_id),
            )
        )
        .where(alarm_act.c.tenant_id == tx.tenant_id, alarm_act.c.alarm_id.in_(sorted(alarm_ids)))
        .order_by(alarm_act.c.id)
    )
    found: dict[AlarmId, list[AlarmAct]] = {}
    for row in rows:
        found.setdefault(AlarmId(row.alarm_id), []).append(
            AlarmAct(
                row.at_ms,
                AlarmActKind(row.kind),
                row.text,
                None if row.user_id is None else UserId(row.user_id),
                row.user_name or "",
                None if row.about_id is None else UserId(row.about_id),
                row.about_name or "",
                row.until_ms,
            )
        )
    return found
