"""Transactions are whole or absent, on both engines, whoever waits or gives up; and the first is urgent."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from cloud.domain.errors import TooMany, Unavailable
from cloud.store import schema
from cloud.store.db import Database, NewIds, Tx, engine_url
from cloud.store.numbers import last_number, next_number
from cloud.store.threads import Lane, TransactionThreads
from tests.cloud.garden import add_gateway, add_site, count, energy, history_block, post
from tests.databases import START_MS, TENANT, FakeClock


class _Refused(Exception):
    """What a test's transaction raises."""


def _add_site(tx: Tx, code: str) -> None:
    tx.conn.execute(
        sa.insert(schema.site).values(
            tenant_id=tx.tenant_id, id=tx.new_id(), code=code, name="", time_zone="UTC", address=""
        )
    )


async def test_an_exception_rolls_everything_back_and_tells_nobody(
    database_url: str, clock: FakeClock
) -> None:
    heard: list[object] = []
    database = Database(database_url, clock=clock, on_commit=heard.extend)
    await database.write(TENANT, _begin)

    def work(tx: Tx) -> None:
        _add_site(tx, "A")
        tx.announce("a site")
        raise _Refused

    with pytest.raises(_Refused):
        await database.write(TENANT, work)
    database.close()

    assert heard == []
    reopened = Database(database_url, clock=clock)
    assert count(reopened, schema.site) == 0
    reopened.close()


