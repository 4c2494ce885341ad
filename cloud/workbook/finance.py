"""The journal and the month's report as tables: for the finance department, and to be argued with."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from cloud.domain.imports.cell import Cell
from cloud.domain.journal import Journal
from cloud.domain.report import Collected, EnergyBalance, MonthReport
from cloud.domain.trial_balance import MonthTrialBalance
from cloud.workbook.writing import Sheet, csv_bytes, sheets_workbook

_JOURNAL = (
    ("凭证号", "Voucher"),
    ("记账日期", "Posted on"),
    ("发生日期", "Occurred on"),
    ("摘要", "Summary"),
    ("科目编码", "Subject code"),
    ("科目名称", "Subject"),
    ("户号", "Account"),
    ("借方", "Debit"),
    ("贷方", "Credit"),
)
_WIDTHS = (10, 12, 12, 34, 12, 26, 14, 14, 14)


def journal_csv(journal: Journal, *, is_chinese: bool) -> bytes:
    """Return a month's vouchers as CSV, a line a posting; the same month is the same bytes."""
    return csv_bytes(_titles(is_chinese=is_chinese), _journal_rows(journal, is_chinese=is_chinese))


def journal_workbook(journal: Journal, *, is_chinese: bool) -> bytes:
    """Return a month's vouchers, and the sums by subject, as a workbook."""
    subjects = [
        (subject.code, subject.name, _yuan(debit), _yuan(credit))
        for subject, debit, credit in journal.by_subject()
    ]
    total = "合计" if is_chinese else "Total"
    subjects.append(("", total, _yuan(journal.debit_fen), _yuan(journal.credit_fen)))
    return sheets_workbook(
        [
            Sheet(
                "凭证" if is_chinese else "Vouchers",
                _titles(is_chinese=is_chinese),
                _journal_rows(journal, is_chinese=is_chinese),
                _WIDTHS,
            ),
            Sheet(
                "科目汇总" if is_chinese else "By subject",
                tuple(title[0 if is_chinese else 1] for title in (*_JOURNAL[4:6], *_JOURNAL[7:])),
                subjects,
                (14, 30, 16, 16),
            ),
        ]
    )


def trial_workbook(balance: MonthTrialBalance, *, is_chinese: bool) -> bytes:
    """Return a month's trial balance as a workbook; debit and credit in columns of their own."""
    titles = (
        ("科目编码", "科目名称", "期初借方", "期初贷方", "本期借方", "本期贷方", "期末借方", "期末贷方")
        if is_chinese
        else (
            *("Subject code", "Subject", "Before, debit", "Before, credit"),
            *("Debit", "Credit", "After, debit", "After, credit"),
        )
    )
    amounts = [
        (
            *_sides(row.turnover.opening_fen),
            row.turnover.debit_fen,
            row.turnover.credit_fen,
            *_sides(row.turnover.closing_fen),
        )
        for row in balance.rows
    ]
    rows = [
        (row.subject.code, row.subject.name, *(_yuan(fen) if fen else None for fen in columns))
        for row, columns in zip(balance.rows, amounts, strict=True)
    ]
    totals = tuple(_yuan(sum(column)) for column in zip(*amounts, strict=True))
    total = ("", "合计" if is_chinese else "Total", *totals)
    sheet = Sheet(
        "科目余额表" if is_chinese else "Trial balance", titles, [*rows, total], (12, 28, *[14] * 6)
    )
    return sheets_workbook([sheet])


def _sides(fen: int) -> tuple[int, int]:
    """Return a balance as debit and credit."""
    return max(fen, 0), max(-fen, 0)


def report_workbook(
    report: MonthReport, balances: Sequence[EnergyBalance], names: Mapping[str, str], *, is_chinese: bool
) -> bytes:
    """Return a month's report as a workbook; `names` are what charges and commodities are called."""
    paid = ("已出账", "已收", "未收", "收缴率") if is_chinese else ("Billed", "Paid", "Open", "Collected")
    energy = (
        ("类别", "单位", "总表", "分表合计", "公共表", "损耗", "损耗率")
        if is_chinese
        else ("Commodity", "Unit", "Master", "Sub-meters", "Public meters", "Loss", "Loss ratio")
    )

    def word(chinese: str, english: str) -> str:
        return chinese if is_chinese else english

    return sheets_workbook(
        [
            Sheet(
                word("收缴率", "Collection"),
                (word("账期", "Month"), *paid),
                [_paid(m) for m in report.months],
            ),
            Sheet(
                word("楼栋", "Buildings"),
                (word("楼栋", "Building"), *paid),
                [_paid(b) for b in report.buildings],
            ),
            Sheet(
                word("收费项目", "Items"),
                (word("项目", "Item"), word("金额", "Amount")),
                [
                    (names.get(one.charge_code, one.charge_code), _yuan(one.amount_fen))
                    for one in report.items
                ],
            ),
            Sheet(
                word("能耗与损耗", "Energy and loss"),
                energy,
                [
                    (
                        names.get(one.commodity, one.commodity),
                        one.unit,
                        *(
                            ("", "", "", "", "")
                            if one.usage is None
                            else (
                                one.usage.master,
                                one.usage.submeters,
                                one.usage.public_meters,
                                one.usage.loss,
                                _percent(one.loss_ratio),
                            )
                        ),
                    )
                    for one in balances
                ],
            ),
        ]
    )


def _titles(*, is_chinese: bool) -> tuple[str, ...]:
    return tuple(title[0 if is_chinese else 1] for title in _JOURNAL)


def _journal_rows(journal: Journal, *, is_chinese: bool) -> Iterator[tuple[Cell | Decimal, ...]]:
    for voucher in journal.vouchers:
        for line in voucher.lines:
            yield (
                f"{journal.month}-{voucher.number:05}",
                voucher.posted_on.isoformat(),
                voucher.occurred_on.isoformat(),
                voucher.summary(is_chinese=is_chinese),
                line.subject.code,
                line.subject.name,
                line.account_number,
                _yuan(line.debit_fen) if line.debit_fen else None,
                _yuan(line.credit_fen) if line.credit_fen else None,
            )


def _paid(one: Collected) -> tuple[Cell | Decimal, ...]:
    return one.name, _yuan(one.billed_fen), _yuan(one.paid_fen), _yuan(one.open_fen), _percent(one.rate)


def _percent(ratio: Decimal | None) -> str:
    return "" if ratio is None else f"{ratio * 100:.2f}%"


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)
