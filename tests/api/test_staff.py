"""Who works here: invited, given a role, let in no more; and nobody rises by it."""

from typing import Any

import pytest

from cloud.domain.user import Role
from tests.api.conftest import PASSWORD, Cloud, Reply

NEW = "a sentence nobody guesses 2026"
WEEK_MS = 7 * 24 * 3_600_000


async def _invite(cloud: Cloud, token: str, user_id: str) -> Any:
    reply = await cloud.call("POST", f"/api/v1/users/{user_id}/invitation", token=token)
    assert reply.status == 201, reply.body
    return reply.json


async def _accept(cloud: Cloud, secret: str, password: str = NEW) -> Reply:
    return await cloud.call("POST", "/api/v1/invitations", json={"token": secret, "password": password})


async def _sign_in(cloud: Cloud, login: str, password: str) -> Reply:
    return await cloud.call("POST", "/api/v1/sessions", json={"login": login, "password": password})


async def test_whoever_is_invited_chooses_a_password_once(any_cloud: Cloud) -> None:
    manager = await any_cloud.token_of(await any_cloud.add_user("manager"))
    guard = await any_cloud.add_user("guard", Role.GUARD)
    before = await any_cloud.token_of(guard)
    made = await _invite(any_cloud, manager, guard.user_id)

    first = await _accept(any_cloud, made["token"])
    second = await _accept(any_cloud, made["token"], "another sentence 2026")

    assert (first.status, second.status) == (204, 404)
    assert (await _sign_in(any_cloud, "guard", NEW)).status == 201
    assert (await _sign_in(any_cloud, "guard", PASSWORD)).status == 401
    assert (await any_cloud.call("GET", "/api/v1/me", token=before)).status == 401


async def test_an_invitation_is_good_for_a_week_and_until_the_next(cloud: Cloud) -> None:
    manager = await cloud.add_user("manager")
    guard = await cloud.add_user("guard", Role.GUARD)
    replaced = await _invite(cloud, await cloud.token_of(manager), guard.user_id)
    late = await _invite(cloud, await cloud.token_of(manager), guard.user_id)

    assert (await _accept(cloud, replaced["token"])).status == 404
    cloud.clock.now_ms += WEEK_MS
    assert (await _accept(cloud, late["token"])).status == 404


@pytest.mark.parametrize("secret", ["", "nonsense", "1." + "A" * 43, "2." + "A" * 43])
async def test_a_secret_nobody_was_given_is_good_for_nothing(cloud: Cloud, secret: str) -> None:
    assert (await _accept(cloud, secret)).status == 404


async def test_nobody_takes_over_somebody_above_them(cloud: Cloud) -> None:
    manager = await cloud.add_user("manager")
    platform = await cloud.token_of(await cloud.add_user("platform", Role.PLATFORM))
    path = f"/api/v1/users/{manager.user_id}"

    invited = await cloud.call("POST", f"{path}/invitation", token=platform)
    demoted = await cloud.call("PUT", f"{path}/role", token=platform, json={"role": "guard"})
    bound = await cloud.call("PUT", f"{path}/scope", token=platform, json={})

    assert [reply.status for reply in (invited, demoted, bound)] == [403, 403, 403]


async def test_a_role_is_changed_and_holds_at_once_and_is_on_record(cloud: Cloud) -> None:
    manager = await cloud.token_of(await cloud.add_user("manager"))
    guard = await cloud.add_user("guard", Role.GUARD)
    token = await cloud.token_of(guard)
    path = f"/api/v1/users/{guard.user_id}/role"

    changed = await cloud.call("PUT", path, token=manager, json={"role": "finance"})
    resident = await cloud.call("PUT", path, token=manager, json={"role": "resident"})
    audited = await cloud.call("GET", "/api/v1/audit_entries?action=set_role", token=manager)

    assert (changed.json["role"], resident.status) == ("finance", 422)
    assert (await cloud.call("GET", "/api/v1/me", token=token)).json["role"] == "finance"
    assert audited.json["items"][0]["detail"] == {"before": "guard", "after": "finance"}


async def test_who_was_let_in_no_more_is_let_in_again(cloud: Cloud) -> None:
    manager = await cloud.token_of(await cloud.add_user("manager"))
    guard = await cloud.add_user("guard", Role.GUARD)
    path = f"/api/v1/users/{guard.user_id}"

    await cloud.call("DELETE", path, token=manager)
    kept_out = await _sign_in(cloud, "guard", PASSWORD)
    refused = await cloud.call("POST", f"{path}/invitation", token=manager)
    await cloud.call("POST", f"{path}/enable", token=manager)

    assert (kept_out.status, refused.status) == (401, 409)
    assert (await _sign_in(cloud, "guard", PASSWORD)).status == 201
