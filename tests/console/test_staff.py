"""The page of who works here, and the one on which an invitation is taken up."""

import re

from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of

NEW = "a sentence nobody guesses 2026"


async def test_somebody_is_invited_chooses_a_password_and_works_where_they_are_bound(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as manager:
        sent = {"login": "g007", "name": "林师傅", "role": "guard"}
        async with manager.post("/staff", data=sent) as response:
            shown = await response.text()
            assert response.status == 200
        async with manager.post("/staff", data=sent) as response:
            assert response.status == 422
            assert "is taken" in text_of(await response.text())
        link = re.search(r"/invitation/[0-9]+\.[A-Za-z0-9_-]{43}", shown)
        assert link is not None

        async with manager.post(link[0], data={"password": NEW, "again": "else"}) as response:
            assert response.status == 422
        async with manager.post(link[0], data={"password": NEW, "again": NEW}, allow_redirects=False) as went:
            assert (went.status, went.headers["Location"]) == (303, "/login")
        async with manager.get(link[0]) as response:
            assert response.status == 404

        async with manager.get("/staff") as response:
            path = re.search(r'/staff/[0-9a-f-]{36}(?="><b>林师傅)', await response.text())
        assert path is not None
        async with manager.get(path[0]) as response:
            site = re.search(r'name="site" value="([0-9a-f-]{36})"', await response.text())
        assert site is not None
        async with manager.post(path[0], data={"act": "scope", "site": site[1]}) as response:
            assert response.status == 200
            assert "checked" in await response.text()
        for act in ("disable", "enable", "nonsense"):
            async with manager.post(path[0], data={"act": act}) as response:
                assert response.status == (422 if act == "nonsense" else 200)

    data = {"login": "g007", "password": NEW}
    async with await signed_in(served, "manager") as session:
        session.cookie_jar.clear()
        async with session.post("/login", data=data, allow_redirects=False) as response:
            assert response.status == 303
        async with session.get("/guard") as response:
            assert response.status == 200
        async with session.get("/staff") as response:
            assert response.status == 403
