"""The journal for the finance department's own system: vouchers (记账凭证) in its chart of accounts (科目).

A month's vouchers are those posted in that local month, numbered from 1 in the order they were posted, so
that a month that is over is the same file every time. The invariant: a voucher whose debit and credit
differ cannot be built, so a journal that is exported balances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from cloud.domain.errors import Invalid, Problem
from cloud.domain.ledger import CHART, EntryKind

SUBJECT_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class Subject:
    """An account of the finance department's chart: its code and name."""

    code: str
    name: str

    def __post_init__(self) -> None:
        for what, text in (("code", self.code), ("name", self.name)):
            if not text.strip() or len(text) > SUBJECT_LENGTH_MAX or not text.isprintable():
                raise Invalid(f"a subject's {what} is 1 to {SUBJECT_LENGTH_MAX} letters, not {text!r}")


# 小企业会计准则 (财会〔2011〕17号) 附录: what most property companies keep their books by. Sewage and refuse
# fees are collected for others; who books them as a debt says so in the mapping.
DEFAULT_SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "bank": Subject("1002", "银行存款"),
        "cash": Subject("1001", "库存现金"),
        "deposit": Subject("224101", "其他应付款-押金"),
        # What was earned before the books were taken over; who has closed that year books it elsewhere.
        "opening": Subject("3104", "利润分配-未分配利润"),
        "prepayment": Subject("2203", "预收账款"),
        "receivable": Subject("1122", "应收账款"),
        "revenue.electricity": Subject("500102", "主营业务收入-电费"),
        "revenue.gas": Subject("500104", "主营业务收入-燃气费"),
        "revenue.heat": Subject("500105", "主营业务收入-采暖费"),
        "revenue.hot_water": Subject("500106", "主营业务收入-热水费"),
        "revenue.late_fee": Subject("530101", "营业外收入-违约金"),
        "revenue.parking": Subject("500107", "主营业务收入-停车费"),
        "revenue.property": Subject("500101", "主营业务收入-物业费"),
        "revenue.refuse": Subject("500109", "主营业务收入-垃圾费"),
        "revenue.sewage": Subject("500108", "主营业务收入-污水处理费"),
        "revenue.water": Subject("500103", "主营业务收入-水费"),
        "write_off": Subject("571101", "营业外支出-坏账损失"),
    }
)

KIND_NAMES: Mapping[EntryKind, tuple[str, str]] = MappingProxyType(
    {
        EntryKind.ALLOCATION: ("预存抵扣", "Prepaid money used"),
        EntryKind.CREDIT_NOTE: ("红冲", "Credit note"),
        EntryKind.DEPOSIT: ("押金", "Deposit"),
        EntryKind.INVOICE: ("出账", "Invoice"),
        EntryKind.LATE_FEE: ("违约金", "Late fee"),
        EntryKind.OPENING: ("期初", "Opening"),
        EntryKind.PAYMENT: ("收款", "Payment"),
        EntryKind.PAYMENT_REVERSED: ("收款冲回", "Payment taken back"),
        EntryKind.REFUND: ("退款", "Refund"),
    }
)


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One side of a voucher; `account_number` where it concerns one customer. Debit positive."""

    subject: Subject
    amount_fen: int
    account_number: str

    @property
    def debit_fen(self) -> int:
        """Return what is on the left."""
        return max(self.amount_fen, 0)

    @property
    def credit_fen(self) -> int:
        """Return what is on the right."""
        return max(-self.amount_fen, 0)


@dataclass(frozen=True, slots=True)
class Voucher:
    """One entry of the ledger as a voucher. `number` counts from 1 in its month."""

    number: int
    posted_on: date
    occurred_on: date
    kind: EntryKind
    memo: str
    lines: tuple[JournalLine, ...]

    def __post_init__(self) -> None:
        total_fen = sum(line.amount_fen for line in self.lines)
        if total_fen:
            raise Invalid(f"voucher {self.number} ({self.memo}) is out of balance by {total_fen} fen")

    def summary(self, *, is_chinese: bool) -> str:
        """Return what it is about: 出账 DG-2026-10-0001."""
        chinese, english = KIND_NAMES.get(self.kind, (self.kind.value, self.kind.value))
        return f"{chinese if is_chinese else english} {self.memo}".rstrip()


@dataclass(frozen=True, slots=True)
class Journal:
    """A month's vouchers in order."""

    month: str
    vouchers: tuple[Voucher, ...]

    @property
    def debit_fen(self) -> int:
        """Return the sum of all debits, which is that of all credits."""
        return sum(line.debit_fen for voucher in self.vouchers for line in voucher.lines)

    @property
    def credit_fen(self) -> int:
        """Return the sum of all credits."""
        return sum(line.credit_fen for voucher in self.vouchers for line in voucher.lines)

    def by_subject(self) -> list[tuple[Subject, int, int]]:
        """Return debit and credit of each subject, by its code."""
        sums: dict[Subject, list[int]] = {}
        for voucher in self.vouchers:
            for line in voucher.lines:
                both = sums.setdefault(line.subject, [0, 0])
                both[0] += line.debit_fen
                both[1] += line.credit_fen
        return [(subject, debit, credit) for subject, (debit, credit) in sorted(sums.items(), key=_by_code)]


def subject_of(ledger_account: str, mapped: Mapping[str, Subject]) -> Subject:
    """Return what a ledger account is in the finance department's chart."""
    known = mapped.get(ledger_account) or DEFAULT_SUBJECTS.get(ledger_account)
    if known is not None:
        return known
    return Subject(ledger_account, CHART.get(ledger_account, ledger_account).partition(" ")[0])


def checked_mapping(subjects: Mapping[str, Subject]) -> Mapping[str, Subject]:
    """Return a mapping all of whose ledger accounts are there; Invalid names those that are not."""
    unknown = sorted(set(subjects) - set(CHART))
    if unknown:
        problems: Sequence[Problem] = [
            Problem(f"/{code}", f"there is no ledger account {code!r}") for code in unknown
        ]
        raise Invalid(f"there is no ledger account {unknown[0]!r}", problems)
    return subjects


def check_codes(chart: Mapping[str, Subject]) -> None:
    """Refuse a chart in which one code has two names: the finance department's system keeps one of them.

    Several ledger accounts under one code and name are one subject, as where all revenue is booked together.
    """
    holders: dict[str, tuple[str, Subject]] = {}
    for ledger_account, subject in sorted(chart.items()):
        other, known = holders.setdefault(subject.code, (ledger_account, subject))
        if known.name != subject.name:
            told = (
                f"subject {subject.code!r} is {known.name!r} ({other}) already, it cannot be "
                f"{subject.name!r} ({ledger_account}) too"
            )
            raise Invalid(told, [Problem(f"/{ledger_account}", told)])


def _by_code(item: tuple[Subject, list[int]]) -> tuple[str, str]:
    return item[0].code, item[0].name
