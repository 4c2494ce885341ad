"""Signing in and out: cookies, tokens, attempts, and what another site's page cannot do."""

import asyncio
from typing import Any

import pytest

from cloud.domain.user import Role
from tests.api.conftest import PASSWORD, Cloud, StandingClock, running_cloud


async def _sign_in(cloud: Cloud, login: str = "manager", password: str = PASSWORD, **kwargs: Any) -> Any:
    return await cloud.call("POST", "/api/v1/sessions", json={"login": login, "password": password}, **kwargs)


async def test_a_program_signs_in_and_is_known_by_its_token(cloud: Cloud) -> None:
    await cloud.add_user("manager")

    signed_in = await _sign_in(cloud)
    me = await cloud.call("GET", "/api/v1/me", token=signed_in.json["token"])

    assert signed_in.status == 201
    assert "Set-Cookie" not in signed_in.headers
    assert me.status == 200
    assert me.json["role"] == "manager"
    assert "manage_users" in me.json["may"]


async def test_a_page_signs_in_and_no_script_can_read_its_session(cloud: Cloud) -> None:
    await cloud.add_user("manager")

    signed_in = await cloud.call(
        "POST",
        "/api/v1/sessions",
        json={"login": "manager", "password": PASSWORD, "carrier": "cookie"},
        headers={"Origin": cloud.url},
    )
    cookie = signed_in.headers["Set-Cookie"]
    me = await cloud.call("GET", "/api/v1/me", headers={"Cookie": cookie.split(";")[0]})

    assert signed_in.json["token"] is None
    assert cookie.startswith("gatehouse=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert me.status == 200


async def test_over_tls_the_cookie_is_bound_to_this_host(sqlite_url: str) -> None:
    async with running_cloud(sqlite_url, StandingClock(), public_origin="https://gatehouse.example") as cloud:
        await cloud.add_user("manager")

        signed_in = await cloud.call(
            "POST",
            "/api/v1/sessions",
            json={"login": "manager", "password": PASSWORD, "carrier": "cookie"},
            headers={"Origin": "https://gatehouse.example"},
        )

        cookie = signed_in.headers["Set-Cookie"]
        assert cookie.startswith("__Host-gatehouse=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert signed_in.headers["Strict-Transport-Security"].startswith("max-age=63072000")


@pytest.mark.parametrize(
    ("login", "password"),
    [
        pytest.param("manager", "wrong password", id="wrong password"),
        pytest.param("nobody", PASSWORD, id="unknown login"),
    ],
)
async def test_a_wrong_sign_in_says_nothing_about_which_part(cloud: Cloud, login: str, password: str) -> None:
    await cloud.add_user("manager")

    refused = await _sign_in(cloud, login, password)

    assert refused.status == 401
    assert refused.json["type"] == "/problems/unauthenticated"
    assert refused.json["detail"] == "the login or the password is wrong"


async def test_attempts_are_limited_and_the_wait_is_told(cloud: Cloud) -> None:
    await cloud.add_user("manager")
    for _ in range(5):
        assert (await _sign_in(cloud, password="wrong password")).status == 401

    sixth = await _sign_in(cloud)

    assert sixth.status == 429
    assert sixth.json["type"] == "/problems/too-many-requests"
    assert sixth.headers["Retry-After"] == "12"
    cloud.clock.now_ms += 12_000
    assert (await _sign_in(cloud)).status == 201


async def test_attempts_outlive_a_restart(sqlite_url: str) -> None:
    clock = StandingClock()
    async with running_cloud(sqlite_url, clock) as before:
        await before.add_user("manager")
        for _ in range(5):
            await _sign_in(before, password="wrong password")

    async with running_cloud(sqlite_url, clock) as after:
        assert (await _sign_in(after)).status == 429


async def test_fifty_attempts_at_once_are_five(any_cloud: Cloud) -> None:
    await any_cloud.add_user("manager")

    replies = await asyncio.gather(*(_sign_in(any_cloud, password="wrong password") for _ in range(50)))

    assert sorted(reply.status for reply in replies) == [401] * 5 + [429] * 45


async def test_one_login_s_failures_do_not_keep_another_waiting(cloud: Cloud) -> None:
    await cloud.add_user("manager")
    await cloud.add_user("other")
    for _ in range(6):
        await _sign_in(cloud, password="wrong password")

    assert (await _sign_in(cloud, "other")).status == 201


async def test_signing_out_ends_the_session(cloud: Cloud) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))

    ended = await cloud.call("DELETE", "/api/v1/sessions/current", token=token)
    after = await cloud.call("GET", "/api/v1/me", token=token)

    assert ended.status == 204
    assert after.status == 401
    assert after.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse"'