async def test_a_listener_that_fails_does_not_undo_what_is_committed(
    database_url: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def deaf(changes: Sequence[object]) -> None:
        raise _Refused

    def work(tx: Tx) -> str:
        _begin(tx)
        tx.announce("a tenant")
        return "done"

    database = Database(database_url, clock=clock, on_commit=deaf)
    result = await database.write(TENANT, work)
    database.close()

    assert result == "done"
    assert "the listeners could not be told" in caplog.text


def _begin(tx: Tx) -> None:
    row = {"tenant_id": tx.tenant_id, "code": "t", "name": "", "created_at_ms": 0}
    tx.conn.execute(sa.insert(schema.tenant).values(row))


async def test_a_cancelled_awaiter_leaves_a_whole_transaction(database: Database) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        _add_site(tx, "A")
        began.set()
        assert go_on.wait(10)
        _add_site(tx, "B")

    task = asyncio.create_task(database.write(TENANT, slow))
    assert await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()

    await database.write(TENANT, _add_site, "C")
    database.write_now(TENANT, lambda _tx: None)
    for _ in range(200):
        if count(database, schema.site) == 3:
            break
        await asyncio.sleep(0.01)
    assert count(database, schema.site) == 3


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises((sa.exc.DBAPIError, Unavailable)):
        await database.read(TENANT, _add_site, "A")

    assert count(database, schema.site) == 0


async def test_a_read_sees_one_moment(database: Database) -> None:
    def work(tx: Tx) -> tuple[int, int]:
        query = (
            sa.select(sa.func.count()).select_from(schema.site).where(schema.site.c.tenant_id == tx.tenant_id)
        )
        before = tx.conn.execute(query).scalar_one()
        database.write_now(TENANT, _add_site, "A")
        return before, tx.conn.execute(query).scalar_one()

    assert await database.read(TENANT, work) == (0, 0)
    assert count(database, schema.site) == 1


async def test_two_that_wait_for_each_other_are_both_done_in_the_end(database: Database) -> None:
    database.write_now(TENANT, _add_site, "A")
    database.write_now(TENANT, _add_site, "B")
    attempts: list[str] = []

    def swap(tx: Tx, first: str, second: str) -> None:
        attempts.append(first)
        for code in (first, second):
            tx.conn.execute(
                sa.update(schema.site)
                .where(schema.site.c.tenant_id == tx.tenant_id, schema.site.c.code == code)
                .values(name=schema.site.c.name + "x")
            )

    async with asyncio.TaskGroup() as group:
        for _ in range(32):
            group.create_task(database.write(TENANT, swap, "A", "B"))
            group.create_task(database.write(TENANT, swap, "B", "A"))

    def names(tx: Tx) -> set[str]:
        query = sa.select(schema.site.c.name).where(schema.site.c.tenant_id == tx.tenant_id)
        return set(tx.conn.execute(query).scalars())

    assert database.read_now(TENANT, names) == {"x" * 64}
    assert len(attempts) >= 64


def test_numbers_are_given_once(database: Database) -> None:
    given: list[int] = []

    def take(tx: Tx) -> int:
        return next_number(tx, "DG", "alarm", "2026")

    def take_ten() -> None:
        given.extend(database.write_now(TENANT, take) for _ in range(10))

    threads = [threading.Thread(target=take_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(given) == list(range(1, 81))
    assert database.read_now(TENANT, last_number, "DG", "alarm", "2026") == 80
    assert database.read_now(TENANT, last_number, "DG", "alarm", "2027") == 0


def test_a_number_of_a_transaction_that_failed_is_given_again(database: Database) -> None:
    def fail(tx: Tx) -> None:
        next_number(tx, "DG", "alarm")
        raise _Refused

    with pytest.raises(_Refused):
        database.write_now(TENANT, fail)

    assert database.write_now(TENANT, next_number, "DG", "alarm") == 1


def test_ids_sort_in_the_order_they_were_made_even_when_the_clock_goes_back() -> None:
    clock = FakeClock()
    new_id = NewIds(clock)

    made = [new_id() for _ in range(5_000)]
    clock.now_ms -= 60_000
    made += [new_id() for _ in range(10)]
    clock.now_ms += 120_000
    made.append(new_id())

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(made_id[14] == "7" and made_id[19] in "89ab" for made_id in made)


def test_urgent_work_goes_before_everything_that_waits() -> None:
    threads = TransactionThreads("test", count=1, waiting_max=100)
    gate, order = threading.Event(), []
    threads.submit(Lane.BULK, gate.wait)
    futures = [threads.submit(Lane.BULK, lambda n=n: order.append(f"bulk {n}")) for n in range(3)]
    futures += [threads.submit(Lane.LIVE, lambda n=n: order.append(f"live {n}")) for n in range(2)]

    gate.set()
    for future in futures:
        future.result(10)
    threads.close()

    assert order == ["live 0", "live 1", "bulk 0", "bulk 1", "bulk 2"]


def test_a_full_queue_refuses_instead_of_growing() -> None:
    threads = TransactionThreads("test", count=1, waiting_max=2)
    gate, began = threading.Event(), threading.Event()
    threads.submit(Lane.LIVE, lambda: (began.set(), gate.wait()))
    assert began.wait(10)
    waiting = [threads.submit(Lane.LIVE, int) for _ in range(2)]

    with pytest.raises(TooMany, match="2 transactions are already waiting") as refused:
        threads.submit(Lane.LIVE, int)
    gate.set()

    assert refused.value.retry_after_s == 2
    assert [future.result(10) for future in waiting] == [0, 0]
    threads.close()


def test_work_nobody_waits_for_any_more_is_not_begun() -> None:
    threads = TransactionThreads("test", count=1, waiting_max=10)
    gate, done = threading.Event(), []
    threads.submit(Lane.LIVE, gate.wait)
    future = threads.submit(Lane.LIVE, lambda: done.append(1))

    was_cancelled = future.cancel()
    gate.set()
    threads.close()

    assert was_cancelled
    assert done == []


@pytest.mark.parametrize("table", schema.APPEND_ONLY_TABLES)
@pytest.mark.parametrize("act", ["UPDATE", "DELETE"])
def test_what_was_written_once_is_refused_any_change(
    database: Database, database_url: str, table: str, act: str
) -> None:
    """The triggers fire for every row, whatever is in it: so one is put in with every check switched off."""
    described = schema.metadata.tables[table]
    _put_any_row(database_url, described)
    before = count(database, described)

    def change(tx: Tx) -> None:
        if act == "DELETE":
            tx.conn.execute(sa.delete(described).where(described.c.tenant_id == TENANT))
        else:
            tx.conn.execute(sa.update(described).values(tenant_id=TENANT))

    with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only: {act} refused"):
        database.write_now(TENANT, change)

    assert count(database, described) == before == 1


def test_a_point_is_never_forgotten(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, [history_block(1, [energy(101, START_MS, 1)])])
    forget: Callable[[Tx], Any] = lambda tx: tx.conn.execute(  # noqa: E731
        sa.delete(schema.point).where(schema.point.c.tenant_id == tx.tenant_id)
    )

    with pytest.raises(sa.exc.DBAPIError, match="DELETE refused"):
        database.write_now(TENANT, forget)


_ANY: dict[str, object] = {
    "Date": date(2026, 1, 1),
    "ExactDecimal": Decimal(1),
    "Integer": 1,
    "BigInteger": 1,
    "SmallInteger": 1,
    "Text": "x",
    "Uuid": "01900000-0000-7000-8000-000000000001",
    "JSON": {},
    "Boolean": True,
    "LargeBinary": b"x",
}


def _put_any_row(database_url: str, table: sa.Table) -> None:
    engine = sa.create_engine(engine_url(database_url))
    row: dict[str, object] = {
        column.name: {"ExactDecimal": Decimal(1), "Date": date(2026, 1, 1), **_ANY}[
            type(column.type).__name__
        ]
        for column in table.columns
    }
    with engine.connect() as conn:
        if engine.dialect.name == "sqlite":
            conn.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        else:
            conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for check in [c for c in table.constraints if isinstance(c, sa.CheckConstraint)]:
                conn.exec_driver_sql(f'ALTER TABLE {table.name} DROP CONSTRAINT "{check.name}"')
        conn.execute(sa.insert(table).values(row))
        conn.commit()
    engine.dispose()
