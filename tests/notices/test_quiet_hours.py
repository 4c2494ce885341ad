"""Quiet hours: what is not urgent waits until a site's own are over; what is grave never waits."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import Invalid
from cloud.domain.notice import Channel, NewNotice
from cloud.domain.quiet_hours import QuietHours
from cloud.domain.user import Role as UserRole
from cloud.domain.user import system_user
from cloud.services import notices
from tests.api.conftest import Cloud
from tests.api.homes import local_ms
from tests.notices.conftest import Provider
from tests.notices.test_notices import dunning, site_and_account

SYSTEM = system_user(DEFAULT_TENANT)
SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN_AT_NIGHT = "2026-11-23 22:00"


async def rings_at(cloud: Cloud, new: NewNotice) -> int:
    """Tell something and return when the first of its messages may go out."""
    notice_id = await cloud.database.write(DEFAULT_TENANT, notices.notify, new)
    page = await cloud.database.read(DEFAULT_TENANT, notices.list_deliveries, SYSTEM)
    assert notice_id is not None
    return page.items[0].next_attempt_at_ms


async def test_a_notice_at_night_waits_until_the_hour_the_site_set(cloud: Cloud, provider: Provider) -> None:
    site_id, account_id = await site_and_account(cloud)
    path = f"/api/v1/sites/{site_id}/quiet_hours"
    await cloud.database.write(
        DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, Channel.SMS, "13800138000"
    )
    cloud.clock.now_ms = local_ms(TEN_AT_NIGHT)
    token = await cloud.token_of(await cloud.add_user("boss"))

    usual = await cloud.call("GET", path, token=token)
    assert usual.json == {"from_minute": 21 * 60, "until_minute": 8 * 60}
    assert await rings_at(cloud, dunning(account_id, "usual")) == local_ms("2026-11-24 08:00")

    early = {"from_minute": 20 * 60, "until_minute": 6 * 60 + 30}
    assert (await cloud.call("PUT", path, token=token, json=early)).status == 204
    assert (await cloud.call("GET", path, token=token)).json == early
    assert await rings_at(cloud, dunning(account_id, "early")) == local_ms("2026-11-24 06:30")

    never = {"from_minute": None, "until_minute": None}
    assert (await cloud.call("PUT", path, token=token, json=never)).status == 204
    assert (await cloud.call("GET", path, token=token)).json == never
    assert provider.heard.empty()
    await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id, "never"))
    await provider.next()

    log = await cloud.call("GET", "/api/v1/audit_entries?action=set_quiet_hours", token=token)
    told = [one["detail"]["hours"] for one in log.json["items"]]
    assert told == [None, "20:00-06:30"]


async def test_what_is_grave_rings_in_the_middle_of_the_night(cloud: Cloud, provider: Provider) -> None:
    _, account_id = await site_and_account(cloud)
    await cloud.database.write(
        DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, Channel.SMS, "13800138000"
    )
    cloud.clock.now_ms = local_ms(TEN_AT_NIGHT)

    grave = replace(dunning(account_id, "grave"), is_urgent=True)
    await cloud.database.write(DEFAULT_TENANT, notices.notify, grave)

    _, headers, _ = await provider.next()
    assert headers["X-TC-Action"] == "SendSms"


async def test_hours_without_an_end_or_of_a_whole_day_are_refused(cloud: Cloud) -> None:
    site_id, _ = await site_and_account(cloud)
    token = await cloud.token_of(await cloud.add_user("boss"))
    path = f"/api/v1/sites/{site_id}/quiet_hours"

    endless = await cloud.call("PUT", path, token=token, json={"from_minute": 60, "until_minute": None})
    all_day = await cloud.call("PUT", path, token=token, json={"from_minute": 60, "until_minute": 60})
    guard = await cloud.token_of(await cloud.add_user("guard", UserRole.GUARD))

    assert (endless.status, endless.json["errors"][0]["pointer"]) == (422, "#/until_minute")
    assert (all_day.status, "both at 01:00" in all_day.json["detail"]) == (422, True)
    assert (await cloud.call("GET", path, token=guard)).status == 403


@pytest.mark.parametrize(
    ("hours", "at", "rings"),
    [
        (QuietHours(), "2026-11-23 20:59", "2026-11-23 20:59"),
        (QuietHours(), "2026-11-23 21:00", "2026-11-24 08:00"),
        (QuietHours(), "2026-11-24 07:59", "2026-11-24 08:00"),
        (QuietHours(), "2026-11-24 08:00", "2026-11-24 08:00"),
        (QuietHours(13 * 60, 14 * 60 + 30), "2026-11-23 13:30", "2026-11-23 14:30"),
        (QuietHours(13 * 60, 14 * 60 + 30), "2026-11-23 14:30", "2026-11-23 14:30"),
        (QuietHours(22 * 60, 0), "2026-11-23 23:59", "2026-11-24 00:00"),
        (QuietHours(22 * 60, 0), "2026-11-24 00:00", "2026-11-24 00:00"),
    ],
)
def test_quiet_hours_end_on_the_minute_also_past_midnight(hours: QuietHours, at: str, rings: str) -> None:
    assert hours.end_ms(local_ms(at), SHANGHAI) == local_ms(rings)


@pytest.mark.parametrize(("begins", "ends"), [(-1, 60), (60, 1440), (60, 60)])
def test_minutes_that_make_no_quiet_hours_are_refused(begins: int, ends: int) -> None:
    with pytest.raises(Invalid, match="quiet hours"):
        QuietHours(begins, ends)
