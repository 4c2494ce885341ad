"""Closing a month for many accounts, beside the bare SQL that writes the same rows.

Ours: every account with an electricity and a water meter is measured by its boundary readings, rated
on two annual ladders, issued an immutable invoice with traces, and posted, a hundred accounts a
transaction. It is the second month, so dials and ladders go on from the first. Yardstick: on a copy of
the database a loop that does nothing else looks the boundary readings up and inserts the very rows
ours wrote, in the same groups: `executemany` on SQLite (WAL, synchronous=FULL) and on PostgreSQL.
`close_period=100000` bills so many accounts, on PostgreSQL alone; bare SQL writes a part of them, scaled.
"""

import asyncio
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.types.json import Json

from bench.billing_site import BOUNDS_MS, SYSTEM, TENANT, build_site
from bench.measure import integer, row, usage_of
from cloud.domain.ids import PeriodId, SiteId
from cloud.services import billing, tenants
from cloud.services.by_account import GROUP_SIZE
from cloud.services.closing import Progress, close_period
from cloud.store.db import Database, Tx
from cloud.store.migrate import upgrade
from tests import services

ACCOUNTS = 10_000
# More accounts than these are billed on PostgreSQL alone, and bare SQL writes the rows of so many.
SMALL_MAX = 10_000

_NOW_MS = BOUNDS_MS[-1] + 86_400_000
_WIDTHS = (24, 12, 12, 9, 9, 10, 12)
_TABLES = ("invoice", "invoice_line", "usage", "ledger_entry", "posting")
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Rows:
    """What ours wrote for the month, table by table, in the order it was written, as plain tuples."""

    columns: dict[str, list[str]]
    rows: dict[str, list[tuple[Any, ...]]]

    def count(self) -> int:
        """Return the number of rows."""
        return sum(map(len, self.rows.values()))


@dataclass(slots=True)
class _Memory:
    """How much memory a run has at its beginning, and the most it had later on."""

    first: int = 0
    most: int = 0

    def note(self, progress: Progress) -> None:
        """Look at this process's memory; the first tenth of a run fills caches and pools."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.most = max(self.most, pages * resource.getpagesize())
        if progress.done * 10 <= progress.accounts:
            self.first = self.most


def main(accounts: int = ACCOUNTS) -> int:
    """Run SQLite, then PostgreSQL where there is one; return 0."""
    print(f"closing a month of {integer(accounts)} accounts with two meters each")
    print(row("", "invoices/s", "seconds", "ratio", "CPU-s", "rows", "grew by MiB", widths=_WIDTHS))
    if accounts <= SMALL_MAX:
        with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
            ours, bare = Path(folder) / "ours.db", Path(folder) / "bare.db"
            upgrade(f"sqlite:///{ours}")

            def copy() -> None:
                with sqlite3.connect(ours) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                shutil.copyfile(ours, bare)

            _measure("SQLite", accounts, f"sqlite:///{ours}", copy, f"sqlite:///{bare}")
    postgres = services.find_postgres_bin()
    if postgres is None:
        print("PostgreSQL: not found, not measured")
        return 0
    with services.running_postgres(postgres, durable=True) as server:
        url = server.new_database()
        upgrade(url)
        name = str(sa.make_url(url).database)

        def copy_database() -> None:
            with psycopg.connect(server.url("postgres").replace("+psycopg", ""), autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE bare TEMPLATE {name}".encode())

        _measure("PostgreSQL", accounts, url, copy_database, server.url("bare"))
    return 0


def _measure(engine: str, accounts: int, url: str, copy: Any, bare_url: str) -> None:
    database = Database(url, clock=lambda: _NOW_MS)
    database.write_now(TENANT, tenants.ensure_tenant)
    site_id = database.write_now(TENANT, build_site, accounts)
    if database.writers > 1:
        _vacuum(url)
    asyncio.run(_close(database, site_id, "2026-09", _Memory()))
    database.close()
    if database.writers > 1:
        _vacuum(url)
    copy()
    database = Database(url, clock=lambda: _NOW_MS)
    memory = _Memory()
    before, started = usage_of(os.getpid()), time.perf_counter()
    invoices = asyncio.run(_close(database, site_id, "2026-10", memory))
    seconds = time.perf_counter() - started
    after = usage_of(os.getpid())
    if invoices != accounts:
        raise RuntimeError(f"{invoices} invoices were issued for {accounts} accounts")
    part = min(accounts, SMALL_MAX)
    rows = database.read_now(TENANT, _rows_of, site_id, part)
    database.close()
    bare_s = _write_bare(bare_url, rows, part) * accounts / part
    count = integer(rows.count() * accounts / part)
    bare_cells = (integer(accounts / bare_s), bare_s, "", "", count, "")
    print(row(f"{engine}, bare SQL", *bare_cells, widths=_WIDTHS), flush=True)
    cells = (
        integer(accounts / seconds),
        seconds,
        f"{bare_s / seconds:.2f}",
        after.cpu_s - before.cpu_s,
        count,
        f"{(memory.most - memory.first) / _MIB:.0f}",
    )
    print(row(f"{engine}, gatehouse", *cells, widths=_WIDTHS), flush=True)


def _vacuum(url: str) -> None:
    """Let PostgreSQL know what its tables hold, as its own housekeeping does in a day."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


