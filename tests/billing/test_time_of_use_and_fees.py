"""Time of use from rate registers or intervals; charges without a meter; holidays as published."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.holidays import DayKind, day_types, parse_holidays
from cloud.domain.invoice import Invoice
from cloud.domain.periods import ServicePeriod
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.domain.space_history import SpaceSearch
from cloud.domain.subscription import Subscription
from cloud.domain.time_of_use import Calendar, Slots
from cloud.services import invoices, spaces, special_days, subscriptions, tariffs
from cloud.store import points, schema
from cloud.store.db import Tx
from cloud.tariffs import shipped_holidays
from protocol.quantity import micro_from_decimal
from protocol.reading import Reading
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
DAY_NIGHT = {
    "periods": [
        {"period": "peak", "windows": [["08:00", "22:00"]]},
        {"period": "valley", "windows": [["00:00", "08:00"], ["22:00", "24:00"]]},
    ]
}


def import_tariff(
    estate: Estate, code: str, commodity: str, *charges: dict[str, Any], unit: str = "kWh"
) -> None:
    document = {
        "schema": 1, "code": code, "name_zh": "例", "name_en": "example", "region": "CN-SH",
        "commodity": commodity, "customer_class": "-", "currency": "CNY", "unit": unit,
        "versions": [{
            "version": 1, "valid_from": "2020-01-01", "valid_to": None, "confidence": "low",
            "sources": [{"publisher": "-", "title": "-", "found_at": "-"}], "charges": list(charges),
        }],
    }  # fmt: skip
    estate.database.write_now(
        TENANT, tariffs.import_document, SYSTEM, json.dumps(document).encode(), activate=True
    )


def documents(estate: Estate) -> list[Invoice]:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    return [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, one.invoice_id)
        for one in reversed(page.items)
    ]


def lines(invoice: Invoice) -> list[tuple[str, str, Decimal | None, int]]:
    return [(line.component, line.tier, line.quantity, line.amount_fen) for line in invoice.lines]


def splits(estate: Estate) -> set[str]:
    """Every line recomputes from its trace; return how time of use was known."""
    found = set()
    for document in documents(estate):
        for trace in estate.database.read_now(TENANT, invoices.traces, SYSTEM, document.invoice_id):
            recomputed = recompute(trace_from_json(trace_to_json(trace)))
            assert (recomputed.amount_fen, recomputed.faults) == (trace.amount_fen, ())
            found.add(trace.basis.time_split)
    return found


def add_registers(estate: Estate, code: str, *periods: str) -> None:
    """Give the meter that hangs there a further dial for each period."""

    def work(tx: Tx) -> None:
        for period in periods:
            key = f"{code}/{period}"
            series = points.register_keys(tx, estate.gateway.gateway_id, [key])[key]
            tx.conn.execute(
                sa.insert(schema.installation_register).values(
                    tenant_id=TENANT, installation_id=estate.installations[code], period=period,
                    series_id=series, opening_value_micro=0,
                )
            )  # fmt: skip

    estate.database.write_now(TENANT, work)


def read_registers(estate: Estate, code: str, at_ms: int, **values: str) -> None:
    rows = [
        Reading(f"{code}/{period}", at_ms, micro_from_decimal(Decimal(value)))
        for period, value in values.items()
    ]
    estate.deliver(rows)


async def test_rate_registers_are_priced_by_period(estate: Estate) -> None:
    import_tariff(
        estate, "peak-valley", "electricity",
        {"kind": "time_of_use", "component": "energy",
         "rates": [{"prices": {"peak": "0.568", "valley": "0.288"}}]},
    )  # fmt: skip
    estate.add_flat("101", water=None, electricity="peak-valley", multiplier="2")
    add_registers(estate, "E-101", "peak", "valley")
    read_registers(estate, "E-101", at(SEPTEMBER), peak="100", valley="50")
    read_registers(estate, "E-101", at(OCTOBER), peak="160", valley="90.5")

    await estate.close("2026-09")

    assert lines(documents(estate)[0]) == [
        ("energy", "peak", 120, 6816),
        ("energy", "valley", 81, 2333),
    ]
    assert splits(estate) == {"registers"}


async def test_next_bill_goes_on_from_each_register(estate: Estate) -> None:
    import_tariff(
        estate, "peak-valley", "electricity",
        {"kind": "time_of_use", "component": "energy", "rates": [{"prices": {"peak": "1", "valley": "0.5"}}]},
    )  # fmt: skip
    estate.add_flat("101", water=None, electricity="peak-valley")
    add_registers(estate, "E-101", "peak", "valley")
    read_registers(estate, "E-101", at(SEPTEMBER), peak="0", valley="0")
    read_registers(estate, "E-101", at(OCTOBER) - 1000, peak="10", valley="20")
    await estate.close("2026-09")
    read_registers(estate, "E-101", at(OCTOBER) + 10, peak="11", valley="21")
    read_registers(estate, "E-101", at(date(2026, 11, 1)), peak="30", valley="50")

    await estate.close("2026-10")

    assert [line[2] for line in lines(documents(estate)[1])] == [20, 30]


async def test_register_without_a_reading_holds_the_account(estate: Estate) -> None:
    import_tariff(
        estate, "peak-valley", "electricity",
        {"kind": "time_of_use", "component": "energy", "rates": [{"prices": {"peak": "1", "valley": "0.5"}}]},
    )  # fmt: skip
    estate.add_flat("101", water=None, electricity="peak-valley")
    add_registers(estate, "E-101", "peak", "valley")
    read_registers(estate, "E-101", at(SEPTEMBER), peak="0", valley="0")
    read_registers(estate, "E-101", at(OCTOBER), peak="10")

    report = await estate.close("2026-09")

    ((problem,),) = report.held.values()
    assert problem.kind.value == "missing_reading"


async def test_meter_with_one_register_is_split_by_its_readings(estate: Estate) -> None:
    import_tariff(
        estate, "matrix", "electricity",
        {"kind": "matrix", "component": "energy", "ladder": {"cycle": "year"}, "split_rule": "chronological",
         "tiers": [{"to": "25", "prices": {"peak": "1", "valley": "0.5"}},
                   {"to": None, "prices": {"peak": "2", "valley": "1"}}], "calendar": DAY_NIGHT},
    )  # fmt: skip
    estate.add_flat("101", water=None, electricity="matrix")
    for day, hour, value in ((1, 0, "0"), (1, 8, "10"), (1, 22, "40"), (2, 8, "50")):
        estate.read("E-101", at(date(2026, 9, day), hour), value)
    estate.read("E-101", at(OCTOBER), "50")

    await estate.close("2026-09")

    assert lines(documents(estate)[0]) == [
        ("energy", "1 peak", 15, 1500),
        ("energy", "1 valley", 10, 500),
        ("energy", "2 peak", 15, 3000),
        ("energy", "2 valley", 10, 1000),
    ]
    assert splits(estate) == {"intervals"}


async def test_interval_across_a_bound_is_divided_by_time_and_flagged(estate: Estate) -> None:
    import_tariff(
        estate, "peak-valley", "electricity",
        {"kind": "time_of_use", "component": "energy", "rates": [{"prices": {"peak": "1", "valley": "0.5"}}],
         "calendar": DAY_NIGHT},
    )  # fmt: skip
    estate.add_flat("101", water=None, electricity="peak-valley")
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(SEPTEMBER, 6), "0")
    estate.read("E-101", at(SEPTEMBER, 10), "8")
    estate.read("E-101", at(OCTOBER), "8")

    await estate.close("2026-09")

    assert [line[1:3] for line in lines(documents(estate)[0])] == [("valley", 4), ("peak", 4)]
    assert splits(estate) == {"linear"}


async def test_heat_told_from_outside_makes_hours_sharp(estate: Estate) -> None:
    hot = {
        "periods": [
            {"period": "sharp", "windows": [["11:00", "12:00"]], "days": ["hot"]},
            {"period": "flat", "windows": [["00:00", "24:00"]]},
        ]
    }
    import_tariff(
        estate, "weather", "electricity",
        {"kind": "time_of_use", "component": "energy",
         "rates": [{"prices": {"flat": "1"}, "factors": {"sharp": {"times": "1.25", "of": "flat"}}}],
         "calendar": hot},
    )  # fmt: skip
    estate.add_flat("101", water=None, electricity="weather")
    estate.database.write_now(
        TENANT, special_days.tell_day, SYSTEM, estate.site_id, date(2026, 9, 2), "hot", "气象台"
    )
    [told] = estate.database.read_now(
        TENANT, special_days.list_days, SYSTEM, estate.site_id, date(2026, 9, 1), date(2026, 9, 3)
    )
    assert (told.kind, told.source) == ("hot", "气象台")
    for day in (1, 2):
        estate.read("E-101", at(date(2026, 9, day)), str(day * 10))
        estate.read("E-101", at(date(2026, 9, day), 11), str(day * 10))
        estate.read("E-101", at(date(2026, 9, day), 12), str(day * 10 + 4))
    estate.read("E-101", at(OCTOBER), "24")

    await estate.close("2026-09")

    assert {line[1]: line[2] for line in lines(documents(estate)[0])} == {"flat": 10, "sharp": 4}


def subscribe(estate: Estate, flat: str, tariff: str, label: str, from_on: date, **how: Any) -> Subscription:
    return estate.database.write_now(
        TENANT, subscriptions.subscribe, SYSTEM, estate.accounts[flat], tariff, from_on, label=label, **how
    )


async def test_property_fee_and_parking_are_on_the_same_invoice(estate: Estate) -> None:
    import_tariff(estate, "fee", "property", {"kind": "area", "component": "fee", "price": "2.80"}, unit="m2")
    import_tariff(
        estate, "parking", "parking",
        {"kind": "fixed", "component": "space", "price": "80", "per": "month", "is_counted": True},
        unit="space",
    )  # fmt: skip
    estate.add_flat("101", water=None, area_dm2=8943)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10")
    subscribe(estate, "101", "fee", "物业费", date(2026, 1, 1))
    subscribe(estate, "101", "parking", "车位 B-12", date(2026, 1, 1), count=2)

    await estate.close("2026-09")

    assert lines(documents(estate)[0]) == [
        ("energy", "1", 10, 488),
        ("fee", "", Decimal("89.43"), 25040),
        ("space", "", 2, 16000),
    ]
    splits(estate)


async def test_fee_from_the_middle_of_the_month_is_rounded_once(estate: Estate) -> None:
    import_tariff(estate, "fee", "property", {"kind": "area", "component": "fee", "price": "2.80"}, unit="m2")
    estate.add_flat("101", water=None, opened_on=date(2027, 1, 1), area_dm2=8943)
    subscribe(estate, "101", "fee", "物业费", date(2026, 9, 17))

    await estate.close("2026-09")

    # 2.80 x 89.43 x 14/30: published as 116.86 when rounded once.
    assert [line.amount_fen for line in documents(estate)[0].lines] == [11686]
    splits(estate)


async def test_fee_ends_on_the_day_said_and_not_in_what_is_billed(estate: Estate) -> None:
    import_tariff(estate, "fee", "property", {"kind": "area", "component": "fee", "price": "2.80"}, unit="m2")
    estate.add_flat("101", water=None, opened_on=date(2027, 1, 1), area_dm2=10_000)
    fee = subscribe(estate, "101", "fee", "物业费", SEPTEMBER)
    await estate.close("2026-09")

    with pytest.raises(Conflict, match="billed up to 2026-10-01"):
        end(estate, fee, date(2026, 9, 20))
    end(estate, fee, date(2026, 10, 16))
    await estate.close("2026-10")

    # 280 a month, 15 of October's 31 days.
    assert [one.total_fen for one in documents(estate)] == [28000, 13548]
    with pytest.raises(Conflict, match="billed up to 2026-11-01"):
        subscribe(estate, "101", "fee", "again", date(2026, 10, 20))


def end(estate: Estate, fee: Subscription, to_on: date) -> None:
    estate.database.write_now(TENANT, subscriptions.end_subscription, SYSTEM, fee.subscription_id, to_on)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"tariff": "nothing"}, "there is no tariff 'nothing'"),
        ({"tariff": "cn-beijing-elec-res"}, "prices what a meter measures"),
        ({"count": 0}, "count is 1 to 1000"),
        ({"area_m2": Decimal(0)}, "a floor area is above zero"),
    ],
)
def test_faulty_subscription_is_refused(estate: Estate, how: dict[str, Any], message: str) -> None:
    estate.add_flat("101", water=None)
    import_tariff(estate, "fee", "property", {"kind": "area", "component": "fee", "price": "2.80"}, unit="m2")
    wanted = {"tariff": "fee", **how}

    with pytest.raises(Invalid, match=message):
        subscribe(estate, "101", label="x", from_on=date(2026, 12, 1), **wanted)


def test_holidays_are_those_of_the_notice() -> None:
    body = shipped_holidays("CN-SH")
    assert body is not None
    holidays = parse_holidays(body)

    kinds = [holidays.kind_of(date(2026, 10, day)) for day in (1, 5, 9, 10, 11)]

    assert kinds == [
        DayKind.HOLIDAY,
        DayKind.OFF,
        DayKind.WORKDAY,
        DayKind.WORKDAY,  # a Saturday that is worked
        DayKind.OFF,
    ]
    assert "国办发明电〔2025〕7号" in holidays.documents[2026]


def test_year_nobody_published_is_an_error_not_a_guess() -> None:
    body = shipped_holidays("CN")
    assert body is not None

    with pytest.raises(Invalid, match=r"for 2027 is known \(there are: 2025, 2026\); add the year"):
        parse_holidays(body).kind_of(date(2027, 1, 1))


def test_calendar_that_treats_all_days_alike_needs_no_holidays() -> None:
    alike = Calendar(periods=(Slots(period="flat", windows=(("00:00", "24:00"),)),))

    assert day_types(alike, ServicePeriod(date(2030, 1, 1), date(2030, 2, 1)), None, {}) == {}


async def test_an_area_surveyed_anew_prices_no_month_before_it_anew(estate: Estate) -> None:
    import_tariff(estate, "fee", "property", {"kind": "area", "component": "fee", "price": "2.80"}, unit="m2")
    estate.add_flat("101", water=None, opened_on=date(2027, 1, 1), area_dm2=10_000)
    subscribe(estate, "101", "fee", "物业费", SEPTEMBER)
    found = estate.database.read_now(TENANT, spaces.search, SYSTEM, estate.site_id, SpaceSearch())
    space_id = found.items[0].space.space_id
    changes = {"built_area_dm2": 11_000}
    estate.database.write_now(
        TENANT, spaces.change_space, SYSTEM, space_id, date(2026, 9, 16), changes, "重新测绘"
    )

    await estate.close("2026-09")
    await estate.close("2026-10")

    assert sorted(line.amount_fen for one in documents(estate) for line in one.lines) == [28_000, 30_800]
    splits(estate)
