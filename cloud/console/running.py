"""The running charge made ready to show: one part a commodity, and where its ladder stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from cloud.console.formats import Format
from cloud.domain.running_charge import RunningCharge, RunningService

_WIDTH = 326.0
_OPEN_SHARE = Decimal("1.1")


@dataclass(frozen=True, slots=True)
class RunningPart:
    """One commodity so far this month."""

    name: str
    commodity: str
    unit: str
    quantity: Decimal
    amount_fen: int
    measured_at_ms: int | None


@dataclass(frozen=True, slots=True)
class LadderBand:
    """One tier on the resident's strip; `filled` is how much of it is used."""

    number: int
    price: Decimal
    x: float
    width: float
    filled: float


@dataclass(frozen=True, slots=True)
class LadderNow:
    """Where a commodity stands on its year's ladder."""

    used: Decimal
    unit: str
    tier: int
    left: Decimal | None
    now_x: float
    bands: tuple[LadderBand, ...]


def running_parts(charge: RunningCharge | None, fmt: Format) -> tuple[RunningPart, ...]:
    """Return what each commodity comes to so far, electricity first."""
    if charge is None:
        return ()
    ordered = sorted(charge.services, key=lambda service: service.commodity)
    return tuple(_part(service, fmt) for service in ordered)


def _part(service: RunningService, fmt: Format) -> RunningPart:
    gettext = fmt.language.gettext
    names = {"electricity": gettext("Electricity"), "water": gettext("Water")}
    return RunningPart(
        names.get(service.commodity, service.commodity),
        service.commodity,
        service.unit,
        service.quantity,
        service.amount_fen,
        service.measured_at_ms,
    )


def ladder_now(
    service: RunningService, bounds: Sequence[Decimal], prices: Sequence[Decimal]
) -> LadderNow | None:
    """Return the strip of a service whose tariff has these tiers; None if it stands on no ladder.

    What was used in the year follows from the tier and what is left until the next one begins.
    """
    if service.tier is None or service.until_next_tier is None or len(prices) != len(bounds) + 1:
        return None
    used = bounds[service.tier - 1] - service.until_next_tier
    return ladder_strip(used, service.unit, bounds, prices)


def ladder_strip(used: Decimal, unit: str, bounds: Sequence[Decimal], prices: Sequence[Decimal]) -> LadderNow:
    """Return the strip of a ladder on which so much was used; exactly a bound stays in the lower tier."""
    tier = next((number for number, bound in enumerate(bounds, start=1) if used <= bound), len(prices))
    left = bounds[tier - 1] - used if tier <= len(bounds) else None
    end = max([used, *bounds]) * _OPEN_SHARE
    edges = [Decimal(0), *bounds, end]
    bands = []
    for number, (lower, upper) in enumerate(pairwise(edges), start=1):
        x, right = float(lower / end) * _WIDTH, float(upper / end) * _WIDTH
        filled = max(Decimal(0), min(used, upper) - lower)
        width = max(1.0, right - x - 1.5)
        share = float(filled / (upper - lower)) if upper > lower else 0.0
        bands.append(LadderBand(number, prices[number - 1], x, width, width * share))
    now_x = float(used / end) * _WIDTH
    return LadderNow(used, unit, tier, left, now_x, tuple(bands))
