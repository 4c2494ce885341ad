"""Readings by hand, estimates, credit notes and replacements: nothing issued is edited."""

from datetime import date
from decimal import Decimal

import pytest

from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.invoice import Invoice, InvoiceKind
from cloud.domain.payment import Method
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.domain.user import Role, User
from cloud.services import corrections, invoices, ledger, manual_readings, payments
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT, FakeClock

AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (date(2026, month, 1) for month in (8, 9, 10, 11))


def documents(estate: Estate) -> list[Invoice]:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    found = [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, one.invoice_id) for one in page.items
    ]
    return list(reversed(found))


def by_hand(estate: Estate, on: date, value: str, code: str = "E-101") -> None:
    estate.database.write_now(
        TENANT,
        manual_readings.record_reading,
        SYSTEM,
        estate.installations[code],
        on,
        Decimal(value),
        "现场抄表",
    )


def balance(estate: Estate) -> int:
    return estate.database.read_now(TENANT, ledger.balance, SYSTEM, estate.accounts["101"])


def assert_sound(estate: Estate) -> None:
    """The books balance, and every line recomputes from its trace."""
    assert estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM).total_fen == 0
    for document in documents(estate):
        for trace in estate.database.read_now(TENANT, invoices.traces, SYSTEM, document.invoice_id):
            recomputed = recompute(trace_from_json(trace_to_json(trace)))
            assert (recomputed.amount_fen, recomputed.faults) == (trace.amount_fen, ())


async def bill_september(estate: Estate, closing: str = "300") -> Invoice:
    estate.add_flat("101", water=None, max_per_day="4000")
    estate.read("E-101", at(SEPTEMBER), "100")
    estate.read("E-101", at(OCTOBER), closing)
    await estate.close("2026-09")
    return documents(estate)[0]


async def test_reading_by_hand_bills_a_held_account(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "100")
    await estate.close("2026-09")

    by_hand(estate, OCTOBER, "250")
    report = await estate.close("2026-09")

    assert report.is_closed
    (invoice,) = documents(estate)
    assert invoice.lines[0].quantity == 150
    trace = estate.database.read_now(TENANT, invoices.trace, SYSTEM, invoice.invoice_id, 1)
    assert trace.usage is not None
    closing = trace.usage.segments[0].closing
    assert (closing.source, closing.value, closing.reason) == ("manual", 250, "现场抄表")
    assert_sound(estate)


async def test_last_reading_by_hand_holds(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "100")
    by_hand(estate, OCTOBER, "250")
    by_hand(estate, OCTOBER, "205")

    await estate.close("2026-09")

    assert documents(estate)[0].lines[0].quantity == 105


@pytest.mark.parametrize(
    ("on", "value", "reason", "message"),
    [
        (OCTOBER, "1000000", "x", "cannot show 1000000, it shows 0 to 1000000"),
        (OCTOBER, "-1", "x", "cannot show -1"),
        (OCTOBER, "5", "  ", "why the reading is entered by hand"),
        (OCTOBER, "5", "x" * 501, "at most 500 characters"),
    ],
)
def test_reading_by_hand_that_cannot_be_is_refused(
    estate: Estate, on: date, value: str, reason: str, message: str
) -> None:
    estate.add_flat("101", water=None)

    with pytest.raises(Invalid, match=message):
        estate.database.write_now(
            TENANT,
            manual_readings.record_reading,
            SYSTEM,
            estate.installations["E-101"],
            on,
            Decimal(value),
            reason,
        )


def test_reading_of_a_day_to_come_is_refused(estate: Estate) -> None:
    estate.add_flat("101", water=None)

    with pytest.raises(Conflict, match="2027-01-01 has not begun at DG; today is 2026-11-24"):
        by_hand(estate, date(2027, 1, 1), "5")


