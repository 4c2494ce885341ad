"""Dunning: one reminder a step and debt, none once money has come, none for whoever is left alone."""

from datetime import date

import pytest

from cloud.domain.dunning import DunningSchedule
from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId
from cloud.domain.notice import Channel, NoticeState
from cloud.domain.payment import Method
from cloud.services import dunning, notices, payments
from cloud.services.dunning import ArrearsRow
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT, FakeClock


async def owing(estate: Estate, clock: FakeClock) -> AccountId:
    """Bill September to a flat with a number to be reached at; return its account."""
    account_id = estate.add_flat("101", water=None)
    estate.read("E-101", at(date(2026, 9, 1)), "0")
    estate.read("E-101", at(date(2026, 10, 1)), "100")
    await estate.close("2026-09")
    await estate.database.write(TENANT, notices.add_contact, SYSTEM, account_id, Channel.SMS, "13800138000")
    await estate.database.write(
        TENANT, dunning.set_schedule, SYSTEM, estate.site_id, DunningSchedule((3, 15, 30))
    )
    return account_id


async def remind_on(estate: Estate, clock: FakeClock, days_overdue: int) -> int:
    (item,) = await estate.database.read(
        TENANT, payments.open_items, SYSTEM, estate.accounts["101"], date(2026, 11, 1)
    )
    clock.now_ms = at(item.invoice.due_on, 24 * days_overdue + 10)
    return await estate.database.write(TENANT, dunning.remind, SYSTEM, estate.site_id)


async def states(estate: Estate) -> list[NoticeState]:
    page = await estate.database.read(TENANT, notices.list_deliveries, SYSTEM)
    return [one.state for one in page.items]


async def rows(estate: Estate, clock: FakeClock, on: date) -> list[ArrearsRow]:
    return await estate.database.read(TENANT, dunning.list_arrears, SYSTEM, estate.site_id, on)


async def test_each_step_reminds_once(estate: Estate, clock: FakeClock) -> None:
    account_id = await owing(estate, clock)

    told = [await remind_on(estate, clock, days) for days in (1, 2, 3, 3, 4, 14, 15, 16, 29, 30, 31, 90)]

    assert told == [0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0]
    due = await estate.database.write(TENANT, notices.claim_due)
    assert all("逾期未缴 48.83 元" in one.text for one in due)
    (row,) = await rows(estate, clock, date(2027, 2, 1))
    assert (row.arrears.account_id, row.reminders) == (account_id, 3)


async def test_a_missed_day_is_one_reminder_not_two(estate: Estate, clock: FakeClock) -> None:
    await owing(estate, clock)

    assert await remind_on(estate, clock, 20) == 1
    assert await remind_on(estate, clock, 20) == 0


async def test_money_stops_what_has_not_gone_out(estate: Estate, clock: FakeClock) -> None:
    account_id = await owing(estate, clock)
    await remind_on(estate, clock, 3)
    today = date.fromisoformat("2026-12-31")
    clock.now_ms = max(clock.now_ms, at(today, 10))

    await estate.database.write(TENANT, payments.record_payment, SYSTEM, account_id, Method.CASH, 100, today)

    assert await states(estate) == [NoticeState.WITHDRAWN]


async def test_nobody_is_reminded_who_has_paid(estate: Estate, clock: FakeClock) -> None:
    account_id = await owing(estate, clock)
    await remind_on(estate, clock, 1)
    today = date.fromisoformat("2026-12-31")
    clock.now_ms = at(today, 10)
    await estate.database.write(
        TENANT, payments.record_payment, SYSTEM, account_id, Method.CASH, 100_000, today
    )

    assert await estate.database.write(TENANT, dunning.remind, SYSTEM, estate.site_id) == 0
    assert await rows(estate, clock, today) == []


async def test_whoever_is_left_alone_is_reminded_afterwards(estate: Estate, clock: FakeClock) -> None:
    account_id = await owing(estate, clock)
    until = date(2027, 3, 1)
    await estate.database.write(TENANT, dunning.pause, SYSTEM, account_id, until, "disputes the reading")

    assert await remind_on(estate, clock, 40) == 0
    (row,) = await rows(estate, clock, date(2027, 2, 1))
    assert row.paused_until_on == until
    clock.now_ms = at(until, 10)
    assert await estate.database.write(TENANT, dunning.remind, SYSTEM, estate.site_id) == 1


async def test_a_site_without_a_schedule_reminds_nobody(estate: Estate, clock: FakeClock) -> None:
    await owing(estate, clock)
    await estate.database.write(TENANT, dunning.set_schedule, SYSTEM, estate.site_id, DunningSchedule(()))

    assert await remind_on(estate, clock, 40) == 0


@pytest.mark.parametrize("days", [(3, 3), (5, 3), (0,), tuple(range(1, 14))])
def test_a_schedule_that_is_none_is_refused(days: tuple[int, ...]) -> None:
    with pytest.raises(Invalid):
        DunningSchedule(days)


def test_the_step_is_the_last_reached() -> None:
    schedule = DunningSchedule((3, 15))
    due = date(2026, 10, 15)

    assert [schedule.step(due, date(2026, 10, day)) for day in (15, 17, 18, 29, 30, 31)] == [
        None, None, 1, 1, 2, 2,
    ]  # fmt: skip
