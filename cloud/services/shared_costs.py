"""Common costs shared among accounts: stated, or measured by a master meter less its sub-meters.

The invariant: the shares add up to the cost to the fen and stand, with everybody's weight, in a document
of their own that each line's trace shows. A cost is shared before the period's first invoice, so that
nobody's bill is made wrong by it afterwards.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from cloud.domain import money
from cloud.domain.access import Action, require
from cloud.domain.apportionment import PublicUsage, ShareBasis, apportion, weights_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import PeriodId, SubscriptionId
from cloud.domain.meter import Installation
from cloud.domain.money import CNY
from cloud.domain.periods import BillingPeriod, time_zone
from cloud.domain.premises import Site
from cloud.domain.rating import SliceUsage, plan, rate, share_by_days, total_fen
from cloud.domain.subscription import Subscription
from cloud.domain.tariff_document import SCHEMA
from cloud.domain.usage import Usage, UsageProblem, measure
from cloud.domain.user import User
from cloud.services import tariffs as tariff_service
from cloud.services.dials import read_dials
from cloud.services.premises import site_of
from cloud.store import audit, bearers, installations, invoices, periods, tariffs
from cloud.store.boundaries import Boundary
from cloud.store.db import Tx

_WEIGHT_DECIMALS = 6

_BASIS_WORDS = MappingProxyType(
    {
        ShareBasis.AREA: "m2",
        ShareBasis.AREA_AND_FLOOR: "area and floor, half each",
        ShareBasis.FLOOR_COEFFICIENT: "m2 x floor coefficient",
        ShareBasis.HEADCOUNT: "persons",
        ShareBasis.ROOM: "room",
        ShareBasis.SUBMETER: "own usage",
    }
)


@dataclass(frozen=True, slots=True)
class SharedCost:
    """A cost as it was shared: the tariff that charges it, its total, and everybody's share by number."""

    tariff_code: str
    total_fen: int
    shares: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MeasuredCost:
    """What the common parts used and what that costs by a tariff; `usage` shows where it comes from."""

    usage: PublicUsage
    quantity: Decimal
    unit: str
    total_fen: int
    tariff_code: str

    def words(self) -> str:
        """Return in a line how the total came about."""
        parts = (self.usage.master, self.usage.submeters, self.usage.public_meters, self.usage.loss)
        master, submeters, public, loss = (money.plain(part) for part in parts)
        return (
            f"master {master} - sub-meters {submeters} = {money.plain(self.quantity)} {self.unit} "
            f"(public meters {public}, loss {loss}), by tariff {self.tariff_code}"
        )


def share_cost(
    tx: Tx,
    actor: User,
    period_id: PeriodId,
    component: str,
    names: tuple[str, str],
    commodity: str,
    total_fen: int,
    basis: ShareBasis,
    *,
    from_what: str,
    excluded: Collection[str] = (),
    coefficients: Mapping[int, Decimal] = MappingProxyType({}),
) -> SharedCost:
    """Share a cost among a site's accounts for a period; their invoices will have a line each.

    `names` are what the line is called in Chinese and English; `excluded` are account numbers that bear
    nothing; `coefficients` are by floor, 1 where none is given. Conflict once the period has an invoice,
    or where this component was shared already.
    """
    require(actor, Action.CLOSE_PERIOD)
    period = _period(tx, period_id)
    site = site_of(tx, period.site_id)
    count, _ = invoices.count_of_period(tx, period_id)
    if count:
        raise Conflict(f"period {period.code} of site {site.code} has {count} invoices; share costs before")
    if basis is ShareBasis.SUBMETER:
        raise Invalid("a share by own usage is not known before the bills are made; choose another basis")
    if total_fen <= 0 or not from_what.strip():
        raise Invalid("a shared cost is above zero, and says what it is from")
    code = _code(site, period, component)
    if tariffs.versions_of(tx, code):
        raise Conflict(f"{component} of {period.code} was shared already, by tariff {code}")
    accounts = bearers.rooms_of(tx, site.site_id, period.dates)
    if unknown := sorted(set(excluded) - {room.room_id for _, room, _ in accounts}):
        raise Invalid(f"there is no account {unknown[0]!r} to be excluded")
    bearing = [
        replace(room, floor_coefficient=coefficients.get(floor, Decimal(1)))
        for _, room, floor in accounts
        if room.room_id not in excluded
    ]
    # The weights as they are printed, so that the shares follow from what is printed.
    weights = {
        number: money.round_quantity(weight, _WEIGHT_DECIMALS)
        for number, weight in weights_of(bearing, basis).items()
    }
    shares = apportion(total_fen, weights)
    document = _document(
        code,
        period,
        names,
        commodity,
        _charge(component, names, total_fen, basis, from_what, weights, shares),
    )
    tariff_service.import_document(tx, actor, json.dumps(document).encode(), activate=True)
    added = [
        Subscription(
            SubscriptionId(tx.new_id()),
            account_id,
            code,
            names[0],
            1,
            None,
            period.dates.start_on,
            period.dates.end_on,
        )
        for account_id, room, _ in accounts
        if room.room_id in shares
    ]
    bearers.insert_subscriptions(tx, added)
    detail: dict[str, str | int | None] = {"tariff": code, "total_fen": total_fen, "basis": basis.value}
    audit.record(tx, actor.user_id, "share_cost", "billing_period", period_id, detail)
    return SharedCost(code, total_fen, shares)


