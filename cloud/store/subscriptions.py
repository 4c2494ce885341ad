"""What accounts are charged for without a meter."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, SubscriptionId
from cloud.domain.subscription import Subscription
from cloud.store.db import Tx
from cloud.store.schema import subscription


def insert_subscription(tx: Tx, added: Subscription) -> bool:
    """Begin one; False where the account has one of that tariff and label from that day already."""
    # Add one subscription.
    return bool(
        tx.conn.execute(
            tx.insert(subscription)
            .values(
                tenant_id=tx.tenant_id,
                id=added.subscription_id,
                account_id=added.account_id,
                tariff_code=added.tariff_code,
                label=added.label,
                count=added.count,
                area_m2=added.area_m2,
                from_on=added.from_on,
                to_on=added.to_on,
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def set_end(tx: Tx, subscription_id: SubscriptionId, to_on: date) -> None:
    """End one: `to_on` is the first day it is no longer charged for."""
    # Change one subscription's last day.
    tx.conn.execute(
        sa.update(subscription)
        .where(subscription.c.tenant_id == tx.tenant_id, subscription.c.id == subscription_id)
        .values(to_on=to_on)
    )


def delete_subscription(tx: Tx, subscription_id: SubscriptionId) -> None:
    """Forget one that no bill refers to."""
    # What was never billed leaves no trace but its audit entry.
    tx.conn.execute(
        sa.delete(subscription).where(
            subscription.c.tenant_id == tx.tenant_id, subscription.c.id == subscription_id
        )
    )


def find_subscription(tx: Tx, subscription_id: SubscriptionId) -> Subscription | None:
    """Return one, or None."""
    found = _subscriptions(tx, subscription.c.id == subscription_id)
    return found[0] if found else None


def subscriptions_of(tx: Tx, account_id: AccountId) -> list[Subscription]:
    """Return what an account is and was charged for without a meter, oldest first."""
    return _subscriptions(tx, subscription.c.account_id == account_id)


def _subscriptions(tx: Tx, which: sa.ColumnElement[bool]) -> list[Subscription]:
    # What is charged without a meter?
    rows = tx.conn.execute(
        sa.select(
            subscription.c.id,
            subscription.c.account_id,
            subscription.c.tariff_code,
            subscription.c.label,
            subscription.c["count"],
            subscription.c.area_m2,
            subscription.c.from_on,
            subscription.c.to_on,
        )
        .where(subscription.c.tenant_id == tx.tenant_id, which)
        .order_by(subscription.c.from_on, subscription.c.tariff_code, subscription.c.label)
    )
    return [_subscription_from_row(row) for row in rows]


def _subscription_from_row(row: Any) -> Subscription:
    return Subscription(
        SubscriptionId(row.id),
        AccountId(row.account_id),
        row.tariff_code,
        row.label,
        row[4],
        row.area_m2,
        row.from_on,
        row.to_on,
    )
