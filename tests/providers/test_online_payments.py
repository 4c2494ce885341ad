"""Money that comes through WeChat Pay and Alipay: real signatures, booked once, whatever the network does."""

import asyncio
import dataclasses
from typing import Any

import pytest

from cloud import order_watch
from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import Unavailable
from cloud.domain.payment import Method
from cloud.domain.payment_order import OrderState, PaymentOrder
from cloud.domain.user import Role as UserRole
from cloud.keys import PROVIDERS
from cloud.order_watch import OrderWatch
from cloud.providers.ordering import place_order
from cloud.providers.provider import ProviderFault
from cloud.services import ledger, payment_orders, payments
from simulator.cashier import Callback, Cashier
from tests.providers.conftest import SYSTEM, Shop

BOTH = pytest.mark.parametrize("method", [Method.WECHAT, Method.ALIPAY])


async def placed(shop: Shop, method: Method, amount_fen: int = 5_000) -> PaymentOrder:
    return await place_order(
        shop.cloud.database, shop.cloud.app[PROVIDERS], SYSTEM, shop.account_id, method, amount_fen
    )


async def tell(shop: Shop, method: Method, callback: Callback) -> int:
    """Send a callback to the cloud under test, wherever it was addressed to."""
    url = f"{shop.cloud.url}/provider/{method.value}/callback"
    return await shop.cashier.tell(dataclasses.replace(callback, url=url))


async def received(shop: Shop) -> list[tuple[Method, int]]:
    found = await shop.cloud.database.read(DEFAULT_TENANT, payments.list_payments, SYSTEM, shop.account_id)
    return [(one.method, one.amount_fen) for one in found]


@BOTH
async def test_an_order_that_is_paid_becomes_a_payment(shop: Shop, method: Method) -> None:
    order = await placed(shop, method)
    shop.cashier.pay(order.number)

    status = await tell(shop, method, shop.cashier.callback(order.number))

    assert order.pay_url == f"{shop.cashier.origin}/pay/{order.number}"
    assert status == 200
    assert await received(shop) == [(method, 5_000)]
    found = await shop.cloud.database.read(DEFAULT_TENANT, payment_orders.find_order, SYSTEM, order.number)
    assert found.state is OrderState.PAID
    trial = await shop.cloud.database.read(DEFAULT_TENANT, ledger.trial_balance, SYSTEM)
    assert (trial.total_fen, trial.balances["bank"]) == (0, 5_000)


@BOTH
async def test_a_storm_of_callbacks_is_one_payment(shop: Shop, method: Method) -> None:
    order = await placed(shop, method)
    shop.cashier.pay(order.number)

    async with asyncio.TaskGroup() as group:
        told = [group.create_task(tell(shop, method, shop.cashier.callback(order.number))) for _ in range(20)]

    assert {task.result() for task in told} == {200}
    assert await received(shop) == [(method, 5_000)]


@BOTH
async def test_a_callback_played_again_later_is_refused(shop: Shop, method: Method) -> None:
    order = await placed(shop, method)
    shop.cashier.pay(order.number)
    old = shop.cashier.callback(order.number)
    shop.cloud.clock.now_ms += 5 * 60_000 + 1_000

    status = await tell(shop, method, old)

    assert status == 400
    assert await received(shop) == []


@BOTH
async def test_a_callback_somebody_else_signed_is_refused(shop: Shop, method: Method) -> None:
    order = await placed(shop, method)
    stranger = Cashier(shop.cloud.clock)
    stranger.orders = shop.cashier.orders
    stranger.pay(order.number)

    status = await tell(shop, method, stranger.callback(order.number))

    assert status == 400
    assert await received(shop) == []


@BOTH
async def test_a_callback_whose_body_was_changed_is_refused(shop: Shop, method: Method) -> None:
    order = await placed(shop, method)
    shop.cashier.pay(order.number)
    sent = shop.cashier.callback(order.number)
    changed = dataclasses.replace(sent, body=sent.body.replace(b"SUCCESS", b"SUCCESs", 1))

    status = await tell(shop, method, changed)

    assert changed.body != sent.body
    assert status == 400
    assert await received(shop) == []


@BOTH
async def test_another_amount_than_was_asked_for_books_nothing_and_tells_somebody(
    shop: Shop, method: Method, caplog: pytest.LogCaptureFixture
) -> None:
    order = await placed(shop, method)
    shop.cashier.pay(order.number)

    status = await tell(shop, method, shop.cashier.callback(order.number, amount_fen=1))

    assert status == 400
    assert await received(shop) == []
    assert "a payment a provider tells of was not booked" in caplog.text


