"""Money that goes back, money that is held, and what was counted at the end of a day."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.payments import AMOUNT_FEN_MAX, DayQuery
from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, RefundId, SiteId
from cloud.domain.payment import Method
from cloud.domain.refund import Deposit, Refund, RefundSource, RefundState
from cloud.services import day_close, deposits, refunds
from cloud.services.day_close import DayOfMethod

Amount = Annotated[int, Meta(ge=1, le=AMOUNT_FEN_MAX)]
Reason = Annotated[str, Meta(min_length=1, max_length=200)]


class NewRefund(Request, frozen=True, kw_only=True):
    """What is to go back, `credit` or `deposit`; WeChat Pay and Alipay by the order it came with."""

    source: RefundSource
    amount_fen: Amount
    method: Method
    reason: Reason
    order_number: Annotated[str, Meta(min_length=1, max_length=40)] | None = None


class NewDeposit(Request, frozen=True, kw_only=True):
    """Money that is only held, and what for."""

    label: Annotated[str, Meta(min_length=1, max_length=60)]
    method: Method
    amount_fen: Amount
    received_on: date


class UsedDeposit(Request, frozen=True, kw_only=True):
    """How much of a deposit becomes credit, and why."""

    amount_fen: Amount
    reason: Reason


class CountedDay(Request, frozen=True, kw_only=True):
    """What was counted; a difference to what is recorded needs a note."""

    on: date
    method: Method
    counted_fen: Annotated[int, Meta(ge=-AMOUNT_FEN_MAX, le=AMOUNT_FEN_MAX)]
    note: Annotated[str, Meta(max_length=200)] = ""


class RefundView(View, frozen=True):
    """A refund, who asked for it and who decided."""

    refund_id: str
    number: str
    account_id: str
    source: RefundSource
    amount_fen: int
    method: Method
    order_number: str | None
    reason: str
    state: RefundState
    requested_by: str | None
    requested_at_ms: int
    decided_by: str | None
    decided_at_ms: int | None


class RefundsView(View, frozen=True):
    """Refunds, newest first."""

    items: tuple[RefundView, ...]


class DepositView(View, frozen=True):
    """A deposit as it came in."""

    deposit_id: str
    number: str
    account_id: str
    label: str
    method: Method
    amount_fen: int
    received_on: date
    recorded_at_ms: int


class DepositsView(View, frozen=True):
    """An account's deposits, newest first, and what of them is still held."""

    items: tuple[DepositView, ...]
    held_fen: int


class UsedView(View, frozen=True):
    """How much was used for invoices at once; the rest is credit."""

    used_fen: int


class DayOfMethodView(View, frozen=True):
    """One way money comes in on one day: recorded, counted, and what was recorded when it was counted."""

    method: Method
    recorded_fen: int
    recorded_then_fen: int | None
    counted_fen: int | None
    difference_fen: int | None
    note: str
    closed_at_ms: int | None


class DayView(View, frozen=True):
    """A cashier's day."""

    items: tuple[DayOfMethodView, ...]


async def request_refund(call: Call[Nothing, NewRefund]) -> web.Response:
    """Ask for money to go back."""
    body = call.body
    return await call.create(
        _refund_view,
        refunds.request_refund,
        AccountId(call.id("account_id")),
        body.source,
        body.amount_fen,
        body.method,
        body.reason,
        body.order_number,
    )


async def get_refund(call: Call[Nothing, Nothing]) -> RefundView:
    """Show a refund."""
    return _refund_view(await call.read(refunds.get_refund, RefundId(call.id("refund_id"))))


async def approve_refund(call: Call[Nothing, Nothing]) -> web.Response:
    """Approve what somebody else asked for."""
    refund_id = RefundId(call.id("refund_id"))
    return await call.change(_refund_view, refunds.get_refund, refunds.approve, refund_id)


async def refuse_refund(call: Call[Nothing, Nothing]) -> web.Response:
    """Refuse what somebody else asked for."""
    refund_id = RefundId(call.id("refund_id"))
    return await call.change(_refund_view, refunds.get_refund, refunds.refuse, refund_id)


async def list_refunds(call: Call[Nothing, Nothing]) -> RefundsView:
    """List a site's refunds, newest first."""
    found = await call.read(refunds.list_refunds, SiteId(call.id("site_id")))
    return RefundsView(items=tuple(_refund_view(one) for one in found))


