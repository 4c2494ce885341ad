"""The parallel run as a workbook: a summary, and every charge with both amounts and why they differ."""

from collections.abc import Mapping
from decimal import Decimal

from cloud.domain.money import plain
from cloud.domain.parallel_run import VERDICT_NAMES, Charged, Compared, ParallelRun, Verdict
from cloud.workbook.writing import Sheet, sheets_workbook

_TITLES = (
    ("户号", "Account"),
    ("户主", "Holder"),
    ("房号", "Flat"),
    ("项目", "Charge"),
    ("原系统金额", "Theirs"),
    ("本系统金额", "Ours"),
    ("差额", "Difference"),
    ("原系统用量", "Their usage"),
    ("本系统用量", "Our usage"),
    ("结论", "Verdict"),
)
_WIDTHS = (14, 14, 12, 14, 14, 14, 12, 14, 14, 18)


def parallel_workbook(run: ParallelRun, names: Mapping[str, str], *, is_chinese: bool) -> bytes:
    """Return the parallel run of a month; `names` are what charges are called."""
    language = 0 if is_chinese else 1
    counts = run.counts
    summary = [
        (
            VERDICT_NAMES[verdict][language],
            Decimal(counts[verdict]),
            _yuan(sum(row.difference_fen for row in run.of(verdict))),
        )
        for verdict in Verdict
    ]
    summary.append(
        ("合计" if is_chinese else "Total", Decimal(len(run.rows)), _yuan(run.ours_fen - run.theirs_fen))
    )
    return sheets_workbook(
        [
            Sheet(
                "汇总" if is_chinese else "Summary",
                ("结论", "笔数", "差额") if is_chinese else ("Verdict", "Charges", "Difference"),
                summary,
                (22, 12, 16),
            ),
            Sheet(
                "逐笔" if is_chinese else "Charges",
                tuple(title[language] for title in _TITLES),
                [_row(row, names, language) for row in run.rows],
                _WIDTHS,
            ),
        ]
    )


def _row(row: Compared, names: Mapping[str, str], language: int) -> tuple[str | Decimal | None, ...]:
    return (
        row.place.account_number,
        row.place.holder_name,
        row.place.space_code,
        names.get(row.charge_code, row.charge_code),
        _amount(row.theirs),
        _amount(row.ours),
        _yuan(row.difference_fen),
        _usage(row.theirs),
        _usage(row.ours),
        VERDICT_NAMES[row.verdict][language],
    )


def _amount(charged: Charged | None) -> Decimal | None:
    return None if charged is None else _yuan(charged.amount_fen)


def _usage(charged: Charged | None) -> Decimal | None:
    if charged is None or charged.quantity is None:
        return None
    return Decimal(plain(charged.quantity.normalize()))


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)