def measure_cost(
    tx: Tx,
    actor: User,
    period_id: PeriodId,
    master: str,
    submeters: Collection[str],
    public_meters: Collection[str],
    tariff_code: str,
) -> MeasuredCost:
    """Return what lies between a master meter and its sub-meters in a period, and what it costs.

    Meters are named by the codes of their service points. Conflict where one cannot be measured: the
    message names it. Nothing is written.
    """
    require(actor, Action.CLOSE_PERIOD)
    period = _period(tx, period_id)
    site = site_of(tx, period.site_id)
    codes = {master, *submeters, *public_meters}
    measured = _measure(tx, site, period, codes)
    usage = PublicUsage(
        measured[master],
        money.add([measured[code] for code in submeters]),
        money.add([measured[code] for code in public_meters]),
    )
    if usage.to_share < 0:
        raise Conflict(
            f"the sub-meters of {master} measured {money.plain(-usage.to_share)} more than it did; check them"
        )
    versions = [one.tariff for one in tariffs.active_versions(tx, [tariff_code])[tariff_code]]
    planned = plan(versions, period.dates)
    used: Sequence[SliceUsage] = share_by_days(usage.to_share, [part.dates for part in planned])
    lines = rate(planned, used)
    return MeasuredCost(usage, usage.to_share, planned[0].tariff.unit, total_fen(lines), tariff_code)


def _measure(tx: Tx, site: Site, period: BillingPeriod, codes: Collection[str]) -> dict[str, Decimal]:
    zone = time_zone(site.time_zone)
    start_ms, end_ms = period.dates.bounds_ms(zone)
    hung = installations.installations_by_code(tx, site.site_id, codes, (start_ms, end_ms))
    if missing := sorted(set(codes) - set(hung)):
        raise NotFound(f"site {site.code} has no service point {missing[0]!r}")
    tracks = [one for found in hung.values() for one in found]
    asked = dict.fromkeys((period.dates.start_on, period.dates.end_on), tracks)
    dials = read_dials(tx, zone, None, asked, (), ())

    def at_boundary(installation: Installation, at_ms: int) -> Boundary:
        return dials.so_far(installation, period.dates, at_ms)

    measured: dict[str, Decimal] = {}
    for code, found in hung.items():
        outcome = measure(found, start_ms, end_ms, at_boundary)
        if not isinstance(outcome, Usage):
            raise Conflict(f"{code} cannot be measured: {_why(outcome)}")
        measured[code] = outcome.quantity
    return measured


def _why(problems: Sequence[UsageProblem]) -> str:
    return "; ".join(f"{problem.meter_serial}: {problem.detail}" for problem in problems)


def _charge(
    component: str,
    names: tuple[str, str],
    total_fen: int,
    basis: ShareBasis,
    from_what: str,
    weights: Mapping[str, Decimal],
    shares: Mapping[str, int],
) -> dict[str, Any]:
    return {
        "kind": "share",
        "component": component,
        "name_zh": names[0],
        "name_en": names[1],
        "total_fen": total_fen,
        "basis": _BASIS_WORDS[basis],
        "from_what": from_what,
        "bearers": {
            number: {"weight": money.plain(weight), "share_fen": shares[number]}
            for number, weight in weights.items()
        },
    }


def _document(
    code: str, period: BillingPeriod, names: tuple[str, str], commodity: str, charge: dict[str, Any]
) -> dict[str, Any]:
    source = {"publisher": "own measurement or invoice", "title": names[0], "found_at": charge["from_what"]}
    return {
        "schema": SCHEMA,
        "code": code,
        "name_zh": names[0],
        "name_en": names[1],
        "region": "-",
        "commodity": commodity,
        "customer_class": "shared",
        "currency": CNY.code,
        "unit": "share",
        "versions": [
            {
                "version": 1,
                "valid_from": period.dates.start_on.isoformat(),
                "valid_to": period.dates.end_on.isoformat(),
                "confidence": "high",
                "sources": [source],
                "charges": [charge],
            }
        ],
    }


def _code(site: Site, period: BillingPeriod, component: str) -> str:
    name = f"{site.code}-{period.code}-{component}"
    return "".join(letter if letter.isalnum() else "-" for letter in name).lower().strip("-")


def _period(tx: Tx, period_id: PeriodId) -> BillingPeriod:
    period = periods.find_period(tx, period_id)
    if period is None:
        raise NotFound(f"there is no billing period {period_id}")
    return period
