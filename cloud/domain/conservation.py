"""Conservation: what a master meter measured went somewhere: master = Σ sub-meters + public meters + loss.

The invariant: nothing is guessed. While one meter of a commodity cannot be measured there is no loss, and
the balance names that meter; what can be measured is shown all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

from cloud.domain import money
from cloud.domain.apportionment import PublicUsage
from cloud.domain.periods import ServicePeriod
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.domain.usage import UsageProblem

# What may be lost before somebody should go and look. Electricity: a loss above 12 % is the operator's own
# cost (曲阜市人民政府 2021-05-14). Water: 国发〔2015〕17号 asks public mains to lose no more than 10 %.
LOSS_MOST: Mapping[Commodity, Fraction] = MappingProxyType(
    {Commodity.ELECTRICITY: Fraction(12, 100), Commodity.WATER: Fraction(10, 100)}
)


class BalanceVerdict(Enum):
    """What a balance says."""

    IN_ORDER = "in_order"
    LOSS_HIGH = "loss_high"  # more is lost than may be
    NEGATIVE = "negative"  # those below measured more than the master: a meter or a multiplier is wrong
    NOT_KNOWN = "not_known"  # a meter cannot be measured


@dataclass(frozen=True, slots=True)
class PointUse:
    """What one service point measured in a period; None with the reason where that is not known.

    `building` is empty for what serves no single building; `serial` is the meter that hung there last.
    """

    code: str
    kind: ServicePointKind
    building: str
    quantity: Decimal | None
    serial: str
    problem: UsageProblem | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Where one commodity went in a period, meter by meter."""

    commodity: Commodity
    unit: str
    dates: ServicePeriod
    points: tuple[PointUse, ...]

    @property
    def usage(self) -> PublicUsage | None:
        """Return the sums; None while something cannot be measured."""
        if self.missing:
            return None
        return PublicUsage(
            self.sum_of(ServicePointKind.MASTER),
            self.sum_of(ServicePointKind.FLAT),
            self.sum_of(ServicePointKind.PUBLIC),
        )

    @property
    def missing(self) -> tuple[PointUse, ...]:
        """Return the service points that cannot be measured, with why."""
        return tuple(one for one in self.points if one.quantity is None)

    @property
    def still(self) -> tuple[PointUse, ...]:
        """Return the meters below the masters that counted nothing: empty homes, or meters that stand."""
        return tuple(
            one for one in self.points if one.quantity == 0 and one.kind is not ServicePointKind.MASTER
        )

    @property
    def buildings(self) -> Mapping[str, Decimal]:
        """Return what the homes of each building used, by name, of those that could be measured."""
        sums: dict[str, Decimal] = {}
        for one in self.points:
            if one.kind is ServicePointKind.FLAT and one.quantity is not None:
                sums[one.building] = money.EXACT.add(sums.get(one.building, Decimal(0)), one.quantity)
        return dict(sorted(sums.items()))

    @property
    def verdict(self) -> BalanceVerdict:
        """Judge the loss."""
        usage = self.usage
        if usage is None:
            return BalanceVerdict.NOT_KNOWN
        if usage.loss < 0:
            return BalanceVerdict.NEGATIVE
        if usage.loss_ratio > LOSS_MOST[self.commodity]:
            return BalanceVerdict.LOSS_HIGH
        return BalanceVerdict.IN_ORDER

    def of(self, kind: ServicePointKind) -> tuple[PointUse, ...]:
        """Return the service points of a kind."""
        return tuple(one for one in self.points if one.kind is kind)

    def sum_of(self, kind: ServicePointKind) -> Decimal:
        """Return what the service points of a kind measured together, as far as that is known."""
        return _sum(self.of(kind))


def _sum(points: Sequence[PointUse]) -> Decimal:
    return money.add([one.quantity for one in points if one.quantity is not None])
