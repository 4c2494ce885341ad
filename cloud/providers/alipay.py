"""Alipay by the python-alipay-sdk library: precreated orders, callbacks, queries, refunds.

The library signs and verifies; the window a callback may be sent in is held here, and that it is
about our own application.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qsl

from alipay import AliPay
from alipay.exceptions import AliPayException, AliPayValidationError
from alipay.utils import AliPayConfig

from cloud.config import Alipay as AlipayConfig
from cloud.domain.errors import Invalid
from cloud.domain.money import CNY
from cloud.domain.payment import Method
from cloud.domain.payment_order import Paid, PaymentOrder, check_window
from cloud.providers.provider import CHINA, CallbackAnswer, ProviderFault

_ANSWER_S = 10
_TAKEN = "10000"
_UNKNOWN_ORDER = "ACQ.TRADE_NOT_EXIST"
_PAID_STATES = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})


class Alipay:
    """An application of Alipay's open platform."""

    method = Method.ALIPAY

    def __init__(self, config: AlipayConfig, callback_url: str) -> None:
        self._app_id = config.app_id
        self._client = AliPay(
            appid=config.app_id,
            app_notify_url=callback_url,
            app_private_key_string=Path(config.private_key_file).read_text(encoding="utf-8"),
            alipay_public_key_string=Path(config.alipay_public_key_file).read_text(encoding="utf-8"),
            sign_type="RSA2",
            config=AliPayConfig(timeout=_ANSWER_S),
        )
        # The library names its host in a private attribute; a sandbox or a stand-in is another host.
        self._client._gateway = config.gateway

    def begin(self, order: PaymentOrder, description: str) -> str:
        """Place an order; return the address its QR code holds, which a phone also opens."""
        minutes = max(1, (order.expires_at_ms - order.created_at_ms) // 60_000)
        answer = self._ask(
            "precreate",
            subject=description,
            out_trade_no=order.number,
            total_amount=CNY.text(order.amount_fen),
            timeout_express=f"{minutes}m",
        )
        return str(answer["qr_code"])

    def read_callback(self, _headers: Mapping[str, str], body: bytes, now_ms: int) -> Paid | None:
        """Return what a callback says was paid, its signature, age and addressee checked."""
        try:
            told = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True))
            signature = told.pop("sign")
            is_genuine = self._client.verify(dict(told), signature)
        except (AliPayException, AliPayValidationError, KeyError, UnicodeDecodeError, ValueError) as error:
            raise ProviderFault(f"Alipay callback cannot be read: {type(error).__name__}") from error
        if not is_genuine or told.get("app_id") != self._app_id:
            raise ProviderFault("Alipay callback is not genuine: its signature or addressee does not fit")
        try:
            check_window(_china_ms(told["notify_time"]), now_ms)
        except (KeyError, ValueError, Invalid) as error:
            raise ProviderFault(f"Alipay callback: {error}") from error
        return _paid(told, told.get("gmt_payment") or told["notify_time"])

    def look_up(self, number: str) -> Paid | None:
        """Ask about an order."""
        try:
            answer = self._ask("query", out_trade_no=number)
        except _UnknownOrder:
            return None
        return _paid(answer, str(answer.get("send_pay_date", "")))

    def refund(self, order: PaymentOrder, refund_number: str, amount_fen: int, reason: str) -> None:
        """Send money back to whoever paid."""
        self._ask(
            "refund",
            refund_amount=CNY.text(amount_fen),
            out_trade_no=order.number,
            out_request_no=refund_number,
            refund_reason=reason,
        )

    def answer(self, fault: str | None) -> CallbackAnswer:
        """Return "success", upon which it is silent; for anything else it comes again."""
        return CallbackAnswer(200, "text/plain", b"success" if fault is None else b"failure")

    def _ask(self, act: str, **given: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, f"api_alipay_trade_{act}")(**given)
        except (URLError, OSError) as error:
            raise ProviderFault(f"Alipay does not answer: {type(error).__name__}") from error
        except (AliPayException, AliPayValidationError, ValueError) as error:
            raise ProviderFault(f"Alipay's answer is not genuine: {error}") from error
        if answer.get("sub_code") == _UNKNOWN_ORDER:
            raise _UnknownOrder("Alipay knows no such order")
        if answer.get("code") != _TAKEN:
            raise ProviderFault(
                f"Alipay: {answer.get('sub_code', answer.get('code'))}: {answer.get('sub_msg', '')}"
            )
        return answer


class _UnknownOrder(ProviderFault):
    """The provider has not heard of the order."""


def _paid(told: Mapping[str, Any], paid_at: str) -> Paid | None:
    if told.get("trade_status") not in _PAID_STATES:
        return None
    try:
        return Paid(
            str(told["out_trade_no"]),
            str(told["trade_no"]),
            CNY.fen(str(told["total_amount"])),
            _china_ms(paid_at),
        )
    except (KeyError, ValueError, Invalid) as error:
        raise ProviderFault(f"Alipay tells of a payment without {error}") from error


def _china_ms(text: str) -> int:
    """Return an instant written "2026-11-23 15:00:00", which Alipay means in China's time."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp() * 1000)
