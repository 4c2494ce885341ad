"""Threads that run whole transactions, urgent ones first.

The invariant: work that was begun is finished, whether or not anybody still waits for it; work
whose awaiter gave up before it was begun never runs. Nothing is ever half done.
"""

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from cloud.domain.errors import TooMany

_T = TypeVar("_T")


class Lane(IntEnum):
    """How urgent work is: every waiting LIVE piece is begun before any BULK one."""

    LIVE = 0
    BULK = 1


class _Stop:
    """The last thing in the queue: the thread that takes it ends."""


@dataclass(slots=True)
class Job:
    """Work that somebody waits for, and what came of it."""

    lane: Lane
    work: Callable[[], object]
    future: "Future[Any]"
    result: object = None
    error: BaseException | None = None
    is_begun: bool = False

    def begin(self) -> bool:
        """Note that the work begins; False if nobody waits for it any more, and it is not to be begun."""
        if not self.is_begun:
            self.is_begun = self.future.set_running_or_notify_cancel()
        return self.is_begun

    def run(self) -> None:
        """Do the work, unless nobody waits for it, and say what came of it."""
        if not self.begin():
            return
        self.result, self.error = None, None
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, who decides
            self.error = error
        self.conclude()

    def conclude(self) -> None:
        """Hand what came of it to whoever waits."""
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


# Returns the next job if one waits now that is at least as urgent as the lane says.
NextWaiting = Callable[[Lane], Job | None]


def _run_alone(job: Job, _next_waiting: NextWaiting) -> None:
    job.run()


class TransactionThreads:
    """A few threads with one bounded queue in two lanes.

    A full queue refuses with TooMany instead of growing: the caller still holds what it wanted to
    write (a gateway its buffer, a person their form) and comes back.
    """

    def __init__(
        self,
        name: str,
        *,
        count: int,
        waiting_max: int,
        run: Callable[[Job, NextWaiting], None] = _run_alone,
    ) -> None:
        """Start the threads. `run` does a job, and others with it if it likes: it may ask for what waits."""
        self._queue: queue.PriorityQueue[tuple[int, int, Job | _Stop]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._waiting_max = waiting_max
        self._run_job = run
        self._closed = False
        self.count = count
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(1, count + 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, lane: Lane, work: Callable[[], _T]) -> "Future[_T]":
        """Queue `work`; TooMany if as much is waiting as may."""
        if self._closed:
            raise RuntimeError("the database is closed")
        if self._queue.qsize() >= self._waiting_max:
            raise TooMany(f"{self._waiting_max} transactions are already waiting", retry_after_s=2)
        future: Future[_T] = Future()
        self._queue.put((int(lane), next(self._order), Job(lane, work, future)))
        return future

    def close(self) -> None:
        """Finish what is queued, then end the threads."""
        if self._closed:
            return
        self._closed = True
        for _ in self._threads:
            self._queue.put((len(Lane), next(self._order), _Stop()))
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            _, _, job = self._queue.get()
            if isinstance(job, _Stop):
                return
            self._run_job(job, self._next_waiting)

    def _next_waiting(self, lane: Lane) -> Job | None:
        try:
            entry = self._queue.get_nowait()
        except queue.Empty:
            return None
        job = entry[2]
        if isinstance(job, _Stop) or job.lane > lane:
            self._queue.put(entry)
            return None
        return job


class Gate:
    """Lets many through together, or one alone: for a transaction that keeps getting into others' way.

    Whoever waits to be alone goes before newcomers, so that it is not kept waiting for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wanting_alone = 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Pass unless somebody is, or wants to be, alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanting_alone == 0)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody is inside, and keep everybody out."""
        with self._changed:
            self._wanting_alone += 1
            self._changed.wait_for(lambda: self._inside == 0)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._wanting_alone -= 1
                self._changed.notify_all()
