"""Keeps running charges up to date: registers that moved become accounts to compute, in small groups.

The invariant: what was missed is made up for. A change is only a hint; whenever hints may have been
lost, at the start, and when a new month begins, every account is computed.
"""

import asyncio
import logging
from datetime import UTC, datetime

from cloud.domain.change import ReadingsChanged
from cloud.domain.ids import SeriesId, TenantId
from cloud.live import Closed, Hub, Listener
from cloud.services import running, tenants
from cloud.services.running import DirtyAccounts
from cloud.store.db import Clock, Database

log = logging.getLogger(__name__)

# Readings arrive in batches of many registers; what moved within this time is computed together. A page shows
# a reading's charge within two seconds; most of them are left to the computing.
GATHER_S = 0.3
# Above so many registers at once everybody is computed: more are hard to name in one question.
DIRTY_MAX = 20_000
# After the database refused, the same accounts are tried again this much later.
RETRY_S = 5.0
# How long a company begun while the process runs may wait for its first running charge.
NEW_COMPANY_S = 60.0


async def keep_running_charges(database: Database, live: Hub, clock: Clock, tenant_id: TenantId) -> None:
    """Follow the readings of one company until the process ends."""
    with live.listen(tenant_id) as listener:
        dirty: set[SeriesId] = set()
        is_all = True
        month = ""
        while True:
            now_month = datetime.fromtimestamp(clock() / 1000, UTC).strftime("%Y-%m-%d")
            is_all = is_all or now_month != month or len(dirty) > DIRTY_MAX
            month = now_month
            try:
                found = await database.read(
                    tenant_id, *((running.all_accounts,) if is_all else (running.dirty_accounts, dirty))
                )
                await _update(database, tenant_id, found)
            except Exception:
                # A supervisor: whatever it was, the same accounts are tried again.
                log.exception("running charges not updated", extra={"tenant_id": tenant_id})
                await asyncio.sleep(RETRY_S)
            else:
                dirty, is_all = set(), False
            try:
                is_all |= await _gather(listener, dirty)
            except Closed:
                return


async def keep_every_company(database: Database, live: Hub, clock: Clock, home: TenantId) -> None:
    """Follow the readings of every company, and of each new one a minute after it was begun."""
    followed: set[TenantId] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            for tenant_id in await database.read(home, tenants.list_tenants):
                if tenant_id not in followed:
                    followed.add(tenant_id)
                    group.create_task(keep_running_charges(database, live, clock, tenant_id))
            await asyncio.sleep(NEW_COMPANY_S)


async def _update(database: Database, tenant_id: TenantId, found: DirtyAccounts) -> None:
    for site_id, accounts in found.by_site.items():
        for start in range(0, len(accounts), running.GROUP_SIZE):
            group = accounts[start : start + running.GROUP_SIZE]
            await database.write(tenant_id, running.update, site_id, group)


async def _gather(listener: Listener, dirty: set[SeriesId]) -> bool:
    """Wait for a register to move, then gather what moves within a moment; tells whether some were lost."""
    while not dirty and not listener.take_lost():
        change = await listener.next()
        if isinstance(change, ReadingsChanged):
            dirty.update(point.series_id for point in change.points)
    has_lost = False
    try:
        async with asyncio.timeout(GATHER_S):
            while True:
                change = await listener.next()
                if isinstance(change, ReadingsChanged):
                    dirty.update(point.series_id for point in change.points)
    except TimeoutError:
        has_lost = listener.take_lost()
    return has_lost
