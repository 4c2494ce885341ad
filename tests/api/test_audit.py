"""The audit log: what gets into it, who may read it, and that it pages stably."""

import pytest

from cloud.domain.page import cursor_from_key
from cloud.domain.rate_limit import DENIALS_AUDITED
from cloud.domain.user import Role
from tests.api.conftest import Cloud


async def test_signing_in_and_failing_to_are_recorded(cloud: Cloud) -> None:
    user = await cloud.add_user("manager")
    token = await cloud.token_of(user)
    for login in ("manager", "13800138000"):
        await cloud.call("POST", "/api/v1/sessions", json={"login": login, "password": "wrong password"})

    listed = await cloud.call("GET", "/api/v1/audit_entries?action=sign_in_failed", token=token)
    signed_in = await cloud.call("GET", "/api/v1/audit_entries?action=sign_in", token=token)

    unknown, known = listed.json["items"]
    assert (known["subject_kind"], known["subject_id"]) == ("user", user.user_id)
    assert unknown["subject_kind"] == "login"
    assert "13800138000" not in listed.body.decode()
    assert known["detail"] == {"address": "127.0.0.1"}
    assert [entry["user_id"] for entry in signed_in.json["items"]] == [user.user_id]


async def test_what_a_role_may_not_is_recorded_up_to_a_limit(cloud: Cloud) -> None:
    manager = await cloud.token_of(await cloud.add_user("manager"))
    guard = await cloud.add_user("guard", Role.GUARD)
    token = await cloud.token_of(guard)

    for _ in range(DENIALS_AUDITED.burst + 5):
        await cloud.call("GET", "/api/v1/users", token=token)
    listed = await cloud.call("GET", "/api/v1/audit_entries?action=denied&limit=200", token=manager)

    assert len(listed.json["items"]) == DENIALS_AUDITED.burst
    entry = listed.json["items"][0]
    assert entry["user_id"] == guard.user_id
    assert entry["subject_id"] == "GET /api/v1/users"
    assert entry["detail"] == {"action": "manage_users", "role": "guard"}


async def test_a_page_that_a_role_may_not_open_is_recorded_too(cloud: Cloud) -> None:
    manager = await cloud.token_of(await cloud.add_user("manager"))
    contractor = await cloud.token_of(await cloud.add_user("contractor", Role.CONTRACTOR))

    opened = await cloud.call("GET", "/equipment", token=contractor)
    listed = await cloud.call("GET", "/api/v1/audit_entries?action=denied", token=manager)

    assert opened.status == 403
    assert [entry["subject_id"] for entry in listed.json["items"]] == ["GET /equipment"]


async def test_a_cursor_stays_right_while_entries_are_added(cloud: Cloud) -> None:
    user = await cloud.add_user("manager")
    tokens = [await cloud.token_of(user) for _ in range(5)]
    path = "/api/v1/audit_entries?action=sign_in&limit=2"

    first = await cloud.call("GET", path, token=tokens[0])
    await cloud.token_of(user)
    second = await cloud.call("GET", f"{path}&cursor={first.json['next_cursor']}", token=tokens[0])
    third = await cloud.call("GET", f"{path}&cursor={second.json['next_cursor']}", token=tokens[0])

    ids = [entry["entry_id"] for page in (first, second, third) for entry in page.json["items"]]
    assert len(ids) == len(set(ids)) == 5
    assert ids == sorted(ids, reverse=True)
    assert third.json["next_cursor"] is None


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("bm9uc2Vuc2U", id="not JSON"),
        pytest.param("%FF", id="not base64"),
        pytest.param(cursor_from_key("manager"), id="a name for an id"),
        pytest.param(cursor_from_key(7), id="a number for an id"),
        pytest.param(cursor_from_key("0" * 8, "x"), id="too many parts"),
    ],
)
async def test_a_cursor_of_another_list_is_refused(any_cloud: Cloud, cursor: str) -> None:
    token = await any_cloud.token_of(await any_cloud.add_user("manager"))

    refused = await any_cloud.call("GET", f"/api/v1/audit_entries?cursor={cursor}", token=token)

    assert refused.status == 422
    assert "cursor" in refused.json["detail"]


async def test_a_page_has_a_limit(cloud: Cloud) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))

    at_the_limit = await cloud.call("GET", "/api/v1/audit_entries?limit=200", token=token)
    past_it = await cloud.call("GET", "/api/v1/audit_entries?limit=201", token=token)

    assert at_the_limit.status == 200
    assert past_it.status == 422
    assert past_it.json["errors"][0]["parameter"] == "limit"
