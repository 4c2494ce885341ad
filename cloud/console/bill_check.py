"""What a check of a month came to, as its page shows it: sums, changes, and the meters to visit.

The invariant: everything here is read from what the check wrote down; nothing is computed anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from cloud.console.bill_changes import Changes, changes_of_preview
from cloud.console.formats import Format
from cloud.console.language import mark
from cloud.console.tariffs import charge_name
from cloud.domain.bill_run import BillRun, BillRunState, Difference, Doubt, DoubtKind, Preview, PreviewRow
from cloud.domain.ids import PeriodId
from cloud.domain.money import plain
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.domain.user import User
from cloud.services import bill_runs
from cloud.store.db import Tx

_DOUBTS: Mapping[DoubtKind, str] = {
    DoubtKind.ESTIMATED: mark("estimated: %(now)s %(unit)s"),
    DoubtKind.NO_USAGE: mark("stands still: 0 %(unit)s, %(then)s expected"),
    DoubtKind.JUMP: mark("leaps: %(now)s %(unit)s, %(then)s expected"),
}


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
class Visit:
    """A meter to look at and why; `is_blocking` while its account cannot be billed."""

    space_code: str
    account_number: str
    holder_name: str
    meter_serial: str
    reason: str
    is_blocking: bool


@dataclass(frozen=True, slots=True)
class Riser:
    """The meters to visit at one staircase, in the order of its flats."""

    building_code: str
    unit_code: str
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class CheckView:
    """What the newest check of a month came to."""

    run: BillRun
    checked: int
    billable: int
    blocked: int
    sums: tuple[SumRow, ...]
    total: SumRow
    changes: Changes
    risers: tuple[Riser, ...]
    differences: tuple[Difference, ...]

    @property
    def visits(self) -> int:
        """Return how many meters there are to look at."""
        return sum(len(riser.visits) for riser in self.risers)


def check_view(tx: Tx, actor: User, period_id: PeriodId, fmt: Format) -> CheckView | None:
    """Return what the newest check came to, None where the month was never checked."""
    run = bill_runs.newest_run(tx, actor, period_id)
    if run is None:
        return None
    seen = bill_runs.preview(tx, actor, run.run_id)
    sums = seen.sums
    codes = sorted(set(sums) | set(seen.before))
    rows = tuple(SumRow(charge_name(c, fmt), sums.get(c, 0), seen.before.get(c)) for c in codes)
    before = sum(seen.before.values()) if seen.before else None
    is_approved = run.state is BillRunState.APPROVED
    return CheckView(
        run,
        len(seen.rows),
        seen.billable,
        len(seen.rows) - seen.billable,
        rows,
        SumRow("", seen.total_fen, before),
        changes_of_preview(seen.rows),
        risers_of(seen, fmt),
        tuple(bill_runs.differences(tx, actor, run.run_id)) if is_approved else (),
    )


def risers_of(seen: Preview, fmt: Format) -> tuple[Riser, ...]:
    """Return the meters to visit, staircase by staircase."""
    grouped = groupby(seen.to_visit, key=lambda row: (row.building_code, row.unit_code))
    return tuple(
        Riser(building, unit, tuple(visit for row in rows for visit in _visits(row, fmt)))
        for (building, unit), rows in grouped
    )


def _visits(row: PreviewRow, fmt: Format) -> list[Visit]:
    where = row.space_code, row.account_number, row.holder_name
    blocking = [
        Visit(*where, problem.meter_serial, problem_text(problem, fmt), True)
        for problem in row.checked.problems
    ]
    return blocking + [
        Visit(*where, doubt.meter_serial, _doubt_text(doubt, fmt), False) for doubt in row.checked.doubts
    ]


def _doubt_text(doubt: Doubt, fmt: Format) -> str:
    return fmt.language.gettext(_DOUBTS[doubt.kind]) % {
        "now": plain(doubt.quantity),
        "then": plain(Decimal(round(doubt.expected, 1))),
        "unit": doubt.unit,
    }


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


def steps_done(state: str, checked: CheckView | None, *, is_running: bool, has_issued: bool) -> int:
    """Return how many steps of the run are behind: ended, checked, approved, issued, closed."""
    if is_running:
        return 0
    if state == "closed":
        return 5
    if has_issued:
        return 4
    found = None if checked is None else checked.run.state
    return {None: 1, BillRunState.CHECKING: 1, BillRunState.CHECKED: 2, BillRunState.REFUSED: 1}.get(found, 3)
