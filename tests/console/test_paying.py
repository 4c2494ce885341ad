"""A resident pays with the phone: order, the provider's page, and the money in the books."""

import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from cloud.domain.gateway import GatewayIdentity
from simulator.cashier import Cashier
from tests.console import garden
from tests.console.conftest import Served, Visitor, serving
from tests.providers.conftest import payments_config


@pytest.fixture
async def served(
    built_assets: None, filled: tuple[Path, GatewayIdentity], tmp_path: Path
) -> AsyncIterator[Served]:
    """The building with both providers set up, at a stand-in on this machine."""
    del built_assets
    started = time.monotonic()
    cashier = Cashier(lambda: garden.NOW_MS + int((time.monotonic() - started) * 1000))
    runner = web.AppRunner(cashier.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    cashier.origin = f"http://127.0.0.1:{site.port}"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = tmp_path / "garden.db"
    shutil.copy(filled[0], path)
    config = payments_config(tmp_path, f"http://127.0.0.1:{port}", cashier)
    async with serving(path, filled[1], config, port) as running:
        yield running
    await runner.cleanup()


@pytest.mark.parametrize("name", ["微信支付", "支付宝"])
async def test_a_resident_pays_with_the_phone(visitor: Visitor, tmp_path: Path, name: str) -> None:
    visit = await visitor(login="101", is_phone=True)
    page = visit.page
    owed = await page.locator(".big").first.text_content()
    await page.get_by_role("link", name="缴费").click()
    await page.fill("#amount", "88.80")
    await page.get_by_role("button", name=name).click()
    await page.wait_for_url("**/home/pay?order=*")

    await page.locator("svg[aria-label='支付二维码']").wait_for()
    await page.screenshot(path=tmp_path / "order.png")
    other = await page.context.new_page()
    await other.goto(await page.get_by_role("link", name="打开").get_attribute("href") or "")
    await other.get_by_role("button").click()
    await other.get_by_text("支付成功").wait_for()

    await page.get_by_text("已支付").wait_for()
    await page.get_by_role("link", name="返回我的家").click()
    assert await page.locator(".big").first.text_content() != owed


async def test_what_is_no_amount_is_said_beside_the_field(visitor: Visitor) -> None:
    visit = await visitor(login="101", is_phone=True)
    await visit.open("/home/pay")

    await visit.page.fill("#amount", "八十")
    await visit.page.get_by_role("button", name="支付宝").click()

    assert "“八十”" in (await visit.page.text_content(".err") or "")


async def test_staff_set_when_reminders_come_and_see_who_was_reminded(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/payments")

    await visit.page.fill("#days", "15, 3")
    await visit.page.get_by_role("button", name="保存催缴计划").click()
    assert "“15, 3”" in (await visit.page.text_content(".err") or "")

    await visit.page.fill("#days", "3, 15")
    await visit.page.get_by_role("button", name="保存催缴计划").click()
    toast = await visit.page.text_content(".toast")
    assert "逾期 3, 15 天" in (toast or "")
    await visit.page.get_by_role("button", name="立即催缴到期户").click()
    await visit.page.locator(".toast").wait_for()
