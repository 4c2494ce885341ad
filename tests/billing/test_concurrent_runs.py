"""Many bill runs at once, some broken off, some killed: one invoice an account, and the books balance."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from datetime import date
from multiprocessing import get_context

from cloud.domain.errors import Conflict
from cloud.domain.ids import PeriodId
from cloud.services import billing, invoices, ledger
from cloud.services.closing import close_period
from tests.billing.estate import SYSTEM, Estate, at
from tests.billing.killed_run import close
from tests.databases import TENANT, FakeClock

RUNS = 64
FLATS = [str(101 + number) for number in range(12)]


def add_flats(estate: Estate) -> PeriodId:
    """Let flats use 100 kWh each in September; return the period."""
    for flat in FLATS:
        estate.add_flat(flat, water=None)
        estate.read(f"E-{flat}", at(date(2026, 9, 1)), "0")
        estate.read(f"E-{flat}", at(date(2026, 10, 1)), "100")
    return estate.period("2026-09")


async def assert_billed_once(estate: Estate) -> None:
    """Assert one invoice an account, numbers without a gap, books that balance, and a closed period."""
    page = await estate.database.read(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    assert sorted(one.account_id for one in page.items) == sorted(estate.accounts.values())
    assert sorted(one.number for one in page.items) == [
        f"DG-2026-09-{number:04}" for number in range(1, len(FLATS) + 1)
    ]
    assert sum(one.total_fen for one in page.items) == len(FLATS) * 4883
    trial = await estate.database.read(TENANT, ledger.trial_balance, SYSTEM)
    assert trial.total_fen == 0
    assert trial.balances["receivable"] == len(FLATS) * 4883
    (period,) = await estate.database.read(TENANT, billing.list_periods, SYSTEM, estate.site_id)
    assert period.state.value == "closed"


async def test_64_runs_at_once_issue_one_invoice_an_account(estate: Estate) -> None:
    period_id = add_flats(estate)

    async def run(number: int) -> int:
        try:
            report = await close_period(estate.database, TENANT, SYSTEM, period_id, group_size=1 + number % 5)
        except Conflict:
            return 0  # another run was done already
        return report.invoices_issued

    async def run_and_break_off(number: int) -> None:
        waiting = asyncio.create_task(run(number))
        await asyncio.sleep(0.002 * (number % 7))
        waiting.cancel()
        await asyncio.wait([waiting])

    async with asyncio.TaskGroup() as group:
        for number in range(RUNS // 2):
            group.create_task(run_and_break_off(number))
        finished = [group.create_task(run(number)) for number in range(RUNS // 2)]

    assert all(task.done() for task in finished)
    await assert_billed_once(estate)


async def test_64_processes_half_of_them_killed_issue_one_invoice_an_account(
    estate: Estate, database_url: str, clock: FakeClock
) -> None:
    period_id = add_flats(estate)
    rng = random.Random(7)
    processes = get_context("forkserver")
    processes.set_forkserver_preload(["tests.billing.killed_run"])

    async def run(number: int) -> int | None:
        begun, begins = processes.Pipe(duplex=False)
        process = processes.Process(target=close, args=(database_url, clock.now_ms, period_id, begins))
        process.start()
        if number % 2:
            await asyncio.to_thread(begun.recv)
            await asyncio.sleep(rng.uniform(0, 0.15))
            assert process.pid is not None
            with suppress(ProcessLookupError):  # it was done before
                os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.join)
        return process.exitcode

    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(run(number)) for number in range(RUNS)]

    assert [run.result() for run in runs[::2]] == [0] * (RUNS // 2)
    assert [run.result() for run in runs[1::2]].count(-signal.SIGKILL) > 0
    await assert_billed_once(estate)
