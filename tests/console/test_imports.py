"""A table brought in by a person: dry run, refused rows, carried out, undone."""

from pathlib import Path

from tests.console.conftest import Visitor
from tests.exchange.conftest import workbook

_ACCOUNTS = ("户号", "户主姓名", "房号", "户籍人数", "开户日期")


async def test_a_table_is_looked_at_carried_out_and_undone(visitor: Visitor, tmp_path: Path) -> None:
    file = tmp_path / "住户.xlsx"
    file.write_bytes(
        workbook(
            _ACCOUNTS,
            ("A-00101", "王建国", "1-101", 5, "2026-09-01"),
            ("A-00901", "周杰", None, 1, "2026-11-01"),
            ("A-00902", "吴芳", "9-999", 1, "2026-11-01"),
        )
    )
    visit = await visitor()
    await visit.open("/tables")

    row = visit.page.locator(".tables-row").nth(1)
    await row.locator("input[type=file]").set_input_files(file)
    await row.locator("button").click()
    await visit.page.wait_for_url("**/imports/*")

    assert await visit.page.text_content("h1") == "试跑：将导入 2 行变化"
    assert "没有房号“9-999”" in (await visit.page.locator("table").text_content() or "")
    async with visit.page.expect_download() as download:
        await visit.page.locator("a", has_text="错误").first.click()
    assert (await download.value).suggested_filename == "DG-accounts-rejected.xlsx"

    await visit.page.click("button.pri")
    await visit.page.wait_for_load_state()
    assert "已导入 2 行" in (await visit.page.locator(".toast").text_content() or "")
    await visit.open("/accounts?q=A-00901")
    assert await visit.page.locator("tr", has_text="周杰").count() == 1

    await visit.open("/tables")
    await visit.page.locator("td a", has_text="住户.xlsx").click()
    await visit.page.locator("button", has_text="撤销这次导入").click()
    await visit.page.wait_for_load_state()
    await visit.open("/accounts?q=A-00901")
    assert await visit.page.locator("tr", has_text="周杰").count() == 0


async def test_what_is_no_table_is_said_beside_the_tables(visitor: Visitor, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("a,b\n1,2\n")
    visit = await visitor(language="en")
    visit.said.clear()
    await visit.open("/tables")

    row = visit.page.locator(".tables-row").first
    await row.locator("input[type=file]").set_input_files(file)
    await row.locator("button").click()

    assert "notes.csv" in (await visit.page.locator(".note.crit").text_content() or "")
    visit.said.clear()
