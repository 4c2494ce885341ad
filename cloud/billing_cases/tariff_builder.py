"""From the loose inputs of an example to a tariff document, read by the real parser."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from cloud.billing_cases.case import Inputs, NotSupported
from cloud.domain.errors import Invalid
from cloud.domain.money import Currency, decimal
from cloud.domain.tariff_document import Tariff, TariffVersion, parse_document

OPEN_FROM = date(1990, 1, 1)

# Water in Hong Kong: a four-month cycle is reckoned as 121.64 days when a period is shorter.
_CYCLE_DAYS = {"month": "30", "4 months": "121.64", "2 months": "60", "quarter": "91.25", "year": "365"}


def build(
    charges: Sequence[dict[str, Any]],
    *,
    currency: str = "CNY",
    rounding: str = "half_up_line",
    rounding_step: int = 1,
    versions: Sequence[tuple[date, date | None, Sequence[dict[str, Any]]]] = (),
) -> list[Tariff]:
    """Return the versions of a tariff with these charges; Invalid lists what the parser refused."""
    dated = versions or [(OPEN_FROM, None, charges)]
    document = {
        "schema": 1, "code": "case", "name_zh": "例", "name_en": "example", "region": "-",
        "commodity": "electricity", "customer_class": "-", "currency": currency, "unit": "unit",
        "versions": [
            {
                "version": number, "valid_from": str(start), "valid_to": str(end) if end else None,
                "confidence": "high", "rounding": rounding, "rounding_step": rounding_step,
                "sources": [{"publisher": "-", "title": "worked example", "found_at": "-"}],
                "change_split": "days", "charges": list(own),
            }
            for number, (start, end, own) in enumerate(dated, start=1)
        ],
    }  # fmt: skip
    return [version.tariff for version in parse_explained(json.dumps(document).encode())]


def parse_explained(body: bytes) -> list[TariffVersion]:
    """Parse a document; the refusal's message carries every problem, for a reader of the report."""
    try:
        return parse_document(body)
    except Invalid as error:
        details = "; ".join(f"{problem.pointer}: {problem.detail}" for problem in error.problems)
        raise Invalid(f"{error}: {details}") from error


def ladder_charge(inputs: Inputs, component: str = "energy") -> dict[str, Any]:
    """Return the tiered (or flat) charge that bounds, prices and cycle describe."""
    bounds = [str(bound) for bound in inputs.take("bounds") or []]
    prices = inputs.take("prices")
    if prices is None:
        prices = [inputs.need("price")]
    return tiered(component, bounds, prices, ladder(inputs), inputs.take("mode") or "graduated")


def tiered(
    component: str,
    bounds: Sequence[str],
    prices: Sequence[str],
    ladder_document: dict[str, Any],
    mode: str = "graduated",
    *,
    is_surcharge: bool = False,
) -> dict[str, Any]:
    """Return a tiered charge; NotSupported where bounds and prices do not fit together."""
    tops = [bound for bound in bounds if bound not in (None, "None")]
    if len(prices) != len(tops) + 1:
        raise NotSupported(f"{len(tops)} bounds need {len(tops) + 1} prices, there are {len(prices)}")
    tiers = [{"to": top, "price": str(price)} for top, price in zip([*tops, None], prices, strict=True)]
    return {
        "kind": "tiered", "component": component, "ladder": ladder_document, "tiers": tiers,
        "mode": mode, "is_surcharge": is_surcharge,
    }  # fmt: skip


def ladder(inputs: Inputs) -> dict[str, Any]:
    """Return the ladder a cycle, a household rule and a length in days describe."""
    cycle = str(inputs.take("cycle") or "bill")
    is_annual = cycle in ("year", "annual") or inputs.take("ytd") not in (None, "0", 0)
    document: dict[str, Any] = {"cycle": "year" if is_annual else "bill"}
    if start := inputs.first("year_start"):
        document["year_start"] = start
    if rule := household(inputs):
        document["household"] = rule
    days = inputs.first("cycle_days", "period_days")
    if not is_annual and (days is not None or "days" in inputs):
        length = decimal(str(days or _CYCLE_DAYS.get(cycle) or _no_cycle(cycle)))
        document["scale"] = {"by": "days", "cycle": str(length * _parts_of_day(inputs.take("days")))}
    return document


def whole_days(days: object) -> int:
    """Return a length in days; one with decimals (60.82) in as many parts of a day as it takes.

    Only its proportion to the cycle matters, and the ladder's cycle is stretched alike.
    """
    return int(decimal(str(days)) * _parts_of_day(days))


def _parts_of_day(days: object) -> int:
    exponent = decimal(str(days if days is not None else 1)).as_tuple().exponent
    return int(10 ** max(0, -int(exponent)))


def household(inputs: Inputs) -> dict[str, Any] | None:
    """Return the household rule: from which size on which bound moves by how much."""
    per_person = inputs.first("per_person", "add_per_person", "extra_per_person")
    once = inputs.first("household_add", "add", "delta")
    above = inputs.first("base_persons", "above_persons")
    start = inputs.first("min_persons", "from_persons")
    if per_person is None and once is None:
        return None
    if start is None and above is None:
        raise NotSupported("a household rule says from how many persons on it holds")
    bounds = inputs.take("bounds") or []

    def spread(moved: Any) -> list[str]:
        steps = list(moved) if isinstance(moved, list) else [moved] * len(bounds)
        return [str(step or "0") for step in steps]

    rule: dict[str, Any] = {"from_persons": int(start if above is None else int(above) + 1)}
    if per_person is not None:
        rule["add_per_person"] = spread(per_person)
    if once is not None:
        rule["add"] = spread(once)
    return rule


def rounding(inputs: Inputs, currency: Currency) -> tuple[str, int]:
    """Return the named policy and the step in fen that a phrase such as "floor, once, unit 1" means."""
    phrase = inputs.take("rounding")
    if phrase is None:
        return "half_up_line", 1
    words = str(phrase).lower().replace("-", "_").split(",")
    direction, scope, step = "half_up", "line", 1
    for word in (word.strip().replace(" ", "_") for word in words):
        match word.split("_"):
            case ["floor" | "truncate" | "down" | "cut"]:
                direction = "floor"
            case ["ceiling" | "ceil" | "up"]:
                direction = "ceiling"
            case ["half", "up"] | ["round", "half", "up"]:
                direction = "half_up"
            case ["half", "even"] | ["round", "half", "even"]:
                direction = "half_even"
            case ["once" | "total"] | ["on", "total"]:
                scope = "total"
            case ["line"] | ["per", "line"] | ["line", "by", "line"]:
                scope = "line"
            case ["unit" | "step", number]:
                step = currency.fen(number)
            case _:
                raise NotSupported(f"rounding {phrase!r} is not understood: {word!r}")
    return f"{direction}_{scope}", step


def _no_cycle(cycle: str) -> str:
    raise NotSupported(f"how many days a cycle of {cycle!r} has is not stated")
