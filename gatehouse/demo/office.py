"""The office's books in the demonstration: what came from the system before, what is held, what waits.

As a bookkeeper would, once, after the first bills: tables brought in, a deposit taken, money asked back.
The month before the newest stands beside what the old system charged, with the differences such a
comparison is made for: a fen of rounding, and a meter read wrongly.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from gatehouse.demo.cloud_api import CloudApi, InvoiceSummary
from simulator.__main__ import DEMO_PASSWORD

_BOOKKEEPER = "lin"
# The charge whose usage is known, and the bills in which the two systems differ.
_METERED, _ROUNDED, _MISREAD, _MISREAD_KWH = "electricity", 3, 9, 90
# Which of the accounts, by number, came with what: months ago, yuan, and since how many days it is due.
_ARREARS = ((8, 1, "1286.40", 19), (18, 2, "742.15", 41), (28, 1, "318.00", 5), (48, 2, "2150.80", 96))
_PREPAID = ((4, "1000.00"), (14, "600.00"))
_DEPOSITS = ((6, "装修押金"), (16, "装修押金"), (26, "门禁卡押金"))
_DEPOSIT_FEN = {"装修押金": 2000_00, "门禁卡押金": 100_00}


class _Account(msgspec.Struct):
    account_id: str
    number: str


class _Line(msgspec.Struct):
    charge_code: str
    quantity: Decimal | None
    amount_fen: int


class _Invoice(msgspec.Struct):
    account_number: str
    lines: list[_Line]


class _Import(msgspec.Struct):
    import_id: str


class _Checked(msgspec.Struct):
    summary: _Import
    digest: str


class _Id(msgspec.Struct):
    number: str


def keep_books(cloud_port: int, site_id: str, months: list[str], today: date) -> int:
    """Take over the old books, hold deposits, ask one back; return how many rows and papers that made."""
    api = CloudApi(cloud_port)
    api.sign_in(_BOOKKEEPER, DEMO_PASSWORD)
    site = f"/api/v1/sites/{site_id}"
    accounts = list(api.pages(f"{site}/accounts", _Account))
    balances = [
        *(
            (
                accounts[at].number,
                "欠费",
                _months_before(months[0], ago),
                yuan,
                str(today - timedelta(days=due)),
            )
            for at, ago, yuan, due in _ARREARS
        ),
        *((accounts[at].number, "预存", _months_before(months[0], 1), yuan, "") for at, yuan in _PREPAID),
    ]
    _bring(api, site, "opening_balances", ("户号", "类型", "账期", "金额（元）", "到期日"), balances)
    former = _former_charges(api, months[-2:][0])
    _bring(api, site, "former_charges", ("户号", "账期", "项目", "金额（元）", "用量"), former)
    return len(balances) + len(former) + _hold_deposits(api, accounts, today)


def _former_charges(api: CloudApi, month: str) -> list[tuple[str, ...]]:
    """Return what the old system charged: what is charged here, but for a rounding and a misread meter."""
    rows: list[tuple[str, ...]] = []
    metered = 0
    for listed in api.pages("/api/v1/invoices", InvoiceSummary, period_code=month):
        invoice = api.get(f"/api/v1/invoices/{listed.invoice_id}", _Invoice)
        sums: dict[str, tuple[int, Decimal]] = {}
        for line in invoice.lines:
            fen, used = sums.get(line.charge_code, (0, Decimal(0)))
            sums[line.charge_code] = fen + line.amount_fen, used + (line.quantity or 0)
        for code, (fen, used) in sums.items():
            charged, quantity = fen, ""
            if code == _METERED:
                metered += 1
                misread = _MISREAD_KWH if metered == _MISREAD else 0
                charged += round(fen * misread / used) if misread else int(metered == _ROUNDED)
                quantity = str(used + misread)
            yuan = str(Decimal(charged).scaleb(-2))
            rows.append((invoice.account_number, month, code, yuan, quantity))
    return rows


def _hold_deposits(api: CloudApi, accounts: list[_Account], today: date) -> int:
    """Take deposits in, and ask for one to go back: somebody else has to agree to it."""
    for at, label in _DEPOSITS:
        own = f"/api/v1/accounts/{accounts[at].account_id}"
        taken = {
            "label": label,
            "method": "transfer",
            "amount_fen": _DEPOSIT_FEN[label],
            "received_on": str(today),
        }
        api.post(f"{own}/deposits", taken, _Id, key=f"deposit {at}")
    at, label = _DEPOSITS[1]
    asked = {
        "source": "deposit",
        "amount_fen": _DEPOSIT_FEN[label],
        "method": "transfer",
        "reason": "装修验收合格，退还押金",
    }
    api.post(f"/api/v1/accounts/{accounts[at].account_id}/refunds", asked, _Id, key=f"refund {at}")
    return len(_DEPOSITS) + 1


def _bring(
    api: CloudApi, site: str, kind: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    """Have a table checked, and carry out what was looked at."""
    table = "\n".join(",".join(cells) for cells in (head, *rows))
    checked = api.upload(f"{site}/imports/{kind}?name={kind}.csv", table.encode(), _Checked)
    api.post(
        f"/api/v1/imports/{checked.summary.import_id}/carry_out",
        {"digest": checked.digest},
        _Import,
        key=kind,
    )


def _months_before(month: str, count: int) -> str:
    first = date.fromisoformat(f"{month}-01")
    for _ in range(count):
        first = (first - timedelta(days=1)).replace(day=1)
    return f"{first:%Y-%m}"
