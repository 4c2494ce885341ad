"""A gateway's configuration in the browser: found wrong, put right, sent, followed while it is tried."""

import tomllib

import pytest

from cloud.domain.configuration_edit import (
    device_entry,
    entry_text,
    rest_of_device,
    with_entry,
    without_entry,
)
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.user import Role
from cloud.services import configurations
from protocol.configuration import ConfigurationState, Report
from tests.console import garden
from tests.console.conftest import Served, Visitor
from tests.console.test_pages import add_user

TEXT = """\
# The north house.
[gateway]
code = "gw-1"
time_zone = "Asia/Shanghai"

[[lines]]
id = "bus-1"    # in the cellar
transport = "serial"
path = "/dev/ttyUSB0"

[[devices]]
id = "em-1"
line = "bus-1"
profile = "dlt645_single_phase"
address = "202607000101"
intervals_s = { energy = 900 }

[[devices]]
id = "pump"
line = "bus-1"
profile = "eastron_sdm630"
address = 7
[devices.relay]
operator = "01"
"""


async def test_a_draft_is_put_right_sent_and_followed_to_its_end(served: Served, visitor: Visitor) -> None:
    visit = await visitor()
    page = visit.page
    await visit.open("/gateways/gw-1/configuration")
    await page.click("a.btn.pri")
    problem = page.locator(".cfg-why")
    assert "应为 引号内 12 位数字，现为 '2026'" in (await problem.text_content() or "")
    assert await page.locator("form[action$='/send']").count() == 0

    await page.click("text=em-102 >> nth=0")
    await page.fill("#address", "202607000199")
    await page.click("text=记入草稿")
    assert await problem.count() == 0
    difference = await page.locator(".cfg-diff").text_content() or ""
    assert "202607000102" in difference and "202607000199" in difference
    await page.fill("#note", "102 换了电表")
    await page.click("form[action$='/send'] button")

    await page.wait_for_url("**/configuration/4")
    assert "已下发" in (await page.locator("[aria-current=step]").text_content() or "")
    for state, word in ((ConfigurationState.STAGED, "网关已校验"), (ConfigurationState.APPLIED, "试运行中")):
        told = Report(4, state, [], garden.NOW_MS)
        await served.database.write(garden.TENANT, configurations.take_report, served.gateway, told)
        await page.locator("[aria-current=step]", has_text=word).wait_for()
    why = ["em-102 answered before and does not answer now"]
    told = Report(4, ConfigurationState.ROLLED_BACK, why, garden.NOW_MS)
    await served.database.write(garden.TENANT, configurations.take_report, served.gateway, told)
    await page.locator(".note", has_text="em-102 原来有应答，现在没有").wait_for()


async def test_going_back_drafts_the_old_words_and_says_what_that_changes(visitor: Visitor) -> None:
    visit = await visitor(language="en")
    await visit.open("/gateways/gw-1/configuration/1?with=2")
    assert "900" in (await visit.page.locator(".cfg-diff").text_content() or "")

    await visit.open("/gateways/gw-1/configuration")
    await visit.page.click("text=Go back to this")

    shown = await visit.page.locator("main").text_content() or ""
    assert "What sending would change" in shown
    assert "stay as they are and miss no poll" in shown


async def test_an_auditor_reads_and_changes_nothing(served: Served, visitor: Visitor) -> None:
    await add_user(served, Role.AUDITOR)
    visit = await visitor(login="auditor")

    assert await visit.open("/gateways/gw-1/configuration") == 200
    assert await visit.page.locator("main form").count() == 0
    assert await visit.open("/gateways/gw-1/configuration/draft") == 403


def written_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def test_what_was_not_touched_stays_as_it_was_written() -> None:
    slower = entry_text(TEXT, "devices", "em-1").replace("900", "300")
    changed = with_entry(TEXT, "devices", "em-1", slower)

    same = with_entry(TEXT, "devices", "pump", entry_text(TEXT, "devices", "pump"))
    assert written_lines(changed) == written_lines(TEXT.replace("900", "300"))
    assert written_lines(same) == written_lines(TEXT)


def test_a_device_is_written_from_a_form_with_what_else_it_has() -> None:
    assert rest_of_device(TEXT, "em-1") == "intervals_s = { energy = 900 }"
    values = {"id": "pump", "line": "bus-1", "profile": "eastron_sdm630", "address": "8", "interval_s": "2.5"}
    entry = device_entry(values, rest_of_device(TEXT, "pump"), was=7)

    devices = tomllib.loads(with_entry(TEXT, "devices", "pump", entry))["devices"]

    assert devices[1] == {
        "id": "pump", "line": "bus-1", "profile": "eastron_sdm630", "address": 8,
        "interval_s": 2.5, "relay": {"operator": "01"},
    }  # fmt: skip
    assert devices[0]["intervals_s"] == {"energy": 900}


def test_things_are_added_at_the_end_and_taken_out_alone() -> None:
    rule = 'id = "r"\nkind = "threshold"\npoints = ["pump/active_power"]\nabove = "15"'
    added = tomllib.loads(with_entry(TEXT, "rules", "", rule))
    gone = tomllib.loads(without_entry(TEXT, "devices", "em-1"))

    assert [one["id"] for one in added["rules"]] == ["r"]
    assert [one["id"] for one in gone["devices"]] == ["pump"]
    assert tomllib.loads(without_entry(TEXT, "lines", "bus-1"))["lines"] == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("id = ", "not TOML"),
        ('id = "a"\n[[devices]]\nid = "b"', "one of devices at a time, and nothing else; this has 2"),
    ],
)
def test_what_is_no_single_thing_is_refused(entry: str, problem: str) -> None:
    with pytest.raises(Invalid, match=problem):
        with_entry(TEXT, "devices", "", entry)
    with pytest.raises(NotFound, match="devices: there is no 'x'"):
        entry_text(TEXT, "devices", "x")
