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
