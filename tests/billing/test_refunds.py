"""Money that goes back: two people, never more than there is, and a counted drawer at night."""

import asyncio
from datetime import date

import pytest
import sqlalchemy as sa

from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.ids import AccountId
from cloud.domain.payment import Method
from cloud.domain.refund import Refund, RefundSource, RefundState
from cloud.domain.user import Role, User
from cloud.services import corrections, day_close, deposits, invoices, ledger, payments, refunds, users
from cloud.store import schema
from cloud.store.db import Tx
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT, FakeClock

TODAY = date(2026, 11, 24)


def clerk(estate: Estate, login: str) -> User:
    user_id = estate.database.write_now(TENANT, users.create_user, SYSTEM, login, login, Role.FINANCE, "x")
    return User(user_id, TENANT, Role.FINANCE, login)


def prepaid(estate: Estate, fen: int) -> AccountId:
    account_id = estate.add_flat("101", water=None)
    estate.database.write_now(TENANT, payments.record_payment, SYSTEM, account_id, Method.CASH, fen, TODAY)
    return account_id


def ask(estate: Estate, who: User, account_id: AccountId, fen: int) -> Refund:
    return estate.database.write_now(
        TENANT, refunds.request_refund, who, account_id, RefundSource.CREDIT, fen, Method.CASH, "moved out"
    )


def balances(estate: Estate) -> dict[str, int]:
    trial = estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM)
    assert trial.total_fen == 0
    return {name: fen for name, fen in trial.balances.items() if fen}


def test_a_refund_is_booked_when_somebody_else_approves_it(estate: Estate) -> None:
    li, wang = clerk(estate, "li"), clerk(estate, "wang")
    account_id = prepaid(estate, 10_000)

    asked = ask(estate, li, account_id, 4_000)
    assert balances(estate) == {"cash": 10_000, "prepayment": -10_000}
    done = estate.database.write_now(TENANT, refunds.approve, wang, asked.refund_id)

    assert (done.number, done.state) == ("DG-B2026-000001", RefundState.PAID)
    assert balances(estate) == {"cash": 6_000, "prepayment": -6_000}


def test_nobody_approves_what_they_asked_for(estate: Estate) -> None:
    li = clerk(estate, "li")
    asked = ask(estate, li, prepaid(estate, 10_000), 4_000)

    with pytest.raises(Forbidden, match="somebody else decides"):
        estate.database.write_now(TENANT, refunds.approve, li, asked.refund_id)


def test_the_database_itself_refuses_one_person_for_both(estate: Estate) -> None:
    li = clerk(estate, "li")
    asked = ask(estate, li, prepaid(estate, 10_000), 4_000)

    def work(tx: Tx) -> None:
        tx.conn.execute(
            sa.update(schema.refund)
            .where(schema.refund.c.id == asked.refund_id)
            .values(decided_by=li.user_id, state="refused")
        )

    with pytest.raises(sa.exc.IntegrityError, match="two_people"):
        estate.database.write_now(TENANT, work)


def test_no_more_goes_back_than_there_is_counting_what_is_asked_for(estate: Estate) -> None:
    li, wang = clerk(estate, "li"), clerk(estate, "wang")
    account_id = prepaid(estate, 10_000)
    first = ask(estate, li, account_id, 8_000)

    with pytest.raises(Conflict, match="10000 fen of credit"):
        ask(estate, li, account_id, 2_001)
    estate.database.write_now(TENANT, refunds.refuse, wang, first.refund_id)
    second = ask(estate, li, account_id, 10_000)
    estate.database.write_now(TENANT, refunds.approve, wang, second.refund_id)

    with pytest.raises(Conflict, match="is paid already"):
        estate.database.write_now(TENANT, refunds.approve, wang, second.refund_id)


async def test_credit_is_not_spent_twice_by_approvals_at_the_same_moment(estate: Estate) -> None:
    li, wang = clerk(estate, "li"), clerk(estate, "wang")
    account_id = prepaid(estate, 1_000)
    asked = [ask(estate, li, account_id, 100) for _ in range(10)]

    def spend(tx: Tx) -> None:
        deposits_used = payments.apply_prepayments(tx, [account_id], TODAY)
        assert deposits_used == {}

    async with asyncio.TaskGroup() as group:
        for one in asked:
            group.create_task(estate.database.write(TENANT, refunds.approve, wang, one.refund_id))
            group.create_task(estate.database.write(TENANT, spend))

    assert balances(estate) == {}


