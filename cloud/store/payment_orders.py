"""Orders at payment providers."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, PaymentId, PaymentOrderId, UserId
from cloud.domain.payment import Method
from cloud.domain.payment_order import OrderState, PaymentOrder
from cloud.store.db import Tx
from cloud.store.schema import payment_order

_O = payment_order.c


def insert_order(tx: Tx, order: PaymentOrder, created_by: UserId | None) -> None:
    """Write an order down before the provider hears of it."""
    # Add one order.
    tx.conn.execute(
        tx.insert(payment_order).values(
            tenant_id=tx.tenant_id,
            id=order.order_id,
            number=order.number,
            account_id=order.account_id,
            method=order.method.value,
            amount_fen=order.amount_fen,
            state=order.state.value,
            pay_url=order.pay_url,
            created_by=created_by,
            created_at_ms=order.created_at_ms,
            expires_at_ms=order.expires_at_ms,
        )
    )


def find_order(tx: Tx, number: str, *, is_locked: bool = False) -> PaymentOrder | None:
    """Return the order of a number, or None. Locked, it stays as it is until the transaction ends."""
    query = _select(tx).where(_O.number == number)
    # Which order is this? Two callbacks at once wait for each other.
    row = tx.conn.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _order_from_row(row)


def open_order_of(tx: Tx, account_id: AccountId, method: Method, amount_fen: int) -> PaymentOrder | None:
    """Return an account's order over that amount that can still be paid, or None."""
    # Has this been asked for already?
    query = _select(tx).where(
        _O.account_id == account_id,
        _O.method == method.value,
        _O.amount_fen == amount_fen,
        _O.state == OrderState.OPEN.value,
        _O.expires_at_ms > tx.now_ms,
        _O.pay_url != "",
    )
    row = tx.conn.execute(query.order_by(_O.id.desc()).limit(1)).one_or_none()
    return None if row is None else _order_from_row(row)


def open_orders(tx: Tx, created_before_ms: int, limit: int) -> list[PaymentOrder]:
    """Return orders nobody has said anything about for a while, oldest first."""
    # Which orders may have been paid without our hearing of it?
    query = _select(tx).where(_O.state == OrderState.OPEN.value, _O.created_at_ms <= created_before_ms)
    return [_order_from_row(row) for row in tx.conn.execute(query.order_by(_O.id).limit(limit))]


def orders_of(tx: Tx, account_ids: Sequence[AccountId], limit: int) -> list[PaymentOrder]:
    """Return accounts' orders, newest first."""
    # What has been asked for here?
    query = _select(tx).where(_O.account_id.in_(account_ids)).order_by(_O.id.desc()).limit(limit)
    return [_order_from_row(row) for row in tx.conn.execute(query)]


def set_pay_url(tx: Tx, order_id: PaymentOrderId, pay_url: str) -> None:
    """Note where the order is paid."""
    _update(tx, order_id, {"pay_url": pay_url})


def set_paid(tx: Tx, order_id: PaymentOrderId, payment_id: PaymentId) -> None:
    """Note which payment answered the order."""
    _update(tx, order_id, {"state": OrderState.PAID.value, "payment_id": payment_id})


def set_expired(tx: Tx, order_id: PaymentOrderId) -> None:
    """Note that an order can no longer be paid, once its time is over."""
    # Is its time over, and nobody has paid?
    tx.conn.execute(
        sa.update(payment_order)
        .where(
            _O.tenant_id == tx.tenant_id,
            _O.id == order_id,
            _O.state == OrderState.OPEN.value,
            _O.expires_at_ms <= tx.now_ms,
        )
        .values(state=OrderState.EXPIRED.value)
    )


def _update(tx: Tx, order_id: PaymentOrderId, values: dict[str, Any]) -> None:
    # What became of this order? One that was paid stays so.
    tx.conn.execute(
        sa.update(payment_order)
        .where(_O.tenant_id == tx.tenant_id, _O.id == order_id, _O.state != OrderState.PAID.value)
        .values(**values)
    )


def _select(tx: Tx) -> sa.Select[Any]:
    return sa.select(
        _O.id, _O.number, _O.account_id, _O.method, _O.amount_fen, _O.state, _O.pay_url,
        _O.created_at_ms, _O.expires_at_ms, _O.payment_id,
    ).where(_O.tenant_id == tx.tenant_id)  # fmt: skip


def _order_from_row(row: Any) -> PaymentOrder:
    return PaymentOrder(
        PaymentOrderId(row.id),
        row.number,
        AccountId(row.account_id),
        Method(row.method),
        row.amount_fen,
        OrderState(row.state),
        row.pay_url,
        row.created_at_ms,
        row.expires_at_ms,
        None if row.payment_id is None else PaymentId(row.payment_id),
    )