async def take_deposit(call: Call[Nothing, NewDeposit]) -> web.Response:
    """Record money that is only held."""
    body = call.body
    return await call.create(
        _deposit_view,
        deposits.take_deposit,
        AccountId(call.id("account_id")),
        body.label,
        body.method,
        body.amount_fen,
        body.received_on,
    )


async def list_deposits(call: Call[Nothing, Nothing]) -> DepositsView:
    """List an account's deposits."""
    account_id = AccountId(call.id("account_id"))
    found = await call.read(deposits.list_deposits, account_id)
    held_fen = await call.read(deposits.held, account_id)
    return DepositsView(items=tuple(_deposit_view(one) for one in found), held_fen=held_fen)


async def use_deposit(call: Call[Nothing, UsedDeposit]) -> web.Response:
    """Turn a deposit into credit and use it for what is owed."""
    body = call.body
    return await call.create(
        _used_view,
        deposits.use_deposit,
        AccountId(call.id("account_id")),
        body.amount_fen,
        body.reason,
    )


async def show_day(call: Call[DayQuery, Nothing]) -> DayView:
    """Show what was taken on a day, by the way it came, and what was counted."""
    found = await call.read(day_close.day_of, SiteId(call.id("site_id")), call.query.as_of)
    return DayView(items=tuple(_day_view(one) for one in found))


async def close_day(call: Call[Nothing, CountedDay]) -> DayOfMethodView:
    """Write down what was counted."""
    body = call.body
    row = await call.write(
        day_close.close_day, SiteId(call.id("site_id")), body.on, body.method, body.counted_fen, body.note
    )
    return _day_view(row)


def _refund_view(one: Refund) -> RefundView:
    return view_of(one, RefundView)


def _deposit_view(one: Deposit) -> DepositView:
    return view_of(one, DepositView)


def _used_view(used_fen: int) -> UsedView:
    return UsedView(used_fen=used_fen)


def _day_view(one: DayOfMethod) -> DayOfMethodView:
    return view_of(one, DayOfMethodView, difference_fen=one.difference_fen)


_ACCOUNT, _SITE, _REFUND = (
    "/api/v1/accounts/{account_id}",
    "/api/v1/sites/{site_id}",
    "/api/v1/refunds/{refund_id}",
)

ROUTES = (
    Route(
        "POST",
        _ACCOUNT + "/refunds",
        "Ask for a refund",
        Action.RECORD_PAYMENTS,
        request_refund,
        RefundView,
        body=NewRefund,
        status=201,
        creates=True,
        needs_key=True,
        description="Somebody else approves it; only then is anything booked.",
    ),
    Route("GET", _SITE + "/refunds", "List refunds", Action.READ_LEDGER, list_refunds, RefundsView),
    Route("GET", _REFUND, "Show a refund", Action.READ_LEDGER, get_refund, RefundView),
    Route(
        "POST",
        _REFUND + "/approval",
        "Approve a refund",
        Action.APPROVE_REFUNDS,
        approve_refund,
        RefundView,
        is_guarded=True,
    ),
    Route(
        "POST",
        _REFUND + "/refusal",
        "Refuse a refund",
        Action.APPROVE_REFUNDS,
        refuse_refund,
        RefundView,
        is_guarded=True,
    ),
    Route(
        "POST",
        _ACCOUNT + "/deposits",
        "Take a deposit",
        Action.RECORD_PAYMENTS,
        take_deposit,
        DepositView,
        body=NewDeposit,
        status=201,
        creates=True,
        needs_key=True,
    ),
    Route(
        "GET", _ACCOUNT + "/deposits", "List deposits", Action.READ_OWN_ACCOUNTS, list_deposits, DepositsView
    ),
    Route(
        "POST",
        _ACCOUNT + "/deposits/use",
        "Use a deposit",
        Action.RECORD_PAYMENTS,
        use_deposit,
        UsedView,
        body=UsedDeposit,
        status=201,
        creates=True,
        needs_key=True,
    ),
    Route(
        "GET",
        _SITE + "/day_closes",
        "Show a cashier's day",
        Action.READ_LEDGER,
        show_day,
        DayView,
        query=DayQuery,
    ),
    Route(
        "POST",
        _SITE + "/day_closes",
        "Close a cashier's day",
        Action.RECORD_PAYMENTS,
        close_day,
        DayOfMethodView,
        body=CountedDay,
    ),
)
