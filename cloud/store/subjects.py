"""What a bill run is about: accounts with what is supplied to them and the meters that measure it.

Everything is read for many accounts at once, a fixed number of statements whatever their number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, SeriesId, ServicePointId, SiteId
from cloud.domain.meter import Installation
from cloud.domain.people import Account
from cloud.domain.periods import ServicePeriod
from cloud.domain.premises import Commodity
from cloud.store.db import Tx
from cloud.store.installations import installations_at, registers_of
from cloud.store.schema import (
    account,
    installation,
    service_point,
    space,
    subscription,
    supply,
)
from cloud.store.space_versions import area_on


@dataclass(frozen=True, slots=True)
class Service:
    """One thing an account is charged for within a period: by which tariff, on which days.

    A supply has a service point and the meters that hung there; `registers` are their further dials, by
    period of use. A subscription has neither: its code is its label, and it may have an area and a count
    of its own.
    """

    service_point_id: ServicePointId | None
    service_point_code: str
    commodity: Commodity | None
    tariff_code: str
    dates: ServicePeriod
    holder_since: date
    installations: tuple[Installation, ...] = ()
    registers: Mapping[str, tuple[Installation, ...]] = field(default_factory=lambda: MappingProxyType({}))
    area_m2: Decimal | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """An account to be billed."""

    account: Account
    area_m2: Decimal | None
    services: tuple[Service, ...]


def accounts_to_bill(tx: Tx, site_id: SiteId, period: ServicePeriod) -> list[AccountId]:
    """Return the accounts of a site that are charged for some day of a period, by number.

    Those who took over a service point inside it come last, in the order they did, so that whoever had
    it before them is billed before them.
    """
    taken_over = (
        sa.select(sa.func.max(supply.c.from_on))
        .where(
            supply.c.tenant_id == account.c.tenant_id,
            supply.c.account_id == account.c.id,
            supply.c.from_on > period.start_on,
            supply.c.from_on < period.end_on,
        )
        .correlate(account)
        .scalar_subquery()
    )
    # Who is to be billed?
    rows = tx.conn.execute(
        sa.select(account.c.id)
        .where(*_is_billed(tx, site_id, period))
        .order_by(sa.func.coalesce(taken_over, period.start_on), account.c.number)
    )
    return [AccountId(row.id) for row in rows]


def count_to_bill(tx: Tx, site_id: SiteId, period: ServicePeriod) -> int:
    """Return how many accounts of a site are charged for some day of a period."""
    # How many are to be billed?
    found = tx.conn.scalar(
        sa.select(sa.func.count()).select_from(account).where(*_is_billed(tx, site_id, period))
    )
    return int(found or 0)


def _is_billed(tx: Tx, site_id: SiteId, period: ServicePeriod) -> tuple[sa.ColumnElement[bool], ...]:
    def has(table: sa.Table) -> sa.ColumnElement[bool]:
        return sa.exists().where(
            table.c.tenant_id == account.c.tenant_id,
            table.c.account_id == account.c.id,
            _during(table, period),
        )

    return (
        account.c.tenant_id == tx.tenant_id,
        account.c.site_id == site_id,
        sa.or_(has(supply), has(subscription)),
    )


def holders_before(
    tx: Tx, service_points: Collection[ServicePointId], period: ServicePeriod
) -> dict[ServicePointId, list[tuple[AccountId, date]]]:
    """Return who had service points in a period and until which day, those who left inside it."""
    if not service_points:
        return {}
    # Who moved out?
    rows = tx.conn.execute(
        sa.select(supply.c.service_point_id, supply.c.account_id, supply.c.to_on)
        .where(
            supply.c.tenant_id == tx.tenant_id,
            supply.c.service_point_id.in_(sorted(service_points)),
            supply.c.to_on > period.start_on,
            supply.c.to_on < period.end_on,
        )
        .order_by(supply.c.to_on)
    )
    found: dict[ServicePointId, list[tuple[AccountId, date]]] = {}
    for point_id, account_id, to_on in rows:
        found.setdefault(ServicePointId(point_id), []).append((AccountId(account_id), to_on))
    return found


def accounts_of_series(tx: Tx, series_ids: Sequence[SeriesId], on: date) -> list[tuple[SiteId, AccountId]]:
    """Return the accounts that pay, on a day, for what these registers measure."""
    if not series_ids:
        return []
    # Whose registers are these?
    rows = tx.conn.execute(
        sa.select(account.c.site_id, account.c.id)
        .distinct()
        .select_from(
            installation.join(
                supply,
                sa.and_(
                    supply.c.tenant_id == installation.c.tenant_id,
                    supply.c.service_point_id == installation.c.service_point_id,
                ),
            ).join(
                account,
                sa.and_(account.c.tenant_id == supply.c.tenant_id, account.c.id == supply.c.account_id),
            )
        )
        .where(
            installation.c.tenant_id == tx.tenant_id,
            installation.c.series_id.in_(series_ids),
            supply.c.from_on <= on,
            sa.or_(supply.c.to_on.is_(None), supply.c.to_on > on),
        )
    )
    return [(SiteId(row.site_id), AccountId(row.id)) for row in rows]


def load_subjects(
    tx: Tx, account_ids: Sequence[AccountId], period: ServicePeriod, bounds_ms: tuple[int, int]
) -> list[Subject]:
    """Return accounts with their services in a period, by account number; unknown ids are left out.

    `bounds_ms` are the instants the period begins and ends at the site.
    """
    if not account_ids:
        return []
    supplies = _supplies(tx, account_ids, period)
    points = sorted({row.service_point_id for rows in supplies.values() for row in rows})
    installations = installations_at(tx, points, bounds_ms)
    registers = registers_of(tx, installations)
    subscriptions = _subscriptions(tx, account_ids, period)
    subjects = []
    for row in _accounts(tx, account_ids, period.start_on):
        services = [
            _metered(one, period, installations, registers) for one in supplies.get(row.id, [])
        ] + subscriptions.get(row.id, [])
        area = None if row.built_area_dm2 is None else Decimal(row.built_area_dm2).scaleb(-2)
        subjects.append(Subject(_account_from_row(row), area, tuple(services)))
    return subjects


def _metered(
    one: Any,
    period: ServicePeriod,
    installations: Mapping[str, list[Installation]],
    registers: Mapping[str, dict[str, tuple[Installation, ...]]],
) -> Service:
    dates = period.meet(one.from_on, one.to_on)
    assert dates is not None, "the statement selects supplies of the period"
    return Service(
        ServicePointId(one.service_point_id),
        one.code,
        Commodity(one.commodity),
        one.tariff_code,
        dates,
        one.from_on,
        tuple(installations.get(one.service_point_id, ())),
        registers.get(one.service_point_id, {}),
    )


def _during(table: sa.Table, period: ServicePeriod) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.from_on < period.end_on, sa.or_(table.c.to_on.is_(None), table.c.to_on > period.start_on)
    )


def _accounts(tx: Tx, account_ids: Sequence[AccountId], on: date) -> Sequence[Any]:
    # Who are these accounts, and where do they live?
    return tx.conn.execute(
        sa.select(
            account.c.id,
            account.c.site_id,
            account.c.number,
            account.c.holder_name,
            account.c.space_id,
            space.c.code.label("space_code"),
            # An area that changes within a period is billed from the next one on.
            area_on(on).label("built_area_dm2"),
            account.c.household_size,
            account.c.opened_on,
            account.c.closed_on,
        )
        .select_from(
            account.outerjoin(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
        )
        .where(account.c.tenant_id == tx.tenant_id, account.c.id.in_(account_ids))
        .order_by(account.c.number)
    ).all()


def _account_from_row(row: Any) -> Account:
    return Account(
        row.id,
        row.site_id,
        row.number,
        row.holder_name,
        row.space_id,
        row.space_code or "",
        row.household_size,
        row.opened_on,
        row.closed_on,
    )


def _supplies(tx: Tx, account_ids: Sequence[AccountId], period: ServicePeriod) -> dict[str, list[Any]]:
    by_account: dict[str, list[Any]] = {}
    # What is supplied to them in this period?
    rows = tx.conn.execute(
        sa.select(
            supply.c.account_id,
            supply.c.service_point_id,
            service_point.c.code,
            service_point.c.commodity,
            supply.c.tariff_code,
            supply.c.from_on,
            supply.c.to_on,
        )
        .join(
            service_point,
            sa.and_(
                service_point.c.tenant_id == supply.c.tenant_id,
                service_point.c.id == supply.c.service_point_id,
            ),
        )
        .where(
            supply.c.tenant_id == tx.tenant_id, supply.c.account_id.in_(account_ids), _during(supply, period)
        )
        .order_by(service_point.c.commodity, service_point.c.code, supply.c.from_on)
    )
    for row in rows:
        by_account.setdefault(row.account_id, []).append(row)
    return by_account


def _subscriptions(
    tx: Tx, account_ids: Sequence[AccountId], period: ServicePeriod
) -> dict[str, list[Service]]:
    by_account: dict[str, list[Service]] = {}
    # What are they charged for without a meter?
    rows = tx.conn.execute(
        sa.select(
            subscription.c.account_id,
            subscription.c.tariff_code,
            subscription.c.label,
            subscription.c.count,
            subscription.c.area_m2,
            subscription.c.from_on,
            subscription.c.to_on,
        )
        .where(
            subscription.c.tenant_id == tx.tenant_id,
            subscription.c.account_id.in_(account_ids),
            _during(subscription, period),
        )
        .order_by(subscription.c.tariff_code, subscription.c.label, subscription.c.from_on)
    )
    for row in rows:
        dates = period.meet(row.from_on, row.to_on)
        assert dates is not None, "the statement selects subscriptions of the period"
        by_account.setdefault(row.account_id, []).append(
            Service(
                None,
                row.label,
                None,
                row.tariff_code,
                dates,
                row.from_on,
                area_m2=row.area_m2,
                count=row[3],
            )
        )
    return by_account
