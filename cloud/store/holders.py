"""Whose a space is on a day: the account open there."""

from datetime import date

import sqlalchemy as sa

from cloud.store.schema import account, space

HOLDER = account.alias("holder")


def holds_on(on: date) -> sa.ColumnElement[bool]:
    """Return the condition that joins a space to the account it belongs to on a day, of several the last.

    The account is looked up space by space, by the index: no engine joins to a ranking of all of them so.
    """
    latest = account.alias("latest")
    found = (
        sa.select(latest.c.id)
        .where(
            latest.c.tenant_id == space.c.tenant_id,
            latest.c.space_id == space.c.id,
            latest.c.opened_on <= on,
            sa.or_(latest.c.closed_on.is_(None), latest.c.closed_on > on),
        )
        .order_by(latest.c.opened_on.desc(), latest.c.number)
        .limit(1)
        .correlate(space)
        .scalar_subquery()
    )
    return sa.and_(HOLDER.c.tenant_id == space.c.tenant_id, HOLDER.c.id == found)
