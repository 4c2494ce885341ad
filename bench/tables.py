"""Bringing in tables: 20,000 homes, who pays for them, 30,000 people; each checked, carried out, undone.

The way the console takes: a workbook is read and every row judged against what is there (nothing is
written), what was judged is carried out in one transaction, and undone by the import's id.
"""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from bench.billing_site import BOUNDS_MS, SYSTEM, TENANT
from bench.measure import integer, row, usage_of
from cloud.domain.imports.kind import Values
from cloud.services import imports, tenants
from cloud.services.importers import IMPORTERS
from cloud.store import premises
from cloud.store.db import Database, Keyring
from cloud.store.migrate import upgrade
from cloud.workbook.writing import table_workbook
from tests import services

ROWS = int(os.environ.get("BENCH_ROWS", "20000"))
PEOPLE = ROWS * 3 // 2
_WIDTHS = (30, 12, 12, 12, 12, 12)


def main() -> int:
    """Run SQLite, then PostgreSQL where there is one; return 0."""
    print(f"bringing in {integer(ROWS)} homes, their accounts, {integer(PEOPLE)} people")
    print(row("", "check s", "carry out s", "undo s", "CPU-s", "MiB", widths=_WIDTHS))
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        _measure("SQLite", f"sqlite:///{folder}/tables.db")
    postgres = services.find_postgres_bin()
    if postgres is None:
        print("PostgreSQL: not found, not measured")
        return 0
    with services.running_postgres(postgres, durable=True) as server:
        _measure("PostgreSQL", server.new_database())
    return 0


def _measure(engine: str, url: str) -> None:
    upgrade(url)
    database = Database(url, clock=lambda: BOUNDS_MS[-1], keyring=Keyring(os.urandom(32)))
    database.write_now(TENANT, tenants.ensure_tenant)
    site_id = database.write_now(TENANT, premises.insert_site, "DG", "Bench", "Asia/Shanghai", "")
    runs = []
    for kind, rows in (
        ("spaces", map(_space, range(ROWS))),
        ("accounts", map(_account, range(ROWS))),
        ("people", map(_person, range(PEOPLE))),
    ):
        data = table_workbook(IMPORTERS[kind].kind, rows, is_chinese=True)
        cpu_s, started = usage_of(os.getpid()).cpu_s, time.monotonic()
        checked = database.write_now(TENANT, imports.check, SYSTEM, site_id, kind, f"{kind}.xlsx", data)
        checked_s = time.monotonic() - started
        database.write_now(TENANT, imports.carry_out, SYSTEM, checked.run.import_id)
        carried_out_s = time.monotonic() - started - checked_s
        cpu_s = usage_of(os.getpid()).cpu_s - cpu_s
        runs.append((kind, checked.run.import_id, checked_s, carried_out_s, cpu_s, len(data) / 2**20))
    together_s = sum(one[2] + one[3] for one in runs if one[0] != "accounts")
    print(f"{engine}: homes and people checked and carried out in {together_s:.0f} s")
    for kind, import_id, checked_s, carried_out_s, cpu_s, mib in reversed(runs):
        undone_s = _timed(lambda one=import_id: database.write_now(TENANT, imports.undo, SYSTEM, one))  # type: ignore[misc]
        cells = (checked_s, carried_out_s, undone_s, cpu_s, mib)
        print(row(f"{engine}, {kind}", *cells, widths=_WIDTHS), flush=True)
    database.close()


def _timed(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def _space(number: int) -> Values:
    return {
        "code": f"{number // 200}-{number % 200:03}", "building": str(number // 200),
        "building_name": f"{number // 200} 号楼", "unit": "1", "floor": number % 200 // 8 + 1, "kind": "flat",
        "area_m2": Decimal("89.43"),
    }  # fmt: skip


def _account(number: int) -> Values:
    return {
        "number": f"A-{number:06}", "holder_name": "王建国", "space": f"{number // 200}-{number % 200:03}",
        "household_size": 3, "opened_on": date(2026, 1, 1),
    }  # fmt: skip


def _person(number: int) -> Values:
    home = number % ROWS
    return {
        "space": f"{home // 200}-{home % 200:03}", "name": f"住户{number}", "from_on": date(2026, 1, 1),
        "relation": "owner" if number < ROWS else "family", "phone": f"138{number:08}",
        "identity": identity_number_of(number), "plate": f"京A{number:05}" if number < 10_000 else None,
    }  # fmt: skip


def identity_number_of(number: int) -> str:
    """Return an identity number whose check character is right."""
    digits = (
        f"110105{1950 + number % 50}{number // 50 % 12 + 1:02}{number // 600 % 28 + 1:02}{number % 1000:03}"
    )
    remainder = sum(int(digit) * 2 ** (17 - index) for index, digit in enumerate(digits)) % 11
    return digits + "10X98765432"[remainder]
