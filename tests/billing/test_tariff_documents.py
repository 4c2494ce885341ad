"""Tariffs as data: what ships can be read, and what is wrong is refused by name and place."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.periods import ServicePeriod, month_of
from cloud.domain.rating import Customer, SliceUsage, plan, rate, total_fen
from cloud.domain.tariff import PastUsage
from cloud.domain.tariff_calendar import parse_calendar
from cloud.domain.tariff_document import Tariff, parse_document
from cloud.services import tariffs
from cloud.store.db import Database
from cloud.store.tariffs import TariffState
from cloud.tariffs import shipped_calendars, shipped_documents
from tests.billing.estate import SYSTEM
from tests.databases import TENANT

SHIPPED = dict(shipped_documents())


def shipped(code: str) -> list[Tariff]:
    return [version.tariff for version in parse_document(SHIPPED[f"{code}.json"])]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tariff_can_price_and_names_its_source(name: str) -> None:
    for version in parse_document(SHIPPED[name]):
        tariff = version.tariff
        month = month_of(month_of(max(tariff.valid_from, date(2012, 8, 1))).end_on)
        planned = plan([tariff], month)
        by_period = {"peak": Decimal(60), "valley": Decimal(40)}
        if name.startswith("uk-"):
            by_period = {"day": Decimal(60), "night": Decimal(40)}
        lines = rate(planned, [SliceUsage(Decimal(100), by_period=by_period)] * len(planned), Customer(3))

        assert total_fen(lines) > 0
        assert tariff.sources
        assert f"{tariff.code}.json" == name


@pytest.mark.parametrize(("name", "body"), list(shipped_calendars()), ids=lambda item: str(item)[:30])
def test_shipped_calendar_covers_every_minute(name: str, body: bytes) -> None:
    document = parse_calendar(body)

    assert f"{document.code}.json" == name
    assert document.versions


PUBLISHED: dict[str, tuple[str, date, str, str]] = {
    # 广州市人民政府 2026-05-14: 600 kWh cost 370.40 in summer and 423.40 otherwise
    "Guangzhou, summer": ("cn-guangzhou-elec-res", date(2026, 7, 1), "600", "370.40"),
    "Guangzhou, not summer": ("cn-guangzhou-elec-res", date(2026, 1, 1), "600", "423.40"),
    "Panyu with tiered sewage": ("cn-panyu-water-res", date(2026, 7, 1), "30", "86.44"),
    "Shenzhen, eight decimals": ("cn-shenzhen-elec-res", date(2026, 1, 1), "100", "66.29"),
    "Malaysia, tax on the upper part": ("my-tnb-res", date(2026, 1, 1), "700", "290.77"),
    "Malaysia, minimum": ("my-tnb-res", date(2026, 1, 1), "5", "3.00"),
    "Economy 7 with a standing charge": ("uk-economy7-smart", date(2026, 6, 1), "0", "13.76"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_shipped_tariff_prices_as_published(name: str) -> None:
    code, start, quantity, expected = PUBLISHED[name]
    versions = shipped(code)

    lines = rate(plan(versions, month_of(start)), [SliceUsage(Decimal(quantity))], Customer(3))

    assert versions[-1].currency.text(total_fen(lines)) == expected


def test_month_across_a_season_has_the_days_share_of_both_ladders() -> None:
    versions = shipped("cn-guangzhou-elec-res")
    period = ServicePeriod(date(2026, 4, 16), date(2026, 5, 16))
    planned = plan(versions, period)

    lines = rate(planned, [SliceUsage(Decimal(200)), SliceUsage(Decimal(200))], Customer(3))

    # 15 days each: 100/200 kWh of 200/400, and 130/300 kWh of 260/600.
    assert [(line.charge.tier, line.charge.quantity) for line in lines] == [
        (1, 100),
        (2, 100),
        (1, 130),
        (2, 70),
    ]


def test_heating_season_is_priced_low_and_not_counted() -> None:
    versions = shipped("cn-shaanxi-elec-res-tou")
    winter = PastUsage(month_of(date(2026, 12, 1)), Decimal(5000))
    autumn = PastUsage(month_of(date(2026, 9, 1)), Decimal(2000))
    used = {"peak": Decimal(200), "valley": Decimal(0)}

    december = rate(
        plan(versions, winter.dates), [SliceUsage(Decimal(200), by_period=used)], history=[autumn]
    )
    april = rate(
        plan(versions, month_of(date(2027, 4, 1))),
        [SliceUsage(Decimal(200), by_period=used)],
        history=[autumn, winter],
    )

    assert [line.charge.tier for line in december] == [1]
    assert [(line.charge.tier, line.charge.quantity) for line in april if line.charge.quantity] == [
        (1, 160),
        (2, 40),
    ]


def test_ladder_year_starts_in_july_in_shaanxi() -> None:
    versions = shipped("cn-shaanxi-elec-res")
    june = PastUsage(month_of(date(2026, 6, 1)), Decimal(4000))

    lines = rate(plan(versions, month_of(date(2026, 7, 1))), [SliceUsage(Decimal(100))], history=[june])

    assert [line.charge.tier for line in lines] == [1]


def test_period_across_the_turn_of_the_ladder_year_is_cut() -> None:
    versions = shipped("cn-beijing-elec-res")
    planned = plan(versions, ServicePeriod(date(2026, 12, 15), date(2027, 1, 15)))

    assert [part.dates.start_on for part in planned] == [date(2026, 12, 15), date(2027, 1, 1)]


def test_new_holder_in_shandong_starts_with_the_months_that_are_left() -> None:
    versions = shipped("cn-shandong-elec-res")
    before = PastUsage(month_of(date(2021, 3, 1)), Decimal(2500), is_same_holder=False)
    moved_in = Customer(household_size=3, holder_since=date(2021, 10, 20))

    lines = rate(plan(versions, month_of(date(2021, 11, 1))), [SliceUsage(Decimal(700))], moved_in, [before])

    # Three months left, the begun one counting whole: a quarter of 2520.
    assert [(line.charge.tier, line.charge.quantity) for line in lines] == [(1, 630), (2, 70)]


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = json.loads(SHIPPED["cn-beijing-water-res.json"])
    base["versions"][0] |= changes
    return base


def refused(body: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        parse_document(json.dumps(body).encode())
    return [(problem.pointer, problem.detail) for problem in caught.value.problems]


def tiers(*rows: dict[str, Any]) -> dict[str, Any]:
    charge = {"kind": "tiered", "component": "water", "ladder": {"cycle": "year"}, "tiers": list(rows)}
    return document(charges=[charge])


def test_ladder_with_a_hole_is_refused() -> None:
    body = tiers(
        {"over": "0", "to": "180", "price": "2"},
        {"over": "200", "to": "260", "price": "3"},
        {"over": "260", "to": None, "price": "4"},
    )

    assert refused(body) == [
        ("/versions/0/charges/0", "tier 2 starts over 200: usage from 180 to 200 has no price")
    ]


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "bounds that fall": (
        tiers({"to": "260", "price": "2"}, {"to": "180", "price": "3"}, {"to": None, "price": "4"}),
        "/versions/0/charges/0",
        "bounds must rise: 180 comes after 260",
    ),
    "tiers that overlap": (
        tiers({"to": "180", "price": "2"}, {"over": "170", "to": None, "price": "3"}),
        "/versions/0/charges/0",
        "tier 2 starts over 170: usage from 170 to 180 has two prices",
    ),
    "no open end": (
        tiers({"to": "180", "price": "2"}, {"to": "260", "price": "3"}),
        "/versions/0/charges/0",
        "usage above 260 has no price: the last tier must be open (to: null)",
    ),
    "price with nine decimals": (
        tiers({"to": None, "price": "0.123456789"}),
        "/versions/0/charges/0/tiers/0/price",
        "price 0.123456789 has more than 8 decimals",
    ),
    "price that is no number": (
        tiers({"to": None, "price": "NaN"}),
        "/versions/0/charges/0/tiers/0/price",
        "'NaN' is not a number",
    ),
    "misspelt key": (
        tiers({"to": None, "prize": "2"}),
        "/versions/0/charges/0/tiers/0",
        "Object contains unknown field `prize`",
    ),
    "unknown kind": (
        document(charges=[{"kind": "magic", "component": "water"}]),
        "/versions/0/charges/0",
        "a charge has a kind, one of area, fixed, flat, formula, limits, matrix, percent, share, "
        "tiered, time_of_use; not 'magic'",
    ),
    "component there twice": (
        document(charges=[{"kind": "flat", "component": "water", "price": "1"}] * 2),
        "/versions/0/charges/1/component",
        "component 'water' is there twice",
    ),
    "percentage of nothing": (
        document(charges=[{"kind": "percent", "component": "tax", "percent": "5", "of": ["water"]}]),
        "/versions/0/charges/0/of",
        "'water' is no component before 'tax'",
    ),
    "no source": (document(sources=[]), "/versions/0/sources", "name at least one source of the figures"),
    "unknown rounding": (
        document(rounding="sideways"),
        "/versions/0/rounding",
        "'sideways' is not one of ceiling_line, ceiling_total, floor_line, floor_total, half_even_line, "
        "half_even_total, half_up_line, half_up_total",
    ),
    "day that does not exist": (
        document(valid_from="2026-02-30"),
        "/versions/0/valid_from",
        "Invalid RFC3339 encoded date",
    ),
    "ladder year on a leap day": (
        document(
            charges=[
                {
                    "kind": "tiered",
                    "component": "water",
                    "ladder": {"cycle": "year", "year_start": "02-29"},
                    "tiers": [{"to": None, "price": "1"}],
                }
            ]
        ),
        "/versions/0/charges/0/ladder",
        "a ladder year cannot start on 02-29",
    ),
    "household that moves one bound of two": (
        document(
            charges=[
                {
                    "kind": "tiered",
                    "component": "water",
                    "ladder": {"cycle": "year", "household": {"from_persons": 6, "add": ["30"]}},
                    "tiers": [
                        {"to": "1", "price": "1"},
                        {"to": "2", "price": "2"},
                        {"to": None, "price": "3"},
                    ],
                }
            ]
        ),
        "/versions/0/charges/0",
        "the household rule moves 1 bounds and the ladder has 2",
    ),
    "calendar with a hole": (
        document(
            charges=[
                {
                    "kind": "time_of_use",
                    "component": "energy",
                    "rates": [{"prices": {"peak": "1"}}],
                    "calendar": {"periods": [{"period": "peak", "windows": [["00:00", "23:30"]]}]},
                }
            ]
        ),
        "/versions/0/charges/0",
        "month 1: 23:30 belongs to no period",
    ),
    "factors in a circle": (
        document(
            charges=[
                {
                    "kind": "time_of_use",
                    "component": "energy",
                    "rates": [
                        {
                            "factors": {
                                "peak": {"times": "2", "of": "sharp"},
                                "sharp": {"times": "2", "of": "peak"},
                            }
                        }
                    ],
                }
            ]
        ),
        "/versions/0/charges/0/rates/0",
        "the factors of peak and sharp refer to each other",
    ),
    "month without a season": (
        document(
            charges=[
                {
                    "kind": "tiered",
                    "component": "water",
                    "ladder": {"cycle": "bill"},
                    "seasons": [{"id": "summer", "months": [5, 6, 7], "tiers": [{"to": None, "price": "1"}]}],
                }
            ]
        ),
        "/versions/0/charges/0",
        "seasons: no price for month 1, 2, 3, 4, 8, 9, 10, 11, 12",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named_with_its_place(fault: str) -> None:
    body, pointer, detail = FAULTS[fault]

    assert (pointer, detail) in refused(body)


def test_every_fault_is_listed_not_only_the_first() -> None:
    body = tiers({"to": "1", "price": "x"})
    body["code"] = "Beijing Water"
    body["currency"] = "Yuan"

    assert [pointer for pointer, _ in refused(body)] == [
        "/code",
        "/currency",
        "/versions/0/charges/0/tiers/0/price",
    ]


def two_versions(first_to: str | None, second_from: str) -> dict[str, Any]:
    body = document(valid_to=first_to)
    second = {**body["versions"][0], "version": 2, "valid_from": second_from, "valid_to": None}
    return {**body, "versions": [body["versions"][0], second]}


def test_versions_that_overlap_are_refused() -> None:
    assert refused(two_versions("2026-07-01", "2026-06-01")) == [
        ("/versions/1/valid_from", "versions 1 (to 2026-07-01) and 2 (from 2026-06-01) overlap")
    ]


def test_versions_that_leave_days_without_a_price_are_refused() -> None:
    assert refused(two_versions("2026-07-01", "2026-08-01")) == [
        ("/versions/1/valid_from", "no version is valid from 2026-07-01 to 2026-08-01")
    ]


def test_day_before_the_first_version_has_no_price() -> None:
    with pytest.raises(Invalid, match="no active version for 2012-06-01; it has 2012-07-01 to 2019-12-01"):
        plan(shipped("cn-beijing-elec-res"), month_of(date(2012, 6, 1)))


def import_one(database: Database, body: dict[str, Any], **how: bool) -> None:
    database.write_now(TENANT, tariffs.import_document, SYSTEM, json.dumps(body).encode(), **how)


def states(database: Database) -> list[tuple[int, TariffState, date | None]]:
    found = database.read_now(TENANT, tariffs.list_tariffs, SYSTEM)
    return [(one.version, one.state, one.valid_to) for one in found]


def test_imported_tariff_is_a_draft_until_somebody_activates_it(database: Database) -> None:
    import_one(database, document())
    drafted = states(database)

    database.write_now(TENANT, tariffs.activate, SYSTEM, "cn-beijing-water-res", 1)

    assert drafted == [(1, TariffState.DRAFT, None)]
    assert states(database) == [(1, TariffState.ACTIVE, None)]


def test_importing_again_changes_nothing(database: Database) -> None:
    import_one(database, document(), activate=True)

    import_one(database, document(), activate=True)

    assert states(database) == [(1, TariffState.ACTIVE, None)]


def test_draft_is_replaced_by_what_is_imported_anew(database: Database) -> None:
    import_one(database, document(confidence="low"))

    import_one(database, document(confidence="high"))

    (found,) = database.read_now(TENANT, tariffs.list_tariffs, SYSTEM)
    assert found.confidence == "high"


def test_version_in_force_is_not_replaced(database: Database) -> None:
    import_one(database, document(), activate=True)

    with pytest.raises(Conflict, match="version 1 is active with another text; a change is a new version"):
        import_one(database, document(confidence="low"))


def test_next_version_ends_the_one_before(database: Database) -> None:
    import_one(database, document(), activate=True)

    import_one(database, document(version=2, valid_from="2027-01-01"), activate=True)

    assert states(database) == [
        (1, TariffState.ACTIVE, date(2027, 1, 1)),
        (2, TariffState.ACTIVE, None),
    ]


def test_version_that_overlaps_one_in_force_is_not_activated(database: Database) -> None:
    import_one(database, document(valid_to="2027-01-01"), activate=True)

    with pytest.raises(Conflict, match=r"version 2 \(from 2026-01-01\) overlaps version 1"):
        import_one(database, document(version=2, valid_from="2026-01-01"), activate=True)
