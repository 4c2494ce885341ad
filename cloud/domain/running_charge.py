"""The running charge: what an account's bill would be if the period ended now.

The invariant: it is the bill's own computation, so when time stops it equals the bill.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cloud.domain.ids import AccountId, ServicePointId
from cloud.domain.money import plain
from cloud.domain.periods import PeriodCode
from cloud.domain.usage import UsageProblem


@dataclass(frozen=True, slots=True)
class RunningService:
    """One commodity or fee so far: used, charged, the tier it is in and how much is left until the next.

    A fee without a meter has no service point; its code is its label.
    `tier` and `until_next_tier` are None where the tariff has no ladder or the last tier is reached.
    """

    service_point_id: ServicePointId | None
    service_point_code: str
    commodity: str
    unit: str
    quantity: Decimal
    amount_fen: int
    tier: int | None
    until_next_tier: Decimal | None
    measured_at_ms: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, decimals as text."""
        left = self.until_next_tier
        return {
            "service_point_id": self.service_point_id,
            "service_point_code": self.service_point_code,
            "commodity": self.commodity,
            "unit": self.unit,
            "quantity": plain(self.quantity),
            "amount_fen": self.amount_fen,
            "tier": self.tier,
            "until_next_tier": None if left is None else plain(left),
            "measured_at_ms": self.measured_at_ms,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunningService":
        """Return it from what `to_json` made."""
        left, point = document["until_next_tier"], document["service_point_id"]
        return cls(
            None if point is None else ServicePointId(point),
            document["service_point_code"],
            document["commodity"],
            document["unit"],
            Decimal(document["quantity"]),
            document["amount_fen"],
            document["tier"],
            None if left is None else Decimal(left),
            document["measured_at_ms"],
        )


@dataclass(frozen=True, slots=True)
class RunningCharge:
    """An account's charge so far in a period; with `problems` there is none, and the total is zero."""

    account_id: AccountId
    period_code: PeriodCode
    as_of_ms: int
    total_fen: int
    currency: str
    services: tuple[RunningService, ...]
    problems: tuple[UsageProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockedCharge:
    """An account that has no charge so far, and why: at least one problem."""

    account_number: str
    space_code: str
    problems: tuple[UsageProblem, ...]


@dataclass(frozen=True, slots=True)
class SiteCharges:
    """What a site's accounts come to so far, in fen by commodity or fee, and whom nobody can tell it for."""

    sums: Mapping[str, int]
    blocked: tuple[BlockedCharge, ...]
