"""The directory of what is near: the office adds, changes and removes; a resident taps to call."""

import re

from tests.console.conftest import Served
from tests.console.test_pages import signed_in

_STATION = {"name": "派出所", "category": "police", "phone": "0769-2288 1100", "hours": "24 小时"}


async def test_what_the_office_lists_a_resident_calls(served: Served) -> None:
    async with await signed_in(served, "manager") as office, await signed_in(served, "101") as home:
        async with office.post("/nearby", data={**_STATION, "phone": "没有"}) as refused:
            assert refused.status == 422
            assert 'value="派出所"' in await refused.text()
        async with office.post("/nearby", data=_STATION) as listed:
            html = await listed.text()
        found = re.search(r'href="/nearby\?change=([0-9a-f-]{36})"', html)
        assert found is not None
        async with home.get("/home/nearby") as shown:
            html = await shown.text()
        assert 'href="tel:076922881100"' in html and "24 小时" in html

        async with office.get("/nearby", params={"change": found[1]}) as form:
            assert 'value="0769-2288 1100"' in await form.text()
        async with office.post("/nearby", data={"act": "remove", "service": found[1]}) as removed:
            assert removed.status == 200
        async with home.get("/home/nearby") as shown:
            assert "派出所" not in await shown.text()