async def _close(database: Database, site_id: SiteId, code: str, memory: _Memory) -> int:
    period = await database.write(TENANT, billing.open_period, SYSTEM, site_id, code)
    report = await close_period(database, TENANT, SYSTEM, period.period_id, memory.note)
    if not report.is_closed:
        raise RuntimeError(f"{len(report.held)} accounts were held: {next(iter(report.held.values()))}")
    return report.invoices_issued


def _rows_of(tx: Tx, site_id: SiteId, accounts: int) -> Rows:
    period = next(one for one in billing.list_periods(tx, SYSTEM, site_id) if one.code == "2026-10")
    of_period = f"WHERE period_id = '{_stored_id(tx, period.period_id)}'"
    of_invoice = f"SELECT id FROM invoice {of_period} ORDER BY number LIMIT {accounts}"  # noqa: S608
    of_entry = f"SELECT id FROM ledger_entry WHERE invoice_id IN ({of_invoice})"  # noqa: S608
    where = {
        "invoice": f"id IN ({of_invoice}) ORDER BY id",
        "invoice_line": f"invoice_id IN ({of_invoice}) ORDER BY invoice_id, line_no",
        "usage": f"invoice_id IN ({of_invoice}) ORDER BY invoice_id, service_point_id",
        "ledger_entry": f"invoice_id IN ({of_invoice}) ORDER BY id",
        "posting": f"entry_id IN ({of_entry}) ORDER BY entry_id, posting_no",
    }
    columns, rows = {}, {}
    for table, condition in where.items():
        found = tx.conn.exec_driver_sql(f"SELECT * FROM {table} WHERE {condition}")  # noqa: S608
        columns[table] = list(found.keys())
        rows[table] = [tuple(one) for one in found]
    return Rows(columns, rows)


def _stored_id(tx: Tx, period_id: PeriodId) -> str:
    return period_id if tx.is_postgresql else period_id.replace("-", "")


def _write_bare(url: str, rows: Rows, accounts: int) -> float:
    """Look the boundary readings up and insert the rows, a group a transaction; return the seconds."""
    is_sqlite = url.startswith("sqlite:")
    connection: Any
    if is_sqlite:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    else:
        connection = psycopg.connect(url.replace("+psycopg", ""))
        rows = Rows(rows.columns, {table: _adapted(found) for table, found in rows.rows.items()})
    mark = "?" if is_sqlite else "%s"
    lookup = (
        f"SELECT value_micro FROM reading WHERE tenant_id = 1 AND series_id = {mark} "  # noqa: S608
        f"AND measured_at_ms <= {mark} AND quality = 0 ORDER BY measured_at_ms DESC LIMIT 1"
    )
    groups = -(-accounts // GROUP_SIZE)
    shares = {table: -(-len(found) // groups) for table, found in rows.rows.items()}
    # The period is the only parent row that was not there when the database was copied.
    _add_period(connection, rows, mark)
    started = time.perf_counter()
    cursor = connection.cursor()
    for group in range(groups):
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        for series_id in range(group * 2 * GROUP_SIZE + 1, (group + 1) * 2 * GROUP_SIZE + 1):
            for bound_ms in BOUNDS_MS[1:]:
                cursor.execute(lookup, (series_id, bound_ms)).fetchone()
        for table in _TABLES:
            share = shares[table]
            columns = rows.columns[table]
            marks = ", ".join([mark] * len(columns))
            statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
            cursor.executemany(statement, rows.rows[table][group * share : (group + 1) * share])
        if is_sqlite:
            cursor.execute("COMMIT")
        else:
            connection.commit()
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def _add_period(connection: Any, rows: Rows, mark: str) -> None:
    period_id = rows.rows["invoice"][0][rows.columns["invoice"].index("period_id")]
    connection.execute(
        "INSERT INTO billing_period (tenant_id, id, site_id, code, start_on, end_on, state) "  # noqa: S608
        f"SELECT tenant_id, {mark}, site_id, '2026-10', end_on, '2026-11-01', state FROM billing_period",
        (period_id,),
    )
    if isinstance(connection, psycopg.Connection):
        connection.commit()


def _adapted(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(Json(cell) if isinstance(cell, dict | list) else cell for cell in one) for one in rows]


if __name__ == "__main__":
    sys.exit(main())
