"""The running charge: a few seconds behind the wire, and equal to the bill when time stops."""

import asyncio
import random
from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloud.domain.change import Change, PointChange, ReadingsChanged, RunningChargeChanged
from cloud.domain.errors import NotFound
from cloud.domain.running_charge import RunningCharge
from cloud.domain.usage import ProblemKind
from cloud.domain.user import Role, User
from cloud.live import Hub
from cloud.running import keep_running_charges
from cloud.services import invoices, running
from cloud.store import schema
from cloud.store.db import Database, Tx
from tests.billing.estate import SYSTEM, Estate, at, make_estate
from tests.databases import TENANT, FakeClock

OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)


def update(estate: Estate, *flats: str) -> list[RunningCharge]:
    ids = [estate.accounts[flat] for flat in flats]
    return estate.database.write_now(TENANT, running.update, estate.site_id, ids)


def test_charge_so_far_follows_the_newest_reading(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101")
    estate.read("E-101", at(NOVEMBER), "1000")
    estate.read("W-101", at(NOVEMBER), "50")
    estate.read("E-101", clock() - 3_600_000, "1100")

    (charge,) = update(estate, "101")

    electricity, water = charge.services
    assert (charge.period_code, charge.total_fen, charge.as_of_ms) == ("2026-11", 4883, clock())
    assert (electricity.quantity, electricity.tier, electricity.until_next_tier) == (100, 1, Decimal(2780))
    assert electricity.measured_at_ms == clock() - 3_600_000
    assert water.quantity == 0


async def test_charge_equals_the_bill_when_time_stops(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", max_per_day="4000")
    estate.read("E-101", at(OCTOBER), "0")
    estate.read("W-101", at(OCTOBER), "0")
    estate.read("E-101", at(NOVEMBER), "2800")
    estate.read("W-101", at(NOVEMBER), "10")
    await estate.close("2026-10")
    clock.now_ms = at(DECEMBER) - 1
    estate.read("E-101", clock(), "2950.5")
    estate.read("W-101", clock(), "21.37")
    (charge,) = update(estate, "101")
    clock.now_ms += 1
    await estate.close("2026-11")

    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, period_code="2026-11")
    assert charge.total_fen == page.items[0].total_fen > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_charge_after_any_sequence_of_readings_equals_the_bill(
    estate: Estate, clock: FakeClock, seed: int
) -> None:
    rng = random.Random(seed)
    flats = ["101", "102", "103"]
    dials = {}
    clock.now_ms = at(NOVEMBER, 1)
    for flat in flats:
        estate.add_flat(
            flat, water=None, modulus="10000", max_per_day="900", household_size=rng.choice([3, 7])
        )
        dials[flat] = rng.choice([0, 9900])
        estate.read(f"E-{flat}", at(NOVEMBER), str(dials[flat]))
    charges: dict[str, int] = {}
    for day in range(2, 31):
        clock.now_ms = at(date(2026, 11, day), rng.randrange(1, 23))
        for flat in rng.sample(flats, rng.randrange(1, 4)):
            dials[flat] = (dials[flat] + rng.randrange(0, 400)) % 10_000
            if rng.random() < 0.1:
                estate.exchange(f"E-{flat}", clock() - 60_000, str(dials[flat]), "3", modulus="10000")
                dials[flat] = 3
            estate.read(f"E-{flat}", clock(), str(dials[flat]))
        charges |= {one.account_id: one.total_fen for one in update(estate, *flats)}
    clock.now_ms = at(DECEMBER) - 1
    for flat in flats:
        estate.read(f"E-{flat}", clock(), str(dials[flat]))
    charges |= {one.account_id: one.total_fen for one in update(estate, *flats)}

    clock.now_ms = at(DECEMBER)
    report = await estate.close("2026-11")

    assert report.is_closed, report.held
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, period_code="2026-11")
    assert {one.account_id: one.total_fen for one in page.items} == charges


def test_month_that_is_not_billed_yet_counts_on_the_ladder(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None, max_per_day="4000")
    estate.period("2026-10")
    estate.read("E-101", at(OCTOBER), "0")
    estate.read("E-101", at(NOVEMBER), "2870")
    estate.read("E-101", clock(), "2900")

    (charge,) = update(estate, "101")

    assert charge.total_fen == 488 + 1077  # 10 kWh at 0.4883, 20 at 0.5383
    assert charge.services[0].tier == 2


