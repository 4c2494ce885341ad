"""How accounts' amounts changed since the month before: how many by how much, and who most."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from cloud.domain.bill_run import PreviewRow
from cloud.domain.invoice import InvoiceSummary

_OUTLIERS_SHOWN = 8
_BUCKETS = (-60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50, 60)
_OUTLIER_PERCENT = 50
_WIDTH, _BASE, _HIGHEST = 470.0, 158.0, 130.0


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
    """An account whose amount changed much, and where to look at it."""

    space_code: str
    number: str
    path: str
    now_fen: int
    before_fen: int
    change: Decimal


@dataclass(frozen=True, slots=True)
class Changes:
    """The picture and the list beside it; both empty where there is nothing to compare."""

    histogram: tuple[HistogramBar, ...] = ()
    outliers: tuple[Outlier, ...] = ()


def changes_of_invoices(issued: Sequence[InvoiceSummary], before: Sequence[InvoiceSummary]) -> Changes:
    """Return how what was issued differs from the month before."""
    then = {row.account_id: row.total_fen for row in _settled(before)}
    return _changes(
        [
            Outlier(
                row.space_code,
                row.number,
                f"/invoices/{row.number}",
                row.total_fen,
                then[row.account_id],
                Decimal(row.total_fen - then[row.account_id]) / then[row.account_id],
            )
            for row in _settled(issued)
            if then.get(row.account_id, 0) > 0
        ]
    )


def changes_of_preview(rows: Sequence[PreviewRow]) -> Changes:
    """Return how what would be issued differs from the month before."""
    return _changes(
        [
            Outlier(
                row.space_code,
                row.account_number,
                f"/accounts/{row.account_number}",
                row.checked.amount_fen,
                row.checked.before_fen,
                row.change,
            )
            for row in rows
            if row.change is not None
            and row.checked.amount_fen is not None
            and row.checked.before_fen is not None
        ]
    )


def _settled(rows: Sequence[InvoiceSummary]) -> list[InvoiceSummary]:
    """Return one row an account, its newest document with the total of all: corrections cancel out."""
    newest: dict[str, InvoiceSummary] = {}
    for row in rows:  # newest first
        known = newest.get(row.account_id)
        newest[row.account_id] = (
            row if known is None else replace(known, total_fen=known.total_fen + row.total_fen)
        )
    return list(newest.values())


def _changes(changes: Sequence[Outlier]) -> Changes:
    if not changes:
        return Changes()
    counts = [0] * len(_BUCKETS)
    for one in changes:
        nearest = min(range(len(_BUCKETS)), key=lambda i: abs(_BUCKETS[i] - one.change * 100))
        counts[nearest] += 1
    highest = max(counts)
    step = _WIDTH / len(_BUCKETS)
    bars = tuple(
        HistogramBar(
            (f"+{percent}" if percent > 0 else str(percent).replace("-", "−")) if percent % 20 == 0 else "",
            count,
            index * step + step * 0.08,
            _BASE - _HIGHEST * count / highest,
            step * 0.84,
            _HIGHEST * count / highest,
            abs(percent) >= _OUTLIER_PERCENT,
        )
        for index, (percent, count) in enumerate(zip(_BUCKETS, counts, strict=True))
    )
    ranked = sorted(changes, key=lambda one: -abs(one.change))
    return Changes(bars, tuple(ranked[:_OUTLIERS_SHOWN]))