@BOTH
async def test_a_payment_whose_callback_was_lost_is_asked_for(
    shop: Shop, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_watch, "LOOK_EVERY_S", 0.05)
    order = await placed(shop, method)
    shop.cashier.pay(order.number)
    shop.cloud.clock.now_ms += payment_orders.ASKED_AFTER_MS
    watch = asyncio.create_task(OrderWatch(shop.cloud.database, shop.cloud.app[PROVIDERS]).run())

    async with asyncio.timeout(20):
        while not await received(shop):
            await asyncio.sleep(0.05)
    watch.cancel()

    assert await received(shop) == [(method, 5_000)]
    assert await tell(shop, method, shop.cashier.callback(order.number)) == 200
    assert await received(shop) == [(method, 5_000)]


@BOTH
async def test_an_order_nobody_pays_is_forgotten_after_its_time(
    shop: Shop, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_watch, "LOOK_EVERY_S", 0.05)
    order = await placed(shop, method)
    shop.cloud.clock.now_ms = order.expires_at_ms
    watch = asyncio.create_task(OrderWatch(shop.cloud.database, shop.cloud.app[PROVIDERS]).run())

    async with asyncio.timeout(20):
        while True:
            found = await shop.cloud.database.read(
                DEFAULT_TENANT, payment_orders.find_order, SYSTEM, order.number
            )
            if found.state is OrderState.EXPIRED:
                break
            await asyncio.sleep(0.05)
    watch.cancel()

    shop.cashier.pay(order.number)  # too late, and yet it is money
    assert await tell(shop, method, shop.cashier.callback(order.number)) == 200
    assert await received(shop) == [(method, 5_000)]


@BOTH
async def test_the_same_amount_asked_for_twice_is_one_order(shop: Shop, method: Method) -> None:
    first = await placed(shop, method)
    again = await placed(shop, method)
    other = await placed(shop, method, 6_000)

    assert again.number == first.number
    assert other.number != first.number


@BOTH
async def test_money_goes_back_once_for_one_refund_number(shop: Shop, method: Method) -> None:
    order = await placed(shop, method)
    shop.cashier.pay(order.number)
    provider = shop.cloud.app[PROVIDERS][method]

    for _ in range(2):
        await asyncio.to_thread(provider.refund, order, "R1", 2_000, "moved out")

    assert shop.cashier.orders[order.number].refunds == {"R1": 2_000}


async def test_a_provider_that_cannot_be_reached_is_said_so(shop: Shop) -> None:
    provider: Any = shop.cloud.app[PROVIDERS][Method.WECHAT]
    provider._client._core._gate_way = "http://127.0.0.1:1"

    with pytest.raises(Unavailable, match="pay at the desk"):
        await placed(shop, Method.WECHAT)
    with pytest.raises(ProviderFault, match="does not answer"):
        await asyncio.to_thread(provider.look_up, "DG1")


async def test_a_provider_asked_about_an_order_it_does_not_know(shop: Shop) -> None:
    for provider in shop.cloud.app[PROVIDERS].values():
        assert await asyncio.to_thread(provider.look_up, "DG20990101000001") is None


async def test_a_resident_pays_the_own_account_and_no_other(shop: Shop) -> None:
    resident = await shop.cloud.add_user("r", UserRole.RESIDENT, (shop.account_id,))
    token = await shop.cloud.token_of(resident)
    path = f"/api/v1/accounts/{shop.account_id}/payment_orders"
    body = {"method": "wechat", "amount_fen": 700}

    made = await shop.cloud.call("POST", path, token=token, json=body, headers={"Idempotency-Key": "one"})
    shop.cashier.pay(made.json["number"])
    await tell(shop, Method.WECHAT, shop.cashier.callback(made.json["number"]))
    listed = await shop.cloud.call("GET", path, token=token)

    assert made.status == 201, made.body
    assert made.json["pay_url"].endswith(made.json["number"])
    assert [(one["state"], one["amount_fen"]) for one in listed.json["items"]] == [("paid", 700)]
    homes = await shop.cloud.call("GET", "/api/v1/notices", token=token)
    assert homes.json["items"][0]["topic"] == "payment"


async def test_a_callback_for_a_provider_that_is_not_set_up_is_none(shop: Shop) -> None:
    async with shop.cloud.http.post(f"{shop.cloud.url}/provider/cash/callback", data=b"x") as answer:
        assert answer.status == 404
    async with shop.cloud.http.post(
        f"{shop.cloud.url}/provider/alipay/callback", data=b"x" * 70_000
    ) as answer:
        assert answer.status == 413
