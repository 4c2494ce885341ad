"""Common costs shared among accounts: stated, or measured by a master meter less its sub-meters.

The invariant: the shares add up to the cost to the fen and stand, with everybody's weight, in a document
of their own that each line's trace shows. A cost is shared before the period's first invoice, so that
nobody's bill is made wrong by it afterwards.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from cloud.domain import money
from cloud.domain.access import Action, require
from cloud.domain.apportionment import PublicUsage, ShareBasis, apportion, weights_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, PeriodId, SubscriptionId
from cloud.domain.meter import Installation
from cloud.domain.money import CNY
from cloud.domain.periods import BillingPeriod, time_zone
from cloud.domain.premises import Commodity, Site
from cloud.domain.rating import SliceUsage, plan, rate, share_by_days, total_fen
from cloud.domain.subscription import Subscription
from cloud.domain.tariff_document import SCHEMA
from cloud.domain.tariffs.share import Share
from cloud.domain.usage import Usage, UsageProblem, measure
from cloud.domain.user import User
from cloud.services import tariffs as tariff_service
from cloud.services.conservation import balances_of
from cloud.services.dials import read_dials
from cloud.services.premises import site_of
from cloud.store import audit, bearers, installations, invoices, periods, tariffs
from cloud.store.boundaries import Boundary
from cloud.store.db import Tx
from cloud.store.tariffs import StoredTariff, TariffState

_WEIGHT_DECIMALS = 6

# What is shared in most communities, and what its line is called in Chinese and English.
COMMON_COSTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "common_water": ("公共用水公摊", "Common water"),
        "lift": ("电梯公摊", "Lifts"),
        "lighting": ("公共照明公摊", "Common lights"),
        "pump": ("二次供水公摊", "Water pumps"),
    }
)

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
class CostToShare:
    """A cost and how it is to be shared. `name_zh` and `name_en` are what the line is called.

    `from_what` says where the total is from; `excluded` are account numbers that bear nothing,
    `excluded_floors` floors; `coefficients` are by floor, 1 where none is given.
    """

    component: str
    name_zh: str
    name_en: str
    commodity: str
    total_fen: int
    basis: ShareBasis
    from_what: str
    excluded: Collection[str] = ()
    excluded_floors: Collection[int] = ()
    coefficients: Mapping[int, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.basis is ShareBasis.SUBMETER:
            raise Invalid("a share by own usage is not known before the bills are made; choose another basis")
        if self.total_fen <= 0 or not self.from_what.strip():
            raise Invalid("a shared cost is above zero, and says what it is from")


@dataclass(frozen=True, slots=True)
class Bearing:
    """What one account bears: its weight as it is printed, and its share."""

    account_id: AccountId
    account_number: str
    weight: Decimal
    share_fen: int


@dataclass(frozen=True, slots=True)
class SharedCost:
    """A cost and everybody's share, by account number; `tariff_code` is the tariff that charges it."""

    tariff_code: str
    name_zh: str
    name_en: str
    total_fen: int
    basis: str
    from_what: str
    bearings: tuple[Bearing, ...]

    @property
    def shares(self) -> dict[str, int]:
        """Return the shares by account number."""
        return {one.account_number: one.share_fen for one in self.bearings}


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


def preview_cost(tx: Tx, actor: User, period_id: PeriodId, cost: CostToShare) -> SharedCost:
    """Return what everybody would bear; nothing is written. Refused for what sharing it would be."""
    require(actor, Action.CLOSE_PERIOD)
    period = _open_to_sharing(tx, period_id)
    site = site_of(tx, period.site_id)
    code = _code(site, period, cost.component)
    if any(one.state is TariffState.ACTIVE for one in tariffs.versions_of(tx, code)):
        raise Conflict(f"{cost.component} of {period.code} was shared already, by tariff {code}")
    accounts = bearers.rooms_of(tx, site.site_id, period.dates)
    if unknown := sorted(set(cost.excluded) - {room.room_id for _, room, _ in accounts}):
        raise Invalid(f"there is no account {unknown[0]!r} to be excluded")
    bearing = {
        room.room_id: (account_id, replace(room, floor_coefficient=cost.coefficients.get(floor, Decimal(1))))
        for account_id, room, floor in accounts
        if room.room_id not in cost.excluded and floor not in cost.excluded_floors
    }
    # The weights as they are printed, so that the shares follow from what is printed.
    weights = {
        number: money.round_quantity(weight, _WEIGHT_DECIMALS)
        for number, weight in weights_of([room for _, room in bearing.values()], cost.basis).items()
    }
    shares = apportion(cost.total_fen, weights)
    return SharedCost(
        code,
        cost.name_zh,
        cost.name_en,
        cost.total_fen,
        _BASIS_WORDS[cost.basis],
        cost.from_what,
        tuple(
            Bearing(bearing[number][0], number, weight, shares[number]) for number, weight in weights.items()
        ),
    )


def share_cost(tx: Tx, actor: User, period_id: PeriodId, cost: CostToShare) -> SharedCost:
    """Share a cost among a site's accounts for a period; their invoices will have a line each.

    Conflict once the period has an invoice, or where this component was shared already.
    """
    shared = preview_cost(tx, actor, period_id, cost)
    period = _open_to_sharing(tx, period_id)
    version = len(tariffs.versions_of(tx, shared.tariff_code)) + 1
    document = _document(shared, period, version, cost)
    tariff_service.import_document(tx, actor, json.dumps(document).encode(), activate=True)
    added = [
        Subscription(
            SubscriptionId(tx.new_id()),
            one.account_id,
            shared.tariff_code,
            cost.name_zh,
            1,
            None,
            period.dates.start_on,
            period.dates.end_on,
        )
        for one in shared.bearings
    ]
    bearers.insert_subscriptions(tx, added)
    detail: dict[str, str | int | None] = {
        "tariff": shared.tariff_code,
        "total_fen": cost.total_fen,
        "basis": cost.basis.value,
    }
    audit.record(tx, actor.user_id, "share_cost", "billing_period", period_id, detail)
    return shared


