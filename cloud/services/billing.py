"""Billing: periods, issuing invoices, and the charge so far.

The invariant: an account has at most one invoice (version 1) for a period, and that invoice, its
lines, its usage and its ledger entry are written in one transaction. A run shares transactions between
accounts and falls back to one an account where that fails; whoever was issued an invoice is skipped when
a broken-off run is taken up again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from cloud.domain.access import Action, require
from cloud.domain.bill_run import BillRunState
from cloud.domain.change import InvoiceIssued
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import AccountId, InvoiceId, PeriodId, SiteId
from cloud.domain.invoice import DUE_AFTER_DAYS, invoice_number
from cloud.domain.ledger import Entry, invoice_entry
from cloud.domain.periods import (
    BillingPeriod,
    PeriodState,
    ServicePeriod,
    billing_month,
    local_date,
    midnight_ms,
    month_code,
    time_zone,
)
from cloud.domain.premises import Site
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.domain.user import User
from cloud.services import payments
from cloud.services.assessment import Assessment, assess
from cloud.services.invoice_rows import invoice_of, usage_of
from cloud.store import (
    audit,
    bill_runs,
    invoices,
    ledger,
    numbers,
    people,
    periods,
    premises,
    subjects,
    usage,
)
from cloud.store.db import Tx
from cloud.store.periods import Hold
from cloud.store.subjects import Subject


@dataclass(frozen=True, slots=True)
class IssuedInvoice:
    """One invoice of a run."""

    invoice_id: InvoiceId
    number: str
    account_id: AccountId
    total_fen: int


@dataclass(frozen=True, slots=True)
class IssuedGroup:
    """What one transaction of a run did: invoices issued, accounts held with every reason why."""

    issued: tuple[IssuedInvoice, ...]
    held: Mapping[AccountId, tuple[UsageProblem, ...]]


@dataclass(frozen=True, slots=True)
class PeriodOverview:
    """A period with what was billed in it and whom it still waits for."""

    period: BillingPeriod
    invoice_count: int
    total_fen: int
    accounts_to_bill: int
    holds: tuple[Hold, ...]


def open_period(tx: Tx, actor: User, site_id: SiteId, code: str) -> BillingPeriod:
    """Open the billing month of a code such as "2026-10"; one that is there is returned as it is."""
    require(actor, Action.CLOSE_PERIOD)
    site = _site(tx, site_id)
    dates = billing_month(code)
    periods.insert_period(tx, site.site_id, month_code(dates.start_on), dates)
    found = periods.find_by_code(tx, site_id, code)
    assert found is not None, "it was inserted just now, or was there"
    return found


def list_periods(tx: Tx, actor: User, site_id: SiteId) -> list[BillingPeriod]:
    """Return a site's billing periods, newest first."""
    require(actor, Action.READ_INVOICES)
    return periods.list_periods(tx, _site(tx, site_id).site_id)


def period_overview(tx: Tx, actor: User, period_id: PeriodId) -> PeriodOverview:
    """Return a period with its invoices' count and sum, and the accounts held with the meters to visit."""
    require(actor, Action.READ_LEDGER)
    period = _period(tx, period_id)
    count, total_fen = invoices.count_of_period(tx, period_id)
    to_bill = subjects.count_to_bill(tx, period.site_id, period.dates)
    return PeriodOverview(period, count, total_fen, to_bill, tuple(periods.list_holds(tx, period_id)))


def issued_of_period(tx: Tx, actor: User, period_id: PeriodId) -> tuple[int, int]:
    """Return how many documents a period has, and what they come to in fen."""
    require(actor, Action.READ_LEDGER)
    return invoices.count_of_period(tx, period_id)


def numbers_of_period(tx: Tx, actor: User, period_id: PeriodId) -> tuple[str, str, date] | None:
    """Return the first and the last number of a period's documents, and when the last is due; None: none."""
    require(actor, Action.READ_LEDGER)
    return invoices.numbers_of_period(tx, period_id)


def totals_by_account(tx: Tx, actor: User, period_id: PeriodId) -> dict[AccountId, int]:
    """Return what each account was charged for a period in fen, corrections and all."""
    require(actor, Action.READ_LEDGER)
    return invoices.totals_by_account(tx, period_id)


def count_to_bill(tx: Tx, actor: User, site_id: SiteId, dates: ServicePeriod) -> int:
    """Return how many accounts are charged for some day of a month, also of one that was never opened."""
    require(actor, Action.READ_LEDGER)
    return subjects.count_to_bill(tx, _site(tx, site_id).site_id, dates)


def charges_of_period(tx: Tx, actor: User, period_id: PeriodId) -> dict[str, int]:
    """Return what a period's invoices charge in fen, by charge code."""
    require(actor, Action.READ_LEDGER)
    return invoices.sums_by_charge(tx, period_id)


