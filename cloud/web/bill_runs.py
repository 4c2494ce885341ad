"""Checks and bill runs that go on while their caller looks elsewhere.

The invariant: one period is checked or closed by one run at a time in this process; a second caller joins
the first. What a run has done is in the database after every group, so a process that stops in the middle
loses nothing: whoever asks again goes on from there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from cloud.domain.errors import Conflict
from cloud.domain.ids import PeriodId
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services import invoice_news
from cloud.services.checking import check_period
from cloud.services.closing import ClosingReport, Progress, close_period
from cloud.store.db import Database

log = logging.getLogger(__name__)

Note = Callable[[Progress], None]


class Work(Enum):
    """What a run does."""

    CHECK = "check"
    CLOSE = "close"


@dataclass(slots=True)
class Run:
    """One run: what it does, its task, and how far it has come."""

    work: Work
    task: "asyncio.Task[object]"
    progress: Progress

    @property
    def is_going(self) -> bool:
        """Tell whether it has not ended."""
        return not self.task.done()


class BillRuns:
    """The runs of this process, by period."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._runs: dict[PeriodId, Run] = {}

    def find(self, period_id: PeriodId, work: Work) -> Run | None:
        """Return the run of a period that is going on, or the last that ended."""
        found = self._runs.get(period_id)
        return found if found is not None and found.work is work else None

    def check(self, actor: User, period_id: PeriodId) -> Run:
        """Begin checking a period, or join the check that is going on."""
        return self._begin(
            period_id,
            Work.CHECK,
            lambda note: check_period(self._database, actor.tenant_id, actor, period_id, note),
        )

    def close(self, actor: User, period_id: PeriodId) -> Run:
        """Begin closing a period, or join the run that is going on."""
        return self._begin(
            period_id,
            Work.CLOSE,
            lambda note: self._close_and_tell(actor, period_id, note),
        )

    async def end(self) -> None:
        """Stop every run after the group it is at; they are taken up again when somebody asks."""
        tasks = [run.task for run in self._runs.values() if run.is_going]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _close_and_tell(self, actor: User, period_id: PeriodId, note: Note) -> ClosingReport:
        """Close a period, then tell those who were billed; one broken off tells the rest when it goes on."""
        report = await close_period(self._database, actor.tenant_id, actor, period_id, note)
        while await self._database.write_bulk(actor.tenant_id, invoice_news.tell_some, period_id):
            pass
        return report

    def _begin(
        self, period_id: PeriodId, work: Work, start: Callable[[Note], Coroutine[None, None, object]]
    ) -> Run:
        found = self._runs.get(period_id)
        if found is not None and found.is_going:
            if found.work is not work:
                raise Conflict(f"the period is at work already: {found.work.value}; wait for it to end")
            return found

        def note(progress: Progress) -> None:
            run.progress = progress

        # Not in a TaskGroup: it outlives the request that asked for it; `end` cancels what is left.
        run = Run(work, asyncio.get_running_loop().create_task(start(note)), Progress(0, 0))
        self._runs[period_id] = run
        run.task.add_done_callback(_log_failure)
        return run


BILL_RUNS: web.AppKey[BillRuns] = web.AppKey("bill_runs", BillRuns)


async def bill_runs(app: web.Application) -> AsyncIterator[None]:
    """Keep the runs for as long as the application lives."""
    app[BILL_RUNS] = BillRuns(app[DATABASE])
    yield
    await app[BILL_RUNS].end()


def _log_failure(task: "asyncio.Task[object]") -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        log.warning("a bill run ended early", extra={"error": str(error)})
