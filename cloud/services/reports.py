"""Reports of a month: collection, items, buildings, energy and loss."""

from cloud.domain.access import Action, require
from cloud.domain.errors import NotFound
from cloud.domain.ids import SiteId
from cloud.domain.periods import BillingPeriod
from cloud.domain.report import EnergyBalance, ItemSum, MonthReport
from cloud.domain.user import User
from cloud.services import billing
from cloud.services.conservation import balances_of
from cloud.services.premises import site_of
from cloud.store import invoices, reports
from cloud.store.db import Tx

MONTHS_SHOWN = 12


def month_report(tx: Tx, actor: User, site_id: SiteId, period_code: str | None = None) -> MonthReport:
    """Return the report of a month, the newest with documents unless one is named; NotFound without any."""
    require(actor, Action.READ_LEDGER)
    period = _billed_period(tx, actor, site_id, period_code)
    months = reports.collected_by_month(tx, site_id)
    until = [month.name for month in months].index(period.code) + 1
    sums = invoices.sums_by_charge(tx, period.period_id)
    return MonthReport(
        period.code,
        tuple(months[max(0, until - MONTHS_SHOWN) : until]),
        tuple(reports.collected_by_building(tx, period.period_id)),
        tuple(ItemSum(item, fen) for item, fen in sorted(sums.items(), key=lambda one: -one[1])),
    )


def month_energy(
    tx: Tx, actor: User, site_id: SiteId, period_code: str | None = None
) -> tuple[EnergyBalance, ...]:
    """Return where each commodity with a master meter went in a month; every meter is measured for it."""
    require(actor, Action.READ_LEDGER)
    period = _billed_period(tx, actor, site_id, period_code)
    return tuple(
        EnergyBalance(
            one.commodity.value,
            one.unit,
            one.usage,
            len(one.points),
            tuple(point.code for point in one.missing),
        )
        for one in balances_of(tx, site_of(tx, site_id), period.dates)
    )


def billed_months(tx: Tx, actor: User, site_id: SiteId) -> list[str]:
    """Return the months that have documents, newest first."""
    require(actor, Action.READ_LEDGER)
    site_of(tx, site_id)
    return reports.billed_months(tx, site_id)


def _billed_period(tx: Tx, actor: User, site_id: SiteId, code: str | None) -> BillingPeriod:
    site = site_of(tx, site_id)
    codes = reports.billed_months(tx, site_id)
    if code is None and codes:
        code = codes[0]
    if code is None or code not in codes:
        raise NotFound(f"site {site.code} has billed nothing {'yet' if code is None else 'in ' + code}")
    return next(one for one in billing.list_periods(tx, actor, site_id) if one.code == code)
