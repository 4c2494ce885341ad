"""Worked billing examples, most of them published, run through the real domain code."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from cloud import tariffs
from cloud.billing_cases.case import Case, Verdict, read_cases
from cloud.billing_cases.runner import ADAPTERS, run_case, run_file
from cloud.billing_cli import bill

CASES = Path(__file__).with_name("billing_cases.json")
FILE = read_cases(CASES.read_bytes())


def case(case_id: str, **changes: Any) -> Case:
    found = next(one for one in FILE.cases if one.id == case_id)
    return msgspec.structs.replace(found, **changes)


@pytest.mark.parametrize("one", FILE.cases, ids=lambda one: one.id)
def test_published_example_comes_out_as_published(one: Case) -> None:
    outcome = run_case(one)

    assert outcome.verdict is Verdict.PASSED, outcome.details


def test_validators_accept_and_refuse_the_published_numbers() -> None:
    outcomes = run_file(FILE)[len(FILE.cases) :]

    assert [(o.case_id, o.verdict, o.details) for o in outcomes] == [
        ("validator id_card", Verdict.PASSED, ()),
        ("validator mobile", Verdict.PASSED, ()),
    ]


def test_command_prints_every_case_and_succeeds() -> None:
    result = CliRunner().invoke(bill, ["cases", str(CASES)])

    assert result.exit_code == 0
    assert f"{len(FILE.cases) + 2} passed, 0 failed, 0 not supported" in result.output


def test_command_fails_and_shows_the_difference(tmp_path: Path) -> None:
    document = json.loads(CASES.read_bytes())
    document["cases"][0]["expected"]["total"] = "448.01"
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(document))

    result = CliRunner().invoke(bill, ["cases", str(changed), "--quiet"])

    assert result.exit_code == 1
    assert "expected.total: expected 448.01, got 448.00" in result.output
    assert "1 failed" in result.output


def test_tariff_command_lists_versions() -> None:
    shipped = Path(tariffs.__file__).with_name("cn-beijing-elec-res.json")

    result = CliRunner().invoke(bill, ["tariff", str(shipped)])

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "cn-beijing-elec-res version 1: 2012-07-01 to before 2019-12-01, confidence medium, energy",
        "cn-beijing-elec-res version 2: 2019-12-01 to open, confidence medium, energy",
    ]


def test_tariff_command_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    shipped = Path(tariffs.__file__).with_name("cn-beijing-elec-res.json")
    document = json.loads(shipped.read_bytes())
    document["versions"][0]["charges"][0]["tiers"][1]["over"] = "3000"
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(document))

    result = CliRunner().invoke(bill, ["tariff", str(broken)])

    assert result.exit_code == 1
    assert (
        "/versions/0/charges/0: tier 2 starts over 3000: usage from 2880 to 3000 has no price"
        in result.output
    )


def test_input_nobody_reads_is_not_supported() -> None:
    one = case("E01")

    outcome = run_case(msgspec.structs.replace(one, input={**one.input, "moon": "full"}))

    assert outcome.verdict is Verdict.NOT_SUPPORTED
    assert outcome.details == ("input 'moon' is not understood",)


def test_expectation_nobody_computes_is_not_supported() -> None:
    one = case("E01")

    outcome = run_case(msgspec.structs.replace(one, expected={**one.expected, "co2": "1"}))

    assert outcome.verdict is Verdict.NOT_SUPPORTED
    assert outcome.details == ("expected.co2: nothing computes this",)


def test_inputs_of_another_shape_are_not_supported_and_do_not_end_the_run() -> None:
    outcome = run_case(Case(id="X", topic="tier_annual", input={"qty": ["1"], "bounds": 5}, expected={}))

    assert outcome.verdict is Verdict.NOT_SUPPORTED
    assert outcome.details[0].startswith("the inputs have a shape nobody expects")


def test_unknown_topic_is_not_supported() -> None:
    outcome = run_case(Case(id="X", topic="astrology", input={}, expected={}))

    assert outcome.verdict is Verdict.NOT_SUPPORTED


def test_case_that_records_a_wrong_answer_fails_if_we_give_it() -> None:
    one = case("M03")

    outcome = run_case(
        msgspec.structs.replace(one, expected={**one.expected, "published_wrong_value": "6000"})
    )

    assert outcome.verdict is Verdict.FAILED


def test_every_topic_of_the_file_has_an_adapter() -> None:
    assert {one.topic for one in FILE.cases} == set(ADAPTERS)


OTHER_INPUTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    # PTA exercise 7-2 (Zhejiang University): 10 -> 5.30, 100 -> 55.50
    "below the only bound": (
        "tier_monthly",
        {"qty": "10", "ytd": "0", "bounds": ["50"], "prices": ["0.53", "0.58"], "cycle": "month"},
        {"total": "5.30"},
    ),
    "beyond the only bound": (
        "tier_monthly",
        {"qty": "100", "ytd": "0", "bounds": ["50"], "prices": ["0.53", "0.58"], "cycle": "month"},
        {"total": "55.50"},
    ),
    "all in the top tier": (
        "tier_annual",
        {"qty": "15", "ytd": "1000", "bounds": ["180"], "prices": ["3.0", "4.5"], "cycle": "year"},
        {"lines": [{"tier": 2, "qty": "15", "price": "4.5", "amount": "67.50"}], "total": "67.50"},
    ),
    "no usage": (
        "tier_annual",
        {"qty": "0", "ytd": "0", "bounds": ["180"], "prices": ["3.0", "4.5"], "cycle": "year"},
        {"lines": [], "total": "0.00"},
    ),
    "household of seven in Beijing": (
        "tier_annual",
        {
            "qty": "250", "ytd": "0", "bounds": ["180", "260"], "prices": ["5", "7", "9"], "cycle": "year",
            "persons": 7, "base_persons": 5, "per_person": ["30", "30"],
        },
        {"lines": [{"tier": 1, "qty": "240"}, {"tier": 2, "qty": "10"}], "total": "1270.00"},
    ),
    "half a Hong Kong cycle has half the bounds": (
        "tier_period",
        {
            "qty": "35", "ytd": "0", "bounds": ["12", "43", "62"], "prices": ["0", "4.16", "6.45", "9.05"],
            "cycle": "4 months", "cycle_days": "120", "days": 60, "currency": "HKD",
        },
        {"lines": [{"tier": 1, "qty": "6"}, {"tier": 2, "qty": "15.5"}, {"tier": 3, "qty": "9.5"},
                   {"tier": 4, "qty": "4"}], "total": "161.96"},
    ),
    "half a Hong Kong cycle in days with decimals": (
        "tier_period",
        {
            "qty": "35", "ytd": "0", "bounds": ["12", "43", "62"], "prices": ["0", "4.16", "6.45", "9.05"],
            "cycle": "4 months", "days": "60.82", "currency": "HKD",
        },
        {"total": "161.96"},
    ),
    "negative tie is rounded away from zero": (
        "rounding",
        {"amount": "-1.005"},
        {"total": "-1.01"},
    ),
    # Kumamoto City waterworks: 71 m3 in two months, billed as 36 + 35.
    "second half of the Kumamoto example": (
        "rounding_floor",
        {
            "base": "972", "currency": "JPY", "rounding": "floor, once, unit 1",
            "parts": [{"price": "16.2", "qty": "10"}, {"price": "145.8", "qty": "10"},
                      {"price": "172.8", "qty": "10"}, {"price": "199.8", "qty": "5"}],
        },
        {"total": "5319"},
    ),
    "components of another year's volume": (
        "components",
        {"qty": "20", "ytd": "250", "tariff": "cn-beijing-water-res"},
        {"components": {"water": "101.40", "resource": "31.40", "sewage": "27.20"}, "total": "160.00"},
    ),
    "components stated in the case": (
        "components",
        {"qty": "30", "bounds": ["26", "34"],
         "components": {"water": ["1.75", "2.63", "5.25"], "sewage": ["0.95", "1.43", "2.85"]}},
        {"components": {"water": "56.02", "sewage": "30.42"}, "total": "86.44"},
    ),
    "price by tier and period, shared in proportion": (
        "tou_tier",
        {"ytd": "3100", "registers": {"peak": "60", "valley": "40"}, "bounds": ["3120", "4800"],
         "price_by_tier": {"peak": ["0.617", "0.677", "0.977"], "valley": ["0.307", "0.337", "0.487"]}},
        {"lines": [{"k": "tier1_peak", "qty": "12", "amount": "7.40"},
                   {"k": "tier1_valley", "qty": "8", "amount": "2.46"},
                   {"k": "tier2_peak", "qty": "48", "amount": "32.50"},
                   {"k": "tier2_valley", "qty": "32", "amount": "10.78"}], "total": "53.14"},
    ),
    "slot before the half hour": (
        "tou_boundary",
        {"slot_start": "2026-07-01T08:00+08:00", "slot_minutes": 30, "kwh": "10",
         "periods": [{"k": "flat", "start": "07:00", "end": "08:30", "price": "0.80"},
                     {"k": "peak", "start": "08:30", "end": "11:30", "price": "1.17"}]},
        {"period": "flat", "amount": "8.00", "flag": None},
    ),
    "usage that ends below the old estimate": (
        "true_up",
        {"anchor": "1000", "actual": "1055", "settled": ["30", "35"]},
        {"actual_total": "55", "remainder": "-10", "proportional": ["25.3846", "29.6154"],
         "all_to_current": ["30", "25"]},
    ),
    "span over the turn of the year": (
        "true_up",
        {"base_ytd": "170", "periods": ["30", "20"], "months": ["202612", "202701"], "bounds": ["180"],
         "prices": ["3.0", "4.5"], "fixed": "10"},
        {"periods": ["130.00", "70.00"], "correct_charge": "200.00"},
    ),
    "days that do not divide evenly": (
        "price_change",
        {"read_from": "2016-04-24", "read_to": "2016-05-24", "change": "2016-05-01", "qty": "100",
         "old": "8.15", "new": "9.5"},
        {"lines": [{"days": 7, "qty": "23.3333", "amount": "190.17"},
                   {"days": 23, "qty": "76.6667", "amount": "728.33"}], "total": "918.50"},
    ),
    "supply rules across the year": (
        "late_fee",
        {"principal": "1000.00", "due": "2025-12-21", "paid": "2026-01-10", "rate": "0.002",
         "next_year_rate": "0.003"},
        {"days": 20, "late_fee": "50.00"},
    ),
    # github A1exxx/teplobilling: two debts, the older is paid first
    "two debts, first in first out": (
        "late_fee_steps",
        {"debts": [["2026-07-15", "700"], ["2026-06-15", "500"]], "payments": [["2026-08-10", "600"]],
         "as_of": "2026-09-15", "rate_percent": "16", "rate_cap_percent": "9.5"},
        {"late_fees": ["6.08", "4.12"], "late_fee": "10.20", "outstandings": ["600.00", "0.00"]},
    ),
    "late fee of each debt": (
        "late_fee_steps",
        {"debts": [{"due": "2026-06-15", "principal": "500"}, {"due": "2026-07-15", "principal": "700"}],
         "payments": [["2026-08-10", "600"]], "as_of": "2026-09-15", "rate_percent": "9.5"},
        {"late_fee": ["4.12", "6.08"], "total": "10.20", "outstanding": ["0.00", "600.00"]},
    ),
    "corrected area": (
        "apportion",
        {"total": "100.00", "weights": {"101": "1", "102": "1"}, "corrected": {"102": "3"}},
        {"shares": {"101": "50.00", "102": "50.00"}, "shares_after": {"101": "25.00", "102": "75.00"},
         "adjustments": {"101": "-25.00", "102": "25.00"}},
    ),
    "span with months named": (
        "true_up",
        {"base_ytd": "170", "periods": [{"period": "202612", "qty": "30"}, {"period": "202701", "qty": "20"}],
         "bounds": ["180"], "prices": ["3.0", "4.5"], "fixed": "10"},
        {"periods": ["130.00", "70.00"]},
    ),
    "overpayment is credit": (
        "payment_order",
        {"costs": "0.00", "interest": "5.00", "principal": "100.00", "payment": "120.00"},
        {"applied": {"interest": "5.00", "principal": "100.00"}, "principal_left": "0.00", "credit": "15.00"},
    ),
    "debts due together are paid in proportion": (
        "payment_order",
        {"payment": "100.00", "debts": [{"id": "a", "due": "2026-01-01", "amount": "100.00"},
                                        {"id": "b", "due": "2026-01-01", "amount": "200.00"}]},
        {"applied": {"a": "33.33", "b": "66.67"}, "credit": "0.00"},
    ),
    "corrected upwards": (
        "credit_note",
        {"original": "52.50", "paid": "52.50", "correct": "60.00"},
        {"documents": ["52.50", "-52.50", "60.00"], "net": "60.00", "credit": "0.00", "left_to_pay": "7.50"},
    ),
    "both meters behind transformers": (
        "meter_swap",
        {"components": [{"meter": "A", "prev": "10", "end": "12", "multiplier": "40"},
                        {"meter": "B", "prev": "0", "end": "1.5", "multiplier": "60"}]},
        {"consumption": "170"},
    ),
    "rise of an ordinary day": (
        "rollover",
        {"prev": "5400", "cur": "5412", "modulus": "100000", "max_daily": "200", "days": "1"},
        {"kind": "normal", "consumption": "12"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_INPUTS)
def test_same_topics_with_other_inputs(name: str) -> None:
    topic, given, expected = OTHER_INPUTS[name]

    outcome = run_case(Case(id=name, topic=topic, input=given, expected=expected))

    assert outcome.verdict is Verdict.PASSED, outcome.details
