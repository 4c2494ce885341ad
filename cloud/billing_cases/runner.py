"""Runs a file of worked examples: topic to adapter, answer against expectation, verdict by case."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from cloud.billing_cases import metering, pricing, settling
from cloud.billing_cases.case import (
    Case,
    CaseFile,
    Inputs,
    NotSupported,
    Outcome,
    Verdict,
    differences,
    unknown_keys,
)
from cloud.domain.errors import GatehouseError
from cloud.domain.identity_number import (
    identity_number,
    mask_identity,
    mask_mobile,
    mask_name,
    mobile_number,
)

Adapter = Callable[[Inputs, Case], dict[str, Any]]

# Topic to adapter. An adapter knows no case, only the kind of inputs its topic has.
ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "apportion": settling.shares,
        "components": pricing.components,
        "credit_note": settling.credit_note,
        "estimate": metering.estimated,
        "graduated": pricing.modes,
        "late_fee": settling.late,
        "late_fee_cap": settling.late,
        "late_fee_steps": settling.late_by_steps,
        "meter_swap": metering.meter_exchange,
        "multiplier": metering.multiplier,
        "payment_order": settling.payment_order,
        "prepayment": settling.prepayment,
        "price_change": pricing.price_change,
        "proration": pricing.proration,
        "reset_or_tamper": metering.register_difference,
        "rollover": metering.register_difference,
        "rounding": pricing.tiers,
        "rounding_floor": pricing.base_and_parts,
        "tier_annual": pricing.tiers,
        "tier_monthly": pricing.tiers,
        "tier_period": pricing.tiers,
        "tou_boundary": metering.time_of_use_slot,
        "tou_tier": pricing.time_of_use_tier,
        "true_up": pricing.repricing,
    }
)

# A second example inside an expectation has its own inputs under this name.
_SECOND = "second"

# A list where a text was meant, a missing key, a word for a number: the case is at fault, not the run.
_OTHER_SHAPE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

_MOBILE_SAMPLES = tuple(
    [f"1{digit}800138000" for digit in range(10)]
    + ["1380013800", "138001380000", "23800138000", "1380013800x", "", "+8613800138000"]
)


def run_case(case: Case) -> Outcome:
    """Return how one case ends; inputs of a shape no adapter expects are not supported."""
    adapter = ADAPTERS.get(case.topic)
    if adapter is None:
        return Outcome(case.id, Verdict.NOT_SUPPORTED, (f"no adapter for topic {case.topic!r}",))
    second = case.expected.get(_SECOND)
    expected = {key: value for key, value in case.expected.items() if key != _SECOND}
    try:
        details, is_known = _held_against(adapter, case, case.input, expected)
        if isinstance(second, dict):
            more, is_second_known = _run_second(adapter, case, second)
            details, is_known = details + more, is_known and is_second_known
    except NotSupported as reason:
        return Outcome(case.id, Verdict.NOT_SUPPORTED, (str(reason),))
    except GatehouseError as error:
        return Outcome(case.id, Verdict.FAILED, (str(error),))
    except _OTHER_SHAPE as error:
        shape = f"the inputs have a shape nobody expects: {type(error).__name__}: {error}"
        return Outcome(case.id, Verdict.NOT_SUPPORTED, (shape,))
    if not is_known:
        return Outcome(case.id, Verdict.NOT_SUPPORTED, tuple(details))
    return Outcome(case.id, Verdict.FAILED if details else Verdict.PASSED, tuple(details))


def run_file(cases: CaseFile) -> list[Outcome]:
    """Return the outcome of every case and every validator of a file, in its order."""
    outcomes = [run_case(case) for case in cases.cases]
    for name, stated in cases.validators.items():
        match name:
            case "id_card":
                outcomes.append(_check_identity(name, stated))
            case "mobile":
                outcomes.append(_check_mobile(name, stated))
            case _:
                reason = f"no validator called {name!r}"
                outcomes.append(Outcome(f"validator {name}", Verdict.NOT_SUPPORTED, (reason,)))
    return outcomes


def _held_against(
    adapter: Adapter, case: Case, given: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[list[str], bool]:
    """Return the differences, and whether every input was read and every expectation computed."""
    inputs = Inputs(given, case.title)
    computed = adapter(inputs, case)
    missing = [f"input {name!r} is not understood" for name in inputs.unread()]
    missing += [f"{key}: nothing computes this" for key in unknown_keys(expected, computed, "expected")]
    if missing:
        return missing, False
    return differences(dict(expected), computed, "expected"), True


def _run_second(adapter: Adapter, case: Case, second: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Run the example inside the example: its inputs are those of its values the adapter reads."""
    inputs = Inputs(second, case.title)
    adapter(inputs, case)
    unread = set(inputs.unread())
    given = {key: value for key, value in second.items() if key not in unread}
    expected = {key: value for key, value in second.items() if key in unread}
    return _held_against(adapter, case, given, expected)


def _accepts(validator: Callable[[str], str], text: str) -> bool:
    try:
        validator(text)
    except GatehouseError:
        return False
    return True


def _check_identity(name: str, stated: Mapping[str, Any]) -> Outcome:
    details = [f"{n} must be accepted" for n in stated.get("valid", []) if not _accepts(identity_number, n)]
    details += [f"{n} must be refused" for n in stated.get("invalid", []) if _accepts(identity_number, n)]
    lowered = [n for n in stated.get("valid", []) if identity_number(n.lower()) != n.upper()]
    details += [f"{n.lower()} must become {n.upper()}" for n in lowered]
    masks: dict[str, tuple[Callable[[str], str], str]] = {
        "id_card": (mask_identity, "0"),
        "name": (mask_name, "三"),
        "phone": (mask_mobile, "0"),
    }
    for kind, masked in stated.get("masks", {}).items():
        if kind not in masks:
            return Outcome(f"validator {name}", Verdict.NOT_SUPPORTED, (f"no mask for {kind!r}",))
        mask, filler = masks[kind]
        # Whatever the stars hid: masking it must give the mask back.
        if mask(masked.replace("*", filler)) != masked:
            details.append(f"mask of {kind}: expected {masked}, got {mask(masked.replace('*', filler))}")
    return Outcome(f"validator {name}", Verdict.FAILED if details else Verdict.PASSED, tuple(details))


def _check_mobile(name: str, stated: Mapping[str, Any]) -> Outcome:
    pattern = re.compile(stated["regex"])
    samples = [*_MOBILE_SAMPLES, *stated.get("valid", []), *stated.get("invalid", [])]
    details = [
        f"{sample!r}: the pattern and the validator disagree"
        for sample in samples
        if bool(pattern.search(sample)) != _accepts(mobile_number, sample)
    ]
    return Outcome(f"validator {name}", Verdict.FAILED if details else Verdict.PASSED, tuple(details))
