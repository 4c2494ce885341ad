"""Revising a tariff in the console: the preview follows the typing, the draft bills nobody until it may."""

from pathlib import Path

from tests.console.conftest import Visitor

CODE = "cn-beijing-water-res"


async def test_a_tariff_is_revised_previewed_and_put_in_force(visitor: Visitor, tmp_path: Path) -> None:
    visit = await visitor()
    page = visit.page
    await visit.open(f"/tariffs/{CODE}")
    await page.get_by_role("link", name="修订").click()

    first = page.locator("input[name='/charges/0/tiers/0/price']")
    assert await first.input_value() == "2.07"
    await first.fill("3.07")
    # Five cubic metres cost five yuan more.
    await page.locator("#preview").get_by_text("+5.00").wait_for()
    await page.screenshot(path=tmp_path / "editor.png", full_page=True)
    await page.fill("[name=publisher]", "北京市发展和改革委员会")
    await page.fill("[name=title]", "关于调整居民水价的通知")
    await page.fill("[name=found_at]", "fgw.beijing.gov.cn")
    await page.get_by_role("button", name="存为草稿").click()

    await page.locator(".toast").filter(has_text="已存为草稿").wait_for()
    assert "version=2" in page.url
    await page.get_by_role("button", name="启用").click()
    await page.locator(".toast").filter(has_text="已生效").wait_for()
    await page.get_by_role("button", name="停用").wait_for()


async def test_a_figure_that_leaves_a_hole_is_said_while_it_is_typed(visitor: Visitor) -> None:
    visit = await visitor()
    page = visit.page
    await visit.open(f"/tariffs/{CODE}/revise")

    await page.locator("input[name='/charges/0/tiers/1/to']").fill("100")

    await page.locator("#preview .err").filter(has_text="100 comes after 180").wait_for()
    await page.fill("[name=publisher]", "x")
    await page.fill("[name=title]", "x")
    await page.fill("[name=found_at]", "x")
    await page.get_by_role("button", name="存为草稿").click()
    assert await page.locator("input[name='/charges/0/tiers/1/to']").input_value() == "100"
