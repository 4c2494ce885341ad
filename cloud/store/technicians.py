"""Technicians: what they can do, where and when."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.dispatch import Shift, Technician
from cloud.domain.ids import UserId
from cloud.domain.repair import RepairCategory
from cloud.store.db import Tx
from cloud.store.schema import app_user, technician


def put_technician(tx: Tx, one: Technician) -> None:
    """Write down what somebody can do, where and when, in place of what was said before."""
    said = {
        "skills": sorted(skill.value for skill in one.skills),
        "building_codes": sorted(one.building_codes),
        "weekdays": sorted(one.shift.weekdays),
        "from_minute": one.shift.from_minute,
        "to_minute": one.shift.to_minute,
        "is_away": one.is_away,
    }
    # Add or replace one technician.
    tx.conn.execute(
        tx.insert(technician)
        .values(tenant_id=tx.tenant_id, user_id=one.user_id, **said)
        .on_conflict_do_update(index_elements=["tenant_id", "user_id"], set_=said)
    )


def list_technicians(tx: Tx) -> list[Technician]:
    """Return those who may still sign in, by name."""
    people = sa.and_(app_user.c.tenant_id == technician.c.tenant_id, app_user.c.id == technician.c.user_id)
    # Who repairs here?
    rows = tx.conn.execute(
        sa.select(
            technician.c.user_id,
            app_user.c.display_name,
            technician.c.skills,
            technician.c.building_codes,
            technician.c.weekdays,
            technician.c.from_minute,
            technician.c.to_minute,
            technician.c.is_away,
        )
        .select_from(technician.join(app_user, people))
        .where(technician.c.tenant_id == tx.tenant_id, app_user.c.disabled_at_ms.is_(None))
        .order_by(app_user.c.display_name, technician.c.user_id)
    )
    return [_from_row(row) for row in rows]


def _from_row(row: Any) -> Technician:
    return Technician(
        UserId(row.user_id),
        row.display_name,
        frozenset(RepairCategory(word) for word in row.skills),
        frozenset(row.building_codes),
        Shift(frozenset(row.weekdays), row.from_minute, row.to_minute),
        row.is_away,
    )
