"""Closing a period: every account gets one invoice, or is held with the meter to visit."""

from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloud.domain.errors import Conflict
from cloud.domain.ids import InvoiceId
from cloud.domain.invoice import Invoice
from cloud.domain.periods import PeriodState
from cloud.domain.usage import ProblemKind
from cloud.services import billing, invoices, ledger
from cloud.store import schema
from cloud.store.db import Tx
from protocol.reading import ClockQuality, Quality
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)


def invoices_of(estate: Estate) -> list[Invoice]:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    found = [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, InvoiceId(one.invoice_id))
        for one in page.items
    ]
    return sorted(found, key=lambda one: one.number)


def lines_of(invoice: Invoice) -> list[tuple[str, str, str, int]]:
    return [
        (
            line.charge_code,
            line.component,
            f"{line.quantity.normalize():f}" if line.quantity else "",
            line.amount_fen,
        )
        for line in invoice.lines
    ]


def read_month(
    estate: Estate, flat: str, start: date, end: date, kwh: tuple[str, str], m3: tuple[str, str]
) -> None:
    for code, values in ((f"E-{flat}", kwh), (f"W-{flat}", m3)):
        estate.read(code, at(start), values[0])
        estate.read(code, at(end), values[1])


async def test_account_is_billed_by_the_readings_at_the_boundaries(estate: Estate) -> None:
    estate.add_flat("101")
    read_month(estate, "101", SEPTEMBER, OCTOBER, ("1000", "1250.5"), ("50", "58.25"))

    report = await estate.close("2026-09")

    assert report.is_closed
    (invoice,) = invoices_of(estate)
    assert invoice.number == "DG-2026-09-0001"
    assert lines_of(invoice) == [
        ("electricity", "energy", "250.5", 12232),  # 250.5 x 0.4883 = 122.319
        ("water", "water", "8.25", 1708),  # 8.25 x 2.07 = 17.0775
        ("water", "resource", "8.25", 1295),  # 8.25 x 1.57 = 12.9525
        ("water", "sewage", "8.25", 1122),  # 8.25 x 1.36 = 11.22
    ]
    assert invoice.total_fen == report.issued_fen == 16357


async def test_reading_nearest_to_the_boundary_bills(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER) - 50 * 60_000, "99")
    estate.read("E-101", at(SEPTEMBER) + 10 * 60_000, "100")
    estate.read("E-101", at(OCTOBER) - 20 * 60_000, "150")
    estate.read("E-101", at(OCTOBER) + 40 * 60_000, "151")

    await estate.close("2026-09")

    assert lines_of(invoices_of(estate)[0]) == [("electricity", "energy", "50", 2442)]


async def test_next_bill_begins_where_the_last_one_ended(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "100")
    estate.read("E-101", at(OCTOBER) - 60 * 60_000, "150")
    estate.read("E-101", at(NOVEMBER), "230")
    await estate.close("2026-09")
    # A reading nearer to the boundary comes in late: it must neither lose nor double a kilowatt hour.
    estate.read("E-101", at(OCTOBER) + 60_000, "151")

    await estate.close("2026-10")

    assert [lines_of(one)[0][2] for one in invoices_of(estate)] == ["50", "80"]


async def test_ladder_goes_on_from_month_to_month(estate: Estate) -> None:
    estate.add_flat("101", water=None, max_per_day="4000")
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "2800")
    estate.read("E-101", at(NOVEMBER), "3000")

    await estate.close("2026-09")
    await estate.close("2026-10")

    assert lines_of(invoices_of(estate)[1]) == [
        ("electricity", "energy", "80", 3906),  # up to 2880
        ("electricity", "energy", "120", 6460),
    ]


async def test_large_household_has_wider_tiers(estate: Estate) -> None:
    estate.add_flat("101", water=None, max_per_day="4000", household_size=6)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "4100")

    await estate.close("2026-09")

    assert [line[2] for line in lines_of(invoices_of(estate)[0])] == ["4080", "20"]


async def test_exchanged_meter_counts_with_both_parts(estate: Estate) -> None:
    estate.add_flat("101", water=None, multiplier="10")
    estate.read("E-101", at(SEPTEMBER), "1000.0")
    estate.exchange("E-101", at(date(2026, 9, 15), 10), "1008.5", "0.3", multiplier="20")
    estate.read("E-101", at(OCTOBER), "4.8")

    await estate.close("2026-09")

    (line,) = lines_of(invoices_of(estate)[0])
    assert line[2] == "175"  # 8.5 x 10 + 4.5 x 20


