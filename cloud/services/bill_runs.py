"""Bill runs: checking a period, what it would come to, and approving it before it is billed.

The invariant: a check writes nothing but itself. It is the bill's own computation (`assessment`) on the
readings there are, so what was approved is what is issued unless a reading comes in between, and then
`differences` names the account.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from cloud.domain import money
from cloud.domain.access import Action, require
from cloud.domain.bill_run import (
    NOTE_LENGTH_MAX,
    BillRun,
    BillRunState,
    CheckedAccount,
    Difference,
    Doubt,
    DoubtKind,
    Preview,
    is_jump,
)
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, BillRunId, PeriodId, ServicePointId
from cloud.domain.periods import BillingPeriod, time_zone
from cloud.domain.premises import Site
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.domain.user import User
from cloud.services.assessment import AssessedService, Assessment, assess
from cloud.services.billing import earlier_unbilled, require_billable
from cloud.services.pending import Pending, add_holders_before
from cloud.services.premises import site_of
from cloud.store import audit, bill_runs, invoices, periods, subjects, usage
from cloud.store.db import Tx
from cloud.store.usage import HistoryRow

# Usage is held beside that of about a quarter before it.
_COMPARED_DAYS = 92


def begin_check(tx: Tx, actor: User, period_id: PeriodId) -> tuple[BillRun, list[AccountId]]:
    """Begin a check, or take up one that was broken off; returns the accounts that are still to be checked.

    Who has an invoice already is left out. Conflict where the period cannot be billed yet or not any more.
    """
    require(actor, Action.CLOSE_PERIOD)
    period, _ = require_billable(tx, period_id)
    to_bill = subjects.accounts_to_bill(tx, period.site_id, period.dates)
    billed = invoices.billed_accounts(tx, period_id)
    wanted = [account_id for account_id in to_bill if account_id not in billed]
    found = bill_runs.newest(tx, period_id)
    if found is None or found.state is not BillRunState.CHECKING:
        number = 1 if found is None else found.number + 1
        found = _run(
            tx, bill_runs.insert_run(tx, period_id, number, len(wanted), actor.person_id), is_locked=True
        )
    done = bill_runs.checked_accounts(tx, found.run_id)
    return found, [account_id for account_id in wanted if account_id not in done]


def check_accounts(tx: Tx, actor: User, run_id: BillRunId, account_ids: Sequence[AccountId]) -> int:
    """Work out what some accounts would be billed and write it down; returns how many."""
    require(actor, Action.BILL_ACCOUNTS)
    run = _run(tx, run_id)
    if run.state is not BillRunState.CHECKING:
        raise Conflict(f"check {run.number} is {run.state.value} already")
    period, site = _period(tx, run.period_id)
    zone = time_zone(site.time_zone)
    waiting = periods.earlier_holds(tx, period, account_ids)
    able = [account_id for account_id in account_ids if account_id not in waiting]
    found = subjects.load_subjects(tx, able, period.dates, period.dates.bounds_ms(zone))
    pending: Pending = {}
    billed = invoices.billed_accounts(tx, period.period_id)
    add_holders_before(tx, found, period.dates, zone, pending, billed=billed)
    outcomes = assess(tx, found, zone, None, pending)
    before = _before(tx, period, account_ids)
    past = _past_usage(tx, period, outcomes)
    checked = [
        CheckedAccount(
            account_id, None, before.get(account_id), {}, (), (earlier_unbilled(period, code, zone),)
        )
        for account_id, code in waiting.items()
    ]
    for subject, outcome in zip(found, outcomes, strict=True):
        account_id = subject.account.account_id
        if isinstance(outcome, Assessment):
            doubts = tuple(doubt for service in outcome.services for doubt in _doubts(service, past))
            sums = _sums(outcome)
            checked.append(
                CheckedAccount(account_id, outcome.total_fen, before.get(account_id), sums, doubts)
            )
        else:
            checked.append(CheckedAccount(account_id, None, before.get(account_id), {}, (), tuple(outcome)))
    bill_runs.insert_checked(tx, run_id, checked)
    return len(checked)


def note_defective(tx: Tx, actor: User, run_id: BillRunId, account_id: AccountId, detail: str) -> None:
    """Show an account the program failed at as one that cannot be billed."""
    require(actor, Action.BILL_ACCOUNTS)
    problem = UsageProblem(ProblemKind.DEFECT, "", tx.now_ms, detail)
    bill_runs.insert_checked(tx, run_id, [CheckedAccount(account_id, None, None, {}, (), (problem,))])


def finish_check(tx: Tx, actor: User, run_id: BillRunId) -> BillRun:
    """Lay a check before whoever approves it."""
    require(actor, Action.CLOSE_PERIOD)
    if _run(tx, run_id, is_locked=True).state is BillRunState.CHECKING:
        bill_runs.finish_check(tx, run_id)
    return _run(tx, run_id)


def approve(tx: Tx, actor: User, run_id: BillRunId, note: str = "") -> BillRun:
    """Let the period be billed as it was checked; Conflict where a newer check decides."""
    return _decide(tx, actor, run_id, BillRunState.APPROVED, note)


def refuse(tx: Tx, actor: User, run_id: BillRunId, note: str) -> BillRun:
    """Keep the period from being billed until it is checked anew; the note says what is to be put right."""
    return _decide(tx, actor, run_id, BillRunState.REFUSED, note)


def get_run(tx: Tx, actor: User, run_id: BillRunId) -> BillRun:
    """Return one run."""
    require(actor, Action.READ_LEDGER)
    return _run(tx, run_id)


def newest_run(tx: Tx, actor: User, period_id: PeriodId) -> BillRun | None:
    """Return the run that decides about a period, None where it was never checked."""
    require(actor, Action.READ_LEDGER)
    return bill_runs.newest(tx, period_id)


def list_runs(tx: Tx, actor: User, period_id: PeriodId) -> list[BillRun]:
    """Return a period's runs, newest first."""
    require(actor, Action.READ_LEDGER)
    _period(tx, period_id)
    return bill_runs.list_runs(tx, period_id)


