"""The table of opening balances: what accounts owed, had prepaid and deposited in the system before."""

from decimal import Decimal

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role
from cloud.domain.opening import OpeningKind

_KINDS = {
    "欠费": "arrears",
    "预存": "prepayment",
    "押金": "deposit",
    **{one.value: one.value for one in OpeningKind},
}
# Ten million yuan: nobody's bill, and a slip of the decimal point is below it.
_YUAN_MAX = Decimal(10_000_000)

OPENING_BALANCES = Kind(
    "opening_balances",
    "期初余额",
    "Opening balances",
    "一行一笔：从原系统结转的欠费、预存款或押金。欠费成为该账期的账单，可催缴、可收款；撤销以红冲进行。",
    "One balance a row, taken over from the system before: arrears, prepayments, deposits. Arrears become an "
    "invoice of their month, to be reminded of and paid; undoing is a credit note.",
    (
        Column(
            "account",
            "户号",
            "Account",
            Role.KEY,
            cell.code,
            "已在“户”中的户号",
            "An account that is known",
            "A-00101",
        ),
        Column(
            "kind",
            "类型",
            "Kind",
            Role.KEY,
            cell.choice(_KINDS),
            "欠费、预存或押金",
            "arrears, prepayment or deposit",
            "欠费",
            choices=("欠费", "预存", "押金"),
        ),
        Column(
            "month",
            "账期",
            "Month",
            Role.KEY,
            cell.month,
            "欠费所属的月份；预存和押金填结转的月份",
            "Of what is owed; for the others the month they are taken over from",
            "2026-06",
        ),
        Column(
            "amount",
            "金额（元）",
            "Amount (¥)",
            Role.FIXED,
            cell.decimal(2, _YUAN_MAX),
            "大于 0，最多两位小数",
            "Above zero, two decimals at most",
            "136.20",
            is_needed=True,
        ),
        Column(
            "due_on",
            "到期日",
            "Due on",
            Role.FIXED,
            cell.day,
            "欠费从哪天起算逾期；空着为账期次月 15 日",
            "When arrears fell due; empty: the 15th of the month after",
            "2026-07-15",
        ),
    ),
)
