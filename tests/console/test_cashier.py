"""The cashier's desk: a drawer counted once, and money that goes back by a second person."""

from datetime import date
from pathlib import Path

from cloud.domain.payment import Method
from cloud.domain.refund import RefundSource
from cloud.domain.user import system_user
from cloud.services import payments, refunds
from cloud.store import people, premises
from cloud.store.db import Tx
from tests.console import garden
from tests.console.conftest import Served, Visitor

SYSTEM = system_user(garden.TENANT)


def _prepay(tx: Tx) -> None:
    site = premises.list_sites(tx)[0]
    account = people.accounts_by_number(tx, site.site_id)["A-00101"]
    today = date(2026, 11, 24)
    payments.record_payment(tx, SYSTEM, account.account_id, Method.CASH, 500_000, today)
    refunds.request_refund(
        tx, SYSTEM, account.account_id, RefundSource.CREDIT, 10_000, Method.CASH, "搬走，退预存款"
    )


async def test_a_drawer_is_counted_and_a_refund_approved(
    served: Served, visitor: Visitor, tmp_path: Path
) -> None:
    served.database.write_now(garden.TENANT, _prepay)
    visit = await visitor()
    page = visit.page
    await visit.open("/payments/day")

    await page.get_by_role("button", name="批准").click()
    await page.locator(".toast").filter(has_text="已批准").wait_for()
    cash = page.locator("tr").filter(has_text="现金").first
    assert "4,900.00" in (await cash.text_content() or "")

    await cash.locator("[name=counted]").fill("4899.00")
    await cash.get_by_role("button", name="日结").click()
    await page.get_by_text("清点与账面不符").wait_for()
    cash = page.locator("tr").filter(has_text="现金").first
    await cash.locator("[name=note]").fill("少一元")
    await cash.get_by_role("button", name="日结").click()

    await page.locator(".toast").filter(has_text="现金已清点").wait_for()
    await page.screenshot(path=tmp_path / "day.png", full_page=True)
    assert "少一元" in (await page.locator("tr").filter(has_text="现金").first.text_content() or "")
