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
from enum import IntEnum
from typing import TypeVar

from cloud.domain.errors import TooMany

_T = TypeVar("_T")


class Lane(IntEnum):
    """How urgent work is: every waiting LIVE piece is begun before any BULK one."""

    LIVE = 0
    BULK = 1


class _Stop:
    """The last thing in the queue: the thread that takes it ends."""


class TransactionThreads:
    """A few threads with one bounded queue in two lanes.

    A full queue refuses with TooMany instead of growing: the caller still holds what it wanted to
    write (a gateway its buffer, a person their form) and comes back.
    """

    def __init__(self, name: str, *, count: int, waiting_max: int) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Callable[[], None] | _Stop]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._waiting_max = waiting_max
        self._closed = False
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

        def begin() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits, who decides
                future.set_exception(error)
            else:
                future.set_result(result)

        self._queue.put((int(lane), next(self._order), begin))
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
            _, _, begin = self._queue.get()
            if isinstance(begin, _Stop):
                return
            begin()


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
