"""A day in the life of the building: everyone in it once, on their own screen, each going on from the last.

A flood in a kitchen, a fire panel, a visitor, money at the counter: what one of them does, the next one sees.
"""

import re
from datetime import date

from protocol.event import Event, EventState, Severity
from tests.console import garden
from tests.console.conftest import Served, Visit, Visitor
from tests.console.test_service_sheet_pages import add_quarterly_plan, answer_all, sign

_PASSWORD = "a sentence nobody guesses 2026"


async def test_a_day_of_everybody(served: Served, visitor: Visitor) -> None:
    resident, guard = await visitor(login="102", is_phone=True), await visitor(login="he")
    manager, technician = await visitor(), await visitor(login="liu", is_phone=True)

    await _resident_tells_of_a_leak(resident)
    await _manager_sees_who_was_sent(manager)
    await _technician_mends_it(technician)
    await _resident_confirms(resident)
    await _guard_answers_a_fire(served, guard)
    await _manager_follows_the_alarm(manager)
    code = await _resident_invites(resident)
    await _guard_lets_in(guard, code)
    link = await _manager_sends_a_contractor(served, manager)
    await _contractor_signs(await visitor(login="", is_phone=True), link)
    finance = await _colleague_of(manager, await visitor(login=""), "c001", "周会计", "finance")
    await _finance_takes_money(finance)
    await _manager_announces(manager)
    await _resident_reads(resident)
    auditor = await _colleague_of(manager, await visitor(login=""), "s001", "孙审计", "auditor")
    await _auditor_sees_all_of_it(auditor)


async def _resident_tells_of_a_leak(visit: Visit) -> None:
    await visit.open("/home/repairs/new")
    await visit.page.check("input[value=plumbing]")
    await visit.page.fill("#description", "厨房下水管漏水")
    await visit.page.click("form .btn.pri")
    await visit.page.wait_for_url("**/home/repairs/DG-R-2026-0003")


async def _manager_sees_who_was_sent(visit: Visit) -> None:
    await visit.open("/repairs")
    row = visit.page.locator("tr", has_text="DG-R-2026-0003")
    assert "刘志强" in (await row.text_content() or "")


async def _technician_mends_it(visit: Visit) -> None:
    await visit.open("/jobs")
    await visit.page.locator("a[href$='DG-R-2026-0003']").first.click()
    for _ in ("accept", "go", "begin", "finish"):
        await visit.page.locator(".card .btn.pri").first.click()
        await visit.page.locator(".toast").wait_for()


async def _resident_confirms(visit: Visit) -> None:
    await visit.page.locator("#progress .chip", has_text="已完成").wait_for()  # it followed by itself
    await visit.page.reload()
    await visit.page.locator("label[for=star-5]").click()
    await visit.page.click("button[value=confirmed]")


async def _guard_answers_a_fire(served: Served, visit: Visit) -> None:
    await visit.open("/guard")
    at_ms = garden.NOW_MS + 1_000
    fire = Event("fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm_3", at_ms, "zone 3")
    garden.deliver_events(served.database, served.gateway, [fire], first_seq=6)
    await visit.page.locator("#guard h1", has_text="火警").wait_for()
    await visit.page.keyboard.down(" ")
    await visit.page.wait_for_timeout(400)
    await visit.page.keyboard.up(" ")
    await visit.page.locator(".toast").wait_for()


async def _manager_follows_the_alarm(visit: Visit) -> None:
    await visit.open("/alarms")
    await visit.page.locator("tbody tr", has_text="火警").locator("a").first.click()
    assert "何队长" in (await visit.page.text_content("main") or "")
    note = visit.page.locator("form", has=visit.page.locator("[value=comment]"))
    await note.locator("input[name=text]").fill("现场确认：误报，烟感进水")
    await note.get_by_role("button").click()
    await visit.page.locator("li", has_text="误报").wait_for()


