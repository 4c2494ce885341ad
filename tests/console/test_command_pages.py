"""Asking a door to open in the browser: why first, then its state live, and who asked for ever after."""

from cloud.domain.ids import CommandId
from cloud.domain.user import Role
from cloud.services import commands
from protocol.command import CommandState
from tests.console import garden
from tests.console.conftest import Served, Visitor
from tests.console.test_pages import add_user


async def test_a_guard_opens_a_door_from_a_phone_and_sees_it_done(served: Served, visitor: Visitor) -> None:
    await add_user(served, Role.GUARD)
    visit = await visitor(login="guard", is_phone=True)
    page, database, gateway = visit.page, served.database, served.gateway
    await visit.open("/commands")
    await page.click("a.btn.touch")
    dialog = page.locator("#ask")
    assert "单元门锁：开门？" in (await dialog.text_content() or "")
    assert await dialog.locator("#purpose option").count() == 4

    await page.fill("#reason", "快递员送冰箱")
    await dialog.locator("button").click()
    await page.wait_for_url("**/commands/*")
    assert "已提出" in (await page.locator("[aria-current=step]").text_content() or "")

    [sent] = await database.write(garden.TENANT, commands.take_to_send, gateway, "n2")
    assert (sent.reason, sent.device_id) == ("快递员送冰箱", "lock-1")
    for state, detail in ((CommandState.ACCEPTED, ""), (CommandState.DONE, "lock_state reads unlocked")):
        report = (gateway, CommandId(sent.command_id), state, detail, garden.NOW_MS)
        await database.write(garden.TENANT, commands.report, *report)
    await page.locator(".tl", has_text="锁状态 读回为").wait_for()
    assert await page.locator(".stepper li.done").count() == 4
    await visit.open("/commands")
    assert "快递员送冰箱" in (await page.locator("tbody tr").first.text_content() or "")


async def test_without_a_reason_nothing_is_asked(served: Served, visitor: Visitor) -> None:
    visit = await visitor(scripts=False)
    await visit.open("/devices/gw-1/wm-302?ask=valve_close")
    page = visit.page
    assert "不得因欠费" in (await page.locator("#ask").text_content() or "")

    await page.fill("#reason", " x ")
    await page.locator("#ask button").click()

    assert "请用 2 到 200 个字说明原因" in (await page.locator("#ask").text_content() or "")
    assert await served.database.write(garden.TENANT, commands.take_to_send, served.gateway, "n3") == []


async def test_what_the_box_does_not_allow_is_said_and_not_offered(visitor: Visitor) -> None:
    visit = await visitor(language="en")
    await visit.open("/devices/gw-1/em-101?ask=broadcast_time")

    assert await visit.page.locator("#ask").count() == 0
    assert "Not allowed by the box's own file" in (await visit.page.locator("main").text_content() or "")


async def test_an_auditor_sees_who_asked_and_is_offered_nothing(served: Served, visitor: Visitor) -> None:
    await add_user(served, Role.AUDITOR)
    visit = await visitor(login="auditor")
    await visit.open("/commands")
    assert "302 水管爆裂" in (await visit.page.locator("main").text_content() or "")

    await visit.open("/devices/gw-1/lock-1?ask=door_unlock")

    assert await visit.page.locator("#ask, main .btn").count() == 0
