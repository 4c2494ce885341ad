"""How accounts' amounts changed since the month before: how many by how much, and who most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cloud.domain.bill_run import PreviewRow
from cloud.domain.ids import AccountId
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


def changes_of_totals(
    totals: Mapping[AccountId, int],
    before: Mapping[AccountId, int],
    newest_of: Callable[[Sequence[AccountId]], Mapping[AccountId, InvoiceSummary]],
) -> Changes:
    """Return how what accounts were charged differs from the month before; only who is shown is looked up."""
    changes = {
        account_id: Decimal(total_fen - before[account_id]) / before[account_id]
        for account_id, total_fen in totals.items()
        if before.get(account_id, 0) > 0
    }
    shown = sorted(changes, key=lambda account_id: -abs(changes[account_id]))[:_OUTLIERS_SHOWN]
    papers = newest_of(shown)
    return Changes(
        _histogram(list(changes.values())),
        tuple(
            Outlier(
                papers[account_id].space_code,
                papers[account_id].number,
                f"/invoices/{papers[account_id].number}",
                totals[account_id],
                before[account_id],
                changes[account_id],
            )
            for account_id in shown
        ),
    )


def changes_of_preview(rows: Sequence[PreviewRow]) -> Changes:
    """Return how what would be issued differs from the month before."""
    changes = [
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
    ranked = sorted(changes, key=lambda one: -abs(one.change))
    return Changes(_histogram([one.change for one in changes]), tuple(ranked[:_OUTLIERS_SHOWN]))


def _histogram(changes: Sequence[Decimal]) -> tuple[HistogramBar, ...]:
    if not changes:
        return ()
    counts = [0] * len(_BUCKETS)
    middle = len(_BUCKETS) // 2
    for change in changes:
        # A bucket each ten per cent; what is beyond the outermost counts there.
        counts[max(-middle, min(middle, round(change * 10))) + middle] += 1
    highest = max(counts)
    step = _WIDTH / len(_BUCKETS)
    return tuple(
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
