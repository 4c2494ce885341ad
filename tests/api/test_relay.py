"""Several processes on one PostgreSQL: what one commits, the readers of another hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from cloud.config import DEFAULT_TENANT
from cloud.domain.change import AlarmAct, AlarmChanged, Change, PointChange, ReadingsChanged
from cloud.domain.ids import AlarmId, GatewayId, SeriesId, SiteId
from cloud.keys import LIVE
from cloud.live import Listener
from cloud.store import relay
from cloud.store.relay import Relay
from protocol.event import Severity
from tests.api.conftest import Cloud, StandingClock, running_cloud

ALARM = AlarmChanged(
    DEFAULT_TENANT,
    SiteId("site"),
    AlarmId("alarm"),
    AlarmAct.RAISED,
    "fire_alarm",
    Severity.CRITICAL,
    "fire-1/fire_alarm",
    "烟感",
    1,
)


@pytest.fixture
async def two(migrated_postgres_url: str) -> AsyncIterator[tuple[Cloud, Cloud]]:
    """Two processes' worth of cloud on one database."""
    async with (
        running_cloud(migrated_postgres_url, StandingClock()) as one,
        running_cloud(migrated_postgres_url, StandingClock()) as other,
    ):
        await _settled(one, other)
        yield one, other


async def _settled(*clouds: Cloud) -> None:
    """Wait until each hears what is committed in another."""
    for teller in clouds:
        for hearer in clouds:
            with hearer.app[LIVE].listen(DEFAULT_TENANT) as listener:
                async with asyncio.timeout(10):
                    while True:
                        await teller.database.write(DEFAULT_TENANT, lambda tx: tx.announce(ALARM))
                        try:
                            await asyncio.wait_for(listener.next(), 0.2)
                        except TimeoutError:
                            continue
                        break


async def test_a_change_committed_here_is_heard_once_here_and_once_there(two: tuple[Cloud, Cloud]) -> None:
    one, other = two
    news = replace(ALARM, message="said once")

    with other.app[LIVE].listen(DEFAULT_TENANT) as there, one.app[LIVE].listen(DEFAULT_TENANT) as here:
        await one.database.write(DEFAULT_TENANT, lambda tx: tx.announce(news))
        heard = [await _heard(here, 0.5), await _heard(there, 0.5)]

    assert [changes.count(news) for changes in heard] == [1, 1]


async def _heard(listener: Listener, for_s: float) -> list[Change]:
    heard: list[Change] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(for_s):
            while True:
                heard.append(await listener.next())
    return heard


async def test_a_batch_too_large_for_one_notification_comes_in_parts(two: tuple[Cloud, Cloud]) -> None:
    one, other = two
    points = tuple(PointChange(SeriesId(n), f"em-{n}/voltage", 1, 230_000_000, 0) for n in range(500))
    readings = ReadingsChanged(DEFAULT_TENANT, SiteId("site"), GatewayId("gw"), 1, points)

    heard: list[PointChange] = []
    with other.app[LIVE].listen(DEFAULT_TENANT) as there:
        await one.database.write(DEFAULT_TENANT, lambda tx: tx.announce(readings))
        while len(heard) < len(points):
            change: Any = await asyncio.wait_for(there.next(), 2)
            heard += change.points

    assert tuple(heard) == points


async def test_a_lost_connection_is_made_anew_and_readers_look_again(
    two: tuple[Cloud, Cloud], migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_S", 0.05)
    one, other = two
    async with await psycopg.AsyncConnection.connect(
        migrated_postgres_url.replace("+psycopg", ""), autocommit=True
    ) as admin:
        with other.app[LIVE].listen(DEFAULT_TENANT) as there:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE 'LISTEN%'"
            )
            async with asyncio.timeout(10):
                while not there.take_lost():
                    await asyncio.sleep(0.02)

    await _settled(one, other)


async def test_what_another_release_says_makes_readers_look_again() -> None:
    heard: list[Change] = []
    missed: list[bool] = []
    listening = Relay(
        "postgresql://localhost/none",
        asyncio.get_running_loop(),
        heard=heard.extend,
        missed=lambda: missed.append(True),
    )

    listening._take('["other","PriceChanged",{}]')
    listening._take("not even json")

    assert heard == []
    assert missed == [True, True]
