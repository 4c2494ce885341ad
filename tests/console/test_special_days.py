"""The page of special days: published holidays, and what is told of the site and taken back."""

from datetime import date

from cloud.domain.user import system_user
from cloud.services import special_days
from cloud.store.special_days import ToldDay
from tests.console import garden
from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of

_HOT = {"on": "2026-08-03", "kind": "hot", "source": "气象台高温橙色预警"}
_PATH = "/tariffs/days?year=2026"


async def test_a_day_is_told_shown_and_taken_back_in_two_presses(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as session:
        async with session.get(_PATH) as response:
            first = await response.text()
        assert "No day of this year was told of" in text_of(first)
        assert "1 Oct 2026" in text_of(first), "the published holidays"

        async with session.post(_PATH, data=_HOT) as response:
            shown = await response.text()
        assert "3 Aug 2026" in shown
        assert "hot: above 35 °C" in text_of(shown)
        asked = shown[shown.index("<details><summary", shown.index("3 Aug 2026")) :]
        assert 'value="forget"' in asked[: asked.index("</details>")], "taking it back takes a second press"

        async with session.post(_PATH, data={"act": "forget", "on": "2026-08-03"}) as response:
            assert "No day of this year was told of" in text_of(await response.text())
        async with session.post(_PATH, data={"act": "forget", "on": "2026-08-03"}) as response:
            assert response.status == 404


async def test_what_does_not_fit_is_said_and_what_was_typed_stays(served: Served) -> None:
    async with await signed_in(served, "manager", "zh-CN") as session:
        async with session.post(_PATH, data=_HOT | {"on": "tomorrow"}) as response:
            assert response.status == 422
            assert "气象台高温橙色预警" in await response.text()
        async with session.post(_PATH, data=_HOT | {"kind": "stormy"}) as response:
            assert "请选择这一天的类型" in text_of(await response.text())
        async with session.post(_PATH, data=_HOT | {"source": " "}) as response:
            assert "请写明依据" in text_of(await response.text())
    assert await _told(served) == []


async def test_a_year_nobody_published_is_said_and_not_guessed(served: Served) -> None:
    async with (
        await signed_in(served, "manager", "zh-CN") as session,
        session.get("/tariffs/days?year=2031") as response,
    ):
        assert "这一年的节假日尚未公布" in text_of(await response.text())


async def test_a_year_that_is_none_is_this_one(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as session:
        for text in ("", "soon", "0", "99999"):
            async with session.get(f"/tariffs/days?year={text}") as response:
                assert "Special days of 2026" in text_of(await response.text())


async def _told(served: Served) -> list[ToldDay]:
    year = (date(2026, 1, 1), date(2027, 1, 1))
    asked = (system_user(garden.TENANT), served.gateway.site_id, *year)
    return await served.database.read(garden.TENANT, special_days.list_days, *asked)
