"""Sending a request twice: the same answer, done once, whatever happens between."""

import asyncio
import uuid
from typing import Any

import pytest

from cloud.config import DEFAULT_TENANT
from cloud.services import idempotency
from tests.api.conftest import PASSWORD, Cloud

ADDED = {"login": "guest", "display_name": "Guest", "role": "resident", "password": PASSWORD}


async def _add(cloud: Cloud, token: str, key: str, body: Any = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return await cloud.call("POST", "/api/v1/users", token=token, json=body or ADDED, headers=headers)


@pytest.fixture
def cloud(any_cloud: Cloud) -> Cloud:
    """Every test here runs on both engines."""
    return any_cloud


@pytest.fixture
async def token(cloud: Cloud) -> str:
    return await cloud.token_of(await cloud.add_user("manager"))


async def test_the_same_request_again_gets_the_first_answer(cloud: Cloud, token: str) -> None:
    key = str(uuid.uuid4())

    first = await _add(cloud, token, key)
    again = await _add(cloud, token, key)

    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_without_a_key_the_second_is_a_conflict(cloud: Cloud, token: str) -> None:
    first = await _add(cloud, token, "")
    again = await _add(cloud, token, "")

    assert (first.status, again.status) == (201, 409)


async def test_twenty_at_once_are_one(cloud: Cloud, token: str) -> None:
    key = str(uuid.uuid4())

    replies = await asyncio.gather(*(_add(cloud, token, key) for _ in range(20)))

    assert {reply.status for reply in replies} <= {201, 409}
    assert len({reply.body for reply in replies if reply.status == 201}) == 1
    listed = await cloud.call("GET", "/api/v1/users", token=token)
    assert [user["login"] for user in listed.json["items"]] == ["guest", "manager"]


async def test_the_key_of_another_request_is_refused(cloud: Cloud, token: str) -> None:
    key = str(uuid.uuid4())
    await _add(cloud, token, key)

    reused = await _add(cloud, token, key, {**ADDED, "login": "other"})

    assert reused.status == 422
    assert reused.json["type"] == "/problems/idempotency-key-reused"


async def test_a_refused_request_may_be_sent_again_corrected(cloud: Cloud, token: str) -> None:
    key = str(uuid.uuid4())

    refused = await _add(cloud, token, key, {**ADDED, "login": "with space"})
    corrected = await _add(cloud, token, key)

    assert (refused.status, corrected.status) == (422, 201)


async def test_a_request_still_being_worked_on_is_a_conflict_until_its_lease_ends(
    cloud: Cloud, token: str
) -> None:
    key = str(uuid.uuid4())
    manager = (await cloud.call("GET", "/api/v1/me", token=token)).json["user_id"]
    await _add(cloud, token, key)
    # As if the process had died between claiming the key and committing the work.
    await cloud.database.write(DEFAULT_TENANT, _forget_answer, manager, key)

    early = await _add(cloud, token, key)
    cloud.clock.now_ms += idempotency.LEASE_MS
    late = await _add(cloud, token, key)

    assert early.status == 409
    assert "still being worked on" in early.json["detail"]
    assert late.status == 409
    assert "is taken" in late.json["detail"]


async def test_two_people_may_use_one_key(cloud: Cloud, token: str) -> None:
    key = str(uuid.uuid4())
    other = await cloud.token_of(await cloud.add_user("other"))

    first = await _add(cloud, token, key)
    second = await _add(cloud, other, key, {**ADDED, "login": "second"})

    assert (first.status, second.status) == (201, 201)


@pytest.mark.parametrize(
    ("key", "status"),
    [
        pytest.param("x" * 7, 400, id="too short"),
        pytest.param("x" * 8, 201, id="shortest"),
        pytest.param("x" * 255, 201, id="longest"),
        pytest.param("x" * 256, 400, id="too long"),
    ],
)
async def test_a_key_has_a_sensible_length(cloud: Cloud, token: str, key: str, status: int) -> None:
    reply = await _add(cloud, token, key)

    assert reply.status == status


async def test_keys_are_forgotten_after_a_week(cloud: Cloud, token: str) -> None:
    await _add(cloud, token, str(uuid.uuid4()))

    cloud.clock.now_ms += idempotency.KEPT_FOR_MS
    kept = await cloud.database.write(DEFAULT_TENANT, idempotency.forget_old)
    cloud.clock.now_ms += 1
    forgotten = await cloud.database.write(DEFAULT_TENANT, idempotency.forget_old)

    assert (kept, forgotten) == (0, 1)


def _forget_answer(tx: Any, user_id: str, key: str) -> None:
    from cloud.store.schema import idempotency_key as table

    tx.conn.execute(
        table.update()
        .where(table.c.tenant_id == tx.tenant_id, table.c.user_id == user_id, table.c.key == key)
        .values(status=None, answer=None)
    )
