"""Orders: what somebody is about to pay through WeChat Pay or Alipay.

The invariant: an order is a question, never money. Money is a payment, recorded when the provider says,
signed, that it came; the provider's own number of it makes the same news twice one payment.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import AccountId, PaymentId, PaymentOrderId
from cloud.domain.payment import Method

# How long a code can be paid: long enough to find the phone, short enough that the amount still holds.
EXPIRES_AFTER_MS = 30 * 60_000
# What a provider's clock may differ from ours, and how old a callback may be (WeChat Pay's own advice).
CALLBACK_WINDOW_MS = 5 * 60_000
# Ten million fen: what one order of WeChat Pay may hold by default; a bill of a flat is far below.
AMOUNT_FEN_MAX = 10_000_000
ONLINE_METHODS = frozenset({Method.ALIPAY, Method.WECHAT})


class OrderState(Enum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """An order: for which account, how much, by whom it is carried, where it is paid and until when."""

    order_id: PaymentOrderId
    number: str
    account_id: AccountId
    method: Method
    amount_fen: int
    state: OrderState
    pay_url: str
    created_at_ms: int
    expires_at_ms: int
    payment_id: PaymentId | None


@dataclass(frozen=True, slots=True)
class Paid:
    """A provider's word, its signature checked, that an order was paid."""

    number: str
    provider_reference: str
    amount_fen: int
    paid_at_ms: int


def order_number(site_code: str, day: str, serial: int) -> str:
    """Return an order's number: DG20261123000001, letters and digits as both providers take them."""
    return f"{site_code}{day.replace('-', '')}{serial:06}"


def checked_order(method: Method, amount_fen: int) -> None:
    """Refuse an order no provider takes."""
    if method not in ONLINE_METHODS:
        raise Invalid(f"{method.value} is not paid online: record it at the desk")
    if not 0 < amount_fen <= AMOUNT_FEN_MAX:
        raise Invalid(f"an order is over 1 to {AMOUNT_FEN_MAX} fen, not {amount_fen}")


def check_paid(order: PaymentOrder, paid: Paid) -> None:
    """Refuse news of another amount than was asked for: somebody must look before money is booked."""
    if paid.amount_fen != order.amount_fen:
        raise Conflict(
            f"order {order.number} asks for {order.amount_fen} fen and {paid.amount_fen} fen were paid "
            f"({paid.provider_reference}); nothing was booked"
        )


def check_window(sent_at_ms: int, now_ms: int) -> None:
    """Refuse a callback that was not sent just now: an old one may be played again by anybody."""
    off_ms = abs(now_ms - sent_at_ms)
    if off_ms > CALLBACK_WINDOW_MS:
        raise Invalid(
            f"the callback was sent {off_ms // 1000} s off our time, at most {CALLBACK_WINDOW_MS // 1000}"
        )
