"""Replaying an invoice names the line that differs; a tariff tried out on itself changes nothing."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cloud.domain.errors import Invalid
from cloud.domain.periods import ServicePeriod
from cloud.services import corrections, invoices, manual_readings, replay, tariff_trial, tariffs
from cloud.services.replay import LineDifference, Replay
from cloud.services.tariff_trial import Trial
from cloud.tariffs import shipped_documents
from tests.billing.estate import ELECTRICITY, SYSTEM, Estate, at
from tests.databases import TENANT

AUGUST, SEPTEMBER, OCTOBER = (date(2026, month, 1) for month in (8, 9, 10))


async def bill(estate: Estate) -> None:
    estate.add_flat("101", max_per_day="4000")
    estate.add_flat("102", water=None)
    for code, values in (
        ("E-101", ("0", "2800", "3000")),
        ("W-101", ("0", "5", "9")),
        ("E-102", ("0", "50", "90")),
    ):
        for on, value in zip((AUGUST, SEPTEMBER, OCTOBER), values, strict=True):
            estate.read(code, at(on), value)
    await estate.close("2026-08")
    await estate.close("2026-09")


def misread(estate: Estate, code: str, right: int) -> None:
    """Enter what the meter really showed at the end of September."""
    installation = estate.installations[code]
    estate.database.write_now(
        TENANT, manual_readings.record_reading, SYSTEM, installation, OCTOBER, Decimal(right), "抄错"
    )


def replayed(estate: Estate, index: int = 0) -> Replay:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, period_code="2026-09")
    ordered = sorted(page.items, key=lambda one: one.account_number)
    return estate.database.read_now(TENANT, replay.replay, SYSTEM, ordered[index].invoice_id)


async def test_untouched_invoice_is_identical(estate: Estate) -> None:
    await bill(estate)

    again = replayed(estate)

    assert again.is_identical
    assert again.today_fen == again.invoice.total_fen


async def test_one_changed_reading_makes_exactly_its_lines_differ(estate: Estate) -> None:
    await bill(estate)
    estate.database.write_now(
        TENANT,
        manual_readings.record_reading,
        SYSTEM,
        estate.installations["W-101"],
        OCTOBER,
        Decimal(8),
        "抄错",
    )

    again = replayed(estate)

    assert not again.is_identical
    assert again.differences == (
        LineDifference("water 1", "quantity", "4", "3", -207),
        LineDifference("resource", "quantity", "4", "3", -157),
        LineDifference("sewage", "quantity", "4", "3", -136),
    )
    assert again.today_fen == again.invoice.total_fen - 500


async def test_line_that_would_not_be_there_is_named(estate: Estate) -> None:
    await bill(estate)
    estate.database.write_now(
        TENANT,
        manual_readings.record_reading,
        SYSTEM,
        estate.installations["E-101"],
        OCTOBER,
        Decimal(2870),
        "抄错",
    )

    again = replayed(estate)

    assert [(one.line, one.what) for one in again.differences] == [
        ("energy 1", "quantity"),
        ("energy 2", "missing"),
    ]


async def test_invoice_that_cannot_be_assessed_any_more_says_why(estate: Estate) -> None:
    await bill(estate)
    estate.database.write_now(
        TENANT,
        manual_readings.record_reading,
        SYSTEM,
        estate.installations["W-101"],
        OCTOBER,
        Decimal(1),
        "抄错",
    )

    again = replayed(estate)

    assert again.today_fen is None
    assert [problem.kind.value for problem in again.problems] == ["register_drop"]


def draft(estate: Estate, change: Any = None) -> None:
    document = json.loads(dict(shipped_documents())[f"{ELECTRICITY}.json"])
    document["code"] = "draft"
    if change is not None:
        for version in document["versions"]:
            change(version["charges"][0])
    estate.database.write_now(TENANT, tariffs.import_document, SYSTEM, json.dumps(document).encode())


def tried(estate: Estate) -> Trial:
    dates = ServicePeriod(date(2026, 1, 1), date(2027, 1, 1))
    return estate.database.read_now(
        TENANT, tariff_trial.try_tariff, SYSTEM, "draft", 2, ELECTRICITY, estate.site_id, dates
    )


async def test_identical_tariff_changes_nobodys_bill(estate: Estate) -> None:
    await bill(estate)
    draft(estate)

    trial = tried(estate)

    assert [row.difference_fen for row in trial.rows] == [0, 0]
    assert trial.billed_fen == trial.trial_fen > 0
    assert dict(trial.distribution())[0] == 2


async def test_dearer_second_tier_is_paid_by_those_who_reach_it(estate: Estate) -> None:
    await bill(estate)

    def dearer(charge: dict[str, Any]) -> None:
        charge["tiers"][1]["price"] = "1.5383"

    draft(estate, dearer)

    trial = tried(estate)

    # 120 kWh of flat 101 lie above 2880.
    assert [(row.account_number, row.difference_fen) for row in trial.rows] == [
        ("A-00101", 12000),
        ("A-00102", 0),
    ]


async def test_what_was_corrected_counts_as_corrected(estate: Estate) -> None:
    await bill(estate)
    estate.database.write_now(
        TENANT,
        manual_readings.record_reading,
        SYSTEM,
        estate.installations["E-102"],
        OCTOBER,
        Decimal(70),
        "抄错",
    )
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, period_code="2026-09")
    wrong = next(one for one in page.items if one.account_number == "A-00102")
    estate.database.write_now(TENANT, corrections.correct, SYSTEM, wrong.invoice_id, "抄错")
    draft(estate)

    trial = tried(estate)

    assert [row.difference_fen for row in trial.rows] == [0, 0]
    assert {row.account_number: row.billed_fen for row in trial.rows}["A-00102"] == 2442 + 977


async def test_time_of_use_draft_cannot_be_tried_on_totals(estate: Estate) -> None:
    await bill(estate)
    estate.database.write_now(TENANT, tariffs.import_shipped, SYSTEM, "cn-zhejiang-elec-res-tou")

    with pytest.raises(Invalid, match="prices by time of use"):
        estate.database.read_now(
            TENANT, tariff_trial.try_tariff, SYSTEM, "cn-zhejiang-elec-res-tou", 1, ELECTRICITY,
            estate.site_id, ServicePeriod(date(2026, 1, 1), date(2027, 1, 1)),
        )  # fmt: skip
