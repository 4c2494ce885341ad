"""Money that came in, what it was used for, and what is still owed."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta, to_builtins

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.correction import PaymentState
from cloud.domain.ids import AccountId, InvoiceId, PaymentId, SiteId
from cloud.domain.payment import Method, Receipt, Use, late_fee_rule_from_json
from cloud.services import payments
from cloud.services.payments import OpenItem, Recorded
from cloud.store.payments import Arrears

# A hundred million yuan: more than any property takes at once, and far below what the column holds.
AMOUNT_FEN_MAX = 10_000_000_000


# A share written exactly: "0.001", "1/300".
Share = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?(/[1-9][0-9]{0,8})?$")]


class NewPayment(Request, frozen=True, kw_only=True):
    """Money that came in. `designated` invoices are paid first, the rest by Civil Code 560 and 561.

    `provider_reference` is the transfer's own number: known already, it is the same payment.
    """

    method: Method
    amount_fen: Annotated[int, Meta(ge=1, le=AMOUNT_FEN_MAX)]
    received_on: date
    provider_reference: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    memo: Annotated[str, Meta(max_length=200)] = ""
    designated: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()


class Reversal(Request, frozen=True, kw_only=True):
    """Why a payment is taken back."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class DayQuery(Request, frozen=True, kw_only=True):
    """As of which local day."""

    as_of: date


class ArrearsQuery(PageQuery, frozen=True, kw_only=True):
    """As of which local day."""

    as_of: date


class LateFeeStep(Request, frozen=True, kw_only=True):
    """From which day overdue which share of what is owed is added a day."""

    from_day: Annotated[int, Meta(ge=1, le=36_500)]
    daily_rate: Share


class NewLateFeeRule(Request, frozen=True, kw_only=True):
    """A rule for what falls due from `from_on`: its steps, the least it charges, and its cap as a share."""

    from_on: date
    steps: Annotated[tuple[LateFeeStep, ...], Meta(min_length=1, max_length=20)]
    next_year_rate: Share | None = None
    cap: Share | None = None
    minimum_fen: Annotated[int, Meta(ge=0, le=AMOUNT_FEN_MAX)] = 0


class ReceiptView(View, frozen=True):
    """A payment as recorded; a negative one takes back the one it names."""

    payment_id: str
    number: str
    account_id: str
    method: Method
    amount_fen: int
    received_on: date
    provider_reference: str | None
    reverses_id: str | None
    memo: str
    recorded_at_ms: int


class UseView(View, frozen=True):
    """What of a payment went to one invoice."""

    invoice_id: str
    principal_fen: int
    late_fee_fen: int
    allocated_on: date


class RecordedView(View, frozen=True):
    """A payment, what it was used for, and what of it became credit."""

    receipt: ReceiptView
    uses: tuple[UseView, ...]
    credit_fen: int


class ReceiptsView(View, frozen=True):
    """Payments, newest first."""

    items: tuple[ReceiptView, ...]


class OpenItemView(View, frozen=True):
    """An invoice that is not paid in full, with its late fee as of the day asked for."""

    invoice_id: str
    number: str
    due_on: date
    state: PaymentState
    total_fen: int
    paid_fen: int
    left_fen: int
    days_overdue: int
    late_fee_fen: int
    late_fee_left_fen: int


class OpenItemsView(View, frozen=True):
    """What an account has to pay, first due first."""

    items: tuple[OpenItemView, ...]


class ArrearsView(View, frozen=True):
    """What an account owes that is overdue, by age in days."""

    account_id: str
    account_number: str
    holder_name: str
    space_code: str
    oldest_due_on: date
    invoice_count: int
    days_1_to_30_fen: int
    days_31_to_60_fen: int
    days_61_to_90_fen: int
    older_fen: int
    total_fen: int


async def record_payment(call: Call[Nothing, NewPayment]) -> web.Response:
    """Record money that came in and use it for what is owed."""
    body = call.body
    return await call.create(
        _recorded_view,
        payments.record_payment,
        AccountId(call.id("account_id")),
        body.method,
        body.amount_fen,
        body.received_on,
        provider_reference=body.provider_reference,
        memo=body.memo,
        designated=[InvoiceId(invoice_id) for invoice_id in body.designated],
    )


