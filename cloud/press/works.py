"""The works: thousands of papers, on every processor but with the manners of a guest.

The invariant: papers come out in the order they went in, whatever order the processors finish in, and no
more than a few parts are in memory at once. A process of the works knows nothing but facts and typst.
"""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import Enum

from cloud.domain.bill import Bill
from cloud.domain.paid import AccountNotice
from cloud.domain.user import Locale
from cloud.press.bill import bill_sheet
from cloud.press.compiler import Press
from cloud.press.notice import notice_sheet
from cloud.press.sheet import Sheet

# Papers handed to a processor at once: a second or two of work, so that progress can be seen.
FILES_A_PART = 100
# So many papers make one volume: what a printer's tray holds.
PAPERS_A_VOLUME = 250
# Above this the machine's other work would wait, whatever the processes' manners.
WORKERS_MAX = 4
# Unimportant beside whoever waits for a page.
_NICENESS = 10

Paper = Bill | AccountNotice


class Form(Enum):
    """How many papers are handed over."""

    FILES = "files"  # one PDF each, in a ZIP: to be sent
    VOLUMES = "volumes"  # many in one PDF: to be printed

    @property
    def papers_a_part(self) -> int:
        """Return how many papers one processor is given at once."""
        return FILES_A_PART if self is Form.FILES else PAPERS_A_VOLUME


@dataclass(frozen=True, slots=True)
class Order:
    """How papers are to be printed."""

    form: Form
    language: Locale
    origin: str


@dataclass(frozen=True, slots=True)
class Printed:
    """One file, and how many papers are in it."""

    name: str
    body: bytes
    papers: int


async def print_all(
    parts: Sequence[Sequence[str]], read: Callable[[Sequence[str]], Awaitable[Sequence[Paper]]], order: Order
) -> AsyncIterator[list[Printed]]:
    """Yield the files of each part of ids, in order; `read` turns ids into facts."""
    workers = max(1, min(WORKERS_MAX, os.cpu_count() or 1, len(parts)))
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
    waiting: list[asyncio.Future[list[Printed]]] = []
    try:
        for ids in parts:
            waiting.append(loop.run_in_executor(pool, _print_part, await read(ids), order))
            # Each processor has one part at work and one to go on with.
            if len(waiting) >= 2 * workers:
                yield await waiting.pop(0)
        while waiting:
            yield await waiting.pop(0)
    finally:
        for future in waiting:
            future.cancel()
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)


def sheet_of(paper: Paper, order: Order) -> Sheet:
    """Return the sheet of a paper."""
    if isinstance(paper, Bill):
        return bill_sheet(paper, order.language, order.origin)
    return notice_sheet(paper, order.language, order.origin)


def name_of(paper: Paper) -> str:
    """Return what a paper's file is called, without its ending: as people look for it."""
    if isinstance(paper, Bill):
        return _safe(f"{paper.invoice.space_code or paper.invoice.account_number}_{paper.invoice.number}")
    return _safe(f"{paper.account.space_code or paper.account.number}_{paper.account.number}")


def _safe(name: str) -> str:
    """Keep what may stand in a file's name on every system."""
    return "".join("-" if letter in '/\\:*?"<>|' or not letter.isprintable() else letter for letter in name)


# A process of the pool has nowhere else to keep its press between two parts.
_PRESSES: list[Press] = []


def _begin() -> None:
    os.nice(_NICENESS)
    _PRESSES.append(Press())


def _print_part(papers: Sequence[Paper], order: Order) -> list[Printed]:
    """Print a part; runs in a process of the works."""
    press = _PRESSES[0]
    sheets = [sheet_of(paper, order) for paper in papers]
    if order.form is Form.FILES:
        return [
            Printed(f"{name_of(paper)}.pdf", press.print([sheet]), 1)
            for paper, sheet in zip(papers, sheets, strict=True)
        ]
    first, last = sheets[0].number, sheets[-1].number
    name = first if first == last else f"{first}_{last}"
    return [Printed(f"{_safe(name)}.pdf", press.print(sheets), len(sheets))]
