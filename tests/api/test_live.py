"""The stream of changes: how soon, to whom, and after an interruption."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from cloud.api import live
from cloud.config import DEFAULT_TENANT
from cloud.domain.change import AlarmAct, AlarmChanged, InvoiceIssued, PointChange, ReadingsChanged
from cloud.domain.ids import AccountId, AlarmId, GatewayId, InvoiceId, SeriesId, SiteId
from cloud.domain.user import Role, User
from cloud.keys import LIVE
from protocol.event import Severity
from tests.api.conftest import Cloud

ALARM = AlarmChanged(
    DEFAULT_TENANT,
    SiteId("site"),
    AlarmId("alarm"),
    AlarmAct.RAISED,
    "fire_alarm",
    Severity.CRITICAL,
    "fire-1/fire_alarm",
    "3 层烟感",
    1_795_400_000_000,
)
INVOICE = InvoiceIssued(DEFAULT_TENANT, SiteId("site"), InvoiceId("invoice"), AccountId("mine"), 38_039)


class Stream:
    """The events of one connection, as a browser's EventSource would hand them over."""

    def __init__(self, content: Any) -> None:
        self._content = content

    async def next(self) -> dict[str, str]:
        """Return the next event that is not a heartbeat."""
        while True:
            block = (await asyncio.wait_for(self._content.readuntil(b"\r\n\r\n"), 2)).decode()
            fields = dict(line.split(": ", 1) for line in block.strip().split("\r\n") if ": " in line)
            if "event" in fields:
                return fields


@asynccontextmanager
async def _opened(cloud: Cloud, token: str, last_event_id: str = "") -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token}"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    async with cloud.http.get(cloud.url + "/api/v1/live", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Stream(response.content)


async def _manager(cloud: Cloud) -> str:
    return await cloud.token_of(await cloud.add_user("manager"))


async def test_an_alarm_is_told_within_a_second(cloud: Cloud) -> None:
    async with _opened(cloud, await _manager(cloud)) as stream:
        await stream.next()
        asked_s = asyncio.get_running_loop().time()
        await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
        event = await stream.next()

    assert asyncio.get_running_loop().time() - asked_s < 1
    assert event["event"] == "alarm"
    told = msgspec.json.decode(event["data"])
    assert (told["act"], told["kind"], told["message"]) == ("raised", "fire_alarm", "3 层烟感")
    assert "tenant_id" not in told


async def test_what_is_rolled_back_is_not_told(cloud: Cloud) -> None:
    def fail(tx: Any) -> None:
        tx.announce(ALARM)
        raise ValueError("no")

    async with _opened(cloud, await _manager(cloud)) as stream:
        await stream.next()
        with pytest.raises(ValueError, match="no"):
            await cloud.database.write(DEFAULT_TENANT, fail)
        await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(INVOICE))
        event = await stream.next()

    assert event["event"] == "invoice"


async def test_values_are_told_as_exact_decimals(cloud: Cloud) -> None:
    readings = ReadingsChanged(
        DEFAULT_TENANT,
        SiteId("site"),
        GatewayId("gateway"),
        1_795_400_000_000,
        (
            PointChange(SeriesId(1), "em-101/active_energy_import", 1_795_400_000_000, 12_340_000, 0),
            PointChange(SeriesId(2), "em-102/active_energy_import", 1_795_400_000_000, None, 10),
        ),
    )
    async with _opened(cloud, await _manager(cloud)) as stream:
        await stream.next()
        await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(readings))
        told = msgspec.json.decode((await stream.next())["data"])

    assert [(point["value"], point["quality"]) for point in told["points"]] == [
        ("12.34", "good"),
        (None, "no_reply"),
    ]


async def test_who_reconnects_hears_what_was_missed(cloud: Cloud) -> None:
    token = await _manager(cloud)
    async with _opened(cloud, token) as stream:
        await stream.next()
        await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
        reached = (await stream.next())["id"]
    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(INVOICE))

    async with _opened(cloud, token, reached) as again:
        events = [await again.next(), await again.next()]

    assert [event["event"] for event in events] == ["ready", "invoice"]


async def test_who_was_away_too_long_is_told_to_read_again(cloud: Cloud) -> None:
    async with _opened(cloud, await _manager(cloud), "anotherrun-7") as stream:
        events = [await stream.next(), await stream.next()]

    assert [event["event"] for event in events] == ["ready", "reload"]


async def test_a_resident_hears_of_own_accounts_alone(cloud: Cloud) -> None:
    resident = User(
        (await cloud.add_user("resident", Role.RESIDENT)).user_id,
        DEFAULT_TENANT,
        Role.RESIDENT,
        "",
        account_ids=frozenset({AccountId("mine")}),
    )
    theirs = InvoiceIssued(DEFAULT_TENANT, SiteId("site"), InvoiceId("i"), AccountId("theirs"), 1)

    assert live.is_visible(resident, INVOICE)
    assert not live.is_visible(resident, theirs)
    assert not live.is_visible(resident, ALARM)


async def test_a_stream_ends_with_its_session(cloud: Cloud, monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "RECHECK_S", 0.0)
    user = await cloud.add_user("manager")
    token, other = await cloud.token_of(user), await cloud.token_of(user)

    async with _opened(cloud, token) as stream:
        await stream.next()
        await cloud.call("DELETE", "/api/v1/sessions/current", token=token)
        cloud.app[LIVE].publish([ALARM])
        events = [(await stream.next())["event"] for _ in range(2)]

    assert events[-1] == "signed_out"
    assert (await cloud.call("GET", "/api/v1/me", token=other)).status == 200


async def test_a_reader_that_goes_away_costs_nothing(cloud: Cloud) -> None:
    token = await _manager(cloud)
    for _ in range(5):
        async with _opened(cloud, token) as stream:
            await stream.next()

    await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))

    async with _opened(cloud, token) as stream:
        await stream.next()
        await cloud.database.write(DEFAULT_TENANT, lambda tx: tx.announce(INVOICE))
        assert (await stream.next())["event"] == "invoice"
