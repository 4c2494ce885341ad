"""A visit on a phone: items answered, a signature drawn; and a contractor who comes by a link."""

from datetime import date

from playwright.async_api import Page

from cloud.checklists import shipped_checklists
from cloud.domain.checklist import Cycle, items_of
from cloud.domain.ids import EquipmentId, PlanId
from cloud.domain.maintenance import MaintenancePlan
from cloud.domain.user import system_user
from cloud.services import service_sheets
from cloud.store import equipment, premises
from cloud.store import plans as plan_store
from cloud.store.db import Tx
from tests.console import garden
from tests.console.conftest import Served, Visitor
from tests.console.test_pages import signed_in, text_of

SYSTEM = system_user(garden.TENANT)
LIST = "elevator-traction"


def add_quarterly_plan(tx: Tx) -> PlanId:
    site = premises.list_sites(tx)[0]
    lift = next(one for one in equipment.list_equipment(tx, site.site_id) if one.code == "lift-1")
    plan = MaintenancePlan(
        PlanId(tx.new_id()), EquipmentId(lift.equipment_id), "quarter", "季度维护保养", "", 91, 7,
        date(2026, 11, 20), None, LIST, Cycle.QUARTER,
    )  # fmt: skip
    plan_store.insert_plan(tx, plan)
    return plan.plan_id


async def answer_all(page: Page) -> None:
    """Answer every item of a sheet: in order, 5 mm where a value is asked for."""
    await page.evaluate("document.querySelectorAll('[value=ok]').forEach(one => one.checked = true)")
    for field in await page.locator("[name^='v-']").all():
        await field.fill("5 mm")


async def sign(page: Page) -> None:
    """Draw a stroke with the finger and send the sheet."""
    pad = page.locator(".pad svg")
    await pad.scroll_into_view_if_needed()
    box = await pad.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 60)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 200, box["y"] + 30, steps=8)
    await page.mouse.up()
    await page.get_by_role("button", name="现在签字").click()


async def test_a_visit_is_answered_and_signed_with_a_finger(served: Served, visitor: Visitor) -> None:
    plan_id = served.database.write_now(garden.TENANT, add_quarterly_plan)
    visit = await visitor(login="liu", is_phone=True)
    page = visit.page
    await visit.open(f"/equipment/lift-1/plans/{plan_id}/sheet")
    assert "共 44 项" in (await page.text_content("main") or "")

    await answer_all(page)
    await page.locator("[name='r-A-1-01'][value=failed]").check()
    await page.get_by_role("button", name="现在签字").click()
    problem = await page.text_content(".form-note")
    assert "还没有签名" in (problem or "")

    await page.locator("[name='n-A-1-01']").fill("机房灯坏一盏")
    await sign(page)
    await page.wait_for_url("**/sheets/*")
    told = await page.text_content("main") or ""
    assert "1 项不正常" in told and "机房灯坏一盏" in told
    assert await page.locator("nav.side a[aria-current=page]").get_attribute("href") == "/equipment"

    english = {"name": "gatehouse_language", "value": "en", "url": visit.url}
    await page.context.add_cookies([english])
    await page.reload()
    assert "machine and pulley room clean" in (await page.text_content("main") or "")


async def test_a_contractor_signs_by_a_link_that_then_leads_nowhere(served: Served) -> None:
    plan_id = served.database.write_now(garden.TENANT, add_quarterly_plan)
    async with await signed_in(served, "manager") as session:
        form = {"contractor": "恒安电梯", "days": "3"}
        async with session.post(f"/equipment/lift-1/plans/{plan_id}/link", data=form) as response:
            html = await response.text()
        path = html.partition("/contractor/")[2].partition("<")[0].partition('"')[0]
    items = items_of(shipped_checklists()[LIST], Cycle.QUARTER)
    said = {f"r-{item.code}": "ok" for item in items}
    said |= {f"v-{item.code}": "5 mm" for item in items if item.needs_value}
    async with await signed_in(served, "101") as stranger:  # whoever has the link
        async with stranger.get(f"/contractor/{path}") as response:
            assert response.headers["Cache-Control"] == "no-store"
            assert "恒安电梯" in text_of(await response.text())
        async with stranger.post(f"/contractor/{path}", data=said) as response:
            assert response.status == 422
        signed = {**said, "signed_by": "李工", "signature": "M10 100L200 40L380 160L590 90"}
        async with stranger.post(f"/contractor/{path}", data=signed) as response:
            assert "已签字，谢谢" in text_of(await response.text())
        async with stranger.get(f"/contractor/{path}") as response:
            assert response.status == 404
        async with stranger.get("/contractor/zz") as response:
            assert response.status == 404
    [sheet] = served.database.read_now(garden.TENANT, service_sheets.sheets_of, SYSTEM, plan_id)
    assert sheet.signing.signed_by == "李工"


async def test_a_list_gets_an_item_of_its_own_and_loses_it(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        added = {"act": "add", "zh": "轿顶备用铃试响", "cycle": "quarter", "reason": "说明书"}
        async with session.post(f"/checklists/{LIST}", data=added) as response:
            assert "轿顶备用铃试响" in text_of(await response.text())
        gone = {"act": "withdraw", "item": "own-1", "reason": "重复"}
        async with session.post(f"/checklists/{LIST}", data=gone) as response:
            assert "轿顶备用铃试响" not in text_of(await response.text())
        async with session.post(f"/checklists/{LIST}", data={**added, "reason": ""}) as response:
            assert response.status == 422