def begin_closing(tx: Tx, actor: User, period_id: PeriodId) -> list[AccountId]:
    """Begin or take up the closing of a period; returns the accounts that still have no invoice.

    Those whose supply ends inside the period come before those whose supply begins in it, so that a
    ladder that is inherited stands where the one before left it. Conflict where the period cannot be
    billed, or was checked and nobody has approved what its newest check came to.
    """
    require(actor, Action.CLOSE_PERIOD)
    period, _ = require_billable(tx, period_id)
    waiting = _unbilled(tx, period)
    checked = bill_runs.newest(tx, period_id)
    if waiting and checked is not None and checked.state is not BillRunState.APPROVED:
        raise Conflict(
            f"check {checked.number} of period {period.code} is {checked.state.value}: approve it first"
        )
    ledger.ensure_chart(tx)
    if period.state is PeriodState.OPEN:
        periods.set_state(tx, period_id, PeriodState.CLOSING)
        audit.record(tx, actor.user_id, "close_period", "billing_period", period_id, {"code": period.code})
    return waiting


def require_billable(tx: Tx, period_id: PeriodId) -> tuple[BillingPeriod, Site]:
    """Return a period that has ended and is not closed, held until the transaction ends.

    Conflict where it is closed already, has not ended, or an earlier one was never begun.
    """
    period = _period(tx, period_id, is_locked=True)
    site = _site(tx, period.site_id)
    if period.state is PeriodState.CLOSED:
        count, total_fen = invoices.count_of_period(tx, period_id)
        raise Conflict(
            f"period {period.code} of site {site.code} is already closed with {count} invoices "
            f"({total_fen} fen); correct an invoice by a credit note"
        )
    if tx.now_ms < midnight_ms(period.dates.end_on, time_zone(site.time_zone)):
        raise Conflict(f"period {period.code} of site {site.code} ends on {period.dates.last_on}; not before")
    for other in periods.list_periods(tx, period.site_id):
        if other.code < period.code and other.state is PeriodState.OPEN:
            raise Conflict(f"period {other.code} of site {site.code} must be closed before {period.code}")
    return period, site


def issue_invoices(tx: Tx, actor: User, period_id: PeriodId, account_ids: Sequence[AccountId]) -> IssuedGroup:
    """Issue the invoices of some accounts, all in this transaction; those that have one are left out.

    An account with a missing or doubtful reading is held, never billed wrong: nothing is written for
    it but the hold.
    """
    require(actor, Action.BILL_ACCOUNTS)
    period = _period(tx, period_id, is_kept=True)
    if period.state is not PeriodState.CLOSING:
        raise Conflict(f"period {period.code} is {period.state.value}; begin its closing first")
    # Another run may be billing the same accounts: whoever comes second sees what the first has done.
    people.lock_accounts(tx, account_ids)
    site = _site(tx, period.site_id)
    zone = time_zone(site.time_zone)
    billed = invoices.billed_accounts(tx, period_id, account_ids)
    wanted = [account_id for account_id in account_ids if account_id not in billed]
    held: dict[AccountId, tuple[UsageProblem, ...]] = {
        account_id: (earlier_unbilled(period, code, zone),)
        for account_id, code in periods.earlier_holds(tx, period, wanted).items()
    }
    found = subjects.load_subjects(
        tx, [a for a in wanted if a not in held], period.dates, period.dates.bounds_ms(zone)
    )
    issued: list[IssuedInvoice] = []
    for subjects_together in _waves(found, period):
        waiting = _waiting_for_holders(tx, period, subjects_together, zone)
        held |= waiting
        wave = [subject for subject in subjects_together if subject.account.account_id not in waiting]
        outcomes = assess(tx, wave, zone)
        assessed = [outcome for outcome in outcomes if isinstance(outcome, Assessment)]
        issued += _issue(tx, site, period, assessed, local_date(tx.now_ms, zone))
        for subject, outcome in zip(wave, outcomes, strict=True):
            if not isinstance(outcome, Assessment):
                held[subject.account.account_id] = tuple(outcome)
    periods.replace_holds(tx, period_id, [one.account_id for one in issued], held)
    return IssuedGroup(tuple(issued), held)


def hold_defective(
    tx: Tx, actor: User, period_id: PeriodId, account_id: AccountId, detail: str
) -> UsageProblem:
    """Hold an account the program failed to bill, so that it is seen and its neighbours are not held up."""
    require(actor, Action.BILL_ACCOUNTS)
    period = _period(tx, period_id, is_kept=True)
    if period.state is not PeriodState.CLOSING:
        raise Conflict(f"period {period.code} is {period.state.value}; begin its closing first")
    people.lock_accounts(tx, [account_id])
    problem = UsageProblem(ProblemKind.DEFECT, "", tx.now_ms, detail)
    periods.replace_holds(tx, period_id, [], {account_id: (problem,)})
    return problem


def finish_closing(tx: Tx, actor: User, period_id: PeriodId) -> BillingPeriod:
    """Close the period if every account has its invoice; else leave it in closing, to be taken up again."""
    require(actor, Action.CLOSE_PERIOD)
    period = _period(tx, period_id, is_locked=True)
    if period.state is PeriodState.CLOSING and not _unbilled(tx, period):
        periods.set_state(tx, period_id, PeriodState.CLOSED)
    return _period(tx, period_id)


