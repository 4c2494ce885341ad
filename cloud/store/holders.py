"""Whose a space is on a day: the account open there."""

from datetime import date

import sqlalchemy as sa

from cloud.store.db import Tx
from cloud.store.schema import account


def holder_on(tx: Tx, on: date) -> sa.Subquery:
    """Return the account that belongs to each space on a day; of several the one opened last."""
    ranked = (
        sa.select(
            account.c.space_id,
            account.c.id.label("account_id"),
            account.c.number,
            account.c.holder_name,
            sa.func.row_number()
            .over(partition_by=account.c.space_id, order_by=(account.c.opened_on.desc(), account.c.number))
            .label("place"),
        )
        .where(
            account.c.tenant_id == tx.tenant_id,
            account.c.space_id.is_not(None),
            account.c.opened_on <= on,
            sa.or_(account.c.closed_on.is_(None), account.c.closed_on > on),
        )
        .subquery()
    )
    return (
        sa.select(ranked.c.space_id, ranked.c.account_id, ranked.c.number, ranked.c.holder_name)
        .where(ranked.c.place == 1)
        .subquery("holder")
    )
