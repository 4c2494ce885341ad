"""The audit log's chain: whole under load, and broken by any one change, wherever it is made."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from cloud.domain.audit_chain import (
    BEGINNING,
    AuditRecord,
    ChainVerdict,
    FaultKind,
    Head,
    Link,
    digest_of,
    linked,
    walk,
)
from cloud.domain.errors import Invalid
from cloud.domain.user import system_user
from cloud.services import audit as audit_service
from cloud.store import audit
from cloud.store.db import Database, Tx
from cloud.store.schema import audit_entry, audit_link
from tests.databases import OTHER_TENANT, TENANT

ENTRIES = 12


def _act(tx: Tx, number: int) -> None:
    audit.record(
        tx, None, "open_door", "device", f"lock-{number}", {"number": number, "名": "门", "by": None}
    )


def _verdict(database: Database, since: Head | None = None) -> ChainVerdict:
    return database.read_now(TENANT, audit_service.verify_chain, system_user(TENANT), since)


@pytest.fixture
def log(database: Database) -> Database:
    """A database whose audit log has some entries, two a transaction."""

    def two(tx: Tx, number: int) -> None:
        _act(tx, number)
        _act(tx, number + 1)

    for number in range(0, ENTRIES, 2):
        database.write_now(TENANT, two, number)
    return database


def _tamper(database: Database, *statements: sa.Executable) -> None:
    """Do what only somebody with the whole database in their hands can: past the triggers."""

    def change(tx: Tx) -> None:
        if tx.is_postgresql:
            tx.conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            found = tx.conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for name in [row.name for row in found if row.name.startswith("audit_")]:
                tx.conn.exec_driver_sql(f"DROP TRIGGER {name}")
        for statement in statements:
            tx.conn.execute(statement)

    database.write_now(TENANT, change)


def _ids(database: Database) -> list[str]:
    def read(tx: Tx) -> list[str]:
        own = audit_link.c.tenant_id == tx.tenant_id
        return list(
            tx.conn.scalars(sa.select(audit_link.c.entry_id).where(own).order_by(audit_link.c.position))
        )

    return database.read_now(TENANT, read)


def test_a_log_nobody_touched_is_whole(log: Database) -> None:
    verdict = _verdict(log)

    assert verdict.is_whole
    assert verdict.head.position == ENTRIES
    assert _verdict(log, verdict.head).is_whole


def test_an_act_that_was_undone_leaves_no_link(log: Database) -> None:
    def fail(tx: Tx) -> None:
        _act(tx, 99)
        raise Invalid("no")

    with pytest.raises(Invalid):
        log.write_now(TENANT, fail)

    assert _verdict(log).head.position == ENTRIES


def test_each_company_has_a_chain_of_its_own(log: Database) -> None:
    log.write_now(OTHER_TENANT, _act, 1)

    other = log.read_now(OTHER_TENANT, audit_service.verify_chain, system_user(OTHER_TENANT))
    assert (other.is_whole, other.head.position) == (True, 1)
    assert _verdict(log).head.position == ENTRIES


def test_many_writers_at_once_make_one_chain(log: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(log.write_now, TENANT, _act, number) for number in range(100)]
    for one in done:
        one.result()

    verdict = _verdict(log)
    assert (verdict.fault, verdict.head.position) == (None, ENTRIES + 100)


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        (0, {"at_ms": 1}),
        (3, {"action": "sign_in"}),
        (6, {"subject_id": "lock-77"}),
        (9, {"detail": {"number": 77}}),
        (ENTRIES - 1, {"user_id": "01a2062d-e200-7030-9182-ab56bd58c37d"}),
    ],
)
def test_one_changed_entry_is_found(log: Database, place: int, changed: dict[str, object]) -> None:
    entry_id = _ids(log)[place]

    _tamper(log, sa.update(audit_entry).where(audit_entry.c.id == entry_id).values(changed))

    fault = _verdict(log).fault
    assert fault is not None
    assert (fault.kind, fault.position, fault.entry_id) == (FaultKind.CHANGED, place + 1, entry_id)


def test_ten_thousand_random_changes_are_all_found_where_they_are() -> None:
    rng = random.Random(20_261_123)
    records = [
        AuditRecord(f"entry {n}", n, None, "open_door", "device", f"lock-{n}", {"n": n}) for n in range(40)
    ]
    links = linked(Head(), records)
    whole: list[tuple[Link, AuditRecord | None]] = list(zip(links, records, strict=True))
    assert walk(Head(), whole).is_whole

    for _ in range(10_000):
        place, other = rng.sample(range(len(whole) - 1), 2)
        found = list(whole)
        match rng.choice(("change", "forge", "remove", "cut out", "swap", "put in", "relink")):
            case "change":
                found[place] = (links[place], replace(records[place], detail={"n": place, "more": 1}))
            case "forge":
                found[place] = (links[place], replace(records[place], user_id=f"user {rng.random()}"))
            case "remove":
                found[place] = (links[place], None)
            case "cut out":
                del found[place]
            case "swap":
                found[place], found[other] = (links[place], records[other]), (links[other], records[place])
                place = min(place, other)
            case "put in":
                found.insert(place, (links[place], replace(records[place], entry_id="another")))
            case "relink":
                forged = replace(records[place], action="nothing")
                before = links[place - 1].digest if place else BEGINNING
                found[place] = (Link(place + 1, forged.entry_id, digest_of(before, forged)), forged)
                place += 1
        fault = walk(Head(), found).fault
        assert fault is not None
        assert fault.position == place + 1


@pytest.mark.parametrize("place", [0, 5, ENTRIES - 1])
def test_one_removed_entry_is_found(log: Database, place: int) -> None:
    entry_id = _ids(log)[place]
    entry = sa.delete(audit_entry).where(audit_entry.c.id == entry_id)

    _tamper(log, entry)

    fault = _verdict(log).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.REMOVED, place + 1)


@pytest.mark.parametrize("place", [0, 5])
def test_an_entry_removed_with_its_link_is_found(log: Database, place: int) -> None:
    entry_id = _ids(log)[place]

    _tamper(
        log,
        sa.delete(audit_entry).where(audit_entry.c.id == entry_id),
        sa.delete(audit_link).where(audit_link.c.entry_id == entry_id),
    )

    fault = _verdict(log).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.GAP, place + 1)


def test_an_entry_put_in_past_the_chain_is_found(log: Database) -> None:
    put_in = "01a2062d-e200-7030-9182-ab56bd58c37d"
    row = {"tenant_id": TENANT, "id": put_in, "at_ms": 1, "action": "sign_in", "subject_kind": "user"}

    _tamper(log, sa.insert(audit_entry).values({**row, "subject_id": "x", "detail": {}}))

    fault = _verdict(log).fault
    assert fault is not None
    assert (fault.kind, fault.entry_id) == (FaultKind.UNCHAINED, put_in)


def test_two_entries_that_changed_places_are_found(log: Database) -> None:
    ids = _ids(log)
    free = "01a2062d-e200-7030-9182-ab56bd58c37d"

    def move(from_id: str, to_id: str) -> sa.Update:
        return sa.update(audit_link).where(audit_link.c.entry_id == from_id).values(entry_id=to_id)

    _tamper(log, move(ids[3], free), move(ids[7], ids[3]), move(free, ids[7]))

    fault = _verdict(log).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.CHANGED, 4)


def test_an_end_cut_off_is_found_by_the_head_kept_elsewhere(log: Database) -> None:
    kept = _verdict(log).head
    last = _ids(log)[-1]

    _tamper(
        log,
        sa.delete(audit_entry).where(audit_entry.c.id == last),
        sa.delete(audit_link).where(audit_link.c.entry_id == last),
    )

    assert _verdict(log).is_whole
    fault = _verdict(log, kept).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.GAP, ENTRIES)


def test_a_log_written_anew_from_the_beginning_is_found_by_the_head_kept_elsewhere(log: Database) -> None:
    kept = _verdict(log).head
    _tamper(log, sa.delete(audit_entry), sa.delete(audit_link))
    for number in range(ENTRIES + 3):
        log.write_now(TENANT, _act, number)

    assert _verdict(log).is_whole
    fault = _verdict(log, kept).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.CHANGED, ENTRIES)


@pytest.mark.parametrize("text", ["", "12", "x:00", f"1:{'g' * 64}", f"1:{'0' * 63}"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        audit_service.head_from_text(text)


def test_a_head_is_read_as_it_is_written(log: Database) -> None:
    head = _verdict(log).head

    assert audit_service.head_from_text(str(head)) == head
