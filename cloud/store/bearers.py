"""Who may bear a share of a common cost: a site's accounts with the rooms they are of."""

from collections.abc import Sequence
from decimal import Decimal

import sqlalchemy as sa

from cloud.domain.apportionment import Room
from cloud.domain.ids import AccountId, SiteId
from cloud.domain.periods import ServicePeriod
from cloud.domain.subscription import Subscription
from cloud.store.db import Tx
from cloud.store.schema import account, space, subscription
from cloud.store.space_versions import area_on


def rooms_of(tx: Tx, site_id: SiteId, period: ServicePeriod) -> list[tuple[AccountId, Room, int]]:
    """Return the accounts open in a period with their rooms, by number: id, room (by number), floor."""
    # Whose rooms are there to bear a share?
    rows = tx.conn.execute(
        sa.select(
            account.c.id,
            account.c.number,
            account.c.household_size,
            # An area that changes within a period counts from the next one on.
            area_on(period.start_on).label("built_area_dm2"),
            space.c.floor,
        )
        .join(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
        .where(
            account.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            account.c.opened_on < period.end_on,
            sa.or_(account.c.closed_on.is_(None), account.c.closed_on > period.start_on),
        )
        .order_by(account.c.number)
    )
    return [
        (
            AccountId(row.id),
            Room(row.number, Decimal(row.built_area_dm2).scaleb(-2), row.household_size),
            row.floor,
        )
        for row in rows
    ]


def insert_subscriptions(tx: Tx, added: Sequence[Subscription]) -> None:
    """Tie many accounts to a tariff at once."""
    if added:
        # Add subscriptions.
        tx.conn.execute(
            sa.insert(subscription),
            [
                {
                    "tenant_id": tx.tenant_id,
                    "id": one.subscription_id,
                    "account_id": one.account_id,
                    "tariff_code": one.tariff_code,
                    "label": one.label,
                    "count": one.count,
                    "area_m2": one.area_m2,
                    "from_on": one.from_on,
                    "to_on": one.to_on,
                }
                for one in added
            ],
        )


def tariffs_of_period(tx: Tx, site_id: SiteId, period: ServicePeriod, prefix: str) -> list[str]:
    """Return the tariffs of a prefix that accounts of a site are tied to for exactly these dates."""
    # What was shared for this month?
    rows = tx.conn.execute(
        sa.select(subscription.c.tariff_code)
        .distinct()
        .join(
            account,
            sa.and_(
                account.c.tenant_id == subscription.c.tenant_id, account.c.id == subscription.c.account_id
            ),
        )
        .where(
            subscription.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            subscription.c.from_on == period.start_on,
            subscription.c.to_on == period.end_on,
            subscription.c.tariff_code.startswith(prefix, autoescape=True),
        )
        .order_by(subscription.c.tariff_code)
    )
    return [row.tariff_code for row in rows]


def delete_subscriptions(tx: Tx, tariff_code: str) -> None:
    """Untie every account from a tariff nobody was billed by yet."""
    # Nobody bears this any more.
    tx.conn.execute(
        sa.delete(subscription).where(
            subscription.c.tenant_id == tx.tenant_id, subscription.c.tariff_code == tariff_code
        )
    )