async def test_payments_at_the_same_moment_clear_an_invoice_once(estate: Estate) -> None:
    account_id = estate.add_flat("101", water=None)
    estate.read("E-101", at(date(2026, 9, 1)), "0")
    estate.read("E-101", at(date(2026, 10, 1)), "100")
    await estate.close("2026-09")

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(
                estate.database.write(
                    TENANT, payments.record_payment, SYSTEM, account_id, Method.CASH, 4_883, TODAY
                )
            )

    after = balances(estate)
    assert "receivable" not in after
    assert after["prepayment"] == -7 * 4_883


async def test_a_payment_taken_back_after_its_invoice_was_credited_is_taken_from_the_credit(
    estate: Estate,
) -> None:
    account_id = estate.add_flat("101", water=None)
    estate.read("E-101", at(date(2026, 9, 1)), "0")
    estate.read("E-101", at(date(2026, 10, 1)), "100")
    await estate.close("2026-09")
    (invoice,) = (await estate.database.read(TENANT, invoices.list_invoices, SYSTEM, limit=9)).items
    paid = estate.database.write_now(
        TENANT, payments.record_payment, SYSTEM, account_id, Method.TRANSFER, 4_883, TODAY
    )
    estate.database.write_now(TENANT, corrections.credit, SYSTEM, invoice.invoice_id, "wrong flat")

    estate.database.write_now(
        TENANT, payments.reverse_payment, SYSTEM, paid.receipt.payment_id, "the transfer bounced"
    )

    assert balances(estate) == {}


def test_a_deposit_is_held_used_and_given_back(estate: Estate) -> None:
    li, wang = clerk(estate, "li"), clerk(estate, "wang")
    account_id = estate.add_flat("101", water=None)
    taken = estate.database.write_now(
        TENANT, deposits.take_deposit, li, account_id, "装修押金", Method.TRANSFER, 200_000, TODAY
    )

    estate.database.write_now(TENANT, deposits.use_deposit, li, account_id, 50_000, "damaged wall")
    asked = estate.database.write_now(
        TENANT, refunds.request_refund, li, account_id, RefundSource.DEPOSIT, 150_000, Method.TRANSFER, "done"
    )
    with pytest.raises(Conflict, match="150000 of it asked back"):
        estate.database.write_now(TENANT, deposits.use_deposit, li, account_id, 1, "more")
    estate.database.write_now(TENANT, refunds.approve, wang, asked.refund_id)

    assert taken.number == "DG-D2026-000001"
    assert estate.database.read_now(TENANT, deposits.held, li, account_id) == 0
    assert balances(estate) == {"bank": 50_000, "prepayment": -50_000}


def test_a_cashiers_day_is_counted_beside_what_was_recorded(estate: Estate, clock: FakeClock) -> None:
    li, wang = clerk(estate, "li"), clerk(estate, "wang")
    clock.now_ms = at(TODAY, 15)
    account_id = prepaid(estate, 10_000)
    asked = ask(estate, li, account_id, 4_000)
    estate.database.write_now(TENANT, refunds.approve, wang, asked.refund_id)
    close = (TENANT, day_close.close_day, li, estate.site_id, TODAY, Method.CASH)

    with pytest.raises(Invalid, match="5990 fen were counted and 6000 are recorded"):
        estate.database.write_now(*close, 5_990)
    row = estate.database.write_now(*close, 5_990, "one coin short")
    with pytest.raises(Conflict, match="counted already"):
        estate.database.write_now(*close, 6_000)

    assert (row.recorded_fen, row.counted_fen, row.difference_fen) == (6_000, 5_990, -10)
    estate.database.write_now(TENANT, payments.record_payment, SYSTEM, account_id, Method.CASH, 500, TODAY)
    later = estate.database.read_now(TENANT, day_close.day_of, li, estate.site_id, TODAY)
    cash = next(one for one in later if one.method is Method.CASH)
    assert (cash.recorded_then_fen, cash.recorded_fen, cash.difference_fen) == (6_000, 6_500, -510)
