"""The bill run: which months are billed, what stands in the way of one, and issuing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from aiohttp import web

from cloud.console.bill_changes import Changes, changes_of_totals
from cloud.console.bill_check import CheckView, SumRow, check_view, problem_text, steps_done
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.tariffs import charge_name
from cloud.domain.bill_run import BillRunState
from cloud.domain.ids import PeriodId, SiteId
from cloud.domain.invoice import DUE_AFTER_DAYS
from cloud.domain.periods import BillingPeriod, PeriodState, billing_month, midnight_ms, month_code, month_of
from cloud.domain.usage import UsageProblem
from cloud.domain.user import User
from cloud.services import billing, invoices, running
from cloud.store.db import Tx


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
    unbilled: int
    invoices: int
    blocked: tuple[BlockedAccount, ...]
    steps: tuple[Step, ...]
    sums: tuple[SumRow, ...]
    total: SumRow | None
    before_name: str
    changes: Changes
    numbers: str
    due_on: date | None
    check: CheckView | None
    period_id: PeriodId | None

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody is left to be billed in a month that may be closed."""
        return self.can_close and self.unbilled == 0

    @property
    def can_check(self) -> bool:
        """Tell whether the month may be checked, or checked again."""
        return self.can_close and self.unbilled > 0

    @property
    def can_issue(self) -> bool:
        """Tell whether somebody approved what is to be issued."""
        found = self.check
        return self.can_check and found is not None and found.run.state is BillRunState.APPROVED

    @property
    def to_issue(self) -> int:
        """Return how many invoices the approved check came to."""
        return 0 if self.check is None else self.check.billable


@dataclass(frozen=True, slots=True)
class Going:
    """What is going on in the background now, and how far it is."""

    work: str
    done: int
    total: int


async def show_periods(desk: Desk) -> web.StreamResponse:
    """Show which months are billed."""
    view = await desk.read(_periods, desk.site.site_id, desk.format)
    return await desk.page("billing/periods.html", view=view)


def _periods(tx: Tx, actor: User, site_id: SiteId, fmt: Format) -> PeriodsView:
    found = billing.list_periods(tx, actor, site_id)
    rows = []
    for period in found:
        count, total_fen = billing.issued_of_period(tx, actor, period.period_id)
        rows.append(
            PeriodRow(
                period.code,
                period.dates.start_on,
                period.dates.end_on,
                period.state.value,
                count,
                total_fen,
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


def run_view(tx: Tx, actor: User, site_id: SiteId, code: str, fmt: Format) -> RunView:
    """Return one month's bill run: what was checked, what was issued, who is held."""
    dates = billing_month(code)
    found = billing.list_periods(tx, actor, site_id)
    period = next((period for period in found if period.code == code), None)
    seen = None if period is None else billing.period_overview(tx, actor, period.period_id)
    is_running = fmt.now_ms < midnight_ms(dates.end_on, fmt.zone)
    state = PeriodState.OPEN if period is None else period.state
    blocked: tuple[BlockedAccount, ...] = ()
    if seen is not None:
        blocked = tuple(
            _blocked_account(hold.account_number, hold.space_code, hold.problems, fmt) for hold in seen.holds
        )
    issued = None if period is None else billing.numbers_of_period(tx, actor, period.period_id)
    before_code = month_code(dates.start_on - timedelta(days=1))
    billed = 0 if seen is None else seen.invoice_count
    accounts = billing.count_to_bill(tx, actor, site_id, dates) if seen is None else seen.accounts_to_bill
    earlier = next((one for one in found if one.code == before_code), None)
    sums, total = _sums(tx, actor, period, earlier, fmt)
    if is_running:
        sums, total, blocked = _so_far(tx, actor, site_id, fmt)
    checked = None if period is None else check_view(tx, actor, period.period_id, fmt)
    before = {} if earlier is None else billing.totals_by_account(tx, actor, earlier.period_id)
    changes = Changes()
    if period is not None and issued is not None:
        changes = changes_of_totals(
            billing.totals_by_account(tx, actor, period.period_id),
            before,
            lambda account_ids: invoices.newest_of_accounts(tx, actor, code, account_ids),
        )
    elif checked is not None:
        sums, total, changes = checked.sums, checked.total, checked.changes
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
        _steps(steps_done(state.value, checked, is_running=is_running, has_issued=billed > 0), fmt),
        sums,
        total,
        fmt.month_name(billing_month(before_code).start_on) if before else "",
        changes,
        fmt.language.gettext("numbered in order")
        if issued is None
        else f"{issued[0]} – {issued[1].rpartition('-')[2]}",
        fmt.today + timedelta(days=DUE_AFTER_DAYS) if issued is None else issued[2],
        checked,
        None if period is None else period.period_id,
    )


def _blocked_account(
    account_number: str, space_code: str, problems: Sequence[UsageProblem], fmt: Format
) -> BlockedAccount:
    first, more = problems[0], len(problems) - 1
    reason = problem_text(first, fmt)
    if more:
        reason += fmt.language.ngettext(" and %s more", " and %s more", more) % more
    path = f"/meters/{first.meter_serial}" if first.meter_serial else ""
    return BlockedAccount(account_number, space_code, reason, path)


def _steps(reached: int, fmt: Format) -> tuple[Step, ...]:
    gettext = fmt.language.gettext
    labels = (
        gettext("Month ended"),
        gettext("Data gate"),
        gettext("Approval"),
        gettext("Issued"),
        gettext("Closed"),
    )
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
    found = running.site_charges(tx, actor, site_id)
    blocked = tuple(
        _blocked_account(one.account_number, one.space_code, one.problems, fmt) for one in found.blocked
    )
    if not found.sums:
        return (), None, blocked
    rows = tuple(SumRow(charge_name(code, fmt), fen, None) for code, fen in sorted(found.sums.items()))
    return rows, SumRow("", sum(found.sums.values()), None), blocked
