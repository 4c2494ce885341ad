"""The page of who hears of what, and what the reader was told."""

import re

from cloud.domain.notice import NewNotice, Topic
from cloud.services import notices
from cloud.store import premises
from cloud.store.db import Tx
from tests.console import garden
from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of

_ROBOT = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"


async def test_a_channel_is_added_tried_and_removed_and_its_secret_never_shown(served: Served) -> None:
    new = {"act": "add", "name": "值班群", "channel": "wecom", "topic": "alarm", "locale": "zh-CN"}
    async with await signed_in(served, "manager", "en") as session:
        async with session.post("/notifiers", data=new | {"address": "not an address"}) as response:
            refused = await response.text()
            assert response.status == 422
        assert 'value="值班群"' in refused
        async with session.post("/notifiers", data=new | {"address": _ROBOT}) as response:
            shown = await response.text()
        assert "693a91f6-7xxx" not in shown
        notifier = re.search(r'name="notifier" value="([0-9a-f-]{36})"', shown)
        assert notifier is not None
        asked = re.search(r"<details>(.*?)</details>", shown[notifier.end() :], re.DOTALL)
        assert asked is not None and 'value="remove"' in asked[1], "removing it takes a second press"

        async with session.post("/notifiers", data={"act": "try", "notifier": notifier[1]}) as response:
            assert "A test is on its way" in text_of(await response.text())
        async with session.post("/notifiers", data={"act": "remove", "notifier": notifier[1]}) as response:
            assert "Nobody hears of anything yet" in text_of(await response.text())


async def test_a_site_sets_its_quiet_hours_and_a_refused_form_keeps_what_was_typed(served: Served) -> None:
    hours = {"act": "quiet", "from": "22:30", "until": "22:30"}
    async with await signed_in(served, "manager", "en") as session:
        async with session.get("/notifiers") as response:
            assert "nobody is rung between 21:00 and 08:00" in text_of(await response.text())
        async with session.post("/notifiers", data=hours) as response:
            assert response.status == 422
            refused = await response.text()
        assert refused.count('value="22:30"') == 2
        async with session.post("/notifiers", data=hours | {"until": "half past"}) as response:
            assert response.status == 422
            assert 'id="quiet-until-error"' in await response.text()
        async with session.post("/notifiers", data=hours | {"until": "06:45"}) as response:
            assert "nobody is rung between 22:30 and 06:45" in text_of(await response.text())
        async with session.post("/notifiers", data=hours | {"never": "on"}) as response:
            assert "people are rung at any hour" in text_of(await response.text())
    async with (
        await signed_in(served, "manager", "zh-CN") as session,
        session.post("/notifiers", data=hours) as response,
    ):
        assert "免打扰时段的开始和结束不能都是 22:30" in text_of(await response.text())


async def test_the_bell_counts_what_is_new_until_it_was_read(served: Served) -> None:
    def alarm(tx: Tx) -> None:
        (site,) = premises.list_sites(tx)
        values = {"site": site.name, "message": "泵房水浸", "time": "08:14"}
        for key in ("alarm:a", "alarm:b"):
            notices.notify(tx, NewNotice(Topic.ALARM, key, values, site_id=site.site_id, link="/alarms"))

    async with await signed_in(served, "manager", "en") as session:
        async with session.get("/inbox") as response:
            assert response.status == 200
        served.database.write_now(garden.TENANT, alarm)
        async with session.get("/meters") as response:
            assert 'aria-label="2 new notices"' in await response.text()
        async with session.get("/inbox") as response:
            told = await response.text()
            assert "泵房水浸" in told
            assert 'href="/alarms"' in told
        async with session.get("/meters") as response:
            assert 'aria-label="Notices"' in await response.text()


async def test_somebody_says_where_they_are_reached(served: Served) -> None:
    async with await signed_in(served, "101", "en") as session:
        async with session.post("/home/me", data={"act": "reach", "address": "1380013"}) as response:
            assert response.status == 422
            assert 'value="1380013"' in await response.text()
        async with session.post("/home/me", data={"act": "reach", "address": "13800138000"}) as response:
            shown = await response.text()
        assert "138****8000" in shown
        contact = re.search(r'name="contact" value="([0-9a-f-]{36})"', shown)
        assert contact is not None
        async with session.post("/home/me", data={"act": "unreach", "contact": contact[1]}) as response:
            assert "138****8000" not in await response.text()