async def list_payments(call: Call[Nothing, Nothing]) -> ReceiptsView:
    """List an account's payments, newest first."""
    found = await call.read(payments.list_payments, AccountId(call.id("account_id")))
    return ReceiptsView(items=tuple(_receipt_view(receipt) for receipt in found))


async def reverse_payment(call: Call[Nothing, Reversal]) -> web.Response:
    """Take back a payment that never arrived; its invoices are open again."""
    payment_id = PaymentId(call.id("payment_id"))
    return await call.create(_receipt_view, payments.reverse_payment, payment_id, call.body.reason)


async def list_open_items(call: Call[DayQuery, Nothing]) -> OpenItemsView:
    """List what an account has to pay, first due first."""
    account_id = AccountId(call.id("account_id"))
    found = await call.read(payments.open_items, account_id, call.query.as_of)
    return OpenItemsView(items=tuple(_open_item_view(item) for item in found))


async def list_arrears(call: Call[ArrearsQuery, Nothing]) -> Page[ArrearsView]:
    """List who owes something overdue, by account number."""
    found = await call.read(payments.list_arrears, SiteId(call.id("site_id")), call.query.as_of)
    return cut(found, call.query, lambda one: one.account_number, _arrears_view)


async def set_late_fee_rule(call: Call[Nothing, NewLateFeeRule]) -> None:
    """Let a rule hold for what falls due from a day on."""
    document = to_builtins(call.body)
    from_on = document.pop("from_on")
    rule = late_fee_rule_from_json(document)
    await call.write(
        payments.set_late_fee_rule, SiteId(call.id("site_id")), date.fromisoformat(from_on), rule
    )


def _receipt_view(receipt: Receipt) -> ReceiptView:
    return view_of(receipt, ReceiptView)


def _recorded_view(recorded: Recorded) -> RecordedView:
    return view_of(
        recorded,
        RecordedView,
        receipt=_receipt_view(recorded.receipt),
        uses=tuple(_use_view(use) for use in recorded.uses),
    )


def _use_view(use: Use) -> UseView:
    return view_of(use, UseView)


def _open_item_view(item: OpenItem) -> OpenItemView:
    fee = item.late_fee
    return view_of(
        item.invoice,
        OpenItemView,
        days_overdue=0 if fee is None else fee.days_overdue,
        late_fee_fen=0 if fee is None else fee.fee_fen,
        late_fee_left_fen=item.late_fee_left_fen,
    )


def _arrears_view(one: Arrears) -> ArrearsView:
    first, second, third, older = one.by_age_fen
    return view_of(
        one,
        ArrearsView,
        days_1_to_30_fen=first,
        days_31_to_60_fen=second,
        days_61_to_90_fen=third,
        older_fen=older,
    )


_ACCOUNT, _SITE = "/api/v1/accounts/{account_id}", "/api/v1/sites/{site_id}"

ROUTES = (
    Route(
        "POST",
        _ACCOUNT + "/payments",
        "Record a payment",
        Action.RECORD_PAYMENTS,
        record_payment,
        RecordedView,
        body=NewPayment,
        status=201,
        creates=True,
        needs_key=True,
        description="What is not used for invoices becomes credit and clears the next one by itself.",
    ),
    Route(
        "GET",
        _ACCOUNT + "/payments",
        "List an account's payments",
        Action.READ_OWN_ACCOUNTS,
        list_payments,
        ReceiptsView,
    ),
    Route(
        "POST",
        "/api/v1/payments/{payment_id}/reversal",
        "Take a payment back",
        Action.RECORD_PAYMENTS,
        reverse_payment,
        ReceiptView,
        body=Reversal,
        status=201,
        creates=True,
        needs_key=True,
    ),
    Route(
        "GET",
        _ACCOUNT + "/open_items",
        "List what an account has to pay",
        Action.READ_OWN_ACCOUNTS,
        list_open_items,
        OpenItemsView,
        query=DayQuery,
    ),
    Route(
        "GET",
        _SITE + "/arrears",
        "List who owes something overdue",
        Action.READ_LEDGER,
        list_arrears,
        Page[ArrearsView],
        query=ArrearsQuery,
    ),
    Route(
        "POST",
        _SITE + "/late_fee_rules",
        "Set a late-fee rule",
        Action.MANAGE_TARIFFS,
        set_late_fee_rule,
        None,
        body=NewLateFeeRule,
        description="For what falls due from a day on; what fell due before keeps its own rule.",
    ),
)
