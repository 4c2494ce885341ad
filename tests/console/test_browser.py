"""The main paths, walked in a real browser; the fixture refuses any console error or policy violation."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page

from protocol.event import Event, EventState, Severity
from protocol.quantity import MICRO
from protocol.reading import Reading
from tests.console import garden
from tests.console.conftest import DESK, PHONE, Served, Visit, Visitor

_STAFF = (
    "/", "/alarms?show=all", "/meters", "/meters/202607000104", "/meters/20260700000302/exchange",
    "/meters/202607000403/reading",
    "/equipment", "/equipment/lift-1", "/equipment/lift-1/edit", "/equipment/lift-1/plans/new",
    "/equipment/lift-1/record", "/upkeep/calendar", "/upkeep/reliability", "/register", "/register/new",
    "/gateways", "/gateways/gw-1", "/gateways/new",
    "/commands", "/devices/gw-1/lock-1?ask=door_unlock", "/devices/gw-1/wm-302",
    "/gateways/gw-1/configuration", "/gateways/gw-1/configuration/3", "/gateways/gw-1/configuration/draft",
    "/gateways/gw-1/history",
    "/billing", "/billing/2026-10",
    "/billing/2026-11", "/billing/2026-11/shared", "/invoices", "/invoices/DG-2026-10-0022",
    "/invoices/DG-2026-10-0022/correct", "/invoices/DG-2026-10-0022/lines/1/trace", "/tariffs",
    "/tariffs/cn-beijing-water-res", "/tariffs/cn-beijing-water-res/revise",
    "/premises?layer=arrears", "/premises/1-101", "/premises/new", "/accounts", "/accounts/A-00101?pay=1",
    "/payments", "/payments/day", "/payments/statement", "/tables", "/tables/migration",
    "/reports", "/reports/balance", "/ledger", "/ledger?edit=1", "/reports/parallel",
    "/find?q=602", "/repairs", "/repairs/new", "/repairs/DG-R-2026-0001", "/technicians",
    "/people", "/people?q=1-101", "/people/new", "/guard", "/visitors", "/premises/1-101/move",
    "/audit?verify=1", "/staff", "/me", "/inbox", "/notifiers",
    "/access", "/access/badges", "/access/entrances",
    "/announcements", "/announcements/new",
    "/complaints", "/complaints/DG-F-2026-0001", "/ballots", "/ballots/new", "/venues", "/nearby", "/parcels",
    "/cameras", "/duty", "/response-plans", "/goods", "/patrols",
)  # fmt: skip
_RESIDENT = (
    "/home",
    "/home/bills",
    "/home/bills/DG-2026-10-0001",
    "/home/bills/DG-2026-10-0001/lines/1",
    "/home/inbox",
    "/home/me",
    "/home/more",
    "/home/pay",
    "/home/usage",
    "/home/privacy",
    "/home/badges",
    "/home/visitors",
    "/home/announcements",
    "/home/ballots",
    "/home/complaints",
    "/home/venues",
    "/home/nearby",
    "/home/parcels",
    "/home/goods",
    "/home/complaints/DG-F-2026-0002",
    "/home/repairs",
    "/home/repairs/new",
    "/home/repairs/DG-R-2026-0001",
)
# A resident's page may weigh half of what a manager's may (gzip, everything).
FIRST_VIEW_BYTES_MAX = 120_000
RESIDENT_VIEW_BYTES_MAX = 60_000


async def test_a_wrong_password_says_no_more_than_that(visitor: Visitor) -> None:
    visit = await visitor(login="")
    await visit.open("/login?next=/meters")

    await visit.page.fill("#login", "manager")
    await visit.page.fill("#password", "wrong")
    await visit.page.click(".sign-in button")

    assert await visit.page.text_content("#error") == "账号或密码不对。"
    assert await visit.page.input_value("#login") == "manager"
    assert await visit.page.input_value("#password") == ""

    await visit.page.fill("#password", garden.PASSWORD)
    await visit.page.click(".sign-in button")
    await visit.page.wait_for_url("**/meters")


async def test_a_raised_alarm_appears_by_itself_and_goes_when_acknowledged(
    served: Served, visitor: Visitor
) -> None:
    visit = await visitor()
    title = visit.page.locator("h1")
    assert await title.text_content() == "有 5 件事等你处理"

    at_ms = garden.NOW_MS + 1_000
    fire = Event("fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm_3", at_ms, "zone 3")
    garden.deliver_events(served.database, served.gateway, [fire], first_seq=6)

    first = visit.page.locator(".todo").first
    await first.filter(has_text="火警").wait_for()
    await title.filter(has_text="有 6 件事").wait_for()
    assert await visit.page.locator("#feed li").first.text_content() is not None

    await first.locator("button").click()
    await visit.page.wait_for_load_state()
    toast = await visit.page.locator(".toast").text_content()
    assert toast is not None
    assert re.search(r"报警 DG-A-2026-\d{4} 已确认", toast)


async def test_the_lift_moves_on_the_first_page(served: Served, visitor: Visitor) -> None:
    visit = await visitor()
    await visit.page.locator("[data-lift-floor]").first.wait_for()

    reading = Reading("lift-1/floor", garden.NOW_MS + 2_000, 5 * MICRO)
    garden.deliver_readings(served.database, served.gateway, [reading], first_seq=900_000)

    await visit.page.locator('[data-lift-floor="5"]').wait_for()
    assert "5F" in (await visit.page.locator(".bsum").text_content() or "")


async def test_a_cut_connection_is_shown_and_forgotten(served: Served, visitor: Visitor) -> None:
    visit = await visitor()
    indicator = visit.page.locator(".live[data-live]")
    await indicator.filter(has_text="实时").wait_for()

    # Half a minute without a beat: the page's own clock runs ahead, so that a beat in between is soon past.
    await visit.page.evaluate("Date.now = ((now, t) => () => now() + 99 * (now() - t))(Date.now, Date.now())")

    await indicator.filter(has_text="数据停在").wait_for()
    await visit.page.locator("#offline").wait_for()


async def test_a_meter_has_its_chart_its_table_and_its_frames(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/meters/202607000104")

    await visit.page.locator('[data-drawn="2"]').wait_for()
    assert await visit.page.locator(".chart canvas").count() == 2
    await visit.page.click(".table-twin summary")
    assert await visit.page.locator(".table-twin tbody tr").count() == 30

    await visit.page.locator("a", has_text="字节").first.click()
    frame = visit.page.locator("#frame")
    await frame.wait_for()
    assert "DL/T 645-2007" in (await frame.text_content() or "")
    assert await frame.locator(".frame-svg.wide .byte").count() == 24


async def test_a_held_value_is_marked_and_an_exchange_settles_it(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/meters/20260700000302")
    assert "12.07" in (await visit.page.locator(".hold").text_content() or "")

    await visit.page.click(".hold .btn.pri")
    assert await visit.page.input_value("#opening") == "12.07"
    await visit.page.fill("#closing", "three hundred")
    await visit.page.fill("#serial", "20261100000302")
    await visit.page.fill("#reason", "W-0317")
    await visit.page.click("form.ex .btn.pri")

    assert "three hundred" in (await visit.page.locator("#closing-error").text_content() or "")
    assert await visit.page.input_value("#reason") == "W-0317"

    await visit.page.fill("#closing", "339.42")
    await visit.page.click("form.ex .btn.pri")
    await visit.page.wait_for_url("**/meters/20261100000302")
    assert "20261100000302" in (await visit.page.locator(".toast").text_content() or "")
    assert "339.42" in (await visit.page.locator(".me-b").text_content() or "")


async def test_a_reading_by_hand_and_an_estimate_are_recorded(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/meters/202607000403/reading?on=2026-11-24")
    form = visit.page.locator("form.panel")
    await form.locator("#value").fill("abc")
    await form.locator("#reason").fill("the bus is down; read by Li")
    await form.locator(".btn.pri").click()

    assert "abc" in (await visit.page.text_content("#value-error") or "")
    assert await visit.page.input_value("#reason") == "the bus is down; read by Li"

    await form.locator("#value").fill("12345.67")
    await form.locator(".btn.pri").click()
    await visit.page.wait_for_url("**/meters/202607000403")
    assert "12345.67" in (await visit.page.locator(".toast").text_content() or "")

    await visit.open("/meters/202607000403/reading?on=2026-11-24")
    await visit.page.fill("#estimate-reason", "nobody at home")
    await visit.page.get_by_text("采用估算").click()
    await visit.page.wait_for_url("**/meters/202607000403")
    assert "估算读数" in (await visit.page.locator(".toast").text_content() or "")


async def test_from_an_amount_to_the_bytes_it_came_from(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/invoices")
    await visit.page.click("main .tbl tbody tr:first-child a")
    await visit.page.click(".inv tbody tr:first-child a")

    assert "是怎么来的" in (await visit.page.locator("h1").text_content() or "")
    assert await visit.page.locator(".chain .link").count() == 5
    assert "全部一致" in (await visit.page.locator(".paper .note").text_content() or "")

    await visit.page.locator(".link:nth-child(4) tbody tr:first-child a").click()
    await visit.page.locator(".link:nth-child(4) tr[aria-selected]").wait_for()
    selected = await visit.page.locator(".link:nth-child(4) tr[aria-selected] td").nth(1).text_content()
    value = visit.page.locator("#frame .wide .meaning", has_text="数值")
    assert (selected or "").replace(",", "") in (await value.text_content() or "")

    await visit.page.locator("#frame .wide .byte").nth(18).hover()
    assert await visit.page.locator("#frame .wide .byte.lit").count() == 4
    assert await value.evaluate("node => node.classList.contains('lit')")


async def test_a_wrong_bill_is_taken_back_and_issued_anew(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/meters/202607000101/reading?on=2026-11-01")
    assert "不需要估算" in (await visit.page.locator("main").text_content() or "")
    await visit.page.fill("#value", "10900")
    await visit.page.fill("#reason", "the dial was read again, with the resident")
    await visit.page.click("form.panel .btn.pri")
    await visit.page.wait_for_url("**/meters/202607000101")

    await visit.open("/invoices/DG-2026-10-0001")
    await visit.page.get_by_role("link", name="更正").click()
    assert "155.99" in (await visit.page.locator("main").text_content() or "")
    await visit.page.fill("#reason", "misread")
    await visit.page.click("form.panel .btn.pri")

    await visit.page.wait_for_url("**/invoices/DG-2026-10-0026")
    assert "DG-2026-10-0025" in (await visit.page.locator(".toast").text_content() or "")
    assert await visit.page.get_by_role("link", name="更正").count() == 1
    await visit.open("/invoices/DG-2026-10-0001")
    assert await visit.page.get_by_role("link", name="更正").count() == 0

    home = await visitor(login="101", is_phone=True)
    await home.open("/home/bills/DG-2026-10-0001")
    assert "无需付款" in (await home.page.locator(".paybar").text_content() or "")


async def test_a_payment_clears_the_invoices_and_sent_twice_counts_once(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/accounts/A-00101")
    await visit.page.click("#pay summary")
    owed = await visit.page.input_value("#amount")
    await visit.page.fill("#amount", "1.005")
    await visit.page.fill("#memo", "at the counter")
    await visit.page.click("#pay .btn.pri")

    assert "1.005" in (await visit.page.text_content("#amount-error") or "")
    assert await visit.page.input_value("#memo") == "at the counter"

    await visit.page.fill("#amount", owed)
    once = await visit.page.input_value("input[name=once]")
    await visit.page.click("#pay .btn.pri")
    assert "已登记" in (await visit.page.locator(".toast").text_content() or "")
    assert "没有未付账单" in (await visit.page.text_content("#pay") or "")

    again = {"amount": owed, "method": "wechat", "received_on": "2026-11-24", "once": once}
    await visit.page.request.post(
        f"{visit.url}/accounts/A-00101/payments", form=again, headers={"Sec-Fetch-Site": "same-origin"}
    )
    await visit.open("/accounts/A-00101")
    receipts = visit.page.locator(".panel", has=visit.page.locator("h2", has_text="收款记录"))
    assert await receipts.locator("tbody tr").count() == 1


async def test_a_leak_is_told_of_with_a_photo_mended_and_confirmed(visitor: Visitor, tmp_path: Path) -> None:
    photo = tmp_path / "leak.jpg"
    photo.write_bytes(garden.picture())
    home = await visitor(login="102", is_phone=True)
    await home.open("/home/repairs/new")
    await home.page.check("input[value=plumbing]")
    await home.page.fill("#description", "卫生间地漏反水")
    await home.page.set_input_files("#photos", photo)
    await home.page.click("form .btn.pri")

    await home.page.wait_for_url("**/home/repairs/DG-R-2026-0003")
    assert await home.page.locator(".photos img").evaluate(
        "image => image.decode().then(() => image.naturalWidth)"
    )
    said = await home.page.text_content("#progress") or ""
    assert "刘志强" in said
    assert "负责 1 号楼" in said

    worker = await visitor(login="liu", is_phone=True)
    await worker.open("/jobs/DG-R-2026-0003")
    for _ in ("accept", "go", "begin", "finish"):
        await worker.page.locator(".card .btn.pri").first.click()
        await worker.page.locator(".toast").wait_for()
    # The resident's page has followed by itself.
    await home.page.locator("#progress .chip", has_text="已完成").wait_for()
    await home.page.reload()
    await home.page.locator("label[for=star-5]").click()
    await home.page.click("button[value=confirmed]")

    desk = await visitor()
    await desk.open("/repairs/DG-R-2026-0003")
    told = await desk.page.text_content("#progress") or ""
    assert "★★★★★" in told
    assert "已确认" in told


async def test_the_same_thing_told_of_again_is_asked_about(visitor: Visitor) -> None:
    visit = await visitor(login="101", is_phone=True)
    await visit.open("/home/repairs/new")
    await visit.page.check("input[value=plumbing]")
    await visit.page.fill("#description", "还在滴水")
    await visit.page.click("form .btn.pri")

    assert "DG-R-2026-0001" in (await visit.page.text_content(".note") or "")
    assert await visit.page.input_value("#description") == "还在滴水"
    await visit.page.check("input[name=another]")
    await visit.page.click("form .btn.pri")
    await visit.page.wait_for_url("**/home/repairs/DG-R-2026-0003")


async def test_a_file_that_is_no_photo_is_refused_in_chinese(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "virus.jpg").write_bytes(b"MZ" + bytes(500))
    visit = await visitor(login="101", is_phone=True)
    await visit.open("/home/repairs/DG-R-2026-0001")
    await visit.page.locator("details summary").last.click()
    await visit.page.set_input_files("#photos", tmp_path / "virus.jpg")
    await visit.page.locator("details[open] .btn").click()

    assert "这个文件不是照片" in (await visit.page.text_content("[role=alert]") or "")


async def test_a_manager_sends_somebody_and_sets_a_shift(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/repairs/DG-R-2026-0002")
    assert "现在没有合适的人" in (await visit.page.text_content("#progress") or "")
    await visit.page.locator("tr", has_text="赵磊").locator("button").click()
    await visit.page.locator(".toast").wait_for()
    assert "派给 赵磊" in (await visit.page.text_content("#progress") or "")

    await visit.open("/technicians")
    panel = visit.page.locator(".panel", has_text="赵磊")
    await panel.locator("input[name=from]").fill("06:00")
    await panel.locator(".btn").click()
    await visit.page.locator(".toast").wait_for()
    assert await panel.locator("input[name=from]").input_value() == "06:00"


async def test_a_number_is_shown_once_for_a_reason(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/people?q=1-101")
    assert "138****0101" in (await visit.page.text_content("main") or "")
    await visit.page.locator("main tbody a").first.click()
    await visit.page.fill("input[name=reason]", "楼上漏水，要马上联系")
    await visit.page.get_by_role("button", name="显示一次").click()
    await visit.page.locator("dd", has_text="13800100101").wait_for()

    await visit.page.goto(visit.page.url.removesuffix("/reveal"))
    assert "13800100101" not in await visit.page.content()


async def test_hands_change_with_the_registers_of_the_day(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/accounts/A-00103")
    await visit.page.get_by_role("link", name="交接").click()
    assert "自动抄表" in (await visit.page.text_content("main") or "")
    await visit.page.fill("#name", "韩梅梅")
    await visit.page.fill("#phone", "13900001111")
    await visit.page.locator("form#move .btn.pri").click()

    await visit.page.wait_for_url("**/people/*")
    assert "A-00103-2" in (await visit.page.text_content(".toast") or "")
    assert "139****1111" in (await visit.page.text_content("main") or "")


async def test_a_resident_takes_a_copy_and_asks_for_deletion(visitor: Visitor) -> None:
    visit = await visitor(login="101", is_phone=True)
    await visit.open("/home/more")
    await visit.page.get_by_role("link", name="我的资料").click()
    async with visit.page.expect_download() as waiting:
        await visit.page.get_by_role("link", name="下载我的全部资料").click()
    download = await waiting.value
    copy = json.loads((await download.path()).read_text("utf-8"))
    assert (copy["name"], copy["phone"]) == ("王建国", "13800100101")

    await visit.page.get_by_role("button", name="申请删除").click()
    assert "你已申请删除" in (await visit.page.text_content("main") or "")


async def test_the_guard_s_screen_fills_with_a_fire_and_space_acknowledges_it(
    served: Served, visitor: Visitor
) -> None:
    visit = await visitor()
    await visit.open("/guard")
    assert await visit.page.locator("#guard .alarm").count() == 1

    at_ms = garden.NOW_MS + 1_000
    fire = Event("fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm_3", at_ms, "zone 3")
    garden.deliver_events(served.database, served.gateway, [fire], first_seq=6)

    await visit.page.locator("#guard h1", has_text="火警").wait_for()
    assert "119" in (await visit.page.text_content(".steps") or "")
    assert await visit.page.locator("[data-sound]").get_attribute("data-sound") == "fire"
    await visit.page.locator("[data-mute]").wait_for()
    await visit.page.click("[data-sound-test]")
    await visit.page.locator("[data-mute]").wait_for(state="hidden")
    await visit.page.locator("body").press(" ")  # dropped, not held
    assert await visit.page.locator("#ack").count() == 1
    await visit.page.keyboard.down(" ")
    await visit.page.wait_for_timeout(400)
    await visit.page.keyboard.up(" ")
    await visit.page.locator(".toast").wait_for()
    assert "已确认" in (await visit.page.text_content(".toast") or "")


async def test_a_visitor_is_invited_let_in_once_and_the_host_sees_it(visitor: Visitor) -> None:
    home = await visitor(login="101", is_phone=True)
    await home.open("/home/visitors")
    await home.page.fill("#name", "李阿姨")
    await home.page.fill("#from", "08:00")
    await home.page.get_by_role("button", name="生成访客码").click()
    code = await home.page.locator(".big.mono").first.text_content() or ""
    assert await home.page.locator(".qr svg").count() == 1

    gate = await visitor(login="he")
    await gate.open("/visitors")
    await gate.page.fill("#code", "0000 0000")
    await gate.page.get_by_role("button", name="放行").click()
    assert "没有这个访客码" in (await gate.page.text_content("[role=alert]") or "")
    await gate.page.fill("#code", code)
    await gate.page.get_by_role("button", name="放行").click()
    assert "李阿姨 去 1-101" in (await gate.page.text_content(".toast") or "")
    await gate.page.fill("#code", code)
    await gate.page.get_by_role("button", name="放行").click()
    assert "已经用过" in (await gate.page.text_content("[role=alert]") or "")

    await home.page.reload()
    assert "已到访" in (await home.page.text_content("main") or "")


async def test_an_alarm_is_given_noted_and_put_aside(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/alarms")
    await visit.page.locator("tbody a").first.click()
    await visit.page.locator("select[name=user_id]").select_option(label="何队长")
    await visit.page.get_by_role("button", name="指派").click()
    await visit.page.locator("li", has_text="派给 何队长").wait_for()

    await (
        visit.page.locator("form", has=visit.page.locator("[value=comment]"))
        .locator("input[name=text]")
        .fill("泵房地面有水，已关阀")
    )
    await visit.page.get_by_role("button", name="记录").click()
    await visit.page.locator("li", has_text="已关阀").wait_for()

    await (
        visit.page.locator("form", has=visit.page.locator("[value=shelve]"))
        .locator("input[name=text]")
        .fill("正在抢修")
    )
    await visit.page.get_by_role("button", name="搁置").click()
    await visit.page.locator("li", has_text="正在抢修").wait_for()
    await visit.open("/guard")
    assert "搁置 1 条" in (await visit.page.text_content("main") or "")


async def test_signing_a_service_starts_its_clock_again(visitor: Visitor) -> None:
    visit = await visitor()
    await visit.open("/equipment")
    assert "还有 2 天" in (await visit.page.locator("main").text_content() or "")

    await visit.page.locator("main .btn", has_text="签字").first.click()
    await visit.page.fill("#by-1", "维保公司 李工、张工")
    await visit.page.click(".sign .btn.pri")

    await visit.page.locator(".toast").wait_for()
    assert "还有 15 天" in (await visit.page.locator("main").text_content() or "")


async def test_the_language_can_be_changed_and_stays(visitor: Visitor) -> None:
    visit = await visitor()

    await visit.page.click(".prefs button[name=language]")
    await visit.page.wait_for_load_state()

    assert "things need you" in (await visit.page.locator("h1").text_content() or "")
    assert await visit.page.get_attribute("html", "lang") == "en"
    await visit.open("/equipment")
    assert "service due soon" in (await visit.page.locator("h1").text_content() or "")


async def test_the_theme_can_be_changed(visitor: Visitor) -> None:
    visit = await visitor()
    before = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")

    await visit.page.click(".theme.to-dark")
    await visit.page.wait_for_load_state()

    assert await visit.page.get_attribute("html", "data-theme") == "dark"
    assert await visit.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert await visit.page.locator(".theme.to-light").is_visible()


async def test_the_palette_finds_a_home_by_its_number(visitor: Visitor) -> None:
    visit = await visitor()

    await visit.page.keyboard.press("Control+k")
    await visit.page.keyboard.type("602")
    # Results of "60" have it too, but only those of the whole word may be chosen.
    found = visit.page.locator("#found:not([inert]) a", has_text="1-602").first
    await found.wait_for()
    await visit.page.keyboard.press("ArrowDown")
    await visit.page.keyboard.press("Enter")

    await visit.page.wait_for_url("**/accounts/A-00602")


async def test_keys_show_themselves_and_lead_to_every_page_of_the_menu(visitor: Visitor) -> None:
    visit = await visitor()

    await visit.page.keyboard.press("?")
    sheet = visit.page.locator("#key-sheet")
    await sheet.wait_for()
    shown = await sheet.locator(".go-keys a").count()
    assert shown == await visit.page.locator(".side .nav[data-key]").count()
    await visit.page.keyboard.press("Escape")
    assert not await sheet.is_visible()

    await visit.page.keyboard.press("g")
    await visit.page.keyboard.press("h")
    await visit.page.wait_for_url("**/premises")
    await visit.page.keyboard.press("/")
    await visit.page.keyboard.type("滴水")
    await visit.page.locator("#found:not([inert]) a", has_text="DG-R-2026-0001").wait_for()


async def test_everything_works_without_script(visitor: Visitor) -> None:
    visit = await visitor(scripts=False)

    assert await visit.page.locator(".todo").count() == 5
    await visit.page.locator(".todo button").first.click()
    assert "已确认" in (await visit.page.locator(".toast").text_content() or "")
    await visit.open("/find?q=1-104")
    assert await visit.page.locator("main a.nav").count() >= 3
    await visit.open("/meters/202607000104")
    await visit.page.click(".table-twin summary")
    assert await visit.page.locator(".table-twin tbody tr").first.is_visible()


async def _width(visit: Visit) -> int:
    return int(await visit.page.evaluate("document.documentElement.scrollWidth"))


async def test_no_page_scrolls_sideways_on_a_phone(visitor: Visitor) -> None:
    for login, paths in (("manager", _STAFF), ("101", _RESIDENT)):
        visit = await visitor(login=login, is_phone=True)
        for path in paths:
            assert await visit.open(path) == 200, path
            assert await _width(visit) <= PHONE["width"], path


async def test_no_english_page_is_wider_than_its_desk_or_phone(visitor: Visitor) -> None:
    for login, paths in (("manager", _STAFF), ("101", _RESIDENT)):
        visit = await visitor(login=login, language="en")
        for path in paths:
            await visit.page.set_viewport_size(DESK)
            assert await visit.open(path) == 200, path
            assert await _width(visit) <= DESK["width"], path
            assert await visit.page.locator("h1").count() == 1, path
            await visit.page.set_viewport_size(PHONE)
            assert await _width(visit) <= PHONE["width"], path


async def test_the_menu_of_a_phone_opens_and_closes(visitor: Visitor) -> None:
    visit = await visitor(is_phone=True)
    entry = visit.page.locator(".side .nav", has_text="网关")
    assert not await entry.is_visible()

    await visit.page.click(".menu")
    await visit.page.locator(".side summary", has_text="表计与设备").click()
    await entry.click()

    await visit.page.wait_for_url("**/gateways")
    assert not await entry.is_visible()


async def test_a_group_of_the_menu_stays_as_somebody_left_it(visitor: Visitor) -> None:
    visit = await visitor()
    group = visit.page.locator(".side summary", has_text="收费")
    entry = visit.page.locator(".side .nav", has_text="价目")
    assert not await entry.is_visible()
    await group.click()
    await visit.open("/alarms")
    assert await entry.is_visible()
    await group.click()
    await visit.open("/tariffs")
    assert await entry.is_visible()  # the page being read is in it
    await visit.open("/")
    assert not await entry.is_visible()


async def test_a_resident_sees_owed_month_so_far_and_why(visitor: Visitor) -> None:
    visit = await visitor(login="101", is_phone=True)
    assert visit.page.url.endswith("/home")
    assert "11 月到现在" in (await visit.page.locator("main").text_content() or "")

    await visit.page.locator("main a[href^='/home/bills/']").first.click()
    await visit.page.locator(".bill-part").nth(1).locator("summary").click()
    await visit.page.locator(".bill-part[open] a", has_text="看到原始记录").first.click()

    assert "线上传来的原文" in (await visit.page.locator("main").text_content() or "")


@pytest.mark.parametrize(
    ("login", "is_phone", "bytes_max"),
    [("manager", False, FIRST_VIEW_BYTES_MAX), ("101", True, RESIDENT_VIEW_BYTES_MAX)],
)
async def test_the_first_view_is_light(visitor: Visitor, login: str, is_phone: bool, bytes_max: int) -> None:
    visit = await visitor(login=login, is_phone=is_phone)
    # What a service worker answers comes over no wire: a first visit has none.
    state = await visit.page.context.storage_state()
    assert visit.page.context.browser is not None
    fresh = await visit.page.context.browser.new_context(storage_state=state, service_workers="block")
    weight = await weigh(await fresh.new_page(), visit)
    await fresh.close()

    assert 5_000 < weight <= bytes_max


async def weigh(page: Page, visit: Visit) -> int:
    """Return what the first page costs on the wire, headers and all; the open stream never finishes."""
    sizes: list[float] = []
    session = await page.context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda finished: sizes.append(finished["encodedDataLength"]))
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await page.goto(visit.url + "/")
    await page.wait_for_timeout(800)
    return round(sum(sizes))
