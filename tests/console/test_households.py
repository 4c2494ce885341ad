"""A home's head invites from the phone; who is invited registers, and sees what they were given."""

import re

from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of

_PASSWORD = "a sentence nobody guesses 2026"
_LINK = re.compile(r"/household/[0-9]+\.[A-Za-z0-9_-]{43}")
_FORM = {
    "name": "王小明",
    "phone": "13812348001",
    "login": "xiaoming",
    "password": _PASSWORD,
    "again": _PASSWORD,
    "agree": "on",
}


async def test_a_son_registers_without_the_code_is_confirmed_and_sees_no_bill(served: Served) -> None:
    async with await signed_in(served, "101", "en") as head:
        sent = {"act": "invite", "account": "A-00101", "relation": "owner", "role": "member"}
        async with head.post("/home/household", data=sent) as response:
            assert response.status == 422
            assert "by the property office alone" in text_of(await response.text())
        async with head.post("/home/household", data={**sent, "relation": "family"}) as response:
            link = _LINK.search(await response.text())
        assert link is not None

    async with await signed_in(served, "manager", "en") as office:
        office.cookie_jar.clear()  # a telephone nobody has signed in on
        for typed, said in (
            ({**_FORM, "agree": ""}, 422),
            ({**_FORM, "phone": "1"}, 422),
            ({**_FORM, "again": "else"}, 422),
            ({**_FORM, "code": "12"}, 422),
            (_FORM, 200),
            (_FORM, 404),
        ):
            async with office.post(link[0], data=typed) as response:
                assert response.status == said, typed
        data = {"login": "xiaoming", "password": _PASSWORD}
        async with office.post("/login", data=data) as response:
            assert "等待确认加入 1-101" in text_of(await response.text())

    async with await signed_in(served, "manager", "en") as office:
        async with office.get("/") as response:
            assert "1 registration waits to be confirmed" in text_of(await response.text())
        async with office.get("/people") as response:
            assert "王小明 registered for 1-101" in text_of(await response.text())
        async with office.get("/households/A-00101") as response:
            invitation = re.search(r'name="invitation" value="([0-9a-f-]{36})"', await response.text())
        assert invitation is not None
        data = {"act": "confirm", "invitation": invitation[1]}
        async with office.post("/households/A-00101", data=data) as response:
            assert "王小明" in text_of(await response.text())

        office.cookie_jar.clear()
        data = {"login": "xiaoming", "password": _PASSWORD}
        async with office.post("/login", data=data) as response:
            shown = text_of(await response.text())
            assert "您看不到这套房屋的账单" in shown
            assert "待缴" not in shown
        for path, said in (("/home/bills", 200), ("/home/pay?account=A-00101", 404), ("/home/usage", 200)):
            async with office.get(path) as response:
                assert response.status == said, path
        async with office.get("/home/bills/DG-2026-10-0001") as response:
            assert response.status == 403
