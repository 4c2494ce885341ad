"""Money that came in: recording it for an account, and who owes something overdue.

The invariant: a form sent twice is one payment: it carries a word of its own, which is the payment's
reference where the person names none.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import mark
from cloud.console.typed import BadField, day_of, fen_of
from cloud.domain.dunning import DunningSchedule
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import AccountId
from cloud.domain.payment import FORM_REFERENCE, Method, Receipt
from cloud.domain.user import User
from cloud.services import dunning, payments
from cloud.services.dunning import ArrearsRow
from cloud.services.payments import OpenItem, Recorded
from cloud.store.db import Tx

METHOD_NAMES: Mapping[Method, str] = {
    Method.WECHAT: mark("WeChat Pay"),
    Method.ALIPAY: mark("Alipay"),
    Method.TRANSFER: mark("bank transfer"),
    Method.CARD: mark("card"),
    Method.CASH: mark("cash"),
}

_FIELDS = ("amount", "method", "received_on", "reference", "memo", "once")
_FIELD_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One payment in an account's list; `reference` only if a person gave it."""

    receipt: Receipt
    method: str
    reference: str


@dataclass(frozen=True, slots=True)
class PaymentsPart:
    """What an account's page shows of its payments: open invoices, receipts and the form."""

    items: tuple[OpenItem, ...]
    receipts: tuple[ReceiptRow, ...]
    methods: tuple[tuple[str, str], ...]
    typed: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def owed_fen(self) -> int:
        """Return all that is open, late fees included."""
        return sum(item.invoice.left_fen + item.late_fee_left_fen for item in self.items)


@dataclass(frozen=True, slots=True)
class ArrearsView:
    """Who owes something overdue, by age."""

    rows: Sequence[ArrearsRow]
    by_age_fen: tuple[int, ...]
    reminder_days: tuple[int, ...]
    typed_days: str
    error: str

    @property
    def total_fen(self) -> int:
        """Return all that is overdue."""
        return sum(self.by_age_fen)


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into the form, and what is wrong with it, by field."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


async def show_arrears(desk: Desk) -> web.StreamResponse:
    """Show who owes something overdue, the most first, and what is done about it."""
    return await _arrears(desk)


async def set_schedule(desk: Desk) -> web.StreamResponse:
    """Set on which days overdue the site reminds."""
    typed = str((await desk.request.post()).get("days", ""))[:_FIELD_LENGTH_MAX]
    try:
        days = tuple(
            int(part) for part in typed.replace("，", ",").replace("、", ",").split(",") if part.strip()
        )
        schedule = DunningSchedule(days)
    except (ValueError, Invalid):
        told = desk.language.gettext("These must be days in rising order, such as 3, 15, 30; not “%s”.")
        return await _arrears(desk, typed, told % typed, status=422)
    await desk.write(dunning.set_schedule, desk.site.site_id, schedule)
    return desk.go("/payments", "dunning-set", days=", ".join(map(str, days)) or "—")


async def remind(desk: Desk) -> web.StreamResponse:
    """Remind everybody who has reached a step, and nobody twice."""
    count = await desk.write(dunning.remind, desk.site.site_id)
    return desk.go("/payments", "dunning-done", count=str(count))


async def _arrears(desk: Desk, typed: str = "", error: str = "", status: int = 200) -> web.Response:
    rows = await desk.read(dunning.list_arrears, desk.site.site_id, desk.format.today)
    days = (await desk.read(dunning.get_schedule, desk.site.site_id)).days
    by_age = tuple(sum(row.arrears.by_age_fen[age] for row in rows) for age in range(4))
    view = ArrearsView(rows, by_age, days, typed or ", ".join(map(str, days)), error)
    return await desk.page("payments/arrears.html", status=status, view=view)


def payments_part(tx: Tx, actor: User, account_id: AccountId, fmt: Format, typed: Typed) -> PaymentsPart:
    """Return what an account's page shows of its payments."""
    gettext = fmt.language.gettext
    items = tuple(payments.open_items(tx, actor, account_id, fmt.today))
    receipts = tuple(
        ReceiptRow(receipt, gettext(METHOD_NAMES[receipt.method]), _given(receipt))
        for receipt in payments.list_payments(tx, actor, account_id)
    )
    methods = tuple((method.value, gettext(name)) for method, name in METHOD_NAMES.items())
    part = PaymentsPart(items, receipts, methods, typed.values, typed.errors)
    if typed.values:
        return part
    fresh = {
        "amount": f"{Decimal(part.owed_fen) / 100:.2f}" if part.owed_fen > 0 else "",
        "method": Method.WECHAT.value,
        "received_on": fmt.today.isoformat(),
        "reference": "",
        "memo": "",
        "once": FORM_REFERENCE + secrets.token_hex(8),
    }
    return PaymentsPart(items, receipts, methods, fresh, {})


async def typed_values(desk: Desk) -> Mapping[str, str]:
    """Return what was sent with the form."""
    form = await desk.request.post()
    return {name: str(form.get(name, "")).strip()[:_FIELD_LENGTH_MAX] for name in _FIELDS}


def record(tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format) -> Recorded:
    """Record what was typed; BadField says which field does not fit."""
    gettext = fmt.language.gettext
    received_on = day_of(typed["received_on"], fmt, "received_on")
    if received_on > fmt.today:
        raise BadField("received_on", gettext("Money cannot have come in after today."))
    try:
        method = Method(typed["method"])
    except ValueError as error:
        raise BadField("method", gettext("Choose how the money came in.")) from error
    amount_fen = fen_of(typed["amount"], fmt)
    once = typed["once"] if typed["once"].startswith(FORM_REFERENCE) else None
    try:
        return payments.record_payment(
            tx,
            actor,
            account_id,
            method,
            amount_fen,
            received_on,
            provider_reference=typed["reference"] or once,
            memo=typed["memo"],
        )
    except (Conflict, Invalid) as error:
        raise BadField("", str(error)) from error


def _given(receipt: Receipt) -> str:
    reference = receipt.provider_reference or ""
    return "" if reference.startswith(FORM_REFERENCE) else reference
