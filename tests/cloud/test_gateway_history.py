"""A gateway's history: everything that was written down of it, in one list, page by page."""

from cloud.domain.gateway_history import Subject
from cloud.domain.user import system_user
from cloud.services import alarms, gateway_history, gateways, readings
from cloud.services.opened_block import open_blocks
from cloud.store.db import Database
from protocol.envelope import Block
from protocol.event import Severity
from protocol.sync import Stream
from tests.cloud.garden import EPOCH, add_gateway, add_site, energy, history_block
from tests.databases import START_MS, TENANT, FakeClock


def test_what_happened_to_a_gateway_is_told_in_one_list_newest_first(
    database: Database, clock: FakeClock
) -> None:
    actor = system_user(TENANT)
    gateway, _ = add_gateway(database, add_site(database))
    other, _ = add_gateway(database, gateway.site_id, code="gw-2")
    blocks = [history_block(1, [energy(101, START_MS, 1)]), Block(2, 40, b""), Block(42, 1, b"\x90")]
    told = (gateway, Stream.HISTORY, EPOCH, open_blocks(Stream.HISTORY, blocks))
    database.write_now(TENANT, readings.accept, *told)
    clock.advance(s=1)
    alarm = ("gateway_clock_wrong", Severity.MAJOR, "", clock())
    database.write_now(TENANT, alarms.raise_own, gateway, *alarm)
    clock.advance(s=1)
    database.write_now(TENANT, gateways.revoke, actor, gateway.gateway_id)

    page = database.read_now(TENANT, gateway_history.history, actor, gateway.gateway_id)
    lost = database.read_now(TENANT, gateway_history.history, actor, gateway.gateway_id, Subject.LOSS)
    of_other = database.read_now(TENANT, gateway_history.history, actor, other.gateway_id)

    happened = [(one.subject, one.what) for one in page.items]
    assert happened[:2] == [(Subject.IDENTITY, "revoke_gateway"), (Subject.ALARM, "raised")]
    assert set(happened[2:]) >= {
        (Subject.LOSS, "lost"), (Subject.QUARANTINE, "malformed"), (Subject.STORE, "begun"),
    }  # fmt: skip
    assert [(one.about, one.rows) for one in lost.items] == [("history", 40)]
    assert {one.subject for one in of_other.items} <= {Subject.IDENTITY}


def test_pages_of_a_history_part_nothing_of_one_moment_and_lose_nothing(
    database: Database, clock: FakeClock
) -> None:
    actor = system_user(TENANT)
    gateway, _ = add_gateway(database, add_site(database))
    expected = []
    for number in range(9):
        told = open_blocks(Stream.HISTORY, [Block(1 + number, 1, bytes([0x90 + number]))])
        expected.append(told[0].problem)
        database.write_now(TENANT, readings.accept, gateway, Stream.HISTORY, EPOCH, told)
        clock.advance(ms=1 if number % 3 == 2 else 0)

    seen: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        page = database.read_now(
            TENANT, gateway_history.history, actor, gateway.gateway_id, Subject.QUARANTINE, cursor, 2
        )
        seen += [one.detail for one in page.items]
        cursor = page.next_cursor

    assert cursor is None
    assert sorted(seen) == sorted(expected)
