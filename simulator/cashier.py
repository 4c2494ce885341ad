"""A stand-in for WeChat Pay and Alipay: takes orders, lets somebody pay, and says so with real signatures.

Both providers' sides of the wire on one port: requests are refused unless signed by the merchant, answers
and callbacks are signed by the provider's key, WeChat Pay's callbacks encrypted as well. Whoever opens an
order's address sees a page with one button, which pays. The invariant: an order is paid at most once, and
every callback about it says the same.
"""

import base64
import html
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

MERCHANT, APP, PUBLIC_KEY_ID = "1900000109", "wx0000000000000001", "PUB_KEY_ID_0000000001"
ALIPAY_APP = "2021000000000001"
CERTIFICATE_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
CHINA = timezone(timedelta(hours=8))
_AUTHORIZATION = re.compile(r'(\w+)="([^"]*)"')
_CALLBACK_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass
class Order:
    """What a merchant asked for, and whether it was paid."""

    provider: str
    number: str
    amount_fen: int
    description: str
    callback_url: str
    transaction: str = ""
    paid_at_ms: int | None = None
    refunds: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Keys:
    """The keys of both sides, as text where a merchant configures them."""

    merchant: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65537, 2048))
    provider: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65537, 2048))
    api_v3: str = field(default_factory=lambda: secrets.token_hex(16))

    def merchant_private(self) -> str:
        """Return the merchant's private key, PEM."""
        return self.merchant.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def provider_public(self) -> str:
        """Return the provider's public key, PEM."""
        form = PublicFormat.SubjectPublicKeyInfo
        return self.provider.public_key().public_bytes(Encoding.PEM, form).decode()