def costs_of_period(tx: Tx, actor: User, period_id: PeriodId) -> list[SharedCost]:
    """Return what was shared for a period and stands, by code."""
    require(actor, Action.CLOSE_PERIOD)
    period = _period(tx, period_id)
    site = site_of(tx, period.site_id)
    codes = bearers.tariffs_of_period(tx, site.site_id, period.dates, _code(site, period, ""))
    found = tariffs.active_versions(tx, codes)
    return [_shared_from(one) for code in sorted(found) for one in found[code]]


def withdraw_cost(tx: Tx, actor: User, period_id: PeriodId, tariff_code: str) -> None:
    """Take back what was shared, so that it can be shared otherwise; Conflict once an invoice has it."""
    require(actor, Action.CLOSE_PERIOD)
    period = _open_to_sharing(tx, period_id)
    site = site_of(tx, period.site_id)
    known = bearers.tariffs_of_period(tx, site.site_id, period.dates, _code(site, period, ""))
    if tariff_code not in known:
        raise NotFound(f"nothing was shared in {period.code} by tariff {tariff_code!r}")
    for one in tariffs.versions_of(tx, tariff_code):
        if one.state is TariffState.ACTIVE:
            tariff_service.retire(tx, actor, tariff_code, one.tariff.version)
    bearers.delete_subscriptions(tx, tariff_code)
    audit.record(
        tx, actor.user_id, "withdraw_shared_cost", "billing_period", period_id, {"tariff": tariff_code}
    )


def measure_site_cost(
    tx: Tx, actor: User, period_id: PeriodId, commodity: Commodity, tariff_code: str
) -> MeasuredCost:
    """Return what the masters of a site measured beyond its homes, and what it costs by a tariff.

    Conflict where a meter cannot be measured, or the homes measured more than the masters.
    """
    require(actor, Action.CLOSE_PERIOD)
    period = _period(tx, period_id)
    site = site_of(tx, period.site_id)
    found = next((one for one in balances_of(tx, site, period.dates) if one.commodity is commodity), None)
    if found is None:
        raise Conflict(f"site {site.code} has no master meter for {commodity.value}")
    usage = found.usage
    if usage is None:
        first = found.missing[0]
        reason = "" if first.problem is None else first.problem.detail
        raise Conflict(f"{first.code} cannot be measured: {first.serial}: {reason}")
    return _priced(tx, period, usage, "the masters", tariff_code)


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
    return _priced(tx, period, usage, master, tariff_code)


def _priced(tx: Tx, period: BillingPeriod, usage: PublicUsage, master: str, tariff_code: str) -> MeasuredCost:
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


def _document(shared: SharedCost, period: BillingPeriod, version: int, cost: CostToShare) -> dict[str, Any]:
    charge = {
        "kind": "share",
        "component": cost.component,
        "name_zh": cost.name_zh,
        "name_en": cost.name_en,
        "total_fen": cost.total_fen,
        "basis": shared.basis,
        "from_what": cost.from_what,
        "bearers": {
            one.account_number: {"weight": money.plain(one.weight), "share_fen": one.share_fen}
            for one in shared.bearings
        },
    }
    source = {
        "publisher": "own measurement or invoice",
        "title": cost.name_zh,
        "found_at": cost.from_what,
    }
    return {
        "schema": SCHEMA,
        "code": shared.tariff_code,
        "name_zh": cost.name_zh,
        "name_en": cost.name_en,
        "region": "-",
        "commodity": cost.commodity,
        "customer_class": "shared",
        "currency": CNY.code,
        "unit": "share",
        "versions": [
            {
                "version": version,
                "valid_from": period.dates.start_on.isoformat(),
                "valid_to": period.dates.end_on.isoformat(),
                "confidence": "high",
                "sources": [source],
                "charges": [charge],
            }
        ],
    }


def _shared_from(stored: StoredTariff) -> SharedCost:
    """Return a shared cost from the document that charges it; its bearers' ids are not in it."""
    charge = next(rule for rule in stored.tariff.charges if isinstance(rule, Share))
    return SharedCost(
        stored.tariff.code,
        charge.name_zh,
        charge.name_en,
        charge.total_fen,
        charge.basis,
        charge.from_what,
        tuple(
            Bearing(AccountId(""), number, one.weight, one.share_fen)
            for number, one in sorted(charge.bearers.items())
        ),
    )


def _open_to_sharing(tx: Tx, period_id: PeriodId) -> BillingPeriod:
    period = _period(tx, period_id)
    count, _ = invoices.count_of_period(tx, period_id)
    if count:
        site = site_of(tx, period.site_id)
        raise Conflict(f"period {period.code} of site {site.code} has {count} invoices; share costs before")
    return period


def _code(site: Site, period: BillingPeriod, component: str) -> str:
    name = f"{site.code}-{period.code}-{component}"
    return "".join(letter if letter.isalnum() else "-" for letter in name).lower().strip("-")


def _period(tx: Tx, period_id: PeriodId) -> BillingPeriod:
    period = periods.find_period(tx, period_id)
    if period is None:
        raise NotFound(f"there is no billing period {period_id}")
    return period