async def test_a_session_ends_when_it_is_not_used(cloud: Cloud) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))
    idle_ms = 30 * 60 * 1000

    cloud.clock.now_ms += idle_ms - 1
    still = await cloud.call("GET", "/api/v1/me", token=token)
    cloud.clock.now_ms += idle_ms
    gone = await cloud.call("GET", "/api/v1/me", token=token)

    assert still.status == 200
    assert gone.status == 401


async def test_disabling_a_user_ends_their_sessions_at_once(cloud: Cloud) -> None:
    manager = await cloud.token_of(await cloud.add_user("manager"))
    guest = await cloud.add_user("guest", Role.RESIDENT)
    token = await cloud.token_of(guest)

    disabled = await cloud.call("DELETE", f"/api/v1/users/{guest.user_id}", token=manager)

    assert disabled.status == 204
    assert (await cloud.call("GET", "/api/v1/me", token=token)).status == 401


async def test_one_s_own_sessions_are_listed_and_revoked(cloud: Cloud) -> None:
    user = await cloud.add_user("manager")
    here, there = await cloud.token_of(user), await cloud.token_of(user)
    listed = await cloud.call("GET", "/api/v1/sessions", token=here)

    for session in listed.json["items"]:
        if session["is_current"]:
            continue
        await cloud.call("DELETE", f"/api/v1/sessions/{session['session_id']}", token=here)

    assert [session["is_current"] for session in listed.json["items"]].count(True) == 1
    assert len(listed.json["items"]) == 2
    assert (await cloud.call("GET", "/api/v1/me", token=here)).status == 200
    assert (await cloud.call("GET", "/api/v1/me", token=there)).status == 401


async def test_another_s_session_does_not_exist(cloud: Cloud) -> None:
    mine = await cloud.token_of(await cloud.add_user("manager"))
    theirs = await cloud.token_of(await cloud.add_user("other"))
    session_id = (await cloud.call("GET", "/api/v1/sessions", token=theirs)).json["items"][0]["session_id"]

    refused = await cloud.call("DELETE", f"/api/v1/sessions/{session_id}", token=mine)

    assert refused.status == 404
    assert (await cloud.call("GET", "/api/v1/me", token=theirs)).status == 200


async def test_changing_the_password_ends_other_sessions_and_keeps_this_one(cloud: Cloud) -> None:
    user = await cloud.add_user("manager")
    here, there = await cloud.token_of(user), await cloud.token_of(user)

    wrong = await cloud.call(
        "PUT", "/api/v1/me/password", token=here, json={"present": "wrong", "new": "a new long password"}
    )
    right = await cloud.call(
        "PUT", "/api/v1/me/password", token=here, json={"present": PASSWORD, "new": "a new long password"}
    )

    assert wrong.status == 401
    assert right.status == 204
    assert (await cloud.call("GET", "/api/v1/me", token=here)).status == 200
    assert (await cloud.call("GET", "/api/v1/me", token=there)).status == 401
    assert (await _sign_in(cloud, password="a new long password")).status == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 204, id="our own page"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="a neighbour on the same domain"),
        pytest.param({"Sec-Fetch-Site": "none"}, 403, id="typed, which no form is"),
        pytest.param({"Origin": "{own}"}, 204, id="old browser, our own page"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="old browser, another site"),
        pytest.param({"Origin": "null"}, 403, id="a sandboxed frame"),
        pytest.param({}, 403, id="no word about where it comes from"),
    ],
)
async def test_a_cookie_changes_nothing_for_another_site(
    cloud: Cloud, headers: dict[str, str], status: int
) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))
    own = {name: value.format(own=cloud.url) for name, value in headers.items()}

    reply = await cloud.call(
        "PATCH", "/api/v1/me", json={"locale": "en"}, headers={"Cookie": f"gatehouse={token}", **own}
    )

    assert reply.status == status


async def test_another_site_cannot_sign_a_browser_in(cloud: Cloud) -> None:
    await cloud.add_user("manager")

    refused = await _sign_in(cloud, headers={"Sec-Fetch-Site": "cross-site"})

    assert refused.status == 403
