"""Reports of a month: collection, items, buildings, energy and loss."""

from collections.abc import Sequence
from decimal import Decimal

from cloud.domain import money
from cloud.domain.access import Action, require
from cloud.domain.apportionment import PublicUsage
from cloud.domain.errors import NotFound
from cloud.domain.ids import SiteId
from cloud.domain.meter import Installation
from cloud.domain.periods import BillingPeriod, time_zone
from cloud.domain.premises import Commodity, ServicePoint, ServicePointKind, Site
from cloud.domain.report import EnergyBalance, ItemSum, MonthReport
from cloud.domain.usage import Usage, measure
from cloud.domain.user import User
from cloud.services import billing
from cloud.services.dials import read_dials
from cloud.services.premises import site_of
from cloud.store import invoices, premises, reports, subjects
from cloud.store.boundaries import Boundary
from cloud.store.db import Tx

MONTHS_SHOWN = 12
_UNITS = {Commodity.ELECTRICITY: "kWh", Commodity.WATER: "m3"}


def month_report(tx: Tx, actor: User, site_id: SiteId, period_code: str | None = None) -> MonthReport:
    """Return the report of a month, the newest with documents unless one is named; NotFound without any."""
    require(actor, Action.READ_LEDGER)
    site = site_of(tx, site_id)
    months = reports.collected_by_month(tx, site_id)
    codes = [month.name for month in months]
    code = codes[-1] if period_code is None and codes else period_code
    if code is None or code not in codes:
        raise NotFound(f"site {site.code} has billed nothing {'yet' if code is None else 'in ' + code}")
    period = next(one for one in billing.list_periods(tx, actor, site_id) if one.code == code)
    until = codes.index(code) + 1
    sums = invoices.sums_by_charge(tx, period.period_id)
    return MonthReport(
        code,
        tuple(months[max(0, until - MONTHS_SHOWN) : until]),
        tuple(reports.collected_by_building(tx, period.period_id)),
        tuple(ItemSum(item, fen) for item, fen in sorted(sums.items(), key=lambda one: -one[1])),
        tuple(_energy(tx, site, period)),
    )


def billed_months(tx: Tx, actor: User, site_id: SiteId) -> list[str]:
    """Return the months that have documents, newest first."""
    require(actor, Action.READ_LEDGER)
    site_of(tx, site_id)
    return [month.name for month in reversed(reports.collected_by_month(tx, site_id))]


def _energy(tx: Tx, site: Site, period: BillingPeriod) -> list[EnergyBalance]:
    points = premises.list_service_points(tx, site.site_id)
    balances = []
    for commodity, unit in _UNITS.items():
        own = [point for point in points if point.commodity is commodity]
        if any(point.kind is ServicePointKind.MASTER for point in own):
            balances.append(_balance(tx, site, period, commodity, unit, own))
    return balances


def _balance(
    tx: Tx, site: Site, period: BillingPeriod, commodity: Commodity, unit: str, points: Sequence[ServicePoint]
) -> EnergyBalance:
    measured, missing = _measure(tx, site, period, [point.code for point in points])
    usage = None
    if not missing:
        by_kind = {
            kind: money.add([measured[point.code] for point in points if point.kind is kind])
            for kind in ServicePointKind
        }
        usage = PublicUsage(
            by_kind[ServicePointKind.MASTER],
            by_kind[ServicePointKind.FLAT],
            by_kind[ServicePointKind.PUBLIC],
        )
    return EnergyBalance(commodity.value, unit, usage, len(points), tuple(missing))


def _measure(
    tx: Tx, site: Site, period: BillingPeriod, codes: Sequence[str]
) -> tuple[dict[str, Decimal], list[str]]:
    """Return what each service point measured in a month, and the codes of those that cannot be told."""
    zone = time_zone(site.time_zone)
    start_ms, end_ms = period.dates.bounds_ms(zone)
    hung = subjects.installations_by_code(tx, site.site_id, codes, (start_ms, end_ms))
    tracks = [one for found in hung.values() for one in found]
    asked = dict.fromkeys((period.dates.start_on, period.dates.end_on), tracks)
    dials = read_dials(tx, zone, None, asked, (), ())

    def at_boundary(installation: Installation, at_ms: int) -> Boundary:
        return dials.so_far(installation, period.dates, at_ms)

    measured: dict[str, Decimal] = {}
    missing = []
    for code in codes:
        found = hung.get(code)
        outcome = measure(found, start_ms, end_ms, at_boundary) if found else None
        if isinstance(outcome, Usage):
            measured[code] = outcome.quantity
        else:
            missing.append(code)
    return measured, missing
