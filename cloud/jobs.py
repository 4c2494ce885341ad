"""What happens by the clock, without anybody asking: the calendar, and the watch over gateways.

The invariant: nothing depends on a job running in time. Whatever follows from dates is derived when
somebody looks; a job that was missed does, when it next runs, what it would have done.

APScheduler only keeps the calendar, in memory: its database store starves the event loop, and its
default of dropping a run that comes a second late is switched off.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from cloud.domain.gateway import GatewayState
from cloud.domain.ids import GatewayId, TenantId
from cloud.domain.user import SessionLimits, system_user
from cloud.services import (
    alarm_handling,
    announcements,
    audit,
    calendar,
    cameras,
    commands,
    dispatching,
    gateways,
    packing,
    patrols,
    tenants,
)
from cloud.store import statistics
from cloud.store.db import Database

log = logging.getLogger(__name__)

# A gateway that falls silent is seen at most this long after the limit of its silence.
WATCH_INTERVAL_S = 5
# A command of whose outcome nothing was heard is called unknown at most this long after its time.
COMMANDS_INTERVAL_S = 5
# A step of an alarm's escalation is taken at most this long after it is due.
ALARMS_INTERVAL_S = 5
# A repair that is late is told of at most this long after it became so.
REPAIRS_INTERVAL_S = 30
# A checkpoint nobody was at is told of at most this long after the round.
PATROLS_INTERVAL_S = 60
# What a live view showed last is gone at most this long after its time.
PICTURES_INTERVAL_S = 300
# The notices of an announcement follow it at most this long after.
ANNOUNCEMENTS_INTERVAL_S = 10
# Soon enough after midnight, wherever in the world a site is.
CALENDAR_INTERVAL_S = 15 * 60
# Days are packed two days after they ended; an hour more or less is nothing.
PACKING_INTERVAL_S = 3600

# A day's growth does not change which way is the short one.
STATISTICS_INTERVAL_S = 24 * 3600

# As often as the end of the audit log is written where the log itself is not.
AUDIT_HEAD_INTERVAL_S = 3600

# Tenants are listed in a transaction of nobody's.
_NOBODY = TenantId(0)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Everything that runs by the clock."""

    database: Database
    limits: SessionLimits
    started_at_ms: int
    gateway_states: dict[TenantId, dict[GatewayId, GatewayState]] = field(default_factory=dict)

    async def run(self) -> None:
        """Keep at it until cancelled; everything that is due is done at once, then at its intervals."""
        scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        for work, interval_s in (
            (self.turn_calendar, CALENDAR_INTERVAL_S),
            (self.watch_gateways, WATCH_INTERVAL_S),
            (self.end_commands, COMMANDS_INTERVAL_S),
            (self.pack_days, PACKING_INTERVAL_S),
            (self.tell_audit_heads, AUDIT_HEAD_INTERVAL_S),
            (self.escalate_alarms, ALARMS_INTERVAL_S),
            (self.escalate_repairs, REPAIRS_INTERVAL_S),
            (self.judge_patrols, PATROLS_INTERVAL_S),
            (self.erase_pictures, PICTURES_INTERVAL_S),
            (self.tell_announcements, ANNOUNCEMENTS_INTERVAL_S),
            (self.keep_statistics, STATISTICS_INTERVAL_S),
        ):
            scheduler.add_job(_surviving, "interval", [work], seconds=interval_s)
        scheduler.start()
        try:
            await _surviving(self.turn_calendar)
            await _surviving(self.keep_statistics)
            await asyncio.Event().wait()
        finally:
            scheduler.shutdown(wait=False)

    async def turn_calendar(self) -> None:
        """Do what each tenant's present day asks for and nobody has done yet."""
        for tenant_id in await self._tenants():
            done = await self.database.write(tenant_id, calendar.turn, system_user(tenant_id), self.limits)
            if any(done.values()):
                log.info("calendar turned", extra={"tenant_id": tenant_id, **done})

    async def watch_gateways(self) -> None:
        """See which gateways fell silent or came back; tell it, and alarm it if it lasts."""
        for tenant_id in await self._tenants():
            known = self.gateway_states.get(tenant_id, {})
            self.gateway_states[tenant_id] = await self.database.write(
                tenant_id, gateways.watch, system_user(tenant_id), self.started_at_ms, known
            )

    async def end_commands(self) -> None:
        """End the commands that can no longer come to a good end."""
        for tenant_id in await self._tenants():
            await self.database.write(tenant_id, commands.give_up)

    async def escalate_alarms(self) -> None:
        """Tell one circle more of the alarms nobody has acknowledged in time."""
        for tenant_id in await self._tenants():
            await self.database.write(tenant_id, alarm_handling.escalate)

    async def escalate_repairs(self) -> None:
        """Tell of the repairs that are later than was promised."""
        for tenant_id in await self._tenants():
            await self.database.write(tenant_id, dispatching.escalate)

    async def judge_patrols(self) -> None:
        """Tell of the checkpoints nobody was at."""
        for tenant_id in await self._tenants():
            await self.database.write(tenant_id, patrols.judge)

    async def erase_pictures(self) -> None:
        """Erase what pictures of cameras show when their days are over."""
        for tenant_id in await self._tenants():
            while await self.database.write(tenant_id, cameras.erase_due):
                pass

    async def tell_announcements(self) -> None:
        """Hand the notices of announcements to the outbox, some homes at a time."""
        for tenant_id in await self._tenants():
            while await self.database.write(tenant_id, announcements.tell_some):
                pass

    async def tell_audit_heads(self) -> None:
        """Write how far each audit log goes into the process's own log, which travels another way."""
        for tenant_id in await self._tenants():
            head = await self.database.read(tenant_id, audit.chain_head)
            log.info("audit head", extra={"tenant_id": tenant_id, "head": str(head)})

    async def pack_days(self) -> None:
        """Pack the readings of days long past, a few registers at a time behind everything else."""
        for tenant_id in await self._tenants():
            now_ms = await self.database.read(tenant_id, lambda tx: tx.now_ms)
            for day in packing.days_to_pack(now_ms):
                if await self.database.read(tenant_id, packing.has_unpacked, day):
                    while await self.database.write_bulk(tenant_id, packing.pack_some, day):
                        pass

    async def keep_statistics(self) -> None:
        """Let the database know how much it holds, so that it looks things up the short way."""
        await self.database.write_bulk(_NOBODY, statistics.refresh)
        self.database.renew_readers()

    async def _tenants(self) -> list[TenantId]:
        return await self.database.read(_NOBODY, tenants.list_tenants)


async def _surviving(work: Callable[[], Awaitable[None]]) -> None:
    """Run one job; a failure is logged and its next turn tries again."""
    try:
        await work()
    except Exception:  # a supervisor: one job's failure must not end the others
        log.exception("a job failed; it runs again at its next turn", extra={"job": work.__qualname__})
