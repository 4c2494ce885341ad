"""Who is billed is told, once, with the amount and the day."""

from datetime import date

from cloud.domain.notice import Channel
from cloud.services import invoice_news, notices
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT


async def test_each_account_is_told_of_its_bill_once(estate: Estate) -> None:
    account_id = estate.add_flat("101", water=None)
    estate.read("E-101", at(date(2026, 9, 1)), "0")
    estate.read("E-101", at(date(2026, 10, 1)), "100")
    await estate.database.write(TENANT, notices.add_contact, SYSTEM, account_id, Channel.EMAIL, "a@b.example")
    await estate.close("2026-09")
    period_id = estate.period("2026-09")

    more = [estate.database.write_now(TENANT, invoice_news.tell_some, period_id) for _ in range(2)]

    assert more == [False, False]
    (due,) = estate.database.write_now(TENANT, notices.claim_due)
    assert "1-101" in due.text
    assert "账单 DG-2026-09-0001 共 48.83 元" in due.text
