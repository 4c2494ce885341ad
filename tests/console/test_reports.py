"""The month's report: the sums at once, and where energy went a moment later."""

import re

from tests.console.conftest import Served
from tests.console.test_pages import signed_in


async def test_where_energy_went_comes_after_the_page(served: Served) -> None:
    async with await signed_in(served, "manager") as office:
        async with office.get("/reports") as shown:
            page = await shown.text()
        later = re.search(r'hx-get="(/reports\?period=[0-9-]+)&amp;part=1" hx-trigger="load"', page)
        assert later is not None
        assert "总表 = " not in page

        async with office.get(f"{later[1]}&part=1") as part:
            assert part.status == 200
            energy = await part.text()
        assert energy.count("<section") == 2  # electricity and water
        assert "总表 = 分户合计 + 公共 + 损耗" in energy

        async with office.get("/reports?period=1999-01&part=1") as none:
            assert none.status == 404
