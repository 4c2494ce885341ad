"""What a bill run is about: accounts with what is supplied to them and the meters that measure it.

Everything is read for many accounts at once, a fixed number of statements whatever their number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, InstallationId, MeterId, SeriesId, ServicePointId, SiteId
from cloud.domain.meter import Installation, Meter
from cloud.domain.people import Account
from cloud.domain.periods import ServicePeriod
from cloud.domain.premises import Commodity
from cloud.store.db import Tx
from cloud.store.schema import account, installation, meter, service_point, space, supply


@dataclass(frozen=True, slots=True)
class Service:
    """One supply of an account within a period: where, by which tariff, on which days, by which meters."""

    service_point_id: ServicePointId
    service_point_code: str
    commodity: Commodity
    tariff_code: str
    dates: ServicePeriod
    holder_since: date
    installations: tuple[Installation, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """An account to be billed."""

    account: Account
    area_m2: Decimal | None
    services: tuple[Service, ...]


def accounts_to_bill(tx: Tx, site_id: SiteId, period: ServicePeriod) -> list[AccountId]:
    """Return the accounts of a site that were supplied on some day of a period, by number."""
    # Who is to be billed?
    rows = tx.conn.execute(
        sa.select(account.c.id)
        .join(supply, sa.and_(supply.c.tenant_id == account.c.tenant_id, supply.c.account_id == account.c.id))
        .where(account.c.tenant_id == tx.tenant_id, account.c.site_id == site_id, _during(period))
        .group_by(account.c.id, account.c.number)
        .order_by(account.c.number)
    )
    return [AccountId(row.id) for row in rows]


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
    installations = _installations(tx, points, bounds_ms)
    subjects = []
    for row in _accounts(tx, account_ids):
        services = []
        for one in supplies.get(row.id, []):
            dates = period.meet(one.from_on, one.to_on)
            assert dates is not None, "the statement selects supplies of the period"
            services.append(
                Service(
                    ServicePointId(one.service_point_id),
                    one.code,
                    Commodity(one.commodity),
                    one.tariff_code,
                    dates,
                    one.from_on,
                    tuple(installations.get(one.service_point_id, ())),
                )
            )
        area = None if row.built_area_dm2 is None else Decimal(row.built_area_dm2).scaleb(-2)
        subjects.append(Subject(_account_from_row(row), area, tuple(services)))
    return subjects


def _during(period: ServicePeriod) -> sa.ColumnElement[bool]:
    return sa.and_(
        supply.c.from_on < period.end_on, sa.or_(supply.c.to_on.is_(None), supply.c.to_on > period.start_on)
    )


def _accounts(tx: Tx, account_ids: Sequence[AccountId]) -> Sequence[Any]:
    # Who are these accounts, and where do they live?
    return tx.conn.execute(
        sa.select(
            account.c.id,
            account.c.site_id,
            account.c.number,
            account.c.holder_name,
            account.c.space_id,
            space.c.code.label("space_code"),
            space.c.built_area_dm2,
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
        .where(supply.c.tenant_id == tx.tenant_id, supply.c.account_id.in_(account_ids), _during(period))
        .order_by(service_point.c.commodity, service_point.c.code, supply.c.from_on)
    )
    for row in rows:
        by_account.setdefault(row.account_id, []).append(row)
    return by_account


def _installations(
    tx: Tx, service_points: Sequence[str], bounds_ms: tuple[int, int]
) -> dict[str, list[Installation]]:
    start_ms, end_ms = bounds_ms
    by_point: dict[str, list[Installation]] = {}
    if not service_points:
        return by_point
    # Which meters hung there in that time?
    rows = tx.conn.execute(
        sa.select(
            installation.c.id,
            installation.c.service_point_id,
            installation.c.meter_id,
            meter.c.serial,
            meter.c.commodity,
            meter.c.model,
            meter.c.register_modulus_micro,
            meter.c.max_per_day_micro,
            installation.c.series_id,
            installation.c.from_at_ms,
            installation.c.to_at_ms,
            installation.c.opening_value_micro,
            installation.c.closing_value_micro,
            installation.c.multiplier,
            installation.c.reason,
        )
        .join(
            meter,
            sa.and_(meter.c.tenant_id == installation.c.tenant_id, meter.c.id == installation.c.meter_id),
        )
        .where(
            installation.c.tenant_id == tx.tenant_id,
            installation.c.service_point_id.in_(service_points),
            installation.c.from_at_ms < end_ms,
            sa.or_(installation.c.to_at_ms.is_(None), installation.c.to_at_ms > start_ms),
        )
        .order_by(installation.c.service_point_id, installation.c.from_at_ms)
    )
    for row in rows:
        found = Installation(
            InstallationId(row.id),
            ServicePointId(row.service_point_id),
            Meter(
                MeterId(row.meter_id),
                row.serial,
                Commodity(row.commodity),
                row.model,
                row.register_modulus_micro,
                row.max_per_day_micro,
            ),
            None if row.series_id is None else SeriesId(row.series_id),
            row.from_at_ms,
            row.to_at_ms,
            row.opening_value_micro,
            row.closing_value_micro,
            row.multiplier,
            row.reason,
        )
        by_point.setdefault(row.service_point_id, []).append(found)
    return by_point
