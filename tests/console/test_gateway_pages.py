"""A gateway's page: its lines, its configuration, and contradicting blocks until a person settles them."""

from cloud.services import readings
from cloud.services.opened_block import open_blocks
from protocol.envelope import Block, encode_readings
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from tests.console import garden
from tests.console.conftest import Served, Visitor


async def test_a_block_that_contradicts_is_shown_and_settled_by_a_person(
    served: Served, visitor: Visitor
) -> None:
    other = Reading("em-101/voltage", garden.NOW_MS, 230 * MICRO, Quality.GOOD)
    opened = open_blocks(Stream.HISTORY, [Block(1, 1, encode_readings([other]))])
    told = (served.gateway, Stream.HISTORY, garden.EPOCH, opened)
    await served.database.write(garden.TENANT, readings.accept, *told)
    visit = await visitor()
    await visit.open("/gateways/gw-1")
    shown = visit.page.locator("#gateway", has_text="同一编号来了不同内容：两者都不覆盖对方")
    assert await shown.count() == 1

    await visit.page.click("text=已处理")

    await visit.page.wait_for_url("**/gateways/gw-1")
    assert "已处理，原始字节仍保留" in (await visit.page.locator(".toast").text_content() or "")
    assert await shown.count() == 0


async def test_the_lines_of_what_runs_are_listed_with_who_is_silent_on_them(visitor: Visitor) -> None:
    visit = await visitor(language="en")
    await visit.open("/gateways/gw-1")

    bus = visit.page.locator("tr", has_text="bus-2")
    assert "1 silent" in (await bus.text_content() or "")
