"""The audit log as a page: things have names, and it is searched by who, on what and when."""

import re
from datetime import UTC, datetime, timedelta

import aiohttp

from cloud.keys import CLOCK
from tests.console.conftest import Served
from tests.console.test_pages import signed_in

_PLACE = {"name": "快递柜", "category": "other", "phone": "0769-2288 1100", "hours": ""}


async def _rows(session: aiohttp.ClientSession, **asked: str) -> list[str]:
    async with session.get("/audit", params=asked) as shown:
        assert shown.status == 200
        return re.findall(r"<tr><td class=\"nowrap mut\">.*?</tr>", await shown.text(), re.DOTALL)


async def test_the_log_is_searched_by_who_on_what_and_when(served: Served) -> None:
    async with await signed_in(served, "manager") as office:
        async with office.post("/nearby", data=_PLACE) as listed:
            assert listed.status == 200
        newest = (await _rows(office))[0]
        by, on = (re.search(rf"/audit\?{name}=([0-9a-f-]{{36}})", newest) for name in ("by", "on"))
        assert by and on

        signed_in_by = await _rows(office, action="sign_in", by=by[1])
        assert signed_in_by and all(f"/audit?by={by[1]}" in row for row in signed_in_by)
        # Who signed in is called by name, not by id.
        assert f">{by[1]}</a>" not in signed_in_by[0]
        assert [f"/audit?on={on[1]}" in row for row in await _rows(office, on=on[1])] == [True]

        then = datetime.fromtimestamp(served.app[CLOCK]() / 1000, UTC)
        assert await _rows(office, by=by[1], to=f"{then + timedelta(days=1):%Y-%m-%d}")
        assert not await _rows(office, by=by[1], to=f"{then - timedelta(days=3):%Y-%m-%d}")
        async with office.get("/audit", params={"from": "gestern"}) as refused:
            assert refused.status == 422
