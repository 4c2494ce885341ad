"""The second factor and showing again who one is: codes good once, roles that must have one, grave acts."""

from dataclasses import dataclass

import pyotp

from cloud.domain.user import Role
from cloud.store import schema
from tests.api.conftest import PASSWORD, Cloud, Reply
from tests.cloud.garden import rows_of

_MINE = "/api/v1/me/second_factor"
_AGAIN = "/api/v1/sessions/current/reauthentication"
_ID = "00000000-0000-7000-8000-000000000001"
_UNLOCK = {
    "gateway_id": _ID,
    "device_code": "lock",
    "action": "door_unlock",
    "purpose": "access",
    "reason": "a guest is here",
}
_FIVE_MINUTES_MS = 5 * 60_000


@dataclass
class Holder:
    """Somebody with a second factor: a telephone that computes codes, and what is written on paper."""

    cloud: Cloud
    login: str
    token: str
    telephone: pyotp.TOTP
    recovery_codes: list[str]

    def code(self, intervals_away: int = 0) -> str:
        return self.telephone.generate_otp(self.cloud.clock.now_ms // 30_000 + intervals_away)

    async def sign_in(self, code: str = "", password: str = PASSWORD) -> Reply:
        body = {"login": self.login, "password": password} | ({"code": code} if code else {})
        return await self.cloud.call("POST", "/api/v1/sessions", json=body)


async def _holder(cloud: Cloud, login: str = "manager", role: Role = Role.MANAGER) -> Holder:
    token = await cloud.token_of(await cloud.add_user(login, role))
    begun = await cloud.call("POST", _MINE, token=token)
    assert begun.status == 201, begun.body
    holder = Holder(cloud, login, token, pyotp.TOTP(begun.json["secret"]), [])
    confirmed = await cloud.call("POST", f"{_MINE}/confirmation", token=token, json={"code": holder.code()})
    assert confirmed.status == 200, confirmed.body
    holder.recovery_codes = confirmed.json["codes"]
    cloud.clock.now_ms += 60_000  # that code was used
    return holder


async def test_a_password_alone_lets_a_holder_in_no_more(any_cloud: Cloud) -> None:
    holder = await _holder(any_cloud)

    alone = await holder.sign_in()
    wrong = await holder.sign_in("000000")
    late = await holder.sign_in(holder.code(-1))
    again = await holder.sign_in(holder.code(-1))
    too_old = await holder.sign_in(holder.code(-2))

    assert (alone.status, alone.json["type"]) == (401, "/problems/second-factor-needed")
    assert (wrong.status, wrong.json["type"]) == (401, "/problems/unauthenticated")
    assert late.status == 201
    assert (again.status, too_old.status) == (401, 401), "no code is good twice, nor one before it"


async def test_half_a_session_is_good_for_nothing(cloud: Cloud) -> None:
    holder = await _holder(cloud)
    async with cloud.http.post(
        f"{cloud.url}/login",
        data={"login": holder.login, "password": PASSWORD},
        headers={"Origin": cloud.url},
        allow_redirects=False,
    ) as response:
        (half,) = response.cookies.values()
        assert response.headers["Location"].startswith("/login/code")

    as_token = await cloud.call("GET", "/api/v1/me", token=half.value)
    as_cookie = await cloud.call("GET", "/api/v1/me", headers={"Cookie": f"gatehouse={half.value}"})

    assert (as_token.status, as_cookie.status) == (401, 401)


async def test_a_recovery_code_is_good_once_however_it_is_typed(cloud: Cloud) -> None:
    holder = await _holder(cloud)
    typed = holder.recovery_codes[3].upper().replace("-", " ")

    assert (await holder.sign_in(typed)).status == 201
    assert (await holder.sign_in(typed)).status == 401
    left = await cloud.call("GET", _MINE, token=holder.token)
    assert left.json["recovery_codes_left"] == 9


async def test_the_store_has_neither_secret_nor_recovery_code(cloud: Cloud) -> None:
    holder = await _holder(cloud)

    tables = (schema.second_factor, schema.recovery_code, schema.audit_entry)
    kept = repr([rows_of(cloud.database, table) for table in tables])

    assert holder.telephone.secret not in kept
    assert not any(code in kept for code in holder.recovery_codes)


async def test_codes_are_guessed_ever_more_slowly_and_only_by_their_person(cloud: Cloud) -> None:
    holder = await _holder(cloud)
    other = await _holder(cloud, "other")
    told = [
        (await cloud.call("POST", _AGAIN, token=holder.token, json={"code": "123456"})).status
        for _ in range(6)
    ]

    assert told == [401] * 5 + [429]
    assert (await other.sign_in(other.code())).status == 201


async def test_a_role_that_must_have_one_is_signed_out_and_sets_it_up_by_the_console(cloud: Cloud) -> None:
    guard = await cloud.token_of(await cloud.add_user("guard", Role.GUARD))
    manager = await _holder(cloud)
    required = {"roles": ["guard"]}

    reply = await cloud.call("PUT", "/api/v1/second_factor_roles", token=manager.token, json=required)

    assert reply.json == required
    assert (await cloud.call("GET", "/api/v1/me", token=guard)).status == 401
    refused = await cloud.call("POST", "/api/v1/sessions", json={"login": "guard", "password": PASSWORD})
    assert (refused.status, refused.json["type"]) == (403, "/problems/forbidden")
    listed = await cloud.call("GET", "/api/v1/second_factor_roles", token=manager.token)
    assert listed.json == required


async def test_nobody_requires_of_their_own_role_what_they_have_not(cloud: Cloud) -> None:
    manager = await cloud.token_of(await cloud.add_user("manager"))

    reply = await cloud.call("PUT", "/api/v1/second_factor_roles", token=manager, json={"roles": ["manager"]})

    assert reply.status == 409
    assert (await cloud.call("GET", "/api/v1/me", token=manager)).status == 200


async def test_a_required_one_is_kept_and_another_manager_resets_it(cloud: Cloud) -> None:
    admin = await _holder(cloud, "admin", Role.COMPANY_ADMIN)
    holder = await _holder(cloud)
    await cloud.call("PUT", "/api/v1/second_factor_roles", token=admin.token, json={"roles": ["manager"]})
    user_id = (await cloud.call("GET", "/api/v1/me", token=holder.token)).json["user_id"]
    path = f"/api/v1/users/{user_id}/second_factor"

    assert (await cloud.call("DELETE", _MINE, token=holder.token)).status == 409
    assert (await cloud.call("DELETE", path, token=holder.token)).status == 409, "not one's own"
    assert (await cloud.call("DELETE", path, token=admin.token)).status == 204
    assert (await cloud.call("GET", "/api/v1/me", token=holder.token)).status == 401
    assert "reset_second_factor" in repr(rows_of(cloud.database, schema.audit_entry))


async def test_what_is_grave_asks_again_after_five_minutes(cloud: Cloud) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))
    somebody = {"login": "x", "display_name": "X", "role": "guard", "password": PASSWORD}
    cloud.clock.now_ms += _FIVE_MINUTES_MS - 1
    in_time = await cloud.call("POST", "/api/v1/users", token=token, json=somebody)
    cloud.clock.now_ms += 1

    refused = await cloud.call("POST", "/api/v1/users", token=token, json=somebody | {"login": "y"})

    assert in_time.status == 201
    assert (refused.status, refused.json["type"]) == (401, "/problems/reauthentication-needed")
    # RFC 9470 §3: the challenge a program acts on.
    challenge = refused.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication", max_age="300"' in challenge
    assert (await cloud.call("GET", "/api/v1/users", token=token)).status == 200, "reading goes on"

    wrong = await cloud.call("POST", _AGAIN, token=token, json={"password": "wrong password"})
    shown = await cloud.call("POST", _AGAIN, token=token, json={"password": PASSWORD})
    after = await cloud.call("POST", "/api/v1/users", token=token, json=somebody | {"login": "y"})

    assert (wrong.status, shown.status, after.status) == (401, 204, 201)


