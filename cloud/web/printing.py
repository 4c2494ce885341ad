"""Print runs: many papers at once, which go on while whoever asked for them looks elsewhere.

The invariant: a run's file is there only when it is whole, lies in a folder only this process can read,
and is gone an hour later or with the process. Nothing is lost by that: papers are the same bytes every
time, so whoever asks again gets them again.
"""

import asyncio
import logging
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from aiohttp import web

from cloud.domain.errors import Conflict, GatehouseError, NotFound, TooMany
from cloud.domain.ids import TenantId, UserId
from cloud.domain.user import User
from cloud.keys import CLOCK
from cloud.press.works import Order, Paper, Printed, print_all
from cloud.store.db import Clock

log = logging.getLogger(__name__)

# Two at once share the processors; a third would only make all of them late.
RUNS_AT_ONCE_MAX = 2
KEPT_MS = 3_600_000
# 20,000 homes are more than any site of ours has, and a file of 700 MB.
PAPERS_MAX = 20_000
# The earliest day a ZIP can name: its entries carry no time, so that the same papers are the same file.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class RunState(Enum):
    """How far a run is."""

    PRINTING = "printing"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True)
class PrintRun:
    """One run; `path` is its file once it is done."""

    run_id: str
    tenant_id: TenantId
    user_id: UserId
    title: str
    total: int
    began_at_ms: int
    done: int = 0
    state: RunState = RunState.PRINTING
    finished_at_ms: int | None = None
    path: Path | None = None
    bytes: int = 0
    problem: str = ""
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)

    @property
    def file_name(self) -> str:
        """Return what its file is saved as."""
        return f"{self.title}{'.zip' if self.path is None else self.path.suffix}"


Reader = Callable[[Sequence[str]], Awaitable[Sequence[Paper]]]


class PrintRuns:
    """The runs of this process."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        self._clock = clock
        self._folder = folder
        self._runs: dict[str, PrintRun] = {}

    def begin(
        self, actor: User, run_id: str, title: str, ids: Sequence[str], read: Reader, order: Order
    ) -> PrintRun:
        """Begin a run over the papers of some ids; TooMany while others are at work."""
        self._forget_old()
        going = [run for run in self._runs.values() if run.state is RunState.PRINTING]
        if len(going) >= RUNS_AT_ONCE_MAX:
            raise TooMany(f"{len(going)} print runs are going on; wait for one to end", retry_after_s=10)
        if not ids:
            raise Conflict("there is nothing to print")
        if len(ids) > PAPERS_MAX:
            raise Conflict(f"{len(ids)} papers are too many for one run, expected at most {PAPERS_MAX}")
        run = PrintRun(run_id, actor.tenant_id, actor.user_id, title, len(ids), self._clock())
        self._runs[run_id] = run
        # Not in a TaskGroup: it outlives the request that asked for it; `end` cancels what is left.
        run.task = asyncio.get_running_loop().create_task(self._work(run, ids, read, order))
        return run

    def find(self, actor: User, run_id: str) -> PrintRun:
        """Return a run of the actor's own; others' do not exist."""
        run = self._runs.get(run_id)
        if run is None or (run.tenant_id, run.user_id) != (actor.tenant_id, actor.user_id):
            raise NotFound("there is no such print run; its file is kept for an hour")
        return run

    def stop(self, actor: User, run_id: str) -> PrintRun:
        """Stop a run after the papers at hand; one that has ended stays as it is."""
        run = self.find(actor, run_id)
        if run.task is not None:
            run.task.cancel()
        if run.state is RunState.PRINTING:
            run.state, run.finished_at_ms = RunState.STOPPED, self._clock()
        return run

    async def end(self) -> None:
        """Stop everything."""
        tasks = [run.task for run in self._runs.values() if run.task is not None and not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _work(self, run: PrintRun, ids: Sequence[str], read: Reader, order: Order) -> None:
        parts = _parts(ids, order.form.papers_a_part)
        draft = self._folder / f"{run.run_id}.part"
        try:
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
                only: Printed | None = None
                async for files in print_all(parts, read, order):
                    await asyncio.to_thread(_add, archive, files)
                    only = files[0] if run.done == 0 and len(files) == 1 else None
                    run.done += sum(one.papers for one in files)
            if only is not None and run.done == run.total:
                draft.write_bytes(only.body)
            path = draft.with_suffix(".zip" if only is None else ".pdf")
            run.path, run.bytes = draft.rename(path), path.stat().st_size
            run.state = RunState.DONE
        except GatehouseError as error:
            run.state, run.problem = RunState.FAILED, str(error)
        except Exception as error:  # a supervisor: a run that fails must say so to whoever waits for it
            log.exception("a print run failed", extra={"run_id": run.run_id})
            run.state, run.problem = RunState.FAILED, f"{type(error).__name__}: {error}"
        finally:
            run.finished_at_ms = self._clock()
            draft.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        before_ms = self._clock() - KEPT_MS
        for run in [*self._runs.values()]:
            if run.finished_at_ms is not None and run.finished_at_ms < before_ms:
                if run.path is not None:
                    run.path.unlink(missing_ok=True)
                del self._runs[run.run_id]


PRINT_RUNS: web.AppKey[PrintRuns] = web.AppKey("print_runs", PrintRuns)


async def print_runs(app: web.Application) -> AsyncIterator[None]:
    """Keep the runs, and the folder of their files, for as long as the application lives."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-print-") as folder:
        app[PRINT_RUNS] = PrintRuns(app[CLOCK], Path(folder))
        yield
        await app[PRINT_RUNS].end()


def file_response(run: PrintRun) -> web.FileResponse:
    """Return a finished run's file; Conflict while it is not whole."""
    if run.path is None:
        raise Conflict(f"{run.done} of {run.total} papers are printed: the file is there when all are")
    kind = "application/pdf" if run.path.suffix == ".pdf" else "application/zip"
    response = web.FileResponse(run.path)
    response.content_type = kind
    response.headers["Content-Disposition"] = f'attachment; filename="{run.file_name}"'
    return response


def _parts(ids: Sequence[str], size: int) -> list[list[str]]:
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def _add(archive: zipfile.ZipFile, files: Sequence[Printed]) -> None:
    for one in files:
        archive.writestr(zipfile.ZipInfo(one.name, _NO_TIME), one.body)
