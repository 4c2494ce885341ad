"""Webhooks: what is told, how it is signed, how long it is tried, and where it may not go."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver

from cloud import outbox
from cloud.config import DEFAULT_TENANT
from cloud.domain.change import AlarmAct, AlarmChanged
from cloud.domain.errors import Invalid
from cloud.domain.ids import AlarmId, SiteId
from cloud.domain.webhook import (
    GIVEN_UP_AFTER_MS,
    RETRY_AFTER_MS,
    checked_url,
    next_attempt_ms,
    signature,
)
from cloud.webhook_lane import OutsideResolver
from protocol.event import Severity
from tests.api.conftest import Cloud, StandingClock, running_cloud

ALARM = AlarmChanged(
    DEFAULT_TENANT,
    SiteId("01890000-0000-7000-8000-000000000001"),
    AlarmId("01890000-0000-7000-8000-000000000002"),
    AlarmAct.RAISED,
    "fire_alarm",
    Severity.CRITICAL,
    "fire-1/fire_alarm",
    "3 层烟感",
    1,
)


@dataclass
class Receiver:
    """Another system: what it heard, and what it answers next."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    heard: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def next(self) -> tuple[dict[str, str], bytes]:
        return await asyncio.wait_for(self.heard.get(), 10)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Another system on this machine."""
    other = Receiver()

    async def hear(request: web.Request) -> web.Response:
        await other.heard.put((dict(request.headers), await request.read()))
        status = other.statuses.pop(0) if other.statuses else 204
        return web.Response(status=status, text="" if status == 204 else f"no: {status}")

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    other.url = f"http://127.0.0.1:{site.port}/hook"
    yield other
    await runner.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
async def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    """A cloud that may tell receivers on this machine, and looks often; on each engine."""
    monkeypatch.setattr(outbox, "LOOK_EVERY_S", 0.1)
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "migrated_postgres_url")
    async with running_cloud(url, StandingClock(), allow_private_webhooks=True) as running:
        yield running


@pytest.fixture
async def token(cloud: Cloud) -> str:
    return await cloud.token_of(await cloud.add_user("manager"))


async def _add(cloud: Cloud, token: str, receiver: Receiver, *events: str) -> Any:
    reply = await cloud.call(
        "POST", "/api/v1/webhooks", token=token, json={"url": receiver.url, "events": list(events)}
    )
    assert reply.status == 201, reply.body
    return reply.json


async def _delivery(cloud: Cloud, token: str, webhook_id: str, state: str) -> Any:
    async with asyncio.timeout(10):
        while True:
            listed = await cloud.call("GET", f"/api/v1/webhooks/{webhook_id}/deliveries", token=token)
            found = [one for one in listed.json["items"] if one["state"] == state and one["attempts"]]
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def test_what_happened_is_told_once_signed_and_noted(
    cloud: Cloud, token: str, receiver: Receiver
) -> None:
    added = await _add(cloud, token, receiver, "alarm")

    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
    headers, body = await receiver.next()
    noted = await _delivery(cloud, token, added["webhook_id"], "delivered")

    told = msgspec.json.decode(body)
    assert (told["event"], told["data"]["kind"], told["data"]["severity"]) == (
        "alarm",
        "fire_alarm",
        "critical",
    )
    assert "tenant_id" not in told["data"]
    assert headers["X-Webhook-Id"] == told["id"] == noted["delivery_id"]
    at, _, digest = headers["X-Webhook-Signature"].partition(",v1=")
    signed = f"{at.removeprefix('t=')}.".encode() + body
    assert digest == hmac.new(added["secret"].encode(), signed, hashlib.sha256).hexdigest()
    assert receiver.heard.empty()


async def test_what_is_rolled_back_is_not_told(cloud: Cloud, token: str, receiver: Receiver) -> None:
    added = await _add(cloud, token, receiver, "alarm")

    def fail(tx: Any) -> None:
        tx.announce(ALARM)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await cloud.database.write(DEFAULT_TENANT, fail)

    listed = await cloud.call("GET", f"/api/v1/webhooks/{added['webhook_id']}/deliveries", token=token)
    assert listed.json["items"] == []


async def test_a_receiver_hears_only_what_it_asked_for(cloud: Cloud, token: str, receiver: Receiver) -> None:
    added = await _add(cloud, token, receiver, "invoice")

    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
    await cloud.call("POST", f"/api/v1/webhooks/{added['webhook_id']}/ping", token=token)
    _, body = await receiver.next()

    assert msgspec.json.decode(body)["event"] == "ping"


async def test_what_was_not_heard_is_sent_again_with_the_same_bytes(
    cloud: Cloud, token: str, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302]
    added = await _add(cloud, token, receiver, "alarm")
    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))

    bodies = []
    for wait_ms in (0, *RETRY_AFTER_MS[:2]):
        cloud.clock.now_ms += wait_ms
        bodies.append((await receiver.next())[1])
        if len(bodies) < 3:
            failed = await _delivery(cloud, token, added["webhook_id"], "pending")
            while failed["attempts"] < len(bodies):
                failed = await _delivery(cloud, token, added["webhook_id"], "pending")
            assert failed["last_reply"] == f"no: {(500, 302)[len(bodies) - 1]}"
    done = await _delivery(cloud, token, added["webhook_id"], "delivered")

    assert len(set(bodies)) == 1
    assert (done["attempts"], done["last_status"]) == (3, 204)


async def test_a_message_given_up_can_be_sent_once_more(cloud: Cloud, token: str, receiver: Receiver) -> None:
    receiver.statuses = [500, 500]
    added = await _add(cloud, token, receiver, "alarm")
    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
    await receiver.next()
    await _delivery(cloud, token, added["webhook_id"], "pending")
    cloud.clock.now_ms += GIVEN_UP_AFTER_MS
    manager = await cloud.call("POST", "/api/v1/sessions", json={"login": "manager", "password": "x" * 9})
    assert manager.status == 401
    token = await cloud.token_of(await cloud.add_user("other"))
    await receiver.next()
    given_up = await _delivery(cloud, token, added["webhook_id"], "given_up")

    path = f"/api/v1/webhook_deliveries/{given_up['delivery_id']}/retry"
    retried = await cloud.call("POST", path, token=token)
    await receiver.next()
    await _delivery(cloud, token, added["webhook_id"], "delivered")
    again = await cloud.call("POST", path, token=token)

    assert (retried.status, again.status) == (204, 404)


async def test_after_an_exchange_both_secrets_sign_for_a_day(
    cloud: Cloud, token: str, receiver: Receiver
) -> None:
    added = await _add(cloud, token, receiver, "alarm")
    path = f"/api/v1/webhooks/{added['webhook_id']}"
    exchanged = await cloud.call("POST", f"{path}/secret", token=token)

    await cloud.call("POST", f"{path}/ping", token=token)
    headers, body = await receiver.next()

    at_ms = int(headers["X-Webhook-Signature"].partition(",")[0].removeprefix("t="))
    secrets = (exchanged.json["secret"], added["secret"])
    assert headers["X-Webhook-Signature"] == signature(secrets, at_ms, body)


async def test_a_removed_receiver_hears_nothing_more(cloud: Cloud, token: str, receiver: Receiver) -> None:
    added = await _add(cloud, token, receiver, "alarm")
    other = await _add(cloud, token, receiver, "alarm")

    removed = await cloud.call("DELETE", f"/api/v1/webhooks/{added['webhook_id']}", token=token)
    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
    await receiver.next()
    await _delivery(cloud, token, other["webhook_id"], "delivered")

    assert removed.status == 204
    assert receiver.heard.empty()
    listed = await cloud.call("GET", "/api/v1/webhooks", token=token)
    assert [one["webhook_id"] for one in listed.json["items"]] == [other["webhook_id"]]


async def test_the_secret_is_told_once(cloud: Cloud, token: str, receiver: Receiver) -> None:
    added = await _add(cloud, token, receiver, "alarm")

    listed = await cloud.call("GET", "/api/v1/webhooks", token=token)

    assert added["secret"] not in listed.body.decode()


@pytest.mark.parametrize(
    ("url", "may_be_private", "is_allowed"),
    [
        pytest.param("https://erp.example/hook", False, True, id="outside"),
        pytest.param("http://erp.example/hook", False, False, id="readable on the way"),
        pytest.param("https://127.0.0.1/", False, False, id="this machine"),
        pytest.param("https://[::1]/", False, False, id="this machine, IPv6"),
        pytest.param("https://169.254.169.254/latest/meta-data", False, False, id="a cloud's metadata"),
        pytest.param("https://10.0.0.7/", False, False, id="this network"),
        pytest.param("https://localhost/", False, False, id="this machine by name"),
        pytest.param("https://user:pw@erp.example/", False, False, id="a password in it"),
        pytest.param("ftp://erp.example/", True, False, id="not HTTP"),
        pytest.param("http://10.0.0.7:8069/hook", True, True, id="this network, allowed"),
    ],
)
def test_a_receiver_is_outside_unless_it_may_be_inside(
    url: str, *, may_be_private: bool, is_allowed: bool
) -> None:
    if is_allowed:
        assert checked_url(url, may_be_private=may_be_private) == url
        return
    with pytest.raises(Invalid, match="webhook address"):
        checked_url(url, may_be_private=may_be_private)


async def test_a_name_that_leads_inside_is_not_followed() -> None:
    class Rebinding(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            return await DefaultResolver().resolve("127.0.0.1", port, family)

        async def close(self) -> None:
            return None

    with pytest.raises(OSError, match=r"evil\.example leads into this network"):
        await OutsideResolver(Rebinding()).resolve("evil.example", 443)


def test_the_pauses_grow_and_end_after_a_week() -> None:
    at_ms, attempts, created_ms = 0, 0, 0
    waits = []
    while True:
        attempts += 1
        again_ms = next_attempt_ms(attempts, created_ms, at_ms)
        if again_ms is None:
            break
        waits.append(again_ms - at_ms)
        at_ms = again_ms

    assert tuple(waits[: len(RETRY_AFTER_MS)]) == RETRY_AFTER_MS
    assert at_ms <= GIVEN_UP_AFTER_MS
    assert at_ms + RETRY_AFTER_MS[-1] > GIVEN_UP_AFTER_MS
