"""Payments: the legal order, credit that clears the next bill, late fees, arrears by age."""

from datetime import date
from fractions import Fraction

import pytest

from cloud.domain.correction import PaymentState
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.invoice import Invoice
from cloud.domain.late_fee import LateFeeRule, per_day
from cloud.domain.payment import Method, late_fee_rule_from_json, late_fee_rule_to_json
from cloud.domain.user import Role, User
from cloud.services import invoices, ledger, payments
from cloud.services.payments import Recorded
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT, FakeClock

SEPTEMBER, OCTOBER, NOVEMBER = (date(2026, month, 1) for month in (9, 10, 11))
TODAY = date(2026, 11, 24)
DUE = date(2026, 12, 9)


async def bill(estate: Estate, *months: str) -> list[Invoice]:
    estate.add_flat("101", water=None)
    for number, month in enumerate((9, 10, 11)):
        estate.read("E-101", at(date(2026, month, 1)), str(100 * number))
    for code in months:
        await estate.close(code)
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    found = [
        estate.database.read_now(TENANT, invoices.get_invoice, SYSTEM, one.invoice_id) for one in page.items
    ]
    return list(reversed(found))


def pay(estate: Estate, fen: int, on: date = TODAY, method: Method = Method.CASH, **how: object) -> Recorded:
    return estate.database.write_now(
        TENANT, payments.record_payment, SYSTEM, estate.accounts["101"], method, fen, on, **how
    )


def balance(estate: Estate) -> int:
    assert estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM).total_fen == 0
    return estate.database.read_now(TENANT, ledger.balance, SYSTEM, estate.accounts["101"])


def open_items(estate: Estate, as_of: date = TODAY) -> list[tuple[str, int, PaymentState]]:
    items = estate.database.read_now(TENANT, payments.open_items, SYSTEM, estate.accounts["101"], as_of)
    return [(item.invoice.number, item.invoice.left_fen, item.invoice.state) for item in items]


async def test_payment_in_full_settles_the_invoice(estate: Estate) -> None:
    (invoice,) = await bill(estate, "2026-09")

    recorded = pay(estate, invoice.total_fen)

    assert recorded.receipt.number == "DG-R2026-000001"
    assert [(use.invoice_id, use.principal_fen) for use in recorded.uses] == [(invoice.invoice_id, 4883)]
    assert open_items(estate) == []
    assert balance(estate) == 0
    trial = estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM)
    assert trial.balances["cash"] == 4883


async def test_partial_payment_leaves_the_rest_open(estate: Estate) -> None:
    await bill(estate, "2026-09")

    pay(estate, 1000)

    assert open_items(estate) == [("DG-2026-09-0001", 3883, PaymentState.PARTIAL_PAID)]
    assert balance(estate) == 3883


async def test_first_due_is_paid_first_and_the_named_one_before_it(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None)
    for number, month in enumerate((9, 10, 11)):
        estate.read("E-101", at(date(2026, month, 1)), str(100 * number))
    clock.now_ms = at(date(2026, 10, 2))
    await estate.close("2026-09")
    clock.now_ms = at(date(2026, 11, 2))
    await estate.close("2026-10")
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM)
    october, september = page.items

    first = pay(estate, 100, date(2026, 11, 2))
    named = pay(estate, 100, date(2026, 11, 2), designated=[october.invoice_id])

    assert [use.invoice_id for use in first.uses] == [september.invoice_id]
    assert [use.invoice_id for use in named.uses] == [october.invoice_id]


async def test_overpayment_becomes_credit_and_clears_the_next_bill(estate: Estate) -> None:
    await bill(estate, "2026-09")

    recorded = pay(estate, 6000)
    after_payment = balance(estate)
    await estate.close("2026-10")

    assert recorded.credit_fen == 1117
    assert after_payment == -1117
    assert open_items(estate) == [("DG-2026-10-0001", 4883 - 1117, PaymentState.PARTIAL_PAID)]
    assert balance(estate) == 4883 - 1117


async def test_same_transfer_twice_is_one_payment(estate: Estate) -> None:
    await bill(estate, "2026-09")

    first = pay(estate, 1000, method=Method.TRANSFER, provider_reference="ICBC-1")
    again = pay(estate, 1000, method=Method.TRANSFER, provider_reference="ICBC-1")

    assert again == first
    assert balance(estate) == 3883


async def test_same_transfer_with_another_amount_is_a_conflict(estate: Estate) -> None:
    await bill(estate, "2026-09")
    pay(estate, 1000, method=Method.TRANSFER, provider_reference="ICBC-1")

    with pytest.raises(Conflict, match="'ICBC-1' is recorded as DG-R2026-000001 over 1000 fen"):
        pay(estate, 1001, method=Method.TRANSFER, provider_reference="ICBC-1")


async def test_payment_that_never_arrived_is_taken_back(estate: Estate) -> None:
    await bill(estate, "2026-09")
    recorded = pay(estate, 6000)

    taken = estate.database.write_now(
        TENANT, payments.reverse_payment, SYSTEM, recorded.receipt.payment_id, "支票退票"
    )

    assert (taken.amount_fen, taken.reverses_id) == (-6000, recorded.receipt.payment_id)
    assert open_items(estate) == [("DG-2026-09-0001", 4883, PaymentState.UNPAID)]
    assert balance(estate) == 4883
    with pytest.raises(Conflict, match="was taken back already"):
        estate.database.write_now(
            TENANT, payments.reverse_payment, SYSTEM, recorded.receipt.payment_id, "again"
        )


