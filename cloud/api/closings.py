"""Bill runs that go on while their caller looks elsewhere.

The invariant: one period is closed by one run at a time in this process; a second caller joins the first.
What a run has done is in the database after every group, so a process that stops in the middle loses
nothing: whoever asks again goes on from there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from cloud.domain.ids import PeriodId
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services.closing import ClosingReport, Progress, close_period
from cloud.store.db import Database

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """One run: its task and how far it has come."""

    task: "asyncio.Task[ClosingReport]"
    progress: Progress


class Closings:
    """The runs of this process, by period."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._runs: dict[PeriodId, Run] = {}

    def find(self, period_id: PeriodId) -> Run | None:
        """Return the run of a period that is going on, or that ended and nobody has asked since."""
        return self._runs.get(period_id)

    def begin(self, actor: User, period_id: PeriodId) -> Run:
        """Begin closing a period, or join the run that is going on."""
        found = self._runs.get(period_id)
        if found is not None and not found.task.done():
            return found

        def note(progress: Progress) -> None:
            run.progress = progress

        closing = close_period(self._database, actor.tenant_id, actor, period_id, note)
        # Not in a TaskGroup: it outlives the request that asked for it; `end` cancels what is left.
        run = Run(asyncio.get_running_loop().create_task(closing), Progress(0, 0))
        self._runs[period_id] = run
        run.task.add_done_callback(_log_failure)
        return run

    async def end(self) -> None:
        """Stop every run after the group it is at; they are taken up again when somebody asks."""
        tasks = [run.task for run in self._runs.values() if not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


CLOSINGS: web.AppKey[Closings] = web.AppKey("closings", Closings)


async def closings(app: web.Application) -> AsyncIterator[None]:
    """Keep the runs for as long as the application lives."""
    app[CLOSINGS] = Closings(app[DATABASE])
    yield
    await app[CLOSINGS].end()


def _log_failure(task: "asyncio.Task[ClosingReport]") -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        log.warning("closing a period ended early", extra={"error": str(error)})