async def test_rolled_over_register_is_billed_across_the_zero(estate: Estate) -> None:
    estate.add_flat("101", water=None, modulus="100000")
    estate.read("E-101", at(SEPTEMBER), "99900.5")
    estate.read("E-101", at(OCTOBER), "120")

    await estate.close("2026-09")

    assert lines_of(invoices_of(estate)[0])[0][2] == "219.5"


async def test_register_that_went_back_is_held_and_nothing_is_billed(estate: Estate) -> None:
    estate.add_flat("101")
    read_month(estate, "101", SEPTEMBER, OCTOBER, ("5400", "12"), ("50", "58"))

    report = await estate.close("2026-09")

    assert not report.is_closed
    (problems,) = report.held.values()
    assert [(problem.kind, problem.meter_serial) for problem in problems] == [
        (ProblemKind.REGISTER_DROP, "E-101-old")
    ]
    assert invoices_of(estate) == []


async def test_missing_reading_holds_the_account_and_names_the_meter(estate: Estate) -> None:
    estate.add_flat("101")
    estate.add_flat("102")
    read_month(estate, "101", SEPTEMBER, OCTOBER, ("0", "10"), ("0", "1"))
    estate.read("E-102", at(SEPTEMBER), "0")
    estate.read("E-102", at(OCTOBER), "10")
    estate.read("W-102", at(SEPTEMBER), "0")

    report = await estate.close("2026-09")

    assert report.invoices_issued == 1
    assert not report.is_closed
    overview = estate.database.read_now(TENANT, billing.period_overview, SYSTEM, estate.period("2026-09"))
    (hold,) = overview.holds
    assert hold.account_number == "A-00102"
    assert [(p.kind, p.meter_serial, p.at_ms) for p in hold.problems] == [
        (ProblemKind.MISSING_READING, "W-102-old", at(OCTOBER))
    ]