async def test_a_holder_shows_again_by_a_code_and_not_by_the_password(cloud: Cloud) -> None:
    holder = await _holder(cloud)

    by_password = await cloud.call("POST", _AGAIN, token=holder.token, json={"password": PASSWORD})
    by_code = await cloud.call("POST", _AGAIN, token=holder.token, json={"code": holder.code()})

    assert (by_password.status, by_code.status) == (401, 204)


# What moves money, opens doors, cuts supply or shows numbers: one of each.
_GRAVE = (
    ("POST", f"/api/v1/refunds/{_ID}/approval", None),
    ("POST", f"/api/v1/people/{_ID}/reveal", {"field": "phone", "reason": "to ring them back"}),
    ("POST", f"/api/v1/webhooks/{_ID}/secret", None),
    ("PUT", f"/api/v1/users/{_ID}/role", {"role": "guard"}),
    ("POST", f"/api/v1/gateways/{_ID}/revoke", None),
    ("POST", "/api/v1/commands/doors", _UNLOCK),
)


async def test_each_of_these_asks_before_it_looks_for_anything(cloud: Cloud) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))
    cloud.clock.now_ms += 6 * 60_000

    for method, path, body in _GRAVE:
        reply = await cloud.call(method, path, token=token, json=body)
        assert (reply.status, reply.json["type"]) == (401, "/problems/reauthentication-needed"), reply.body
