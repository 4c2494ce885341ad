"""A new version of a tariff out of one that is known: other figures, another first day, another source.

The invariant: only figures change; kinds, components and calendars are those of the version it comes from.
Whether the result is a tariff the parser says, as for any document.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cloud.domain.errors import Invalid
from cloud.domain.money import add
from cloud.domain.periods import ServicePeriod
from cloud.domain.rating import Customer, RatedLine, SliceUsage, asks_periods, plan, rate
from cloud.domain.tariff_document import Tariff, parse_version

_FIGURES = frozenset({"price", "percent", "minimum", "maximum", "quantity_factor", "times", "to", "value"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a version's charges: where it stands, what it is, and how it is written now."""

    pointer: str
    charge_no: int
    name: str
    place: str
    text: str


def figures_of(document: Mapping[str, Any]) -> list[Figure]:
    """Return the figures of a version's charges in the order they stand."""
    found = []
    for number, charge in enumerate(document["charges"]):
        found += [
            Figure(f"/charges/{number}{pointer}", number, name, place, str(value))
            for pointer, name, place, value in _figures(charge, "", "")
        ]
    return found


def revised(
    document: Mapping[str, Any],
    figures: Mapping[str, str],
    *,
    version: int,
    valid_from: str,
    source: Mapping[str, str],
    confidence: str,
) -> dict[str, Any]:
    """Return the document of a new version; Invalid names a figure the version does not have."""
    new: dict[str, Any] = copy.deepcopy(dict(document))
    new |= {"version": version, "valid_from": valid_from, "valid_to": None, "confidence": confidence}
    new["sources"] = [dict(source)]
    new["contradictions"], new["notes"] = [], []
    known = {figure.pointer for figure in figures_of(document)}
    for pointer, text in figures.items():
        if pointer not in known:
            raise Invalid(f"the version has no figure at {pointer}")
        *way, last = pointer.split("/")[1:]
        at: Any = new
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at[step]
        at[last] = text.strip()
    for charge in new["charges"]:
        _join_tiers(charge)
    return new


def sample_bill(
    tariff: Tariff, quantity: Decimal, month: ServicePeriod, customer: Customer
) -> list[RatedLine]:
    """Return what a month of that usage would cost; by time of use, the same in each period."""
    used = SliceUsage(quantity)
    if asks_periods(tariff):
        names = _periods_of(tariff)
        share = (quantity / len(names)).quantize(Decimal("0.0001"))
        parts = [share] * (len(names) - 1)
        by_period = dict(zip(names, [*parts, quantity - add(parts)], strict=True))
        used = SliceUsage(quantity, by_period=by_period, sequence=tuple(by_period.items()))
    planned = plan([tariff], month)
    if len(planned) != 1:
        raise Invalid("a sample month lies in one season")
    return rate(planned, [used], customer)


def parsed(document: Mapping[str, Any]) -> Tariff:
    """Return the tariff of a version's document; Invalid lists everything wrong with it."""
    return parse_version(document).tariff


def _figures(at: Any, pointer: str, place: str) -> Iterator[tuple[str, str, str, Any]]:
    if isinstance(at, list):
        for number, part in enumerate(at):
            yield from _figures(part, f"{pointer}/{number}", f"{place} {number + 1}".strip())
        return
    if not isinstance(at, Mapping):
        return
    for name, value in at.items():
        if name in ("calendar", "bearers"):
            continue
        if name in _FIGURES and isinstance(value, str):
            yield f"{pointer}/{name}", name, place, value
        elif name == "prices" and isinstance(value, Mapping):
            yield from (
                (f"{pointer}/prices/{period}", "price", f"{place} {period}".strip(), price)
                for period, price in value.items()
            )
        else:
            yield from _figures(value, f"{pointer}/{name}", f"{place} {name}".strip())


def _join_tiers(charge: Mapping[str, Any]) -> None:
    """Let each tier start where the one below it ends, where that was stated."""
    groups = [charge.get("tiers", ()), *(season.get("tiers", ()) for season in charge.get("seasons", ()))]
    for tiers in groups:
        lower = "0"
        for tier in tiers:
            if "over" in tier:
                tier["over"] = lower
            lower = tier.get("to") or lower


def _periods_of(tariff: Tariff) -> list[str]:
    names: dict[str, None] = {}
    for rule in tariff.charges:
        for rate_of in getattr(rule, "rates", ()):
            names |= dict.fromkeys([*rate_of.prices, *rate_of.factors])
        for tier in getattr(rule, "tiers", ()):
            names |= dict.fromkeys(getattr(tier, "prices", {}))
    return list(names)
