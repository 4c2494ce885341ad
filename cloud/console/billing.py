"""The bill run: which months are billed, what stands in the way of one, and issuing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.tariffs import charge_name
from cloud.domain.ids import SiteId
from cloud.domain.invoice import DUE_AFTER_DAYS, InvoiceSummary
from cloud.domain.periods import BillingPeriod, PeriodState, billing_month, midnight_ms, month_code, month_of
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services import billing, invoices, premises, running
from cloud.services.closing import close_period
from cloud.store.db import Tx
from cloud.store.periods import Hold

_INVOICES_COMPARED = 500
_OUTLIERS_SHOWN = 8
_BUCKETS = (-60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50, 60)
_OUTLIER_PERCENT = 50


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """One month in the list of bill runs."""

    code: str
    start_on: date
    end_on: date
    state: str
    invoices: int
    total_fen: int


@dataclass(frozen=True, slots=True)
class NextPeriod:
    """The month that should be billed next."""

    code: str
    start_on: date


@dataclass(frozen=True, slots=True)
class PeriodsView:
    """The list of bill runs, newest first."""

    rows: tuple[PeriodRow, ...]
    next_period: NextPeriod | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a bill run: done, current or ahead."""

    label: str
    state: str


@dataclass(frozen=True, slots=True)
class BlockedAccount:
    """An account that could not be billed, and the meter to look at."""

    account_number: str
    space_code: str
    reason: str
    meter_path: str


@dataclass(frozen=True, slots=True)
class SumRow:
    """What came of one kind of charge, beside the month before."""

    name: str
    now_fen: int
    before_fen: int | None

    @property
    def change(self) -> Decimal | None:
        """Return the ratio it changed by; None where there is nothing to compare."""
        if not self.before_fen:
            return None
        return Decimal(self.now_fen - self.before_fen) / self.before_fen


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """How many accounts changed by about that much."""

    label: str
    count: int
    x: float
    y: float
    width: float
    height: float
    is_outlier: bool


@dataclass(frozen=True, slots=True)
class Outlier:
    """An account whose amount changed much."""

    space_code: str
    number: str
    now_fen: int
    before_fen: int
    change: Decimal


@dataclass(frozen=True, slots=True)
class RunView:
    """One month's bill run."""

    code: str
    start_on: date
    end_on: date
    state: str
    is_running: bool
    can_close: bool
    accounts: int
    ready: int
    to_issue: int
    invoices: int
    blocked: tuple[BlockedAccount, ...]
    steps: tuple[Step, ...]
    sums: tuple[SumRow, ...]
    total: SumRow | None
    before_name: str
    histogram: tuple[HistogramBar, ...]
    outliers: tuple[Outlier, ...]
    numbers: str
    due_on: date | None


async def show_periods(desk: Desk) -> web.StreamResponse:
    """Show which months are billed."""
    view = await desk.read(_periods, desk.site.site_id, desk.format)
    return await desk.page("billing/periods.html", view=view)


async def show_run(desk: Desk) -> web.StreamResponse:
    """Show one month's bill run."""
    view = await desk.read(_run, desk.site.site_id, desk.request.match_info["code"], desk.format)
    return await desk.page("billing/run.html", view=view)


async def close(desk: Desk) -> web.StreamResponse:
    """Issue the month's invoices: every account that can be billed, once."""
    code = desk.request.match_info["code"]
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    database = desk.request.app[DATABASE]
    report = await close_period(database, desk.actor.tenant_id, desk.actor, period.period_id)
    said = {"code": code, "count": str(report.invoices_issued)}
    if report.held:
        return desk.go(f"/billing/{code}", "period-partly-closed", held=str(len(report.held)), **said)
    return desk.go(f"/billing/{code}", "period-closed", **said)


def _periods(tx: Tx, actor: User, site_id: SiteId, fmt: Format) -> PeriodsView:
    found = billing.list_periods(tx, actor, site_id)
    rows = []
    for period in found:
        seen = billing.period_overview(tx, actor, period.period_id)
        rows.append(
            PeriodRow(
                period.code,
                period.dates.start_on,
                period.dates.end_on,
                period.state.value,
                seen.invoice_count,
                seen.total_fen,
            )
        )
    return PeriodsView(tuple(rows), _next_period(found, fmt))


