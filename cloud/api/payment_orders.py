"""Orders at payment providers: what is about to be paid online, and what became of it."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId
from cloud.domain.payment import Method
from cloud.domain.payment_order import AMOUNT_FEN_MAX, OrderState, PaymentOrder
from cloud.keys import DATABASE, PROVIDERS
from cloud.providers.ordering import place_order
from cloud.services import payment_orders


class NewPaymentOrder(Request, frozen=True, kw_only=True):
    """How much, and through whom: `wechat` or `alipay`. More than is owed becomes credit."""

    method: Method
    amount_fen: Annotated[int, Meta(ge=1, le=AMOUNT_FEN_MAX)]


class PaymentOrderView(View, frozen=True):
    """An order; `pay_url` is what its QR code holds, and what a phone opens."""

    number: str
    account_id: str
    method: Method
    amount_fen: int
    state: OrderState
    pay_url: str
    created_at_ms: int
    expires_at_ms: int
    payment_id: str | None


class PaymentOrdersView(View, frozen=True):
    """The newest orders, newest first."""

    items: tuple[PaymentOrderView, ...]


async def begin_order(call: Call[Nothing, NewPaymentOrder]) -> PaymentOrderView:
    """Ask for an amount through a provider; one still open for the same amount is returned again."""
    app, body = call.request.app, call.body
    order = await place_order(
        app[DATABASE],
        app[PROVIDERS],
        call.actor,
        AccountId(call.id("account_id")),
        body.method,
        body.amount_fen,
    )
    return _order_view(order)


async def list_orders(call: Call[Nothing, Nothing]) -> PaymentOrdersView:
    """List an account's newest orders."""
    found = await call.read(payment_orders.list_orders, AccountId(call.id("account_id")))
    return PaymentOrdersView(items=tuple(_order_view(order) for order in found))


def _order_view(order: PaymentOrder) -> PaymentOrderView:
    return view_of(order, PaymentOrderView)


_ORDERS = "/api/v1/accounts/{account_id}/payment_orders"

ROUTES = (
    Route("GET", _ORDERS, "List payment orders", Action.READ_OWN_ACCOUNTS, list_orders, PaymentOrdersView),
    Route(
        "POST",
        _ORDERS,
        "Pay online",
        Action.PAY_OWN_ACCOUNTS,
        begin_order,
        PaymentOrderView,
        body=NewPaymentOrder,
        status=201,
        description="Sent again, it is the same order as long as it can be paid.",
    ),
)
