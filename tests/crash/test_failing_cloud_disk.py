"""The cloud's disk fails at its nth operation, for every n of what gateways make it write.

The real transactions run on SQLite over a disk of the test's. Whatever fails, a transaction is there whole or
not at all, the gateway is told that it may come again, and when it does the result is as if nothing had
happened; a power cut at that moment finds the same.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud.domain.errors import Unavailable
from cloud.domain.gateway import GatewayIdentity
from cloud.services import gateways
from cloud.store import schema
from cloud.store.db import Database
from cloud.store.transaction import NewIds
from protocol.envelope import Block
from protocol.event import EventState
from protocol.greeting import Hello
from protocol.sync import Stream
from tests.cloud.garden import EPOCH, add_gateway, add_site, energy, event_block, history_block, leak, post
from tests.crash.connection import let_engine_write_to
from tests.crash.disk import Disk, Fault
from tests.databases import START_MS, TENANT, FakeClock, _add_tenant

NAME = "/cloud.db"
FAULTS = {
    "error once": Fault(1, 1),
    "error until healed": Fault(1, None),
    "full once": Fault(1, 1, is_full=True, kinds=("write",)),
    "full until healed": Fault(1, None, is_full=True, kinds=("write",)),
}
HELLO = Hello("1.0", "boot-1", EPOCH, "", 0, {"event": 0, "history": 3}, START_MS, 5, 1)
Dump = dict[str, list[tuple[object, ...]]]


@dataclass
class Cloud:
    """A cloud's database on a disk that can fail, and the gateway that speaks to it."""

    disk: Disk
    database: Database
    gateway: GatewayIdentity

    @classmethod
    def opened(cls, disk: Disk, gateway: GatewayIdentity) -> "Cloud":
        """Open what is on the disk."""
        database = Database(f"sqlite:///{NAME}", clock=FakeClock(), rng=random.Random(1))
        let_engine_write_to(database._write_engine, disk, Path(NAME))
        # The same ids every time, so that the outcome of two runs can be compared whole.
        database._new_id = NewIds(FakeClock(), lambda count: bytes(count))
        return cls(disk, database, gateway)

    def dump(self) -> Dump:
        """Return every row of every table, read where it was written."""
        with self.database._write_engine.begin() as conn:
            return {
                name: [tuple(row) for row in conn.exec_driver_sql(f"SELECT * FROM {name}")]  # noqa: S608
                for name in schema.metadata.tables
            }


def readings(first: int, *values: int) -> Block:
    return history_block(first, [energy(101, START_MS + value, value) for value in values])


def accept_readings(cloud: Cloud) -> None:
    post(cloud.database, cloud.gateway, [readings(1, *range(1, 40)), readings(40, 40, 41)])


def accept_events(cloud: Cloud) -> None:
    block = event_block(1, [leak(EventState.RAISED), leak(EventState.CLEARED, START_MS + 1)])
    post(cloud.database, cloud.gateway, [block, event_block(3, [leak(EventState.RAISED, START_MS + 2)])],
         Stream.EVENT)  # fmt: skip


def put_conflict_aside(cloud: Cloud) -> None:
    post(cloud.database, cloud.gateway, [readings(1, 1, 2, 3)])
    post(cloud.database, cloud.gateway, [readings(1, 7, 8, 9), readings(4, 4)])


def record_loss(cloud: Cloud) -> None:
    post(cloud.database, cloud.gateway, [Block(1, 500, b""), readings(501, 1)])


def greet(cloud: Cloud) -> None:
    cloud.database.write_now(TENANT, gateways.hello, cloud.gateway, HELLO)


WORK: dict[str, Callable[[Cloud], None]] = {
    "accept events": accept_events,
    "accept readings": accept_readings,
    "greet": greet,
    "put a conflict aside": put_conflict_aside,
    "record a loss": record_loss,
}


@pytest.fixture(scope="module")
def begun(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, GatewayIdentity]:
    """A migrated database with a site and a gateway, as bytes."""
    path = tmp_path_factory.mktemp("cloud") / "cloud.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", clock=FakeClock())
    database.write_now(TENANT, _add_tenant, "one")
    gateway, _ = add_gateway(database, add_site(database))
    database.close()
    with sa.create_engine(f"sqlite:///{path}").connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes(), gateway


@pytest.fixture
def make(begun: tuple[bytes, GatewayIdentity]) -> Iterator[Callable[[], Cloud]]:
    """Make a cloud on a fresh disk."""
    content, gateway = begun
    made: list[Cloud] = []

    def one() -> Cloud:
        disk = Disk(random.Random(7))
        disk.put(NAME, content)
        made.append(Cloud.opened(disk, gateway))
        return made[-1]

    yield one
    for cloud in made:
        cloud.database.close()
        cloud.disk.unregister()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("work", WORK)
def test_a_failure_at_any_operation_leaves_all_or_nothing_and_can_be_repeated(
    make: Callable[[], Cloud], work: str, fault: str
) -> None:
    well = make()
    before = well.dump()
    WORK[work](well)
    expected, shape, at = well.dump(), FAULTS[fault], 0
    assert expected != before

    while True:
        at += 1
        cloud = make()
        cloud.dump()  # opened, as a cloud that has been running
        cloud.disk.fail(Fault(at, shape.times, is_full=shape.is_full, kinds=shape.kinds))
        with contextlib.suppress(Unavailable):
            WORK[work](cloud)
        has_failed = cloud.disk.has_failed
        cloud.disk.fail(None)
        if work != "put a conflict aside":  # that one is two transactions
            found = cloud.dump()
            assert _same(found, before) or _same(found, expected), f"half done after {at}"

        WORK[work](cloud)  # the gateway comes again

        assert _same(cloud.dump(), expected), f"another result after {at}"
        _survives(cloud, expected)
        if not has_failed:
            break
    assert at > 1, "the fault was never met"


def _survives(cloud: Cloud, expected: Dump) -> None:
    """Cut the power: what was acknowledged is still there."""
    cloud.disk.cut_at(1)
    cloud.database.close()
    cloud.disk.restart()
    again = Cloud.opened(cloud.disk, cloud.gateway)
    assert _same(again.dump(), expected)
    again.database.close()


def _same(found: Dump, expected: Dump) -> bool:
    """Compare all but ids, of which a failed attempt may have used some up."""
    return found == expected or all(
        _without_ids(name, rows) == _without_ids(name, expected[name]) for name, rows in found.items()
    )


def _without_ids(name: str, rows: list[tuple[object, ...]]) -> list[str]:
    columns = schema.metadata.tables[name].columns.keys()
    kept = [at for at, column in enumerate(columns) if column != "id" and not column.endswith("_id")]
    return sorted(repr([row[at] for at in kept]) for row in rows)