def count_checked(tx: Tx, actor: User, run_id: BillRunId) -> int:
    """Return how many accounts a run has looked at."""
    require(actor, Action.READ_LEDGER)
    return bill_runs.count_checked(tx, run_id)


def preview(tx: Tx, actor: User, run_id: BillRunId) -> Preview:
    """Return what a run came to, account by account, beside the sums of the month before."""
    require(actor, Action.READ_LEDGER)
    run = _run(tx, run_id)
    period, _ = _period(tx, run.period_id)
    earlier = _period_before(tx, period)
    sums = {} if earlier is None else invoices.sums_by_charge(tx, earlier.period_id)
    return Preview(run, tuple(bill_runs.rows_of(tx, run_id)), sums)


def differences(tx: Tx, actor: User, run_id: BillRunId) -> list[Difference]:
    """Return what was issued otherwise than a run came to."""
    require(actor, Action.READ_LEDGER)
    return bill_runs.differences(tx, run_id, _run(tx, run_id).period_id)


def _decide(tx: Tx, actor: User, run_id: BillRunId, state: BillRunState, note: str) -> BillRun:
    require(actor, Action.APPROVE_BILLS)
    if len(note) > NOTE_LENGTH_MAX:
        raise Invalid(f"the note has {len(note)} characters, expected at most {NOTE_LENGTH_MAX}")
    run = _run(tx, run_id, is_locked=True)
    if state is BillRunState.REFUSED and not note.strip():
        raise Invalid("say what is to be put right")
    newest = bill_runs.newest(tx, run.period_id)
    if newest is None or newest.run_id != run_id:
        raise Conflict(f"check {run.number} is not the newest any more: look at the newest one")
    if run.state is not BillRunState.CHECKED:
        raise Conflict(f"check {run.number} is {run.state.value}, it cannot become {state.value} now")
    if state is BillRunState.APPROVED and not bill_runs.count_billable(tx, run_id):
        raise Conflict(f"check {run.number} would bill nobody: put right what is missing and check again")
    bill_runs.decide(tx, run_id, state, actor.person_id, note.strip())
    detail: dict[str, str | int | None] = {"number": run.number, "note": note.strip()}
    audit.record(tx, actor.user_id, f"bill_run_{state.value}", "billing_period", run.period_id, detail)
    return _run(tx, run_id)


def _sums(outcome: Assessment) -> dict[str, int]:
    sums: dict[str, int] = {}
    for service in outcome.services:
        for line in service.lines:
            code = line.tariff.commodity
            sums[code] = sums.get(code, 0) + line.amount_fen
    return sums


def _before(tx: Tx, period: BillingPeriod, account_ids: Sequence[AccountId]) -> dict[AccountId, int]:
    earlier = _period_before(tx, period)
    return {} if earlier is None else bill_runs.totals_by_account(tx, earlier.period_id, account_ids)


def _past_usage(
    tx: Tx, period: BillingPeriod, outcomes: Sequence[object]
) -> Mapping[ServicePointId, Sequence[HistoryRow]]:
    points = {
        service.service.service_point_id
        for outcome in outcomes
        if isinstance(outcome, Assessment)
        for service in outcome.services
        if service.service.service_point_id is not None
    }
    since = period.dates.start_on - timedelta(days=_COMPARED_DAYS)
    return usage.history_of(tx, sorted(points), since, period.dates.start_on)


def _doubts(service: AssessedService, past: Mapping[ServicePointId, Sequence[HistoryRow]]) -> list[Doubt]:
    """Return what about a service is worth a look: an estimate, a dial that stands still, a leap."""
    point = service.service.service_point_id
    if point is None or not service.service.installations:
        return []
    used = money.add([part.used.quantity for part in service.slices])
    rows = past.get(point, ())
    before, days_before = money.add([row.quantity for row in rows]), sum(row.dates.days for row in rows)
    days = sum(part.planned.dates.days for part in service.slices)
    expected = money.round_quantity(Fraction(before) * days / days_before) if days_before else Decimal(0)
    segments = [segment for part in service.slices for segment in part.segments]
    kinds = []
    if any(segment.closing.source == "estimate" for segment in segments):
        kinds.append(DoubtKind.ESTIMATED)
    if not used and before > 0:
        kinds.append(DoubtKind.NO_USAGE)
    if is_jump(used, days, before, days_before):
        kinds.append(DoubtKind.JUMP)
    serial = service.service.installations[-1].meter.serial
    unit = service.slices[0].planned.tariff.unit
    return [Doubt(kind, serial, used, expected, unit) for kind in kinds]


def _period_before(tx: Tx, period: BillingPeriod) -> BillingPeriod | None:
    found = [one for one in periods.list_periods(tx, period.site_id) if one.code < period.code]
    return max(found, key=lambda one: one.code, default=None)


def _run(tx: Tx, run_id: BillRunId, *, is_locked: bool = False) -> BillRun:
    found = bill_runs.find_run(tx, run_id, is_locked=is_locked)
    if found is None:
        raise NotFound(f"there is no bill run {run_id}")
    return found


def _period(tx: Tx, period_id: PeriodId) -> tuple[BillingPeriod, Site]:
    period = periods.find_period(tx, period_id)
    if period is None:
        raise NotFound(f"there is no billing period {period_id}")
    return period, site_of(tx, period.site_id)