async def test_payment_whose_credit_was_used_is_not_taken_back(estate: Estate) -> None:
    await bill(estate, "2026-09")
    recorded = pay(estate, 6000)
    await estate.close("2026-10")

    with pytest.raises(Conflict, match="1117 fen of payment DG-R2026-000001 became credit and only 0 fen"):
        estate.database.write_now(
            TENANT, payments.reverse_payment, SYSTEM, recorded.receipt.payment_id, "退票"
        )


@pytest.mark.parametrize(
    ("fen", "on", "message"),
    [(0, TODAY, "more than zero, not 0"), (100, date(2026, 11, 25), "today is 2026-11-24")],
)
async def test_impossible_payment_is_refused(estate: Estate, fen: int, on: date, message: str) -> None:
    estate.add_flat("101", water=None)

    with pytest.raises(Invalid, match=message):
        pay(estate, fen, on)


async def test_late_fee_comes_before_principal(estate: Estate, clock: FakeClock) -> None:
    estate.database.write_now(
        TENANT,
        payments.set_late_fee_rule,
        SYSTEM,
        estate.site_id,
        OCTOBER,
        LateFeeRule(per_day(Fraction(1, 1000))),
    )
    (invoice,) = await bill(estate, "2026-09")
    clock.now_ms = at(date(2026, 12, 29), 9)
    late = date(2026, 12, 29)  # 20 days after it was due

    items = estate.database.read_now(TENANT, payments.open_items, SYSTEM, estate.accounts["101"], late)
    recorded = pay(estate, 1000, late)

    assert invoice.due_on == DUE
    (item,) = items
    assert item.late_fee is not None
    assert (item.late_fee_left_fen, item.late_fee.days_overdue) == (98, 20)
    assert [(stretch.days, stretch.principal_fen) for stretch in item.late_fee.stretches] == [(20, 4883)]
    assert [(use.late_fee_fen, use.principal_fen) for use in recorded.uses] == [(98, 902)]
    trial = estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM)
    assert trial.balances["revenue.late_fee"] == -98
    assert balance(estate) == 4883 - 902


async def test_nothing_is_charged_for_being_late_without_a_rule(estate: Estate, clock: FakeClock) -> None:
    await bill(estate, "2026-09")
    clock.now_ms = at(date(2027, 3, 1), 9)

    recorded = pay(estate, 4883, date(2027, 3, 1))

    assert recorded.uses[0].late_fee_fen == 0
    assert open_items(estate) == []


async def test_rule_does_not_reach_back_to_what_fell_due_before(estate: Estate, clock: FakeClock) -> None:
    await bill(estate, "2026-09")
    rule = LateFeeRule(per_day(Fraction(1, 1000)))
    estate.database.write_now(
        TENANT, payments.set_late_fee_rule, SYSTEM, estate.site_id, date(2027, 1, 1), rule
    )
    clock.now_ms = at(date(2027, 3, 1), 9)

    recorded = pay(estate, 4883, date(2027, 3, 1))

    assert recorded.uses[0].late_fee_fen == 0
    with pytest.raises(Conflict, match="has a late-fee rule from 2027-01-01"):
        estate.database.write_now(
            TENANT, payments.set_late_fee_rule, SYSTEM, estate.site_id, date(2027, 1, 1), rule
        )


async def test_arrears_are_listed_by_age(estate: Estate) -> None:
    await bill(estate, "2026-09")
    pay(estate, 883)

    def arrears(as_of: date) -> list[tuple[str, int, tuple[int, ...]]]:
        found = estate.database.read_now(TENANT, payments.list_arrears, SYSTEM, estate.site_id, as_of)
        return [(one.account_number, one.invoice_count, one.by_age_fen) for one in found]

    assert arrears(DUE) == []
    assert arrears(date(2026, 12, 10)) == [("A-00101", 1, (4000, 0, 0, 0))]
    assert arrears(date(2027, 1, 8)) == [("A-00101", 1, (4000, 0, 0, 0))]
    assert arrears(date(2027, 1, 9)) == [("A-00101", 1, (0, 4000, 0, 0))]
    assert arrears(date(2027, 6, 1)) == [("A-00101", 1, (0, 0, 0, 4000))]


def test_resident_records_no_payment(estate: Estate) -> None:
    own = estate.add_flat("101", water=None)
    resident = User(SYSTEM.user_id, TENANT, Role.RESIDENT, "王建国", account_ids=frozenset({own}))

    with pytest.raises(Forbidden, match="may not record payments"):
        estate.database.write_now(TENANT, payments.record_payment, resident, own, Method.CASH, 100, TODAY)


def test_late_fee_rule_is_the_same_after_it_was_stored() -> None:
    document = {
        "steps": [{"from_day": 1, "daily_rate": "0"}, {"from_day": 31, "daily_rate": "1/300"}],
        "next_year_rate": "3/1000",
        "cap": "1",
        "minimum_fen": 100,
    }

    rule = late_fee_rule_from_json(document)

    assert late_fee_rule_from_json(late_fee_rule_to_json(rule)) == rule
    assert rule.steps[1].daily_rate == Fraction(1, 300)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"steps": []}, "start on rising days"),
        ({"steps": [{"from_day": 1, "daily_rate": "1"}]}, "a share from 0 to 1"),
        ({"steps": [{"from_day": 1, "daily_rate": "1/0"}]}, "no share"),
        ({"steps": [{"from_day": 1, "daily_rate": "0.001"}], "caps": "1"}, "cannot be read"),
    ],
)
def test_faulty_late_fee_rule_is_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        late_fee_rule_from_json(document)
