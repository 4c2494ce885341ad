"""My account, the second page of a sign-in, and the form that asks again who one is."""

import re

import pyotp
import pytest
import sqlalchemy as sa

from cloud.console.me import device_of
from cloud.store import schema
from cloud.store.db import Tx
from tests.console import garden
from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of

_SECRET = re.compile(r'<p class="mono wrap-any">([A-Z2-7]{32})</p>')
_CODES = re.compile(r"<li>([0-9a-z]{5}-[0-9a-z]{5})</li>")


@pytest.mark.parametrize(("login", "path"), [("manager", "/me"), ("101", "/home/me")])
async def test_sign_ins_are_listed_and_ended_and_the_password_changed(
    served: Served, login: str, path: str
) -> None:
    async with (
        await signed_in(served, login, "en") as here,
        await signed_in(served, login, "en") as elsewhere,
    ):
        async with here.get(path) as response:
            shown = await response.text()
        other = re.search(r'name="session" value="([0-9a-f-]{36})"', shown)
        assert other is not None
        assert "127.0.0.1" in text_of(shown)

        async with here.post(path, data={"act": "revoke", "session": other[1]}) as response:
            assert "Signed out there" in text_of(await response.text())
        async with elsewhere.get(path, allow_redirects=False) as response:
            assert response.headers["Location"].startswith("/login")

        new = {"present": "wrong", "new": "a sentence nobody guesses", "again": "a sentence nobody guesses"}
        async with here.post(path, data={"act": "password", **new}) as response:
            assert response.status == 422
            assert "The password is wrong." in text_of(await response.text())
        async with here.post(path, data={"act": "password", **new, "present": garden.PASSWORD}) as response:
            assert response.status == 200
            assert "Your password is changed" in text_of(await response.text())


async def test_a_second_factor_is_set_up_asked_for_and_removed(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as session:
        async with session.post("/me", data={"act": "begin"}) as response:
            secret = _SECRET.search(await response.text())
        assert secret is not None
        telephone = pyotp.TOTP(secret[1])
        async with session.post("/me", data={"act": "confirm", "code": "000000"}) as response:
            assert response.status == 422
        data = {"act": "confirm", "code": telephone.generate_otp(garden.NOW_MS // 30_000)}
        async with session.post("/me", data=data) as response:
            codes = _CODES.findall(await response.text())
        assert len(codes) == 10

        async with session.post("/logout"):
            pass
        sent = {"login": "manager", "password": garden.PASSWORD, "next": "/meters"}
        async with session.post("/login", data=sent) as response:
            assert response.url.path == "/login/code"
        async with session.get("/meters", allow_redirects=False) as response:
            assert response.status == 303, "half a sign-in opens nothing"
        async with session.post("/login/code", data={"code": "111111", "next": "/meters"}) as response:
            assert response.status == 401
        async with session.post("/login/code", data={"code": codes[0], "next": "/meters"}) as response:
            assert (response.status, response.url.path) == (200, "/meters")
        async with session.post("/me", data={"act": "remove"}) as response:
            assert "No code is asked any more" in text_of(await response.text())


async def test_a_role_that_must_have_one_sets_it_up_between_password_and_first_page(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as manager:
        invited = {"login": "g008", "name": "林师傅", "role": "guard"}
        async with manager.post("/staff", data=invited) as response:
            link = re.search(r"/invitation/[0-9]+\.[A-Za-z0-9_-]{43}", await response.text())
        assert link is not None
        async with manager.post("/staff/second-factor", data={"required": "guard"}) as response:
            assert "second factor due" in text_of(await response.text())
        async with manager.post("/staff/second-factor", data={"required": "manager"}) as response:
            assert response.status == 422

        guard = manager
        new = {"password": garden.PASSWORD, "again": garden.PASSWORD}
        async with guard.post(link[0], data=new):
            guard.cookie_jar.clear()
        async with guard.post("/login", data={"login": "g008", "password": garden.PASSWORD}) as response:
            secret = _SECRET.search(await response.text())
        assert secret is not None
        code = pyotp.TOTP(secret[1]).generate_otp(garden.NOW_MS // 30_000)
        async with guard.post("/login/code", data={"code": code, "next": "/guard"}) as response:
            assert len(_CODES.findall(await response.text())) == 10
        async with guard.get("/guard") as response:
            assert response.status == 200


async def test_what_is_grave_is_asked_again_with_what_was_typed_kept(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as session:
        _age_sessions(served)
        typed = {"login": "g009", "name": "林师傅 <b>", "role": "guard"}
        async with session.post("/staff", data=typed) as response:
            asked = await response.text()
            assert response.status == 401
        assert 'name="name" value="林师傅 &lt;b&gt;"' in asked
        assert 'action="/staff"' in asked

        async with session.post("/staff", data=typed | {"again_password": "wrong"}) as response:
            assert response.status == 422
            assert "The password is wrong." in text_of(await response.text())
        async with session.post("/staff", data=typed | {"again_password": garden.PASSWORD}) as response:
            assert response.status == 200
            assert "Hand this over now" in text_of(await response.text())


@pytest.mark.parametrize(
    ("client", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Mobile/15E148 MicroMessenger/8.0.60", "WeChat, iPhone"),
        ("gatehouse/0.1 aiohttp/3.14", "gatehouse/0.1"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_device_is_called_what_its_owner_calls_it(client: str, device: str) -> None:
    assert device_of(client) == device


def _age_sessions(served: Served) -> None:
    """Have everybody signed in ten minutes ago."""

    def work(tx: Tx) -> None:
        past_ms = schema.session.c.authenticated_at_ms - 10 * 60_000
        tx.conn.execute(sa.update(schema.session).values(authenticated_at_ms=past_ms))

    served.database.write_now(garden.TENANT, work)