def test_resident_enters_no_reading(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    resident = User(SYSTEM.user_id, TENANT, Role.RESIDENT, "王建国")

    with pytest.raises(Forbidden):
        estate.database.write_now(
            TENANT,
            manual_readings.record_reading,
            resident,
            estate.installations["E-101"],
            OCTOBER,
            Decimal(5),
            "x",
        )


async def test_estimate_is_marked_and_settled_by_the_next_reading(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None)
    for month, value in ((7, "0"), (8, "30"), (9, "63"), (10, "99")):
        estate.read("E-101", at(date(2026, month, 1)), value)
    for code in ("2026-07", "2026-08", "2026-09"):
        await estate.close(code)
    await estate.close("2026-10")
    proposed = estate.database.write_now(
        TENANT, manual_readings.record_estimate, SYSTEM, estate.installations["E-101"], NOVEMBER, "表箱打不开"
    )
    await estate.close("2026-10")
    clock.now_ms = at(date(2026, 12, 1))
    estate.read("E-101", at(date(2026, 12, 1)), "125")
    await estate.close("2026-11")

    assert (proposed.cycles, proposed.quantity, proposed.value) == ((30, 33, 36), 33, 132)
    estimated, settled = documents(estate)[3:]
    assert estimated.lines[0].quantity == 33
    # 125 - 132: too much was estimated, and the difference is given back at once.
    assert (settled.lines[0].quantity, settled.total_fen) == (-7, -342)
    assert sum(one.total_fen for one in documents(estate)) == balance(estate)
    assert sum(one.lines[0].quantity or 0 for one in documents(estate)) == 125
    assert_sound(estate)


async def test_reading_below_the_last_actual_one_is_no_true_up(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None)
    estate.read("E-101", at(SEPTEMBER), "0")
    estate.read("E-101", at(OCTOBER), "99")
    await estate.close("2026-09")
    estate.database.write_now(
        TENANT, manual_readings.record_estimate, SYSTEM, estate.installations["E-101"], NOVEMBER, "表箱打不开"
    )
    await estate.close("2026-10")
    clock.now_ms = at(date(2026, 12, 1))
    estate.read("E-101", at(date(2026, 12, 1)), "98")

    report = await estate.close("2026-11")

    ((problem,),) = report.held.values()
    assert problem.kind.value == "register_drop"


async def test_credit_note_takes_the_whole_invoice_back(estate: Estate) -> None:
    invoice = await bill_september(estate)

    note = estate.database.write_now(TENANT, corrections.credit, SYSTEM, invoice.invoice_id, "户主已迁出")

    assert (note.kind, note.version, note.corrects_id) == (InvoiceKind.CREDIT_NOTE, 2, invoice.invoice_id)
    assert (note.number, note.reason) == ("DG-2026-09-0002", "户主已迁出")
    assert [line.amount_fen for line in note.lines] == [-line.amount_fen for line in invoice.lines]
    assert balance(estate) == 0
    assert_sound(estate)


async def test_replacement_charges_what_is_right_and_paid_money_clears_it(estate: Estate) -> None:
    invoice = await bill_september(estate, closing="300")
    paid = estate.database.write_now(
        TENANT,
        payments.record_payment,
        SYSTEM,
        estate.accounts["101"],
        Method.CASH,
        invoice.total_fen,
        NOVEMBER,
    )
    by_hand(estate, OCTOBER, "290")

    corrected = estate.database.write_now(TENANT, corrections.correct, SYSTEM, invoice.invoice_id, "读数抄错")

    assert paid.credit_fen == 0
    assert corrected.replacement is not None
    assert [one.total_fen for one in documents(estate)] == [9766, -9766, 9278]
    assert (corrected.replacement.version, corrected.replacement.corrects_id) == (3, invoice.invoice_id)
    # 4.88 paid too much: credit, not lost.
    assert balance(estate) == -488
    assert (
        estate.database.read_now(TENANT, payments.open_items, SYSTEM, estate.accounts["101"], NOVEMBER) == []
    )
    assert_sound(estate)


async def test_next_bill_goes_on_from_the_replacement(estate: Estate) -> None:
    invoice = await bill_september(estate, closing="2900")
    by_hand(estate, OCTOBER, "2800")
    estate.database.write_now(TENANT, corrections.correct, SYSTEM, invoice.invoice_id, "读数抄错")
    estate.read("E-101", at(NOVEMBER), "3100")

    await estate.close("2026-10")

    october = documents(estate)[-1]
    # Dial from 2800 on; ladder from 2700 on, so 180 kWh are left in the first tier.
    assert [line.quantity for line in october.lines] == [180, 120]
    assert_sound(estate)


async def test_preview_says_what_a_replacement_would_come_to(estate: Estate) -> None:
    invoice = await bill_september(estate)
    same = estate.database.read_now(TENANT, corrections.preview, SYSTEM, invoice.invoice_id)
    by_hand(estate, OCTOBER, "290")

    after = estate.database.read_now(TENANT, corrections.preview, SYSTEM, invoice.invoice_id)

    assert (same, after) == (invoice.total_fen, 9278)
    assert len(documents(estate)) == 1


async def test_invoice_is_taken_back_once(estate: Estate) -> None:
    invoice = await bill_september(estate)
    note = estate.database.write_now(TENANT, corrections.credit, SYSTEM, invoice.invoice_id, "x")

    with pytest.raises(Conflict, match="DG-2026-09-0001 was taken back already by DG-2026-09-0002"):
        estate.database.write_now(TENANT, corrections.credit, SYSTEM, invoice.invoice_id, "x")
    with pytest.raises(Conflict, match="is a credit note"):
        estate.database.write_now(TENANT, corrections.credit, SYSTEM, note.invoice_id, "x")


async def test_replacement_that_cannot_be_assessed_changes_nothing(estate: Estate) -> None:
    invoice = await bill_september(estate)
    by_hand(estate, OCTOBER, "50")

    with pytest.raises(Conflict, match="cannot be replaced: E-101-old: the dial went from 100 to 50"):
        estate.database.write_now(TENANT, corrections.correct, SYSTEM, invoice.invoice_id, "x")

    assert documents(estate) == [invoice]


async def test_correction_needs_a_reason(estate: Estate) -> None:
    invoice = await bill_september(estate)

    with pytest.raises(Invalid, match="why DG-2026-09-0001 is taken back"):
        estate.database.write_now(TENANT, corrections.credit, SYSTEM, invoice.invoice_id, " ")
