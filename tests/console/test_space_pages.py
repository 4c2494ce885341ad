"""Premises in the console: counted and found on any day, changed with history, added, with their papers."""

import re
from pathlib import Path

import aiohttp

from tests.console.conftest import Served, Visitor
from tests.console.test_pages import signed_in, text_of

_CHANGE = {
    "act": "change",
    "built_area": "90.10",
    "inner_area": "72.30",
    "layout": "3室2厅1卫",
    "orientation": "south_north",
    "use": "residential",
    "status": "renovating",
    "from_on": "2026-07-01",
    "reason": "重新测绘",
}


async def _page(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as response:
        assert response.status == 200, path
        return text_of(await response.text())


async def test_a_change_holds_from_its_day_and_the_days_before_stay(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        async with session.post("/premises/1-101", data=_CHANGE, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/premises/1-101")

        now, then = [await _page(session, f"/premises/1-101{on}") for on in ("", "?on=2026-06-30")]
        assert "装修中" in now and "90.10 m²" in now and "重新测绘" in now
        assert "89.50 m²" in then and "这是 2026-06-30 当天的情况" in then

        assert "1-101" in await _page(session, "/premises?status=renovating&area_from=90")
        assert "没有符合条件的房产" in await _page(session, "/premises?status=renovating&on=2026-06-30")


async def test_what_does_not_fit_comes_back_as_it_was_typed(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        wrong = {**_CHANGE, "inner_area": "95", "reason": "量错了"}
        async with session.post("/premises/1-101", data=wrong) as response:
            html = await response.text()
            assert response.status == 422
        assert 'value="量错了"' in html
        assert 'value="95"' in html
        assert "套内面积" in text_of(html)


async def test_the_three_layers_colour_the_same_flats(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        for layer in ("occupancy", "arrears", "alarms"):
            async with session.get(f"/premises?layer={layer}") as response:
                html = await response.text()
            assert len(re.findall(r'href="/premises/1-\d{3}" aria-label', html)) == 24
    async with await signed_in(served, "he") as session, session.get("/premises?layer=arrears") as response:
        html = await response.text()
        assert "欠费" not in re.sub(r"<nav class=\"side.*?</nav>", "", html, flags=re.S)


async def test_a_building_a_flat_and_its_deed_are_added(visitor: Visitor, tmp_path: Path) -> None:
    deed = tmp_path / "deed.pdf"
    deed.write_bytes(b"%PDF-1.7 a title deed")
    visit = await visitor()
    page = visit.page
    await visit.open("/premises/new")
    await page.fill("#building-code", "9")
    await page.fill("#building-name", "9 号楼")
    await page.fill("#building-floors", "3")
    await page.get_by_role("button", name="新建楼栋").click()
    await page.locator(".toast").filter(has_text="楼栋 9 已建好").wait_for()

    await page.select_option("#building", "9")
    await page.fill("#code", "9-101")
    await page.fill("#floor", "1")
    await page.fill("#built_area", "66.60")
    await page.locator("form").filter(has=page.locator("#built_area")).get_by_role("button").click()
    await page.wait_for_url("**/premises/9-101")

    await page.fill("#title", "产权证")
    await page.set_input_files("#file", deed)
    await page.get_by_role("button", name="上传").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="产权证").click()
    assert Path(await (await download.value).path()).read_bytes() == deed.read_bytes()
