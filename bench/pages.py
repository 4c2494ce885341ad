"""Every staff page of a site of 10,000 homes with a year of bills: how long the server takes for each.

The year: one month is billed by the service that bills, and stands for the eleven before it under their
own numbers; two thirds of it is paid. Besides: 30,000 people, 20,000 meters with what they say now, repairs
and alarms as a year brings. The pages are asked for over HTTP, signed in, one after another.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from bench.billing_site import BOUNDS_MS, SYSTEM, TENANT, build_site
from bench.measure import integer, row
from bench.tables import identity_number_of
from cloud.app import make_app
from cloud.config import Commands, Config, DatabaseConfig, Http, Privacy
from cloud.console.routes import PAGES
from cloud.domain.access import may
from cloud.domain.ids import PersonId, SiteId, SpaceId
from cloud.domain.periods import billing_month, midnight_ms, time_zone
from cloud.domain.space_history import BEGINNING, SpaceFacts, SpaceUse
from cloud.domain.user import Role, User
from cloud.services import billing, tenants, users
from cloud.services.closing import close_period
from cloud.services.passwords import hash_password
from cloud.store import many_people, premises, schema, statistics
from cloud.store.db import Database, Keyring, Tx
from cloud.store.many_people import NewOccupancy, NewPerson
from cloud.store.many_rows import insert_rows
from cloud.store.migrate import upgrade
from cloud.store.space_versions import NewVersion, insert_versions
from tests import services

HOMES = int(os.environ.get("BENCH_HOMES", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
P95_MAX_MS = 200.0

_ZONE = time_zone("Asia/Shanghai")
_PASSWORD = "ten thousand homes"
_KEY = bytes(range(32))
_FLATS_A_BUILDING, _FLATS_A_FLOOR = 200, 8
_BILLED, _BEFORE = "2026-10", [f"2025-{month}" for month in (11, 12)] + [f"2026-{m:02}" for m in range(1, 10)]
_WIDTHS = (44, 10, 10, 10, 10)
# What names each part of an address here; what has no name beforehand is left out.
_PARTS = {
    "account": "A-000100", "code": _BILLED, "space": "1-101", "meter": "electricity-100",
    "repair": "DG-R-2026-0100", "part": "queue", "number": "DG-2026-10-0100", "line_no": "1",
}  # fmt: skip
_FILES = (
    "/copy", "/equipment/lift", "/export", "/file", "/notice", "/pdf", "/rejected", "/reports/journal",
    "/template", "/visits",
)  # fmt: skip


def main() -> int:
    """Run SQLite, then PostgreSQL where there is one; return 1 if a page is slower than promised."""
    print(f"pages of a site of {integer(HOMES)} homes with a year of bills, {ROUNDS} rounds")
    slow = 0
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        slow += asyncio.run(_measure("SQLite", f"sqlite:///{folder}/pages.db", Path(folder)))
        postgres = services.find_postgres_bin()
        if postgres is None:
            print("PostgreSQL: not found, not measured")
            return min(slow, 1)
        with services.running_postgres(postgres, durable=True) as server:
            slow += asyncio.run(_measure("PostgreSQL", server.new_database(), Path(folder)))
    return min(slow, 1)


async def _measure(engine: str, url: str, folder: Path) -> int:
    started = time.monotonic()
    await fill(url)
    print(f"{engine}: filled in {time.monotonic() - started:.0f} s")
    print(row("", "p50 ms", "p95 ms", "CPU ms", "KiB", widths=_WIDTHS))
    slow = 0
    async with _serving(url, folder) as session:
        for path in addresses():
            took, size, cpu_s = [], 0, time.process_time()
            for _ in range(ROUNDS):
                begun = time.monotonic()
                async with session.get(path) as response:
                    size = len(await response.read())
                    response.raise_for_status()
                took.append((time.monotonic() - begun) * 1000)
            cpu_ms = (time.process_time() - cpu_s) * 1000 / ROUNDS
            took.sort()
            p95 = took[min(len(took) - 1, int(0.95 * len(took)))]
            slow += p95 > P95_MAX_MS
            print(row(path[:43], took[len(took) // 2], p95, cpu_ms, size / 1024, widths=_WIDTHS), flush=True)
    print(f"{engine}: {slow} pages with a p95 above {P95_MAX_MS:.0f} ms")
    return slow


def addresses() -> Iterator[str]:
    """Yield every staff page that can be named beforehand, with the searches people make."""
    manager = User(SYSTEM.user_id, TENANT, Role.MANAGER, "x")
    for page in PAGES:
        path = re.sub(r"\{(\w+)(:[^{}]*(?:\{[^{}]*\})?[^{}]*)?\}", r"{\1}", page.path)
        names = re.findall(r"\{(\w+)\}", path)
        is_named = all(name in _PARTS for name in names) and (
            "code" not in names or path.startswith("/billing")
        )
        is_staff = not path.startswith("/home") and may(manager, page.action)
        if page.method == "GET" and is_named and is_staff and not path.endswith(_FILES):
            yield path.format(**_PARTS)
    yield from ("/find?q=1-101", "/find?q=138", "/people?q=1-101", "/accounts?q=100", "/meters?q=1-101",
                "/premises?layer=arrears")  # fmt: skip


async def fill(url: str) -> None:
    """Write the site and its year."""
    upgrade(url)
    database = Database(url, clock=lambda: BOUNDS_MS[-1] + 10 * 86_400_000, keyring=Keyring(_KEY))
    try:
        await database.write(TENANT, tenants.ensure_tenant)
        await database.write(TENANT, users.create_user, SYSTEM, "manager", "Manager", Role.MANAGER,
                             hash_password(_PASSWORD))  # fmt: skip
        site_id = await database.write(TENANT, build_site, HOMES)
        await database.write(TENANT, _place, site_id)
        await database.write(TENANT, _settle, site_id)
        period = await database.write(TENANT, billing.open_period, SYSTEM, site_id, _BILLED)
        await close_period(database, TENANT, SYSTEM, period.period_id)
        for code in _BEFORE:
            await database.write(TENANT, _copy_month, site_id, code)
        await database.write(TENANT, _pay)
        await database.write(TENANT, _happen, site_id)
        await database.write(TENANT, _analyse)
    finally:
        database.close()


def _place(tx: Tx, site_id: SiteId) -> None:
    """Give the homes buildings and floors, and say what they are like."""
    homes = premises.list_spaces(tx, site_id)
    facts = SpaceFacts(8943, use=SpaceUse.RESIDENTIAL)
    insert_versions(tx, [NewVersion(one.space_id, 1, BEGINNING, facts, "") for one in homes], None)
    for number, one in enumerate(sorted(homes, key=lambda home: int(home.code.partition("-")[2]))):
        block, at = divmod(number, _FLATS_A_BUILDING)
        floor, door = divmod(at, _FLATS_A_FLOOR)
        if at == 0:
            building_id = premises.insert_building(tx, site_id, f"B{block + 1:02}", f"{block + 1} 号楼", 25)
        # Put one home where it lies.
        tx.conn.execute(
            sa.update(schema.space)
            .where(schema.space.c.tenant_id == tx.tenant_id, schema.space.c.id == one.space_id)
            .values(building_id=building_id, floor=floor + 1, code=f"{block + 1}-{floor + 1}{door + 1:02}")
        )


def _settle(tx: Tx, site_id: SiteId) -> None:
    """Let three people live in every home."""
    people, homes = [], []
    for number, one in enumerate(premises.list_spaces(tx, site_id)):
        for member in range(3):
            at = number * 3 + member
            person_id = PersonId(tx.new_id())
            people.append(NewPerson(person_id, f"住户{at}", f"138{at:08}", identity_number_of(at), ""))
            relation = "owner" if member == 0 else "family"
            homes.append(NewOccupancy(person_id, SpaceId(one.space_id), relation, date(2020, 1, 1), None))
    many_people.insert_people(tx, site_id, people)
    many_people.insert_homes(tx, homes)


def _copy_month(tx: Tx, site_id: SiteId, code: str) -> None:
    """Let a month have the bills of the one that was billed, under its own numbers."""
    month, new_id = billing_month(code), tx.new_id
    period_id = new_id()
    insert_rows(tx, schema.billing_period, [
        {"tenant_id": TENANT, "id": period_id, "site_id": site_id, "code": code, "start_on": month.start_on,
         "end_on": month.end_on, "state": "closed", "closed_at_ms": tx.now_ms},
    ])  # fmt: skip
    papers = _rows(tx, schema.invoice, schema.invoice.c.number.like(f"DG-{_BILLED}-%"))
    ids = {paper["id"]: new_id() for paper in papers}
    insert_rows(tx, schema.invoice, [
        {**paper, "id": ids[paper["id"]], "number": paper["number"].replace(_BILLED, code),
         "period_id": period_id, "issued_on": month.end_on, "due_on": month.end_on}
        for paper in papers
    ])  # fmt: skip
    lines = _rows(tx, schema.invoice_line, schema.invoice_line.c.invoice_id.in_(_billed()))
    insert_rows(tx, schema.invoice_line, [{**line, "invoice_id": ids[line["invoice_id"]]} for line in lines])
    entries = _rows(tx, schema.ledger_entry, schema.ledger_entry.c.invoice_id.in_(_billed()))
    entry_ids = {entry["id"]: new_id() for entry in entries}
    insert_rows(tx, schema.ledger_entry, [
        {**entry, "id": entry_ids[entry["id"]], "invoice_id": ids[entry["invoice_id"]],
         "occurred_on": month.end_on, "posted_at_ms": midnight_ms(month.end_on, _ZONE)}
        for entry in entries
    ])  # fmt: skip
    of_entries = sa.select(schema.ledger_entry.c.id).where(schema.ledger_entry.c.invoice_id.in_(_billed()))
    postings = _rows(tx, schema.posting, schema.posting.c.entry_id.in_(of_entries))
    insert_rows(tx, schema.posting, [{**one, "entry_id": entry_ids[one["entry_id"]]} for one in postings])


def _pay(tx: Tx) -> None:
    """Let everything but a third of the last month be paid."""
    papers = _rows(tx, schema.invoice, schema.invoice.c.total_fen > 0)
    own = {"tenant_id": TENANT}
    names = ("payment", "ledger_entry", "posting", "allocation")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number, paper in enumerate(papers):
        if number % 3 == 0 and _BILLED in paper["number"]:
            continue
        payment_id, entry_id, on = tx.new_id(), tx.new_id(), paper["due_on"]
        rows["payment"].append({**own, "id": payment_id, "number": f"P-{number:07}", "memo": "",
            "account_id": paper["account_id"], "method": "wechat", "amount_fen": paper["total_fen"],
            "received_on": on, "recorded_at_ms": tx.now_ms})  # fmt: skip
        rows["ledger_entry"].append({**own, "id": entry_id, "kind": "payment", "occurred_on": on,
            "posted_at_ms": min(tx.now_ms, midnight_ms(on, _ZONE)), "invoice_id": None,
            "memo": f"P-{number:07}"})  # fmt: skip
        for posting_no, (code, sign) in enumerate((("bank", 1), ("receivable", -1)), start=1):
            rows["posting"].append({**own, "entry_id": entry_id, "posting_no": posting_no,
                "ledger_account": code, "account_id": paper["account_id"] if sign < 0 else None,
                "amount_fen": sign * paper["total_fen"]})  # fmt: skip
        rows["allocation"].append({**own, "id": tx.new_id(), "account_id": paper["account_id"],
            "invoice_id": paper["id"], "payment_id": payment_id, "principal_fen": paper["total_fen"],
            "late_fee_fen": 0, "allocated_on": on, "entry_id": entry_id})  # fmt: skip
    for table, found in rows.items():
        insert_rows(tx, schema.metadata.tables[table], found)


def _happen(tx: Tx, site_id: SiteId) -> None:
    """What meters say now, and a year of repairs and alarms."""
    series = _rows(tx, schema.point, sa.true())
    insert_rows(tx, schema.point_current, [
        {"tenant_id": TENANT, "series_id": one["series_id"], "measured_at_ms": tx.now_ms - 60_000,
         "received_at_ms": tx.now_ms - 59_000, "value_micro": 10**9, "quality": 0, "reason": "",
         "valued_at_ms": tx.now_ms - 60_000, "last_value_micro": 10**9}
        for one in series
    ])  # fmt: skip
    [gateway] = _rows(tx, schema.gateway, sa.true())
    for number in range(HOMES):
        device_id = tx.new_id()
        insert_rows(tx, schema.device, [
            {"tenant_id": TENANT, "id": device_id, "gateway_id": gateway["id"], "code": f"d-{number}",
             "profile": "", "title": f"d-{number}"},
        ])  # fmt: skip
        # The two meters of a home are read by one device.
        tx.conn.execute(
            sa.update(schema.point)
            .where(
                schema.point.c.tenant_id == TENANT,
                schema.point.c.series_id.in_((2 * number + 1, 2 * number + 2)),
            )
            .values(device_id=device_id)
        )
    homes = [one.space_id for one in premises.list_spaces(tx, site_id)]
    insert_rows(tx, schema.repair, [
        {"tenant_id": TENANT, "id": tx.new_id(), "site_id": site_id, "number": f"DG-R-2026-{number:04}",
         "category": "plumbing", "urgency": "normal", "channel": "phone", "place": "", "quote_text": "",
         "state": "reported" if number > 2_970 else "confirmed", "description": "水槽漏水", "waited_ms": 0,
         "space_id": homes[number % len(homes)], "started_at_ms": tx.now_ms - (3_000 - number) * 10_000_000,
         "reported_at_ms": tx.now_ms - (3_000 - number) * 10_000_000, "reopen_count": 0,
         "escalation_level": 0, "quote_state": "none", "quote_fen": 0, "rating_text": ""}
        for number in range(3_000)
    ])  # fmt: skip
    insert_rows(tx, schema.alarm, [
        {"tenant_id": TENANT, "id": tx.new_id(), "site_id": site_id, "gateway_id": gateway["id"],
         "number": f"DG-A-2026-{number:04}", "point_key": f"d-{number}/x", "kind": "water_leak",
         "severity": 1, "message": "wet", "is_historical": False,
         "raised_at_ms": tx.now_ms - (5_000 - number) * 6_000_000,
         "received_at_ms": tx.now_ms, "cleared_at_ms": None if number > 4_980 else tx.now_ms}
        for number in range(5_000)
    ])  # fmt: skip


def _analyse(tx: Tx) -> None:
    if tx.is_postgresql:
        # What autovacuum does by itself within minutes.
        tx.conn.exec_driver_sql("ANALYZE")
    statistics.refresh(tx)


def _billed() -> sa.Select[Any]:
    return sa.select(schema.invoice.c.id).where(schema.invoice.c.number.like(f"DG-{_BILLED}-%"))


def _rows(tx: Tx, table: sa.Table, which: sa.ColumnElement[bool]) -> Sequence[dict[str, Any]]:
    # Everything of some rows.
    found: Iterable[Any] = tx.conn.execute(sa.select(table).where(table.c.tenant_id == tx.tenant_id, which))
    return [dict(one._mapping) for one in found]


@asynccontextmanager
async def _serving(url: str, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the database and sign in."""
    key = folder / "privacy.key"
    key.touch(0o600)
    key.write_text(_KEY.hex())
    now_ms = BOUNDS_MS[-1] + 10 * 86_400_000
    config = Config(
        http=Http(port=0),
        database=DatabaseConfig(url=url),
        commands=Commands(key_file=str(folder / "command.key")),
        privacy=Privacy(key_file=str(key)),
    )
    app = make_app(config, clock=lambda: now_ms)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    headers = {"Sec-Fetch-Site": "same-origin"}
    jar = aiohttp.CookieJar(unsafe=True)
    base = f"http://127.0.0.1:{site.port}"
    try:
        async with aiohttp.ClientSession(base_url=base, cookie_jar=jar, headers=headers) as session:
            form = {"login": "manager", "password": _PASSWORD}
            async with session.post("/login", data=form) as response:
                response.raise_for_status()
            yield session
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
