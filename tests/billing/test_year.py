"""A year of an estate in which everything happens: exchanges, rollovers, outages, estimates, wrong
readings corrected, money paid, taken back and paid too much. At its end every litre and every fen is
where it belongs."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from cloud.domain.ids import InvoiceId
from cloud.domain.invoice import Invoice, InvoiceKind
from cloud.domain.late_fee import LateFeeRule, per_day
from cloud.domain.payment import Method, Receipt
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.services import corrections, invoices, ledger, manual_readings, payments
from cloud.services.ledger import statement
from cloud.store import payments as payment_store
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT, FakeClock

FLATS = [str(101 + number) for number in range(8)]
MODULUS = 10_000


@dataclass
class Flat:
    """A flat's meter as it really is: the dial it shows, and all that ever went through."""

    code: str
    dial: int = 0
    used: int = 0
    exchanges: int = 0
    has_passed_zero: bool = False  # since the last bill
    paid: list[Receipt] = field(default_factory=list)

    def use(self, kwh: int) -> None:
        self.used += kwh
        self.has_passed_zero |= self.dial + kwh >= MODULUS
        self.dial = (self.dial + kwh) % MODULUS


@pytest.mark.parametrize("seed", [1, 2])
async def test_year_in_which_everything_happens(estate: Estate, clock: FakeClock, seed: int) -> None:
    rng = random.Random(seed)
    flats = {number: Flat(f"E-{number}", dial=rng.choice([0, 5_000, 9_500])) for number in FLATS}
    clock.now_ms = at(date(2026, 1, 1), 1)
    rule = LateFeeRule(per_day(Fraction(1, 1000)), cap=Fraction(1))
    estate.database.write_now(
        TENANT, payments.set_late_fee_rule, SYSTEM, estate.site_id, date(2026, 1, 1), rule
    )
    for number, flat in flats.items():
        estate.add_flat(
            number, water=None, modulus=str(MODULUS), max_per_day="300", opening=str(flat.dial),
            from_at_ms=at(date(2026, 1, 1)),
        )  # fmt: skip

    for month in range(1, 13):
        start = date(2026, month, 1)
        end = (start + timedelta(days=31)).replace(day=1)
        misread = _live_a_month(estate, rng, flats, start, end)
        clock.now_ms = at(end, 9)
        report = await estate.close(start.strftime("%Y-%m"))
        for account_id in report.held:
            number = next(n for n, found in estate.accounts.items() if found == account_id)
            _unhold(estate, rng, flats[number], end)
        if report.held:
            assert (await estate.close(start.strftime("%Y-%m"))).is_closed
        for number in misread:
            _correct(estate, flats[number], number, start, end)
        for number, flat in flats.items():
            _pay(estate, rng, flat, number, end)
    # Nobody is at home in January: what was estimated last is settled.
    clock.now_ms = at(date(2027, 2, 1), 9)
    for flat in flats.values():
        estate.read(flat.code, at(date(2027, 2, 1)), str(flat.dial))
    assert (await estate.close("2027-01")).is_closed

    _assert_everything_is_where_it_belongs(estate, flats)


def _live_a_month(
    estate: Estate, rng: random.Random, flats: dict[str, Flat], start: date, end: date
) -> list[str]:
    """Let time pass; return the flats whose last reading of the month was wrong."""
    misread = []
    for number, flat in flats.items():
        flat.has_passed_zero = False
        if start == date(2026, 1, 1):
            estate.read(flat.code, at(start), str(flat.dial))
        flat.use(rng.randrange(0, 900))
        if rng.random() < 0.15:
            _exchange(estate, rng, flat, start + timedelta(days=14))
        flat.use(rng.randrange(0, 900))
        chance = rng.random()
        if chance < 0.15:
            continue  # an outage over the end of the month
        wrong = chance < 0.3 and flat.dial > 50
        estate.read(flat.code, at(end), str(flat.dial - 20 if wrong else flat.dial))
        if wrong:
            misread.append(number)
    return misread


def _exchange(estate: Estate, rng: random.Random, flat: Flat, on: date) -> None:
    opening = rng.randrange(0, 50)
    estate.exchange(flat.code, at(on, 10), str(flat.dial), str(opening), modulus=str(MODULUS))
    flat.dial = opening
    flat.has_passed_zero = False
    flat.exchanges += 1


