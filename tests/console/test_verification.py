"""The page for whoever holds a paper, without signing in."""

import aiohttp

from cloud.domain.rate_limit import VERIFICATION_PER_ADDRESS
from cloud.domain.user import system_user
from cloud.services import bills, invoices
from tests.console import garden
from tests.console.conftest import Served, Visitor
from tests.console.test_pages import text_of
from tests.press.reading import text_of as pdf_text


async def code_of(served: Served, number: str) -> str:
    actor = system_user(garden.TENANT)
    invoice = await served.database.read(garden.TENANT, invoices.get_by_number, actor, number)
    return (await served.database.read(garden.TENANT, bills.bill_of, actor, invoice.invoice_id)).code


async def test_a_genuine_paper_is_told_without_its_holder_s_name(served: Served) -> None:
    code = await code_of(served, "DG-2026-10-0001")
    async with aiohttp.ClientSession(base_url=served.url) as session:
        async with session.get(f"/verify/DG-2026-10-0001/{code}") as response:
            text = text_of(await response.text())
            assert response.status == 200
        async with session.get("/verify/DG-2026-10-0001/AAAA-AAAA-AAAA-AAAA") as response:
            forged = text_of(await response.text())
            assert response.status == 404

    assert "真实有效" in text
    assert "141.59 元" in text
    assert "王建国" not in text
    assert "1-101" not in text
    assert "查无此单" in forged


async def test_who_checks_too_many_has_to_wait(served: Served) -> None:
    async with aiohttp.ClientSession(base_url=served.url) as session:
        for _ in range(VERIFICATION_PER_ADDRESS.burst):
            async with session.get("/verify/DG-2026-10-0001/AAAA") as response:
                assert response.status == 404
        async with session.get("/verify/DG-2026-10-0001/AAAA") as response:
            assert response.status == 429
            assert "Retry-After" in response.headers


async def test_a_resident_saves_the_bill_and_finds_the_same_code_on_it(
    served: Served, visitor: Visitor
) -> None:
    visit = await visitor(login="101", is_phone=True)
    await visit.open("/home/bills/DG-2026-10-0001")
    href = await visit.page.locator("header a").last.get_attribute("href")
    assert href is not None

    fetched = await visit.page.request.get(served.url + href)

    assert fetched.headers["content-type"] == "application/pdf"
    assert await code_of(served, "DG-2026-10-0001") in pdf_text(await fetched.body())


async def test_number_and_code_can_be_typed(served: Served, visitor: Visitor) -> None:
    code = await code_of(served, "DG-2026-10-0001")
    visit = await visitor(login="", is_phone=True)
    await visit.open("/verify")

    await visit.page.fill("#number", "dg-2026-10-0001")
    await visit.page.fill("#code", code.lower().replace("-", " "))
    await visit.page.click("button.wide")

    assert "真实有效" in (await visit.page.locator(".note").text_content() or "")
    assert await visit.page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_month_is_printed_while_its_progress_is_shown(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/invoices")

    await visit.page.click('form[action="/invoices/print"] button')
    await visit.page.wait_for_url("**/prints/*")
    link = visit.page.locator("#progress a")
    await link.wait_for(timeout=120_000)

    assert "24 份" in (await visit.page.locator("#progress h2").text_content() or "")
    async with visit.page.expect_download() as download:
        await link.click()
    assert (await download.value).suggested_filename == "DG-2026-10.zip"