def _next_period(found: Sequence[BillingPeriod], fmt: Format) -> NextPeriod | None:
    """Return the oldest month that has ended and is not closed; last month if none was ever opened."""
    waiting = [
        period
        for period in found
        if period.state is not PeriodState.CLOSED and period.dates.end_on <= fmt.today
    ]
    if waiting:
        oldest = min(waiting, key=lambda period: period.dates.start_on)
        return NextPeriod(oldest.code, oldest.dates.start_on)
    last = month_of(month_of(fmt.today).start_on - timedelta(days=1))
    if any(period.code == month_code(last.start_on) for period in found):
        return None
    return NextPeriod(month_code(last.start_on), last.start_on)


def _run(tx: Tx, actor: User, site_id: SiteId, code: str, fmt: Format) -> RunView:
    dates = billing_month(code)
    found = billing.list_periods(tx, actor, site_id)
    period = next((period for period in found if period.code == code), None)
    seen = None if period is None else billing.period_overview(tx, actor, period.period_id)
    is_running = fmt.now_ms < midnight_ms(dates.end_on, fmt.zone)
    state = PeriodState.OPEN if period is None else period.state
    blocked: tuple[BlockedAccount, ...] = ()
    if seen is not None:
        blocked = tuple(_blocked(hold, fmt) for hold in seen.holds)
    issued = _invoices(tx, actor, site_id, code)
    before_code = month_code(dates.start_on - timedelta(days=1))
    before = _invoices(tx, actor, site_id, before_code)
    billed = 0 if seen is None else seen.invoice_count
    accounts = _account_count(tx, actor, site_id) if seen is None else seen.accounts_to_bill
    earlier = next((one for one in found if one.code == before_code), None)
    sums, total = _sums(tx, actor, period, earlier, fmt)
    if is_running:
        sums, total, blocked = _so_far(tx, actor, site_id, fmt)
    return RunView(
        code,
        dates.start_on,
        dates.end_on,
        state.value,
        is_running,
        not is_running and state is not PeriodState.CLOSED,
        accounts,
        accounts - len(blocked),
        accounts - billed,
        billed,
        blocked,
        _steps(state, is_running=is_running, has_issued=billed > 0, fmt=fmt),
        sums,
        total,
        fmt.month_name(billing_month(before_code).start_on) if before else "",
        *_changes(issued, before),
        f"{issued[-1].number} – {issued[0].number[-4:]}"
        if issued
        else fmt.language.gettext("numbered in order"),
        issued[0].due_on if issued else fmt.today + timedelta(days=DUE_AFTER_DAYS),
    )


def _blocked(hold: Hold, fmt: Format) -> BlockedAccount:
    problem = hold.problems[0]
    reason = problem_text(problem, fmt)
    if len(hold.problems) > 1:
        reason += fmt.language.ngettext(" and %s more", " and %s more", len(hold.problems) - 1) % (
            len(hold.problems) - 1
        )
    path = f"/meters/{problem.meter_serial}" if problem.meter_serial else ""
    return BlockedAccount(hold.account_number, hold.space_code, reason, path)


def problem_text(problem: UsageProblem, fmt: Format) -> str:
    """Return why a meter's usage is not known, in the reader's language, with the moment it is about."""
    gettext = fmt.language.gettext
    words = {
        ProblemKind.MISSING_READING: gettext("meter %(meter)s: no reading at %(moment)s"),
        ProblemKind.HELD_READING: gettext("meter %(meter)s: the reading of %(moment)s is held"),
        ProblemKind.REGISTER_DROP: gettext("meter %(meter)s: the register fell before %(moment)s"),
        ProblemKind.IMPLAUSIBLE_RISE: gettext("meter %(meter)s: rose more than it can before %(moment)s"),
        ProblemKind.NO_INSTALLATION: gettext("no meter was installed from %(moment)s"),
        ProblemKind.EARLIER_UNBILLED: gettext("an earlier month is not billed yet"),
        ProblemKind.DEFECT: gettext("the program could not bill it; report the log of %(moment)s"),
        ProblemKind.NO_TARIFF: gettext("no tariff is in force on some day of the month"),
    }
    told = words.get(problem.kind)
    if told is None:
        return f"{problem.meter_serial}: {problem.detail}"
    return told % {"meter": problem.meter_serial, "moment": fmt.moment(problem.at_ms)}


def _account_count(tx: Tx, actor: User, site_id: SiteId) -> int:
    """Return how many accounts a month that was never opened would bill, as far as one page of them goes."""
    return len(premises.list_accounts(tx, actor, site_id, "", None, _INVOICES_COMPARED).items)


def _invoices(tx: Tx, actor: User, site_id: SiteId, code: str) -> tuple[InvoiceSummary, ...]:
    return invoices.list_invoices(
        tx, actor, site_id=site_id, period_code=code, limit=_INVOICES_COMPARED
    ).items