def _unhold(estate: Estate, rng: random.Random, flat: Flat, end: date) -> None:
    """Somebody goes and reads the meter, or it is estimated."""
    installation = estate.installations[flat.code]
    if flat.exchanges == 0 and end.month in (4, 7, 10) and rng.random() < 0.7:
        estate.database.write_now(TENANT, manual_readings.record_estimate, SYSTEM, installation, end, "断网")
    else:
        estate.database.write_now(
            TENANT, manual_readings.record_reading, SYSTEM, installation, end, Decimal(flat.dial), "现场",
            is_rollover=flat.has_passed_zero,
        )  # fmt: skip


def _correct(estate: Estate, flat: Flat, number: str, start: date, end: date) -> None:
    """The misreading is noticed: the right dial is entered and the invoice replaced."""
    last = _documents(estate, number)[-1]
    if last.dates.start_on != start or last.kind is InvoiceKind.CREDIT_NOTE:
        return
    estate.database.write_now(
        TENANT, manual_readings.record_reading, SYSTEM, estate.installations[flat.code], end,
        Decimal(flat.dial), "抄错", is_rollover=flat.has_passed_zero,
    )  # fmt: skip
    estate.database.write_now(TENANT, corrections.correct, SYSTEM, last.invoice_id, "抄错")


def _pay(estate: Estate, rng: random.Random, flat: Flat, number: str, on: date) -> None:
    owed = estate.database.read_now(TENANT, ledger.balance, SYSTEM, estate.accounts[number])
    chance = rng.random()
    if chance < 0.2 or owed <= 0:
        return
    amount = {0: owed, 1: max(1, owed // 2), 2: owed + 5_000}[rng.randrange(3)]
    recorded = estate.database.write_now(
        TENANT, payments.record_payment, SYSTEM, estate.accounts[number], Method.TRANSFER, amount, on,
        provider_reference=f"{number}-{on}",
    )  # fmt: skip
    if chance > 0.85 and not recorded.credit_fen:
        estate.database.write_now(
            TENANT, payments.reverse_payment, SYSTEM, recorded.receipt.payment_id, "退票"
        )
    else:
        flat.paid.append(recorded.receipt)


def _documents(estate: Estate, number: str) -> list[Invoice]:
    page = estate.database.read_now(
        TENANT, invoices.list_invoices, SYSTEM, account_id=estate.accounts[number], limit=100
    )
    return [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, InvoiceId(one.invoice_id))
        for one in reversed(page.items)
    ]


def _billed(estate: Estate, number: str) -> Decimal:
    return sum(
        (
            (line.quantity or Decimal(0)) * (-1 if document.kind is InvoiceKind.CREDIT_NOTE else 1)
            for document in _documents(estate, number)
            for line in document.lines
        ),
        Decimal(0),
    )


def _assert_everything_is_where_it_belongs(estate: Estate, flats: dict[str, Flat]) -> None:
    assert estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM).total_fen == 0
    for number, flat in flats.items():
        account_id = estate.accounts[number]
        documents = _documents(estate, number)
        assert _billed(estate, number) == flat.used, number
        for document in documents:
            for trace in estate.database.read_now(TENANT, invoices.traces, SYSTEM, document.invoice_id):
                recomputed = recompute(trace_from_json(trace_to_json(trace)))
                assert (recomputed.amount_fen, recomputed.faults) == (trace.amount_fen, ())
        items = estate.database.read_now(TENANT, payments.open_items, SYSTEM, account_id, date(2027, 2, 1))
        charged = sum(document.total_fen for document in documents)
        balance = estate.database.read_now(TENANT, ledger.balance, SYSTEM, account_id)
        received = sum(receipt.amount_fen for receipt in flat.paid)
        late_fees = balance - (charged - received)
        assert late_fees >= 0
        assert statement_end(estate, number) == balance
        assert sum(item.invoice.left_fen for item in items) - prepaid(estate, number) == balance


def statement_end(estate: Estate, number: str) -> int:
    rows = estate.database.read_now(TENANT, statement, SYSTEM, estate.accounts[number])
    return rows[-1].balance_fen


def prepaid(estate: Estate, number: str) -> int:
    found = estate.database.read_now(TENANT, payment_store.prepaid_balances, [estate.accounts[number]])
    return found.get(estate.accounts[number], 0)
