"""An agreed quote is on the month's bill once, as a line that names the repair."""

from datetime import date

from cloud.domain.ids import RepairId
from cloud.domain.invoice import Invoice
from cloud.domain.repair import Channel, QuoteState, RepairCategory, RepairState, Urgency
from cloud.services import invoices, repair_work, repairs, subscriptions
from cloud.services.repairs import RepairRequest
from tests.billing.estate import SYSTEM, Estate
from tests.databases import TENANT, FakeClock

WORK = (RepairState.ACCEPTED, RepairState.WORKING, RepairState.DONE)


def told(estate: Estate, flat: str, amount_fen: int, *, is_agreed: bool = True) -> tuple[RepairId, str]:
    """A dripping tap, quoted and answered; its id and number."""
    request = RepairRequest(
        RepairCategory.PLUMBING, Urgency.NORMAL, Channel.PHONE, "厨房龙头滴水", "厨房", estate.accounts[flat]
    )
    made = estate.database.write_now(TENANT, repairs.request, SYSTEM, estate.site_id, request)
    for state in WORK[:1]:
        estate.database.write_now(TENANT, repair_work.move, SYSTEM, made.repair_id, state)
    estate.database.write_now(TENANT, repair_work.quote, SYSTEM, made.repair_id, amount_fen, "换龙头，含人工")
    answered = estate.database.write_now(
        TENANT, repair_work.answer_quote, SYSTEM, made.repair_id, is_agreed=is_agreed
    )
    assert answered.quote.state is (QuoteState.AGREED if is_agreed else QuoteState.DECLINED)
    return made.repair_id, made.number


def go(estate: Estate, repair_id: RepairId, *states: RepairState) -> None:
    for state in states:
        text = "还在滴" if state is RepairState.REOPENED else ""
        estate.database.write_now(TENANT, repair_work.move, SYSTEM, repair_id, state, text)


def billed(estate: Estate) -> list[tuple[str, int]]:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM)
    found: list[Invoice] = [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, one.invoice_id) for one in page.items
    ]
    return [(line.component, line.amount_fen) for one in found for line in one.lines]


def charged(estate: Estate, flat: str) -> list[tuple[str, int]]:
    listed = estate.database.read_now(TENANT, subscriptions.list_subscriptions, SYSTEM, estate.accounts[flat])
    return [(one.label, one.count) for one in listed]


async def test_what_was_agreed_is_billed_once_when_the_work_is_done(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None, opened_on=date(2027, 1, 1))
    repair_id, number = told(estate, "101", 8_050)
    assert charged(estate, "101") == []

    go(estate, repair_id, *WORK[1:], RepairState.REOPENED, *WORK)
    assert charged(estate, "101") == [(number, 8_050)]

    clock.advance(days=10)
    await estate.close("2026-11")
    assert billed(estate) == [("repair", 8_050)]


def test_what_was_declined_or_called_off_is_not_charged(estate: Estate) -> None:
    estate.add_flat("101", water=None, opened_on=date(2027, 1, 1))
    declined, _ = told(estate, "101", 8_000, is_agreed=False)
    go(estate, declined, *WORK[1:])
    called_off, number = told(estate, "101", 9_000)
    go(estate, called_off, *WORK[1:])
    assert charged(estate, "101") == [(number, 9_000)]

    go(estate, called_off, RepairState.REOPENED, RepairState.CANCELLED)

    assert charged(estate, "101") == []
