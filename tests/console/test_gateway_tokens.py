"""A manager makes a gateway in the console, sees its token once, revokes it, and settles a doubt."""

import asyncio
import re

from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import TenantId
from cloud.domain.user import system_user
from cloud.services import gateways
from provisioning.enrolment_token import parse_enrolment_token
from tests.boxes import enrolled
from tests.console.conftest import Served, Visitor

TENANT = TenantId(1)


async def test_a_new_gateway_shows_its_token_once_as_text_and_picture(
    served: Served, visitor: Visitor
) -> None:
    visit = await visitor()
    await visit.page.goto(f"{served.url}/gateways")
    await visit.page.locator("a[href='/gateways/new']").click()
    await visit.page.fill("[name=code]", "gw-7")

    await visit.page.locator("main form .btn.pri").click()

    text = await visit.page.locator(".token").first.text_content() or ""
    token = parse_enrolment_token(re.search(r"'(gatehouse-enrol://[^']+)'", text)[1])  # type: ignore[index]
    assert await visit.page.locator(".qr svg path").count() >= 1
    assert token.gateway.tenant_id == 1
    await visit.page.goto(f"{served.url}/gateways/gw-7")
    assert token.secret not in await visit.page.content()


async def test_a_doubt_is_at_the_top_and_settled_by_a_person(served: Served, visitor: Visitor) -> None:
    database = served.database
    [slot] = [
        one
        for one in await asyncio.to_thread(
            database.read_now, TENANT, gateways.list_gateways, system_user(TENANT)
        )
        if one.code == "gw-1"
    ]
    await asyncio.to_thread(enrolled, served.app, slot.gateway_id)
    identity = GatewayIdentity(TENANT, slot.gateway_id, slot.site_id, slot.code)
    await asyncio.to_thread(database.write_now, TENANT, gateways.turn_away_outdated, identity)
    visit = await visitor()
    await visit.page.goto(f"{served.url}/gateways/gw-1")
    note = visit.page.locator(".note.crit")
    assert "旧备份" in (await note.text_content() or "")

    await note.locator("button").click()
    await visit.page.wait_for_load_state()

    assert "gw-1：已确认只有一台设备" in (await visit.page.locator(".toast").text_content() or "")
    assert await visit.page.locator(".note.crit").count() == 0