class Cashier:
    """Both providers at `origin`."""

    def __init__(self, now_ms: Callable[[], int], keys: Keys | None = None) -> None:
        self.keys = keys or Keys()
        self.orders: dict[str, Order] = {}
        self.origin = ""
        self._now_ms = now_ms

    def app(self) -> web.Application:
        """Return the application that serves both."""
        app = web.Application()
        app.router.add_post("/v3/pay/transactions/native", self._wechat_begin)
        app.router.add_get("/v3/pay/transactions/out-trade-no/{number}", self._wechat_query)
        app.router.add_post("/v3/refund/domestic/refunds", self._wechat_refund)
        app.router.add_get("/gateway.do", self._alipay)
        app.router.add_get("/pay/{number}", self._page)
        app.router.add_post("/pay/{number}", self._pay_by_page)
        return app

    def pay(self, number: str) -> Order:
        """Pay an order, as its payer would; paying again changes nothing."""
        order = self.orders[number]
        if order.paid_at_ms is None:
            order.paid_at_ms = self._now_ms()
            order.transaction = f"42{secrets.randbelow(10**26):026}"
        return order

    def callback(
        self, number: str, *, sent_at_ms: int | None = None, amount_fen: int | None = None
    ) -> "Callback":
        """Return the callback about a paid order; its time and amount can be made wrong."""
        order = self.orders[number]
        at_ms = self._now_ms() if sent_at_ms is None else sent_at_ms
        fen = order.amount_fen if amount_fen is None else amount_fen
        if order.provider == "wechat":
            return self._wechat_callback(order, at_ms, fen)
        return self._alipay_callback(order, at_ms, fen)

    async def tell(self, callback: "Callback") -> int:
        """Send a callback; return the status it was answered with."""
        async with (
            aiohttp.ClientSession(timeout=_CALLBACK_TIMEOUT) as client,
            client.post(callback.url, data=callback.body, headers=callback.headers) as answer,
        ):
            text = await answer.text()
            return answer.status if text != "failure" else 400

    # WeChat Pay

    async def _wechat_begin(self, request: web.Request) -> web.Response:
        body = await self._merchants(request)
        order = Order(
            "wechat", body["out_trade_no"], body["amount"]["total"], body["description"], body["notify_url"]
        )
        self.orders.setdefault(order.number, order)
        return self._wechat_answer({"code_url": f"{self.origin}/pay/{order.number}"})

    async def _wechat_query(self, request: web.Request) -> web.Response:
        await self._merchants(request)
        order = self.orders.get(request.match_info["number"])
        if order is None:
            return self._wechat_answer({"code": "ORDER_NOT_EXIST", "message": "订单不存在"}, 404)
        return self._wechat_answer(self._transaction(order, order.amount_fen))

    async def _wechat_refund(self, request: web.Request) -> web.Response:
        body = await self._merchants(request)
        order = self.orders[body["out_trade_no"]]
        order.refunds.setdefault(body["out_refund_no"], body["amount"]["refund"])
        if sum(order.refunds.values()) > order.amount_fen:
            del order.refunds[body["out_refund_no"]]
            return self._wechat_answer({"code": "NOT_ENOUGH", "message": "退款金额超过可退金额"}, 403)
        return self._wechat_answer({"refund_id": "1", "status": "PROCESSING"})

    async def _merchants(self, request: web.Request) -> dict[str, Any]:
        """Return the body of a request that the merchant has signed."""
        body = await request.text()
        parts = dict(_AUTHORIZATION.findall(request.headers.get("Authorization", "")))
        signed = "\n".join(
            (request.method, request.path_qs, parts["timestamp"], parts["nonce_str"], body, "")
        )
        self._check(parts["signature"], signed)
        return json.loads(body) if body else {}

    def _wechat_answer(self, document: dict[str, Any], status: int = 200) -> web.Response:
        body = json.dumps(document, ensure_ascii=False)
        headers = self._wechat_headers(body, self._now_ms())
        return web.Response(status=status, text=body, content_type="application/json", headers=headers)

    def _wechat_headers(self, body: str, at_ms: int) -> dict[str, str]:
        at_s, nonce = str(at_ms // 1000), secrets.token_hex(16)
        return {
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": PUBLIC_KEY_ID,
            "Wechatpay-Signature": self._sign(f"{at_s}\n{nonce}\n{body}\n"),
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
            "Wechatpay-Timestamp": at_s,
        }

    def _wechat_callback(self, order: Order, at_ms: int, fen: int) -> "Callback":
        nonce, extra = secrets.token_hex(6), "transaction"
        inner = json.dumps(self._transaction(order, fen)).encode()
        sealed = AESGCM(self.keys.api_v3.encode()).encrypt(nonce.encode(), inner, extra.encode())
        body = json.dumps(
            {
                "id": secrets.token_hex(16),
                "event_type": "TRANSACTION.SUCCESS",
                "resource_type": "encrypt-resource",
                "resource": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "ciphertext": base64.b64encode(sealed).decode(),
                    "nonce": nonce,
                    "associated_data": extra,
                },
            }
        )
        headers = {"Content-Type": "application/json", **self._wechat_headers(body, at_ms)}
        return Callback(order.callback_url, headers, body.encode())

    def _transaction(self, order: Order, fen: int) -> dict[str, Any]:
        if order.paid_at_ms is None:
            return {"out_trade_no": order.number, "trade_state": "NOTPAY"}
        paid_at = datetime.fromtimestamp(order.paid_at_ms // 1000, CHINA)
        return {
            "mchid": MERCHANT,
            "appid": APP,
            "out_trade_no": order.number,
            "transaction_id": order.transaction,
            "trade_state": "SUCCESS",
            "success_time": paid_at.isoformat(),
            "amount": {"total": fen, "currency": "CNY"},
        }

    # Alipay

    async def _alipay(self, request: web.Request) -> web.Response:
        given = dict(request.query)
        signature = given.pop("sign")
        self._check(signature, "&".join(f"{key}={value}" for key, value in sorted(given.items())))
        asked = json.loads(given["biz_content"])
        order = self.orders.get(asked["out_trade_no"])
        document: dict[str, Any] = {"code": "10000", "msg": "Success", "out_trade_no": asked["out_trade_no"]}
        match given["method"]:
            case "alipay.trade.precreate":
                fen = int(Decimal(asked["total_amount"]) * 100)
                new = Order("alipay", asked["out_trade_no"], fen, asked["subject"], given["notify_url"])
                self.orders.setdefault(new.number, new)
                document["qr_code"] = f"{self.origin}/pay/{new.number}"
            case _ if order is None:
                document |= {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": "交易不存在"}
            case "alipay.trade.query" if order.paid_at_ms is not None:
                document |= self._trade(order, order.amount_fen)
                document["send_pay_date"] = _local(order.paid_at_ms)
            case "alipay.trade.query":
                document |= {"trade_status": "WAIT_BUYER_PAY", "trade_no": "-"}
            case _:
                order.refunds.setdefault(asked["out_request_no"], int(Decimal(asked["refund_amount"]) * 100))
                document["fund_change"] = "Y"
        said = json.dumps(document, ensure_ascii=False)
        name = given["method"].replace(".", "_") + "_response"
        return web.Response(text=f'{{"{name}":{said},"sign":"{self._sign(said)}"}}', content_type="text/html")

    def _alipay_callback(self, order: Order, at_ms: int, fen: int) -> "Callback":
        assert order.paid_at_ms is not None, "an order is paid before it is told of"
        told = {
            **self._trade(order, fen),
            "app_id": ALIPAY_APP,
            "charset": "utf-8",
            "gmt_payment": _local(order.paid_at_ms),
            "notify_id": secrets.token_hex(16),
            "notify_time": _local(at_ms),
            "notify_type": "trade_status_sync",
            "out_trade_no": order.number,
            "version": "1.0",
        }
        signature = self._sign("&".join(f"{key}={value}" for key, value in sorted(told.items())))
        body = urlencode({**told, "sign": signature, "sign_type": "RSA2"}).encode()
        return Callback(order.callback_url, {"Content-Type": "application/x-www-form-urlencoded"}, body)

    def _trade(self, order: Order, fen: int) -> dict[str, str]:
        return {
            "trade_no": order.transaction,
            "trade_status": "TRADE_SUCCESS",
            "total_amount": f"{fen // 100}.{fen % 100:02}",
        }

    # The payer's page

    async def _page(self, request: web.Request) -> web.Response:
        order = self.orders.get(request.match_info["number"])
        if order is None:
            raise web.HTTPNotFound
        return web.Response(text=_page_of(order), content_type="text/html")

    async def _pay_by_page(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if number not in self.orders:
            raise web.HTTPNotFound
        self.pay(number)
        await self.tell(self.callback(number))
        return web.Response(text=_page_of(self.orders[number]), content_type="text/html")

    def _sign(self, text: str) -> str:
        return base64.b64encode(self.keys.provider.sign(text.encode(), PKCS1v15(), SHA256())).decode()

    def _check(self, signature: str, text: str) -> None:
        public = self.keys.merchant.public_key()
        try:
            public.verify(base64.b64decode(signature), text.encode(), PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise web.HTTPUnauthorized from error


@dataclass(frozen=True)
class Callback:
    """A callback as it is sent."""

    url: str
    headers: dict[str, str]
    body: bytes


def _local(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def _page_of(order: Order) -> str:
    name = {"wechat": "微信支付 WeChat Pay", "alipay": "支付宝 Alipay"}[order.provider]
    colour = {"wechat": "#07c160", "alipay": "#1677ff"}[order.provider]
    act = '<form method="post"><button>确认支付 Pay</button></form>'
    if order.paid_at_ms is not None:
        act = "<p class=done>支付成功 Paid</p>"
    return f"""<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{name}</title>
<style>body{{font:16px/1.5 sans-serif;margin:0;text-align:center;color:#222}}
header{{background:{colour};color:#fff;padding:20px}}b{{display:block;font-size:44px;margin:28px 0 4px}}
button{{background:{colour};color:#fff;border:0;border-radius:8px;font-size:18px;padding:14px 64px}}
.done{{color:{colour};font-size:22px}}small{{color:#777}}</style>
<header>{name}</header><b>¥{order.amount_fen // 100}.{order.amount_fen % 100:02}</b>
<p>{html.escape(order.description)}</p>{act}
<p><small>演示环境，不产生真实扣款 · A stand-in: no money moves</small></p>
</html>"""