async def test_held_account_is_billed_once_the_reading_is_there(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    await estate.close("2026-09")

    estate.read("E-101", at(OCTOBER), "10")
    report = await estate.close("2026-09")

    assert report.is_closed
    assert len(invoices_of(estate)) == 1


@pytest.mark.parametrize(
    ("quality", "clock_quality", "said"),
    [
        (Quality.HELD, ClockQuality.SYNCED, "held"),
        (Quality.SUSPECT, ClockQuality.SYNCED, "suspect"),
        (Quality.GOOD, ClockQuality.UNSYNCED, "clock"),
    ],
)
async def test_doubtful_reading_at_the_boundary_bills_nothing(
    estate: Estate, quality: Quality, clock_quality: ClockQuality, said: str
) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10", quality=quality, clock_quality=clock_quality, reason="jump")

    report = await estate.close("2026-09")

    ((problem,),) = report.held.values()
    assert problem.kind is ProblemKind.HELD_READING
    assert said in problem.detail


async def test_account_held_in_one_month_waits_in_the_next(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(NOVEMBER), "30")
    await estate.close("2026-09")

    report = await estate.close("2026-10")

    ((problem,),) = report.held.values()
    assert problem.kind is ProblemKind.EARLIER_UNBILLED
    assert "2026-09" in problem.detail


async def test_closing_twice_is_a_conflict_that_says_what_is_there(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10")
    await estate.close("2026-09")

    with pytest.raises(Conflict, match="2026-09 of site DG is already closed with 1 invoices"):
        await estate.close("2026-09")

    assert len(invoices_of(estate)) == 1


async def test_period_that_has_not_ended_is_not_closed(estate: Estate) -> None:
    with pytest.raises(Conflict, match="2026-11 of site DG ends on 2026-11-30"):
        await estate.close("2026-11")


async def test_periods_are_closed_in_order(estate: Estate) -> None:
    estate.period("2026-09")

    with pytest.raises(Conflict, match="2026-09 of site DG must be closed before 2026-10"):
        await estate.close("2026-10")


async def test_broken_off_run_is_taken_up_and_bills_nobody_twice(estate: Estate) -> None:
    for flat in ("101", "102", "103"):
        estate.add_flat(flat, water=None)
        estate.read(f"E-{flat}", at(SEPTEMBER), "0")
        estate.read(f"E-{flat}", at(OCTOBER), "10")
    period_id = estate.period("2026-09")
    waiting = estate.database.write_now(TENANT, billing.begin_closing, SYSTEM, period_id)
    estate.database.write_now(TENANT, billing.issue_invoices, SYSTEM, period_id, waiting[:2])

    report = await estate.close("2026-09", group_size=1)

    assert report.invoices_issued == 1
    assert [one.number for one in invoices_of(estate)] == [
        "DG-2026-09-0001",
        "DG-2026-09-0002",
        "DG-2026-09-0003",
    ]


async def test_same_group_again_issues_nothing(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10")
    period_id = estate.period("2026-09")
    waiting = estate.database.write_now(TENANT, billing.begin_closing, SYSTEM, period_id)

    first = estate.database.write_now(TENANT, billing.issue_invoices, SYSTEM, period_id, waiting)
    again = estate.database.write_now(TENANT, billing.issue_invoices, SYSTEM, period_id, waiting)

    assert (len(first.issued), len(again.issued)) == (1, 0)


async def move(estate: Estate, old: str, new: str, moved_on: date, *, reads_on_moving: bool = True) -> None:
    """The flat of `old` changes hands on a day."""
    estate.add_flat(old, water=None, max_per_day="4000")
    estate.add_flat(new, water=None)
    estate.database.write_now(TENANT, _end_supply, estate, old, moved_on)
    estate.supply(new, f"E-{old}", "cn-beijing-elec-res", moved_on)
    estate.read(f"E-{old}", at(SEPTEMBER), "0")
    if reads_on_moving:
        estate.read(f"E-{old}", at(moved_on), "2870")
    estate.read(f"E-{new}", at(SEPTEMBER), "0")
    estate.read(f"E-{new}", at(OCTOBER), "0")


@pytest.mark.parametrize(("old", "new"), [("101", "102"), ("202", "201")])
@pytest.mark.parametrize("group_size", [1, 100])
async def test_new_holder_takes_over_dial_and_ladder(
    estate: Estate, old: str, new: str, group_size: int
) -> None:
    await move(estate, old, new, date(2026, 9, 16))
    estate.read(f"E-{old}", at(OCTOBER), "2900")

    await estate.close("2026-09", group_size=group_size)

    first, second = invoices_of(estate)
    assert first.account_id == estate.accounts[old]
    assert [line[2] for line in lines_of(first)] == ["2870"]
    # The household's ladder is inherited: 10 kWh were left in the first tier.
    assert [line[2] for line in lines_of(second) if line[2]] == ["10", "20"]


async def test_new_holder_waits_for_whoever_was_there_before(estate: Estate) -> None:
    await move(estate, "101", "102", date(2026, 9, 16), reads_on_moving=False)
    estate.read("E-101", at(OCTOBER), "2900")

    report = await estate.close("2026-09")

    kinds = {
        account_id: [problem.kind for problem in problems] for account_id, problems in report.held.items()
    }
    assert kinds == {
        estate.accounts["101"]: [ProblemKind.MISSING_READING],
        estate.accounts["102"]: [ProblemKind.EARLIER_UNBILLED],
    }


def _end_supply(tx: Tx, estate: Estate, flat: str, to_on: date) -> None:
    tx.conn.execute(
        sa.update(schema.supply)
        .where(schema.supply.c.tenant_id == TENANT, schema.supply.c.account_id == estate.accounts[flat])
        .values(to_on=to_on)
    )


async def test_tariff_without_an_active_version_holds_the_account(estate: Estate) -> None:
    estate.add_flat("101", electricity="nowhere", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10")

    report = await estate.close("2026-09")

    ((problem,),) = report.held.values()
    assert problem.kind is ProblemKind.NO_TARIFF


async def test_ledger_balances_and_the_account_owes_the_invoice(estate: Estate) -> None:
    account_id = estate.add_flat("101")
    read_month(estate, "101", SEPTEMBER, OCTOBER, ("0", "100"), ("0", "10"))

    report = await estate.close("2026-09")

    assert estate.database.read_now(TENANT, ledger.balance, SYSTEM, account_id) == report.issued_fen
    trial = estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM)
    assert trial.total_fen == 0
    assert trial.balances["revenue.electricity"] == -4883
    assert trial.balances["revenue.water"] == -5000
    (row,) = estate.database.read_now(TENANT, ledger.statement, SYSTEM, account_id)
    assert (row.memo, row.amount_fen, row.balance_fen) == ("DG-2026-09-0001", 9883, 9883)


@pytest.mark.parametrize("table", ["invoice", "invoice_line", "usage", "ledger_entry", "posting"])
@pytest.mark.parametrize("act", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}"])
async def test_what_was_issued_cannot_be_changed_in_the_database(
    estate: Estate, table: str, act: str
) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10")
    await estate.close("2026-09")

    def work(tx: Tx) -> None:
        tx.conn.exec_driver_sql(act.format(table))

    with pytest.raises(Exception, match="append-only"):
        estate.database.write_now(TENANT, work)


async def test_tariff_that_was_in_force_cannot_be_changed_in_the_database(estate: Estate) -> None:
    def work(tx: Tx) -> None:
        tx.conn.exec_driver_sql("UPDATE tariff SET document = '{}'")

    with pytest.raises(Exception, match="never changed"):
        estate.database.write_now(TENANT, work)


async def test_price_change_inside_the_month_uses_the_reading_of_that_day(estate: Estate) -> None:
    estate.add_flat("101", water=None, electricity="two-prices")
    estate.database.write_now(TENANT, _two_prices, "reading")
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(date(2026, 9, 11)), "70")
    estate.read("E-101", at(OCTOBER), "100")

    await estate.close("2026-09")

    assert [(line[2], line[3]) for line in lines_of(invoices_of(estate)[0])] == [("70", 7000), ("30", 6000)]


async def test_price_change_without_a_reading_is_split_by_days(estate: Estate) -> None:
    estate.add_flat("101", water=None, electricity="two-prices")
    estate.database.write_now(TENANT, _two_prices, "reading")
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "100")

    await estate.close("2026-09")

    (invoice,) = invoices_of(estate)
    assert [(line[2], line[3]) for line in lines_of(invoice)] == [("33.3333", 3333), ("66.6667", 13333)]
    assert sum(line.quantity for line in invoice.lines if line.quantity) == Decimal(100)


def _two_prices(tx: Tx, split: str) -> None:
    import json

    from cloud.services import tariffs

    source = [{"publisher": "-", "title": "-", "found_at": "-"}]
    head = {"valid_from": "2020-01-01", "valid_to": "2026-09-11", "confidence": "low", "sources": source}
    document = {
        "schema": 1, "code": "two-prices", "name_zh": "x", "name_en": "x", "region": "-", "currency": "CNY",
        "commodity": "electricity", "customer_class": "-", "unit": "kWh",
        "versions": [
            {**head, "version": 1, "change_split": split,
             "charges": [{"kind": "flat", "component": "energy", "price": "1"}]},
            {**head, "version": 2, "valid_from": "2026-09-11", "valid_to": None, "change_split": split,
             "charges": [{"kind": "flat", "component": "energy", "price": "2"}]},
        ],
    }  # fmt: skip
    tariffs.import_document(tx, SYSTEM, json.dumps(document).encode(), activate=True)


async def test_period_states(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "10")
    period_id = estate.period("2026-09")

    def state() -> PeriodState:
        (period,) = estate.database.read_now(TENANT, billing.list_periods, SYSTEM, estate.site_id)
        return period.state

    opened = state()
    estate.database.write_now(TENANT, billing.begin_closing, SYSTEM, period_id)
    begun = state()
    await estate.close("2026-09")

    assert (opened, begun, state()) == (PeriodState.OPEN, PeriodState.CLOSING, PeriodState.CLOSED)


def _refuse_invoices_of(estate: Estate, flat: str) -> None:
    """Let the database itself refuse one account's invoice: a defect nobody has thought of."""
    account_id = estate.accounts[flat]

    def work(tx: Tx) -> None:
        if tx.is_postgresql:
            tx.conn.exec_driver_sql(
                "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'XX000'; END $$"
            )
            tx.conn.exec_driver_sql(
                "CREATE TRIGGER broken BEFORE INSERT ON invoice FOR EACH ROW "
                f"WHEN (NEW.account_id = '{account_id}') EXECUTE FUNCTION break_it()"
            )
            return
        stored = account_id.replace("-", "")
        tx.conn.exec_driver_sql(
            f"CREATE TRIGGER broken BEFORE INSERT ON invoice WHEN NEW.account_id = '{stored}' "
            "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )

    estate.database.write_now(TENANT, work)


def _mend(tx: Tx) -> None:
    tx.conn.exec_driver_sql("DROP TRIGGER broken ON invoice" if tx.is_postgresql else "DROP TRIGGER broken")


async def test_an_account_the_program_fails_at_holds_up_no_neighbour(
    estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    for flat in ("101", "102", "103"):
        estate.add_flat(flat, water=None)
        estate.read(f"E-{flat}", at(date(2026, 9, 1)), "0")
        estate.read(f"E-{flat}", at(date(2026, 10, 1)), "100")
    _refuse_invoices_of(estate, "102")

    report = await estate.close("2026-09")

    assert report.invoices_issued == 2
    assert not report.is_closed
    (problem,) = report.held[estate.accounts["102"]]
    assert problem.kind is ProblemKind.DEFECT
    assert "the program failed at an account" in caplog.text

    await estate.database.write(TENANT, _mend)
    again = await estate.close("2026-09")

    assert (again.invoices_issued, again.is_closed, again.held) == (1, True, {})
    trial = await estate.database.read(TENANT, ledger.trial_balance, SYSTEM)
    assert trial.total_fen == 0
    assert trial.balances["receivable"] == 3 * 4883
