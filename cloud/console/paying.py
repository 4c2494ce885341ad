"""A resident pays: what is owed, how much of it now, and through whom; then the provider's code.

The invariant: the page asks and shows; that money came is known from the provider alone. Sent twice, the
form is one order.
"""

from dataclasses import dataclass
from decimal import Decimal

import segno
from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.payments import METHOD_NAMES
from cloud.console.typed import BadField, fen_of
from cloud.domain.errors import NotFound, Unavailable
from cloud.domain.payment import Method
from cloud.domain.payment_order import OrderState, PaymentOrder
from cloud.domain.people import Account
from cloud.domain.user import User
from cloud.keys import DATABASE, PROVIDERS
from cloud.providers.ordering import place_order
from cloud.services import payment_orders, payments, premises
from cloud.services.payments import OpenItem
from cloud.store.db import Tx

# Modules of the code as a picture of its own coordinates; the page gives it its size.
_QR_BORDER = 2


@dataclass(frozen=True, slots=True)
class PayView:
    """What an account owes, and the form."""

    account: Account
    accounts: tuple[Account, ...]
    items: tuple[OpenItem, ...]
    methods: tuple[tuple[str, str], ...]
    amount: str
    error: str

    @property
    def owed_fen(self) -> int:
        """Return all that is open, late fees included."""
        return sum(item.invoice.left_fen + item.late_fee_left_fen for item in self.items)


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order, where it is paid, and its code as the path of a picture `side` units wide."""

    order: PaymentOrder
    account: Account
    method: str
    path: str
    side: int
    is_over: bool


async def show(desk: Desk) -> web.StreamResponse:
    """Show what is owed and the form, or an order with its code."""
    number = desk.request.query.get("order", "")
    if not number:
        return await _form(desk, "", "")
    view = await desk.read(_order, number, desk.format)
    if desk.is_partial:
        # Once it is settled either way there is nothing more to ask for: htmx stops polling at 286.
        answer = desk.part("home/order.html", view=view)
        if view.order.state is not OrderState.OPEN or view.is_over:
            answer.set_status(286)
        return answer
    return await desk.page("home/pay_order.html", tab="/home", view=view)


async def submit(desk: Desk) -> web.StreamResponse:
    """Place the order at its provider and show its code."""
    form = await desk.request.post()
    typed = str(form.get("amount", "")).strip()
    gettext = desk.language.gettext
    account = await desk.read(_own, str(form.get("account", "")))
    try:
        method = Method(str(form.get("method", "")))
        fen = fen_of(typed, desk.format)
        order = await place_order(
            desk.request.app[DATABASE],
            desk.request.app[PROVIDERS],
            desk.actor,
            account.account_id,
            method,
            fen,
        )
    except BadField as error:
        return await _form(desk, typed, str(error), status=422)
    except Unavailable:
        told = gettext("The provider does not answer just now. Try again, or pay at the desk.")
        return await _form(desk, typed, told, status=503)
    return desk.go(f"/home/pay?order={order.number}")


async def _form(desk: Desk, typed: str, error: str, status: int = 200) -> web.Response:
    gettext = desk.language.gettext
    methods = tuple((one.value, gettext(METHOD_NAMES[one])) for one in desk.request.app[PROVIDERS])
    number = desk.request.query.get("account", "")
    view = await desk.read(_pay, number, methods, typed, error, desk.format)
    return await desk.page("home/pay.html", status=status, tab="/home", view=view)


def _pay(
    tx: Tx,
    actor: User,
    number: str,
    methods: tuple[tuple[str, str], ...],
    typed: str,
    error: str,
    fmt: Format,
) -> PayView:
    account = _own(tx, actor, number)
    items = tuple(payments.open_items(tx, actor, account.account_id, fmt.today))
    view = PayView(account, tuple(premises.billed_accounts(tx, actor)), items, methods, typed, error)
    if typed or not view.owed_fen:
        return view
    owed = f"{Decimal(view.owed_fen) / 100:.2f}"
    return PayView(account, view.accounts, items, methods, owed, error)


def _own(tx: Tx, actor: User, number: str) -> Account:
    accounts = premises.billed_accounts(tx, actor)
    if not accounts:
        raise NotFound("no home is tied to this login: ask the property office")
    return next((one for one in accounts if one.number == number), accounts[0])


def _order(tx: Tx, actor: User, number: str, fmt: Format) -> OrderView:
    order = payment_orders.find_order(tx, actor, number)
    account, _ = premises.get_account(tx, actor, order.account_id)
    path, side = _code(order.pay_url) if order.pay_url else ("", 0)
    is_over = order.state is OrderState.EXPIRED or order.expires_at_ms <= fmt.now_ms
    return OrderView(order, account, fmt.language.gettext(METHOD_NAMES[order.method]), path, side, is_over)


def _code(address: str) -> tuple[str, int]:
    """Return a QR code as an SVG path of one square a dark module, and its side with a quiet border."""
    code = segno.make(address, error="m", micro=False)
    rows = list(code.matrix_iter(scale=1, border=_QR_BORDER))
    squares = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark]
    return "".join(squares), len(rows)
