"""What the cloud asks of a payment provider, whichever it is.

The invariant: a `Paid` comes only out of an answer or a callback whose signature was checked; whatever
else a provider, its library or a stranger says is `ProviderFault`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from cloud.domain.errors import GatehouseError
from cloud.domain.payment import Method
from cloud.domain.payment_order import Paid, PaymentOrder

# Both providers write times of day in China's, wherever a site is.
CHINA = ZoneInfo("Asia/Shanghai")


class ProviderFault(GatehouseError):
    """A provider did not do what was asked, or a callback is not to be believed; the message says why."""


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What a provider wants to hear: that its word was taken, or that it should come again."""

    status: int
    content_type: str
    body: bytes


class Provider(Protocol):
    """A payment provider; its methods may block and are called on threads."""

    @property
    def method(self) -> Method:
        """Return how its money is recorded."""
        ...

    def begin(self, order: PaymentOrder, description: str) -> str:
        """Tell the provider of an order; return the address at which it is paid."""
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Paid | None:
        """Return what a genuine, fresh callback says was paid; None if it tells of something else."""
        ...

    def look_up(self, number: str) -> Paid | None:
        """Ask whether an order was paid; None if it was not, or the provider knows no such order."""
        ...

    def refund(self, order: PaymentOrder, refund_number: str, amount_fen: int, reason: str) -> None:
        """Send money of a paid order back; the same refund number again is the same refund."""
        ...

    def answer(self, fault: str | None) -> CallbackAnswer:
        """Return what to say to a callback: taken, or (with a fault) to be sent again."""
        ...
