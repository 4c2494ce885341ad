"""An alarm nobody acknowledges is told on by a killed and restarted process, with no word from outside."""

import asyncio
import contextlib
import shutil
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cloud.services import tenants
from cloud.store.db import Database, Keyring
from protocol.event import EventState, Severity
from protocol.sync import Stream
from tests.cloud.garden import event_block, leak, post
from tests.cloud.house import House
from tests.databases import PRIVACY_KEY, TENANT

_MINUTE_MS = 60_000
_TIMEOUT_S = 120
# As `gatehouse cloud serve --role jobs`, without the doors such a process does not open.
_JOBS = f"""
import asyncio, sys, time
from cloud.domain.user import SessionLimits
from cloud.jobs import Jobs
from cloud.store.db import Database, Keyring
now = lambda: time.time_ns() // 1_000_000
database = Database(sys.argv[1], clock=now, keyring=Keyring(bytes.fromhex("{PRIVACY_KEY.hex()}")))
asyncio.run(Jobs(database, SessionLimits(1, 1), now()).run())
"""


@asynccontextmanager
async def jobs_running(database: Path) -> AsyncIterator[None]:
    """Run what a cloud does by the clock in a process of its own, and kill it: no goodbye, no clean-up."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _JOBS, f"sqlite:///{database}")
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def steps_taken(database: Path, awaited: int) -> list[tuple[str, int]]:
    """Return the steps, each with how often it was taken, once there are as many as awaited."""
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                steps = connection.execute("SELECT text FROM alarm_act WHERE kind = 'escalated' ORDER BY id")
                taken = [str(text) for (text,) in steps]
            if len(taken) >= awaited:
                return [(step, taken.count(step)) for step in taken]
            await asyncio.sleep(0.1)


async def test_steps_go_on_after_a_kill_each_once_though_no_message_comes(
    sqlite_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cloud.db"
    shutil.copy(sqlite_template, path)
    # A leak of three minutes ago: the steps of half a minute and of two minutes are due, that of five is not.
    raised_at_ms = time.time_ns() // 1_000_000 - 3 * _MINUTE_MS
    database = Database(f"sqlite:///{path}", clock=lambda: raised_at_ms, keyring=Keyring(PRIVACY_KEY))
    database.write_now(TENANT, tenants.ensure_tenant)
    house = House(database)
    raised = leak(EventState.RAISED, raised_at_ms, severity=Severity.CRITICAL)
    post(database, house.gateway, [event_block(1, [raised])], Stream.EVENT)
    database.close()

    async with jobs_running(path):
        before = await steps_taken(path, 2)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        # Three more minutes in which nothing ran.
        connection.execute("UPDATE alarm SET raised_at_ms = raised_at_ms - ?", (3 * _MINUTE_MS,))
    async with jobs_running(path):
        after = await steps_taken(path, 3)

    assert before == [("1", 1), ("2", 1)]
    assert after == [("1", 1), ("2", 1), ("3", 1)]