def _unbilled(tx: Tx, period: BillingPeriod) -> list[AccountId]:
    """Return the accounts of a period that have no invoice of it, in the order they are billed."""
    to_bill = subjects.accounts_to_bill(tx, period.site_id, period.dates)
    billed = invoices.billed_accounts(tx, period.period_id)
    return [account_id for account_id in to_bill if account_id not in billed]


def _issue(
    tx: Tx, site: Site, period: BillingPeriod, assessed: Sequence[Assessment], issued_on: date
) -> list[IssuedInvoice]:
    """Write the invoices of assessed accounts: numbers, lines, usage, postings."""
    if not assessed:
        return []
    first = numbers.next_number(tx, site.code, "invoice", period.code, count=len(assessed))
    due_on = issued_on + timedelta(days=DUE_AFTER_DAYS)
    added = []
    used = []
    entries: list[Entry] = []
    for serial, assessment in enumerate(assessed, start=first):
        number = invoice_number(site.code, period.code, serial)
        one = invoice_of(
            InvoiceId(tx.new_id()), number, period, assessment, issued_on=issued_on, due_on=due_on
        )
        added.append(one)
        used += [usage.usage_row(tx, part) for part in usage_of(one.invoice_id, assessment)]
        by_code: dict[str, int] = {}
        for line in one.lines:
            by_code[line.charge_code] = by_code.get(line.charge_code, 0) + line.amount_fen
        entry = invoice_entry(one.account_id, one.invoice_id, number, issued_on, by_code)
        entries += [entry] if entry is not None else []
    invoices.insert_invoices(tx, added)
    usage.insert_usage(tx, used)
    ledger.insert_entries(tx, entries)
    payments.settle_credits(tx, added, issued_on)
    payments.apply_prepayments(tx, [one.account_id for one in added], issued_on)
    issued = [IssuedInvoice(one.invoice_id, one.number, one.account_id, one.total_fen) for one in added]
    for done in issued:
        tx.announce(
            InvoiceIssued(tx.tenant_id, site.site_id, done.invoice_id, done.account_id, done.total_fen)
        )
    return issued


def _waves(found: Sequence[Subject], period: BillingPeriod) -> list[list[Subject]]:
    """Return the accounts in the order their supplies begin, those that begin together together.

    Who takes over a service point inside the period is assessed after who had it before is billed.
    """
    by_start: dict[date, list[Subject]] = {}
    for subject in found:
        start = max((service.dates.start_on for service in subject.services), default=period.dates.start_on)
        by_start.setdefault(start, []).append(subject)
    return [by_start[start] for start in sorted(by_start)]


def _waiting_for_holders(
    tx: Tx, period: BillingPeriod, wave: Sequence[Subject], zone: ZoneInfo
) -> dict[AccountId, tuple[UsageProblem, ...]]:
    """Return who took over a service point inside the period from somebody who is not billed yet.

    The ladder they may inherit, and the dial they begin with, are those of the bill before theirs.
    """
    took_over = {
        service.service_point_id: (subject.account.account_id, service.dates.start_on)
        for subject in wave
        for service in subject.services
        if service.service_point_id is not None and service.dates.start_on > period.dates.start_on
    }
    before = subjects.holders_before(tx, took_over, period.dates)
    holders = {account_id for found in before.values() for account_id, _ in found}
    unbilled = holders - invoices.billed_accounts(tx, period.period_id, sorted(holders))
    waiting: dict[AccountId, tuple[UsageProblem, ...]] = {}
    for point, (account_id, start_on) in took_over.items():
        blocking = [
            to_on for holder, to_on in before.get(point, []) if holder in unbilled and to_on <= start_on
        ]
        if blocking:
            at_ms = midnight_ms(blocking[-1], zone)
            detail = f"whoever had it until {blocking[-1]} could not be billed yet and comes first"
            waiting[account_id] = (UsageProblem(ProblemKind.EARLIER_UNBILLED, "", at_ms, detail),)
    return waiting


def earlier_unbilled(period: BillingPeriod, code: str, zone: ZoneInfo) -> UsageProblem:
    """Return that an account waits for an earlier period."""
    at_ms = midnight_ms(period.dates.start_on, zone)
    return UsageProblem(
        ProblemKind.EARLIER_UNBILLED, "", at_ms, f"period {code} could not be billed yet and comes first"
    )


def _site(tx: Tx, site_id: SiteId) -> Site:
    site = premises.find_site(tx, site_id)
    if site is None:
        raise NotFound(f"there is no site {site_id}")
    return site


def _period(tx: Tx, period_id: PeriodId, *, is_locked: bool = False, is_kept: bool = False) -> BillingPeriod:
    period = periods.find_period(tx, period_id, is_locked=is_locked, is_kept=is_kept)
    if period is None:
        raise NotFound(f"there is no billing period {period_id}")
    return period
