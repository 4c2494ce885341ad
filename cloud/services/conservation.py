"""The conservation check: where each commodity of a site went in a month, meter by meter."""

from collections.abc import Sequence
from types import MappingProxyType

from cloud.domain.access import Action, require
from cloud.domain.conservation import Balance, PointUse
from cloud.domain.ids import SiteId
from cloud.domain.meter import Installation
from cloud.domain.periods import PeriodCode, ServicePeriod, billing_month, local_date, month_code, time_zone
from cloud.domain.premises import Commodity, ServicePoint, Site
from cloud.domain.usage import ProblemKind, Usage, UsageProblem, measure
from cloud.domain.user import User
from cloud.services.dials import read_dials
from cloud.services.premises import site_of
from cloud.store import installations, periods, premises
from cloud.store.boundaries import Boundary
from cloud.store.db import Tx

UNITS = MappingProxyType({Commodity.ELECTRICITY: "kWh", Commodity.WATER: "m3"})


def months_of_site(tx: Tx, actor: User, site_id: SiteId) -> list[PeriodCode]:
    """Return the months there may be a balance of, newest first: those opened here, and this one."""
    require(actor, Action.READ_LEDGER)
    this_month = _this_month(tx, site_of(tx, site_id))
    opened = {period.code for period in periods.list_periods(tx, site_id) if period.code <= this_month}
    return sorted({*opened, this_month}, reverse=True)


def month_balances(tx: Tx, actor: User, site_id: SiteId, code: str) -> list[Balance]:
    """Return the balance of each commodity with a master meter; of this month, up to its newest readings."""
    require(actor, Action.READ_LEDGER)
    return balances_of(tx, site_of(tx, site_id), billing_month(code))


def balances_of(tx: Tx, site: Site, dates: ServicePeriod) -> list[Balance]:
    """Return the balances of a site for some dates."""
    fed = premises.fed_commodities(tx, site.site_id)
    points = premises.list_service_points(tx, site.site_id) if fed else []
    balances = []
    for commodity, unit in UNITS.items():
        if commodity in fed:
            own = [point for point in points if point.commodity is commodity]
            balances.append(Balance(commodity, unit, dates, tuple(_measure(tx, site, dates, own))))
    return balances


def _measure(tx: Tx, site: Site, dates: ServicePeriod, points: Sequence[ServicePoint]) -> list[PointUse]:
    """Return what each service point measured; of a month that goes on, by its newest readings."""
    zone = time_zone(site.time_zone)
    start_ms, end_ms = dates.bounds_ms(zone)
    as_of_ms = tx.now_ms if end_ms > tx.now_ms else None
    hung = installations.installations_by_code(
        tx, site.site_id, [one.code for one in points], (start_ms, end_ms)
    )
    tracks = [one for found in hung.values() for one in found]
    asked = dict.fromkeys((dates.start_on, dates.end_on), tracks)
    dials = read_dials(tx, zone, as_of_ms, asked, (), ())
    building_of = premises.building_names(tx, site.site_id)

    def at_boundary(installation: Installation, at_ms: int) -> Boundary:
        return dials.so_far(installation, dates, at_ms)

    uses = []
    for point in points:
        building = "" if point.space_id is None else building_of.get(point.space_id, "")
        found = hung.get(point.code) or []
        serial = found[-1].meter.serial if found else point.code
        outcome = (
            measure(found, start_ms, end_ms, at_boundary) if found else [_without_meter(point, start_ms)]
        )
        if isinstance(outcome, Usage):
            uses.append(PointUse(point.code, point.kind, building, outcome.quantity, serial))
        else:
            uses.append(PointUse(point.code, point.kind, building, None, serial, outcome[0]))
    return uses


def _without_meter(point: ServicePoint, at_ms: int) -> UsageProblem:
    return UsageProblem(ProblemKind.NO_INSTALLATION, point.code, at_ms, "no meter is installed")


def _this_month(tx: Tx, site: Site) -> PeriodCode:
    return month_code(local_date(tx.now_ms, time_zone(site.time_zone)))
