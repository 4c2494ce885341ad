"""Running charges: what each account's bill would be by now, kept a few seconds behind the wire.

The invariant: it is the bill's own computation on the readings so far (`assessment`), so it never has
to be reconciled with the bill. It is worth recomputing only for accounts whose registers moved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from cloud.domain import money
from cloud.domain.access import Action, require, require_bills
from cloud.domain.change import RunningChargeChanged
from cloud.domain.ids import AccountId, SeriesId, ServicePointId, SiteId
from cloud.domain.periods import PeriodState, billing_month, local_date, month_code, time_zone
from cloud.domain.premises import Site
from cloud.domain.rating import SliceMethod
from cloud.domain.running_charge import RunningCharge, RunningService, SiteCharges
from cloud.domain.user import User
from cloud.services.assessment import AssessedService, Assessment, assess
from cloud.services.pending import add_holders_before, add_usage
from cloud.services.premises import site_of
from cloud.store import invoices, periods, premises, running_charges, subjects
from cloud.store.db import Tx
from cloud.store.usage import HistoryRow

# Accounts a transaction: about a tenth of a second of the writer's time.
GROUP_SIZE = 200


@dataclass(frozen=True, slots=True)
class DirtyAccounts:
    """Accounts whose registers moved, by site."""

    by_site: Mapping[SiteId, tuple[AccountId, ...]]


def running_charge(tx: Tx, actor: User, account_id: AccountId) -> RunningCharge | None:
    """Return an account's charge so far in the running period, or None before the first reading."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    return running_charges.find_charge(tx, account_id)


def site_charges(tx: Tx, actor: User, site_id: SiteId) -> SiteCharges:
    """Return what all accounts of a site come to so far, in the period that is running there."""
    require(actor, Action.READ_INVOICES)
    code = month_code(local_date(tx.now_ms, time_zone(site_of(tx, site_id).time_zone)))
    sums = running_charges.sums_of_site(tx, site_id, code)
    return SiteCharges(sums, tuple(running_charges.blocked_of_site(tx, site_id, code)))


def dirty_accounts(tx: Tx, series_ids: Iterable[SeriesId]) -> DirtyAccounts:
    """Return who pays for what these registers measure, by site."""
    by_site: dict[SiteId, list[AccountId]] = {}
    for site in premises.list_sites(tx):
        today = local_date(tx.now_ms, time_zone(site.time_zone))
        for site_id, account_id in subjects.accounts_of_series(tx, sorted(set(series_ids)), today):
            if site_id == site.site_id:
                by_site.setdefault(site_id, []).append(account_id)
    return DirtyAccounts({site_id: tuple(sorted(found)) for site_id, found in by_site.items()})


def all_accounts(tx: Tx) -> DirtyAccounts:
    """Return every account that is supplied today, by site: for the start and for a new month."""
    by_site = {}
    for site in premises.list_sites(tx):
        month = billing_month(month_code(local_date(tx.now_ms, time_zone(site.time_zone))))
        by_site[site.site_id] = tuple(subjects.accounts_to_bill(tx, site.site_id, month))
    return DirtyAccounts(by_site)


def update(tx: Tx, site_id: SiteId, account_ids: Sequence[AccountId]) -> list[RunningCharge]:
    """Compute the charges of some accounts as of now and note them; listeners are told after commit."""
    site = site_of(tx, site_id)
    zone = time_zone(site.time_zone)
    code = month_code(local_date(tx.now_ms, zone))
    dates = billing_month(code)
    periods.insert_period(tx, site_id, code, dates)
    found = subjects.load_subjects(tx, account_ids, dates, dates.bounds_ms(zone))
    pending = _unbilled_before(tx, site, zone, account_ids)
    add_holders_before(tx, found, dates, zone, pending, tx.now_ms)
    outcomes = assess(tx, found, zone, tx.now_ms, pending)
    charges = []
    for subject, outcome in zip(found, outcomes, strict=True):
        account_id = subject.account.account_id
        if isinstance(outcome, Assessment):
            services = tuple(_so_far(service) for service in outcome.services)
            currency = _currency(outcome)
            charges.append(RunningCharge(account_id, code, tx.now_ms, outcome.total_fen, currency, services))
        else:
            charges.append(RunningCharge(account_id, code, tx.now_ms, 0, "CNY", (), tuple(outcome)))
    running_charges.upsert_charges(tx, charges)
    for charge in charges:
        tx.announce(
            RunningChargeChanged(
                tx.tenant_id, site_id, charge.account_id, code, charge.total_fen, charge.as_of_ms
            )
        )
    return charges


def _unbilled_before(
    tx: Tx, site: Site, zone: ZoneInfo, account_ids: Sequence[AccountId]
) -> dict[ServicePointId, list[HistoryRow]]:
    """Return the usage of ended periods that have no invoice yet, which ladders count all the same."""
    pending: dict[ServicePointId, list[HistoryRow]] = {}
    today = local_date(tx.now_ms, zone)
    for period in reversed(periods.list_periods(tx, site.site_id)):
        if period.state is PeriodState.CLOSED or period.dates.end_on > today:
            continue
        billed = invoices.billed_accounts(tx, period.period_id, account_ids)
        waiting = [account_id for account_id in account_ids if account_id not in billed]
        found = subjects.load_subjects(tx, waiting, period.dates, period.dates.bounds_ms(zone))
        for outcome in assess(tx, found, zone, None, pending):
            if isinstance(outcome, Assessment):
                add_usage(pending, outcome)
    return pending


def _currency(outcome: Assessment) -> str:
    for service in outcome.services:
        for part in service.slices:
            return part.planned.tariff.currency.code
    return "CNY"


def _so_far(assessed: AssessedService) -> RunningService:
    by_days = assessed.slices[0].used.method is SliceMethod.DAYS
    parts = assessed.slices[:1] if by_days else assessed.slices
    measured = [segment.closing.measured_at_ms for part in parts for segment in part.segments]
    quantity = money.add([part.used.quantity for part in assessed.slices])
    tier, left = _tier_now(assessed)
    return RunningService(
        assessed.service.service_point_id,
        assessed.service.service_point_code,
        assessed.slices[0].planned.tariff.commodity,
        assessed.slices[0].planned.tariff.unit,
        quantity,
        sum(line.amount_fen for line in assessed.lines),
        tier,
        left,
        max(measured, default=None),
    )


def _tier_now(assessed: AssessedService) -> tuple[int | None, Decimal | None]:
    """Return the tier the next unit falls into, and how much is left below it; by the last ladder met."""
    placed = [line for line in assessed.lines if line.position is not None and line.position.bounds]
    if not placed:
        return None, None
    last = max(placed, key=lambda line: (line.slice_no, line.charge.tier or 0))
    position = last.position
    assert position is not None, "lines without a position were left out"
    if not position.is_counted:
        return 1, None
    reached = money.EXACT.add(position.before, last.basis.quantity)
    for tier, bound in enumerate(position.bounds, start=1):
        if reached < bound:
            return tier, money.EXACT.subtract(bound, reached)
    return len(position.bounds) + 1, None