def test_new_holders_charge_goes_on_where_the_ladder_stands(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None, max_per_day="4000")
    estate.add_flat("102", water=None)
    moved_on = date(2026, 11, 11)
    estate.database.write_now(TENANT, _end_supply, estate, "101", moved_on)
    estate.supply("102", "E-101", "cn-beijing-elec-res", moved_on)
    estate.read("E-101", at(NOVEMBER), "0")
    estate.read("E-102", at(NOVEMBER), "0")
    estate.read("E-101", at(moved_on), "2870")
    estate.read("E-101", clock(), "2900")

    (charge,) = update(estate, "102")

    assert charge.total_fen == 488 + 1077  # 10 kWh are left in the first tier


def _end_supply(tx: Tx, estate: Estate, flat: str, to_on: date) -> None:
    tx.conn.execute(
        sa.update(schema.supply)
        .where(schema.supply.c.tenant_id == TENANT, schema.supply.c.account_id == estate.accounts[flat])
        .values(to_on=to_on)
    )


def test_account_that_cannot_be_assessed_says_why(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", clock(), "10")

    (charge,) = update(estate, "101")

    assert charge.total_fen == 0
    (problem,) = charge.problems
    assert (problem.kind, problem.meter_serial) == (ProblemKind.MISSING_READING, "E-101-old")
    assert problem.detail == "no reading within 6 h of the boundary"


def test_what_a_site_comes_to_counts_every_account_and_names_who_has_no_charge(
    estate: Estate, clock: FakeClock
) -> None:
    estate.add_flat("101", water=None)
    estate.add_flat("102", water=None)
    estate.add_flat("103", water=None)
    for code in ("E-101", "E-102"):
        estate.read(code, at(NOVEMBER), "0")
    for code in ("E-101", "E-102", "E-103"):
        estate.read(code, clock(), "10")
    charges = update(estate, "101", "102", "103")

    found = estate.database.read_now(TENANT, running.site_charges, SYSTEM, estate.site_id)

    assert found.sums == {"electricity": sum(one.total_fen for one in charges)}
    assert found.sums == {"electricity": 2 * 488}
    (blocked,) = found.blocked
    assert blocked.space_code == "1-103"
    assert [problem.meter_serial for problem in blocked.problems] == ["E-103-old"]


def test_older_computation_never_replaces_a_newer(estate: Estate, clock: FakeClock) -> None:
    account_id = estate.add_flat("101", water=None)
    estate.read("E-101", at(NOVEMBER), "0")
    estate.read("E-101", clock(), "10")
    update(estate, "101")
    clock.advance(hours=-1)

    update(estate, "101")

    stored = estate.database.read_now(TENANT, running.running_charge, SYSTEM, account_id)
    assert stored is not None
    assert stored.total_fen == 488


def test_resident_sees_no_other_account(estate: Estate) -> None:
    own, other = estate.add_flat("101", water=None), estate.add_flat("102", water=None)
    resident = User(SYSTEM.user_id, TENANT, Role.RESIDENT, "王建国", account_ids=frozenset({own}))

    assert estate.database.read_now(TENANT, running.running_charge, resident, own) is None
    with pytest.raises(NotFound):
        estate.database.read_now(TENANT, running.running_charge, resident, other)


async def test_charge_follows_the_wire_by_itself(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    hub = Hub(asyncio.get_running_loop())
    followed = Database(database_url, clock=clock, on_commit=hub.publish)
    estate = await asyncio.to_thread(make_estate, followed)
    account_id = await asyncio.to_thread(estate.add_flat, "101", water=None)
    await asyncio.to_thread(estate.read, "E-101", at(NOVEMBER), "0")
    seen: list[Change] = []

    with hub.listen(TENANT) as listener:
        keeper = asyncio.create_task(keep_running_charges(followed, hub, clock, TENANT))
        await asyncio.to_thread(estate.read, "E-101", clock() - 1000, "100")
        hub.publish([_moved(estate, "E-101", clock() - 1000)])
        async with asyncio.timeout(10):
            while not any(isinstance(one, RunningChargeChanged) and one.total_fen == 4883 for one in seen):
                seen.append(await listener.next())
        hub.close()
        await keeper

    stored = await followed.read(TENANT, running.running_charge, SYSTEM, account_id)
    assert stored is not None
    assert stored.total_fen == 4883
    await asyncio.to_thread(followed.close)


def _moved(estate: Estate, code: str, at_ms: int) -> ReadingsChanged:
    point = PointChange(estate.series[code], "em-101-old/active_energy_import", at_ms, 100_000_000, 0)
    return ReadingsChanged(TENANT, estate.site_id, estate.gateway.gateway_id, at_ms, (point,))
