"""Printing the bills of a month: facts from the database, typst on every core, one PDF a bill and volumes.

The way a print run takes: a part of the documents is read, handed to a process of the works, and comes
back as files, which are put into an archive on disk in the order of their numbers.
"""

import asyncio
import multiprocessing
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from bench.billing_site import BOUNDS_MS, SYSTEM, TENANT, build_site
from bench.measure import integer, row
from cloud.domain.bill import Bill
from cloud.domain.ids import InvoiceId
from cloud.domain.user import Locale
from cloud.press.works import Form, Order, print_all
from cloud.services import billing, bills, print_orders, tenants
from cloud.services.closing import close_period
from cloud.store.db import Database
from cloud.store.migrate import upgrade

BILLS = int(os.environ.get("BENCH_BILLS", "10000"))
_WIDTHS = (26, 12, 12, 12, 12, 12)


def main() -> int:
    """Bill a month and print it in every form; return 0."""
    print(f"printing {integer(BILLS)} bills of two services each on {os.cpu_count()} cores")
    print(row("", "bills/s", "seconds", "CPU-s", "first s", "MiB", widths=_WIDTHS))
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        url = f"sqlite:///{folder}/bills.db"
        upgrade(url)
        database = Database(url, clock=lambda: BOUNDS_MS[-1] + 86_400_000)
        asyncio.run(_measure(database, Path(folder)))
        database.close()
    return 0


async def _measure(database: Database, folder: Path) -> None:
    await database.write(TENANT, tenants.ensure_tenant)
    site_id = await database.write(TENANT, build_site, BILLS)
    period = await database.write(TENANT, billing.open_period, SYSTEM, site_id, "2026-10")
    await close_period(database, TENANT, SYSTEM, period.period_id)
    _, ids = await database.read(TENANT, print_orders.bills_to_print, SYSTEM, site_id, "2026-10")

    async def read(part: Sequence[str]) -> Sequence[Bill]:
        wanted = [InvoiceId(one) for one in part]
        return await database.read(TENANT, bills.bills_of, SYSTEM, wanted)

    for form in Form:
        order = Order(form, Locale.CHINESE, "https://bills.example.org")
        size = form.papers_a_part
        parts = [ids[start : start + size] for start in range(0, len(ids), size)]
        archive = folder / f"{form.value}.zip"
        before, started, first, papers = _cpu_s(), time.monotonic(), 0.0, 0
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
            async for files in print_all(parts, read, order):
                for one in files:
                    target.writestr(one.name, one.body)
                    papers += one.papers
                first = first or time.monotonic() - started
        seconds = time.monotonic() - started
        if papers != BILLS:
            raise RuntimeError(f"{papers} of {BILLS} bills were printed")
        mib = archive.stat().st_size / 2**20
        cells = (integer(BILLS / seconds), seconds, _cpu_s() - before, first, f"{mib:.0f}")
        print(row(form.value, *cells, widths=_WIDTHS), flush=True)


def _cpu_s() -> float:
    """Return what this process and those of the works that have ended have used."""
    multiprocessing.active_children()  # collects those that have ended
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
