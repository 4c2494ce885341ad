"""WeChat Pay, API v3, by the wechatpayv3 library: native orders, callbacks, queries, refunds.

The library checks signatures and decrypts; it takes a callback of any age, so the window is held here.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from wechatpayv3 import WeChatPay, WeChatPayType

from cloud.config import WechatPay as WechatConfig
from cloud.domain.errors import Invalid
from cloud.domain.payment import Method
from cloud.domain.payment_order import Paid, PaymentOrder, check_window
from cloud.domain.periods import local_time
from cloud.providers.provider import CHINA, CallbackAnswer, ProviderFault

_CONNECT_S, _ANSWER_S = 5, 10


class Wechat:
    """A merchant of WeChat Pay."""

    method = Method.WECHAT

    def __init__(self, config: WechatConfig, callback_url: str) -> None:
        self._merchant_id = config.merchant_id
        self._client = WeChatPay(
            wechatpay_type=WeChatPayType.NATIVE,
            mchid=config.merchant_id,
            private_key=Path(config.private_key_file).read_text(encoding="utf-8"),
            cert_serial_no=config.certificate_serial,
            appid=config.app_id,
            apiv3_key=Path(config.api_v3_key_file).read_text(encoding="utf-8").strip(),
            notify_url=callback_url,
            timeout=(_CONNECT_S, _ANSWER_S),
            public_key=Path(config.platform_public_key_file).read_text(encoding="utf-8"),
            public_key_id=config.platform_public_key_id,
        )
        # The library names its host in a private attribute; a stand-in is another host.
        self._client._core._gate_way = config.gateway

    def begin(self, order: PaymentOrder, description: str) -> str:
        """Place a native order; return the address its QR code holds."""
        expires = local_time(order.expires_at_ms, CHINA).isoformat(timespec="seconds")
        answer = self._ask(
            "pay",
            description=description,
            out_trade_no=order.number,
            amount={"total": order.amount_fen, "currency": "CNY"},
            time_expire=expires,
        )
        return str(answer["code_url"])

    def read_callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Paid | None:
        """Return what a callback says was paid, its signature, age and secrecy checked."""
        try:
            sent_at_ms = int(headers.get("Wechatpay-Timestamp", "")) * 1000
            check_window(sent_at_ms, now_ms)
        except (ValueError, Invalid) as error:
            raise ProviderFault(f"WeChat Pay callback: {error}") from error
        try:
            told = self._client.callback(headers, body)
        except Exception as error:  # the library raises bare exceptions for whatever it does not like
            raise ProviderFault(f"WeChat Pay callback is not genuine: {error}") from error
        if not told:
            raise ProviderFault("WeChat Pay callback is not genuine: its signature or secret does not fit")
        return _paid(told["resource"])

    def look_up(self, number: str) -> Paid | None:
        """Ask about an order."""
        try:
            return _paid(self._ask("query", out_trade_no=number))
        except _UnknownOrder:
            return None

    def refund(self, order: PaymentOrder, refund_number: str, amount_fen: int, reason: str) -> None:
        """Send money back to whoever paid."""
        amount = {"refund": amount_fen, "total": order.amount_fen, "currency": "CNY"}
        self._ask(
            "refund", out_refund_no=refund_number, amount=amount, out_trade_no=order.number, reason=reason
        )

    def answer(self, fault: str | None) -> CallbackAnswer:
        """Return 200 for taken, else 400 with the reason, upon which it comes again."""
        body = {"code": "SUCCESS"} if fault is None else {"code": "FAIL", "message": fault}
        return CallbackAnswer(
            200 if fault is None else 400, "application/json", json.dumps(body, ensure_ascii=False).encode()
        )

    def _ask(self, act: str, **given: Any) -> dict[str, Any]:
        try:
            status, text = getattr(self._client, act)(**given)
        except requests.RequestException as error:
            raise ProviderFault(f"WeChat Pay does not answer: {type(error).__name__}") from error
        except Exception as error:  # the library raises bare exceptions, for a wrong signature too
            raise ProviderFault(f"WeChat Pay: {error}") from error
        answer: dict[str, Any] = json.loads(text) if text else {}
        if status == 404:
            raise _UnknownOrder(f"WeChat Pay: {answer.get('message', 'no such order')}")
        if not 200 <= status < 300:
            raise ProviderFault(f"WeChat Pay: {answer.get('code', status)}: {answer.get('message', '')}")
        return answer


class _UnknownOrder(ProviderFault):
    """The provider has not heard of the order."""


def _paid(transaction: Mapping[str, Any]) -> Paid | None:
    if transaction.get("trade_state") != "SUCCESS":
        return None
    try:
        return Paid(
            str(transaction["out_trade_no"]),
            str(transaction["transaction_id"]),
            int(transaction["amount"]["total"]),
            int(datetime.fromisoformat(transaction["success_time"]).timestamp() * 1000),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderFault(f"WeChat Pay tells of a payment without {error}") from error