def _steps(state: PeriodState, *, is_running: bool, has_issued: bool, fmt: Format) -> tuple[Step, ...]:
    gettext = fmt.language.gettext
    labels = (gettext("Month ended"), gettext("Data gate"), gettext("Issued"), gettext("Closed"))
    reached = 0 if is_running else 1
    if has_issued:
        reached = 3
    if state is PeriodState.CLOSED:
        reached = 4
    return tuple(
        Step(label, "done" if number < reached else "current" if number == reached else "ahead")
        for number, label in enumerate(labels)
    )


def _sums(
    tx: Tx, actor: User, period: BillingPeriod | None, before: BillingPeriod | None, fmt: Format
) -> tuple[tuple[SumRow, ...], SumRow | None]:
    """Return what each kind of charge came to in this month and in the one before."""
    now = {} if period is None else billing.charges_of_period(tx, actor, period.period_id)
    if not now:
        return (), None
    then = {} if before is None else billing.charges_of_period(tx, actor, before.period_id)
    rows = tuple(
        SumRow(charge_name(code, fmt), now.get(code, 0), then.get(code))
        for code in sorted(set(now) | set(then))
    )
    return rows, SumRow("", sum(now.values()), sum(then.values()) if then else None)


def _so_far(
    tx: Tx, actor: User, site_id: SiteId, fmt: Format
) -> tuple[tuple[SumRow, ...], SumRow | None, tuple[BlockedAccount, ...]]:
    """Return what the running month comes to until now, and whose bill could not be made if it ended now."""
    accounts = premises.list_accounts(tx, actor, site_id, "", None, _INVOICES_COMPARED).items
    charges = running.running_charges_of(tx, actor, site_id, [one.account_id for one in accounts])
    sums: dict[str, int] = {}
    blocked = []
    for account in accounts:
        charge = charges.get(account.account_id)
        if charge is None:
            continue
        for service in charge.services:
            sums[service.commodity] = sums.get(service.commodity, 0) + service.amount_fen
        if charge.problems:
            serial, _, detail = charge.problems[0].partition(": ")
            path = f"/meters/{serial}" if serial else ""
            blocked.append(BlockedAccount(account.number, account.space_code, detail or serial, path))
    if not sums:
        return (), None, tuple(blocked)
    rows = tuple(SumRow(charge_name(code, fmt), amount, None) for code, amount in sorted(sums.items()))
    return rows, SumRow("", sum(sums.values()), None), tuple(blocked)


def _settled(rows: Sequence[InvoiceSummary]) -> list[InvoiceSummary]:
    """Return one row an account, its newest document with the total of all: corrections cancel out."""
    newest: dict[str, InvoiceSummary] = {}
    for row in rows:  # newest first
        known = newest.get(row.account_id)
        newest[row.account_id] = (
            row if known is None else replace(known, total_fen=known.total_fen + row.total_fen)
        )
    return list(newest.values())


def _changes(
    issued: Sequence[InvoiceSummary], before: Sequence[InvoiceSummary]
) -> tuple[tuple[HistogramBar, ...], tuple[Outlier, ...]]:
    """Return how the accounts' amounts changed since the month before: how many by how much, and who most."""
    issued = _settled(issued)
    then: Mapping[str, InvoiceSummary] = {row.account_id: row for row in _settled(before)}
    changes = [
        Outlier(
            row.space_code,
            row.number,
            row.total_fen,
            then[row.account_id].total_fen,
            Decimal(row.total_fen - then[row.account_id].total_fen) / then[row.account_id].total_fen,
        )
        for row in issued
        if row.account_id in then and then[row.account_id].total_fen > 0
    ]
    if not changes:
        return (), ()
    counts = [0] * len(_BUCKETS)
    for one in changes:
        nearest = min(range(len(_BUCKETS)), key=lambda i: abs(_BUCKETS[i] - one.change * 100))
        counts[nearest] += 1
    highest = max(counts)
    step = 470.0 / len(_BUCKETS)
    bars = tuple(
        HistogramBar(
            (f"+{percent}" if percent > 0 else str(percent).replace("-", "−")) if percent % 20 == 0 else "",
            count,
            index * step + step * 0.08,
            158 - 130 * count / highest,
            step * 0.84,
            130 * count / highest,
            abs(percent) >= _OUTLIER_PERCENT,
        )
        for index, (percent, count) in enumerate(zip(_BUCKETS, counts, strict=True))
    )
    ranked = sorted(changes, key=lambda one: -abs(one.change))
    return bars, tuple(ranked[:_OUTLIERS_SHOWN])