async def _resident_invites(visit: Visit) -> str:
    await visit.open("/home/visitors")
    await visit.page.fill("#name", "李阿姨")
    await visit.page.fill("#from", "08:00")
    await visit.page.get_by_role("button", name="生成访客码").click()
    return await visit.page.locator(".big.mono").first.text_content() or ""


async def _guard_lets_in(visit: Visit, code: str) -> None:
    await visit.open("/visitors")
    await visit.page.fill("#code", code)
    await visit.page.get_by_role("button", name="放行").click()
    assert "李阿姨 去 1-102" in (await visit.page.text_content(".toast") or "")


async def _manager_sends_a_contractor(served: Served, visit: Visit) -> str:
    plan_id = served.database.write_now(garden.TENANT, add_quarterly_plan)
    await visit.open(f"/equipment/lift-1/plans/{plan_id}/link")
    await visit.page.fill("[name=contractor]", "恒安电梯")
    await visit.page.locator("form", has=visit.page.locator("[name=contractor]")).locator("button").click()
    shown = await visit.page.locator("main").text_content() or ""
    found = re.search(r"/contractor/[0-9A-Za-z._-]+", shown)
    assert found is not None
    return found[0]


async def _contractor_signs(visit: Visit, link: str) -> None:
    await visit.open(link)
    page = visit.page
    await answer_all(page)
    await page.fill("[name=signed_by]", "李工")
    await sign(page)
    await page.get_by_text("已签字，谢谢").wait_for()


async def _colleague_of(manager: Visit, visit: Visit, login: str, name: str, role: str) -> Visit:
    """Let the manager invite somebody, who then chooses a password and signs in."""
    await manager.open("/staff")
    await manager.page.fill("#name", name)
    await manager.page.fill("#login", login)
    await manager.page.select_option("#role", role)
    await manager.page.locator("form", has=manager.page.locator("#login")).locator("button").click()
    found = re.search(r"/invitation/[0-9]+\.[A-Za-z0-9_-]{43}", await manager.page.text_content("main") or "")
    assert found is not None
    await visit.open(found[0])
    await visit.page.fill("[name=password]", _PASSWORD)
    await visit.page.fill("[name=again]", _PASSWORD)
    await visit.page.locator("form", has=visit.page.locator("[name=again]")).locator("button").click()
    await visit.page.wait_for_url("**/login")
    await visit.page.fill("#login", login)
    await visit.page.fill("#password", _PASSWORD)
    await visit.page.click(".sign-in button")
    await visit.page.wait_for_url(lambda at: "/login" not in at)
    return visit


async def _finance_takes_money(visit: Visit) -> None:
    await visit.open("/accounts/A-00102")
    await visit.page.click("#pay summary")
    await visit.page.click("#pay .btn.pri")
    assert "已登记" in (await visit.page.locator(".toast").text_content() or "")
    await visit.open("/payments/day")
    assert "现金" in (await visit.page.text_content("main") or "")
    assert await visit.open("/guard") == 403


async def _manager_announces(visit: Visit) -> None:
    await visit.open("/announcements/new")
    await visit.page.fill("[name=title]", "今天的火警是误报")
    await visit.page.fill("[name=text]", f"{date(2026, 11, 24)} 三层烟感进水，已更换。")
    await visit.page.click("button[value=preview]")
    await visit.page.click("button[value=publish]")
    await visit.page.locator("main", has_text="今天的火警是误报").wait_for()


async def _resident_reads(visit: Visit) -> None:
    await visit.open("/home/announcements")
    await visit.page.get_by_text("今天的火警是误报").first.click()
    await visit.page.get_by_text("三层烟感进水").wait_for()


async def _auditor_sees_all_of_it(visit: Visit) -> None:
    assert await visit.open("/audit?verify=1") == 200
    told = await visit.page.text_content("main") or ""
    assert "孙审计" in told
    assert await visit.page.locator("main form button").count() <= 1  # the filter; nothing to change
