"""Common costs: what the master meter shows beyond the flats', shared to the fen, on everybody's bill."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cloud.domain.apportionment import PublicUsage, ShareBasis
from cloud.domain.conservation import Balance, BalanceVerdict
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.invoice import Invoice
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.domain.tariff_document import parse_version
from cloud.services import conservation, invoices, shared_costs
from cloud.services.shared_costs import CostToShare, SharedCost
from cloud.store import premises, tariffs
from cloud.store.db import Tx
from tests.billing.estate import ELECTRICITY, SYSTEM, Estate, at
from tests.databases import TENANT

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
AREAS = {"101": 8943, "102": 12050, "201": 6500, "202": 14327, "301": 8943}


def build(estate: Estate) -> None:
    for flat, area_dm2 in AREAS.items():
        estate.add_flat(flat, water=None, area_dm2=area_dm2, household_size=int(flat[0]))
        estate.read(f"E-{flat}", at(SEPTEMBER), "0")
        estate.read(f"E-{flat}", at(OCTOBER), "100")


def add_point(estate: Estate, code: str, kind: ServicePointKind, values: tuple[str, str]) -> None:
    def work(tx: Tx) -> None:
        estate.points[code] = premises.insert_service_point(
            tx, estate.site_id, None, code, Commodity.ELECTRICITY, kind
        )
        estate._hang(
            tx, code, f"{code}-old", Commodity.ELECTRICITY, at(date(2025, 1, 1)), "0", "1", "1000000", "8000"
        )

    estate.database.write_now(TENANT, work)
    for on, value in zip((SEPTEMBER, OCTOBER), values, strict=True):
        estate.read(code, at(on), value)


def share(estate: Estate, total_fen: int, basis: ShareBasis = ShareBasis.AREA, **how: Any) -> SharedCost:
    cost = CostToShare(
        "lift", "电梯公摊电费", "Lift", "electricity", total_fen, basis, "电网账单 2026-09", **how
    )
    return estate.database.write_now(TENANT, shared_costs.share_cost, SYSTEM, estate.period("2026-09"), cost)


def documents(estate: Estate) -> list[Invoice]:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    found = [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, one.invoice_id) for one in page.items
    ]
    return sorted(found, key=lambda one: one.account_number)


async def test_cost_is_shared_to_the_fen_and_on_every_bill(estate: Estate) -> None:
    build(estate)

    shared = share(estate, 123456)
    await estate.close("2026-09")

    # The published example: 1234.56 by floor area over five rooms.
    assert shared.shares == {
        "A-00101": 21750, "A-00102": 29306, "A-00201": 15808, "A-00202": 34843, "A-00301": 21749,
    }  # fmt: skip
    assert {one.account_number: one.lines[1].amount_fen for one in documents(estate)} == shared.shares
    line = documents(estate)[0].lines[1]
    assert (line.component, line.name_zh, line.quantity, line.unit) == (
        "lift",
        "电梯公摊电费",
        Decimal("89.43"),
        "m2",
    )


async def test_share_recomputes_from_its_trace_and_shows_everybodys(estate: Estate) -> None:
    build(estate)
    share(estate, 123456)
    await estate.close("2026-09")

    for document in documents(estate):
        trace = estate.database.read_now(TENANT, invoices.trace, SYSTEM, document.invoice_id, 2)
        recomputed = recompute(trace_from_json(trace_to_json(trace)))
        assert (recomputed.amount_fen, recomputed.faults) == (trace.amount_fen, ())
        bearers = trace.tariff.document["charges"][0]["bearers"]
        assert sum(one["share_fen"] for one in bearers.values()) == 123456


@pytest.mark.parametrize(
    ("basis", "how", "expected"),
    [
        (ShareBasis.ROOM, {}, [2000, 2000, 2000, 2000, 2000]),
        (ShareBasis.HEADCOUNT, {}, [1111, 1111, 2222, 2222, 3334]),
        (ShareBasis.ROOM, {"excluded": ["A-00101", "A-00102"]}, [3334, 3333, 3333]),
        (ShareBasis.ROOM, {"excluded_floors": [1]}, [3334, 3333, 3333]),
        (
            ShareBasis.FLOOR_COEFFICIENT,
            {"coefficients": {1: Decimal("0.5")}},
            [1111, 1496, 1614, 3558, 2221],
        ),
    ],
    ids=["room", "headcount", "without two", "without the ground floor", "floor coefficient"],
)
def test_bases(estate: Estate, basis: ShareBasis, how: dict[str, object], expected: list[int]) -> None:
    build(estate)

    shares = share(estate, 10000, basis, **how).shares

    assert sum(shares.values()) == 10000
    assert sorted(shares.values()) == sorted(expected)


async def test_half_area_half_floor_adds_up(estate: Estate) -> None:
    build(estate)

    shared = share(estate, 100001, ShareBasis.AREA_AND_FLOOR)
    report = await estate.close("2026-09")

    assert sum(shared.shares.values()) == 100001
    assert report.issued_fen == 5 * 4883 + 100001


def test_common_usage_is_master_less_submeters(estate: Estate) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", "1700"))
    add_point(estate, "E-PUBLIC", ServicePointKind.PUBLIC, ("0", "180"))

    measured = estate.database.read_now(
        TENANT, shared_costs.measure_cost, SYSTEM, estate.period("2026-09"), "E-MAIN",
        [f"E-{flat}" for flat in AREAS], ["E-PUBLIC"], ELECTRICITY,
    )  # fmt: skip

    assert (measured.quantity, measured.usage.loss, measured.total_fen) == (Decimal(200), Decimal(20), 9766)
    assert measured.words() == (
        "master 700 - sub-meters 500 = 200 kWh (public meters 180, loss 20), by tariff cn-beijing-elec-res"
    )


def balance(estate: Estate) -> Balance:
    [found] = estate.database.read_now(TENANT, conservation.month_balances, SYSTEM, estate.site_id, "2026-09")
    return found


def test_balance_says_where_the_masters_quantity_went(estate: Estate) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", "1700"))
    add_point(estate, "E-PUBLIC", ServicePointKind.PUBLIC, ("0", "180"))

    found = balance(estate)

    assert found.usage == PublicUsage(Decimal(700), Decimal(500), Decimal(180))
    assert (found.verdict, found.missing) == (BalanceVerdict.IN_ORDER, ())
    assert list(found.buildings.values()) == [500]


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ("1568", BalanceVerdict.IN_ORDER),
        ("1569", BalanceVerdict.LOSS_HIGH),
        ("1499", BalanceVerdict.NEGATIVE),
    ],
    ids=["just within 12 %", "just above", "less than the homes"],
)
def test_loss_is_judged(estate: Estate, ends: str, verdict: BalanceVerdict) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", ends))

    assert balance(estate).verdict is verdict


def test_balance_names_the_meter_that_cannot_be_measured_and_those_that_stand(estate: Estate) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", "3"))
    add_point(estate, "E-PUMP", ServicePointKind.PUBLIC, ("7", "7"))

    found = balance(estate)

    assert (found.usage, found.verdict) == (None, BalanceVerdict.NOT_KNOWN)
    assert [one.code for one in found.missing] == ["E-MAIN"]
    assert [one.code for one in found.still] == ["E-PUMP"]


def test_submeters_that_measure_more_than_the_master_are_a_fault(estate: Estate) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", "1400"))

    with pytest.raises(Conflict, match="sub-meters of E-MAIN measured 100 more than it did"):
        estate.database.read_now(
            TENANT, shared_costs.measure_cost, SYSTEM, estate.period("2026-09"), "E-MAIN",
            [f"E-{flat}" for flat in AREAS], [], ELECTRICITY,
        )  # fmt: skip


def test_meter_that_cannot_be_measured_is_named(estate: Estate) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", "3"))

    with pytest.raises(Conflict, match="E-MAIN cannot be measured: E-MAIN-old: the dial went from 1000 to 3"):
        estate.database.read_now(
            TENANT, shared_costs.measure_cost, SYSTEM, estate.period("2026-09"), "E-MAIN", [], [], ELECTRICITY
        )
    with pytest.raises(NotFound, match="no service point 'E-NONE'"):
        estate.database.read_now(
            TENANT, shared_costs.measure_cost, SYSTEM, estate.period("2026-09"), "E-NONE", [], [], ELECTRICITY
        )


async def test_cost_is_shared_once_and_before_the_first_bill(estate: Estate) -> None:
    build(estate)
    share(estate, 10000)

    with pytest.raises(Conflict, match="lift of 2026-09 was shared already"):
        share(estate, 10000)
    await estate.close("2026-09")
    with pytest.raises(Conflict, match="has 5 invoices; share costs before"):
        share(estate, 5000)


@pytest.mark.parametrize(
    ("total", "basis", "how", "message"),
    [
        (0, ShareBasis.AREA, {}, "a shared cost is above zero"),
        (100, ShareBasis.SUBMETER, {}, "not known before the bills are made"),
        (100, ShareBasis.AREA, {"excluded": ["A-9"]}, "no account 'A-9' to be excluded"),
        (100, ShareBasis.AREA, {"excluded": [f"A-00{flat}" for flat in AREAS]}, "among nobody"),
    ],
)
def test_cost_that_cannot_be_shared_is_refused(
    estate: Estate, total: int, basis: ShareBasis, how: dict[str, object], message: str
) -> None:
    build(estate)

    with pytest.raises(Invalid, match=message):
        share(estate, total, basis, **how)


async def test_cost_shared_wrong_is_taken_back_and_shared_anew(estate: Estate) -> None:
    build(estate)
    first = share(estate, 10000)
    period = estate.period("2026-09")

    estate.database.write_now(TENANT, shared_costs.withdraw_cost, SYSTEM, period, first.tariff_code)
    share(estate, 12000, ShareBasis.ROOM)

    [stands] = estate.database.read_now(TENANT, shared_costs.costs_of_period, SYSTEM, period)
    assert (stands.total_fen, stands.basis, set(stands.shares.values())) == (12000, "room", {2400})
    report = await estate.close("2026-09")
    assert report.issued_fen == 5 * 4883 + 12000
    with pytest.raises(Conflict, match="has 5 invoices"):
        estate.database.write_now(TENANT, shared_costs.withdraw_cost, SYSTEM, period, first.tariff_code)


def test_common_usage_of_a_site_is_priced(estate: Estate) -> None:
    build(estate)
    add_point(estate, "E-MAIN", ServicePointKind.MASTER, ("1000", "1700"))
    add_point(estate, "E-PUBLIC", ServicePointKind.PUBLIC, ("0", "180"))

    measured = estate.database.read_now(
        TENANT,
        shared_costs.measure_site_cost,
        SYSTEM,
        estate.period("2026-09"),
        Commodity.ELECTRICITY,
        ELECTRICITY,
    )

    assert (measured.quantity, measured.total_fen) == (Decimal(200), 9766)


def test_share_that_does_not_follow_from_its_weight_is_refused(estate: Estate) -> None:
    build(estate)
    shared = share(estate, 10000)
    (stored,) = estate.database.read_now(TENANT, tariffs.versions_of, shared.tariff_code)
    document = {**stored.version.document}
    charge = document["charges"][0]
    bearer = {**charge["bearers"]["A-00101"], "share_fen": 1}
    document["charges"] = [{**charge, "bearers": {**charge["bearers"], "A-00101": bearer}}]

    with pytest.raises(Invalid) as caught:
        parse_version(document)

    assert "the share of A-00101 is 1762 fen, the document says 1" in caught.value.problems[0].detail
