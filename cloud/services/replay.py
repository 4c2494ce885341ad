"""Replaying an invoice: is it still what the readings, tariffs and household lead to?

Two questions. Does each line follow from its own trace? And what would be issued today, line by line?
The invariant: nothing is written; every difference is named with the fen it makes, so that a dispute is
about one line and not about trust.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from cloud.domain.access import Action, require
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.ids import InvoiceId
from cloud.domain.invoice import Invoice, InvoiceKind, InvoiceLine
from cloud.domain.money import plain
from cloud.domain.periods import time_zone
from cloud.domain.recompute import recompute
from cloud.domain.usage import UsageProblem
from cloud.domain.user import User
from cloud.services.assessment import Assessment, assess
from cloud.services.invoice_rows import invoice_of
from cloud.services.invoices import get_invoice, traces
from cloud.services.premises import site_of
from cloud.store import periods, subjects
from cloud.store.db import Tx
from cloud.store.invoices import NewLine

_LineT = TypeVar("_LineT", InvoiceLine, NewLine)


@dataclass(frozen=True, slots=True)
class LineDifference:
    """A line that would be another today: "energy 2", what of it, before and after, and the fen it makes."""

    line: str
    what: str  # "quantity", "unit_price", "amount", "missing" or "added"
    before: str
    after: str
    impact_fen: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay. `faults` are contradictions inside the traces themselves.

    `problems` say why it cannot be assessed today; `today_fen` is then None.
    """

    invoice: Invoice
    faults: tuple[str, ...]
    differences: tuple[LineDifference, ...]
    problems: tuple[UsageProblem, ...]
    today_fen: int | None

    @property
    def is_identical(self) -> bool:
        """Tell whether the same invoice would be issued today."""
        return not (self.faults or self.differences or self.problems)


def replay(tx: Tx, actor: User, invoice_id: InvoiceId) -> Replay:
    """Recompute an invoice from its traces, assess the account anew, and compare line by line."""
    require(actor, Action.READ_LEDGER)
    found = get_invoice(tx, actor, invoice_id)
    if found.kind is InvoiceKind.CREDIT_NOTE:
        raise Invalid(f"{found.number} is a credit note; replay the invoice it takes back")
    faults = []
    for trace in traces(tx, actor, invoice_id):
        again = recompute(trace)
        faults += [f"line {trace.line_no}: {fault}" for fault in again.faults]
        if again.amount_fen != trace.amount_fen:
            faults.append(
                f"line {trace.line_no}: {again.amount_fen} fen from its trace, {trace.amount_fen} billed"
            )
    period = periods.find_period(tx, found.period_id)
    if period is None:
        raise NotFound(f"there is no billing period {found.period_id}")
    zone = time_zone(site_of(tx, period.site_id).time_zone)
    loaded = subjects.load_subjects(tx, [found.account_id], period.dates, period.dates.bounds_ms(zone))
    (outcome,) = assess(tx, loaded, zone, except_invoices=[invoice_id])
    if not isinstance(outcome, Assessment):
        return Replay(found, tuple(faults), (), tuple(outcome), None)
    today = invoice_of(
        invoice_id, found.number, period, outcome, issued_on=found.issued_on, due_on=found.due_on
    )
    differences = _differences(list(found.lines), list(today.lines))
    return Replay(found, tuple(faults), tuple(differences), (), today.total_fen)


def _differences(before: list[InvoiceLine], after: list[NewLine]) -> list[LineDifference]:
    differences = []
    left = _numbered(after)
    for number, line in _numbered(before).items():
        again = left.pop(number, None)
        name = _name(line)
        if again is None:
            differences.append(LineDifference(name, "missing", str(line.amount_fen), "", -line.amount_fen))
            continue
        impact_fen = again.amount_fen - line.amount_fen
        pairs = (
            ("quantity", line.quantity, again.quantity),
            ("unit_price", line.unit_price, again.unit_price),
        )
        changed = [
            LineDifference(name, what, _shown(was), _shown(now), impact_fen)
            for what, was, now in pairs
            if was != now
        ]
        if not changed and impact_fen:
            changed = [
                LineDifference(name, "amount", str(line.amount_fen), str(again.amount_fen), impact_fen)
            ]
        # The fen are told once a line, with the first thing that differs.
        differences += changed[:1]
    differences += [
        LineDifference(_name(line), "added", "", str(line.amount_fen), line.amount_fen)
        for line in left.values()
    ]
    return differences


def _name(line: InvoiceLine | NewLine) -> str:
    return " ".join(part for part in (line.component, line.tier) if part)


def _numbered(lines: Sequence[_LineT]) -> dict[tuple[str, ...], _LineT]:
    """Return lines by what they are, and, where a price change makes two alike, by which of them."""
    seen: Counter[tuple[str, ...]] = Counter()
    numbered: dict[tuple[str, ...], _LineT] = {}
    for line in lines:
        kind: tuple[str, ...] = (line.charge_code, line.component, line.tier, line.service_point_id or "")
        numbered[*kind, str(seen[kind])] = line
        seen[kind] += 1
    return numbered


def _shown(value: Decimal | None) -> str:
    return "" if value is None else plain(value)
