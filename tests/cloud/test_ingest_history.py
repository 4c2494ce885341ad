"""Readings are taken exactly once, whatever the network does, and nothing accepted is lost."""

import itertools

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.domain.errors import NotFound
from cloud.domain.gateway import BlockState
from cloud.domain.ids import SeriesId
from cloud.services import gateways, readings
from cloud.store import schema
from cloud.store.db import Database, Tx
from protocol.envelope import Block
from protocol.event import EventState
from protocol.evidence import Evidence
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from tests.cloud.garden import (
    EPOCH,
    add_gateway,
    add_manager,
    add_site,
    count,
    energy,
    event_block,
    history_block,
    leak,
    post,
    rows_of,
)
from tests.databases import OTHER_TENANT, START_MS, TENANT, FakeClock

_HOUR_MS = 3_600_000
_FRESH = itertools.count()  # sites for examples that share a database

# Five blocks of one to four rows: rows 1 to 12 of three meters, some without a value.
_BLOCKS = [
    history_block(1, [energy(101, START_MS, 1_000_000)]),
    history_block(2, [energy(101, START_MS + 1, 1_100_000), energy(102, START_MS + 1, 5_000_000)]),
    history_block(
        4,
        [
            Reading("em-103/active_energy_import", START_MS, None, Quality.NO_REPLY, "no reply in 1.5 s"),
            energy(101, START_MS + 2, 1_200_000),
            energy(102, START_MS + 2, 5_200_000),
            energy(103, START_MS + 2, 9_000_000),
        ],
    ),
    history_block(8, [energy(101, START_MS + 3, 1_300_000), energy(101, START_MS + 3, 1_300_000)]),
    history_block(10, [energy(103, START_MS + k, 9_000_000 + k) for k in range(3, 6)]),
]


def test_readings_arrive_with_quality_reason_and_time(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))

    accepted = post(database, gateway, _BLOCKS)

    assert (accepted.acked_through, accepted.gaps, accepted.problems) == (12, [], [])
    assert accepted.rows_taken == 12
    stored = rows_of(database, schema.reading)
    assert len(stored) == 12
    points = {row[4]: row[1] for row in rows_of(database, schema.point)}
    columns = [column.name for column in schema.reading.columns]
    silent = [
        dict(zip(columns, row, strict=True))
        for row in stored
        if row[1] == points["em-103/active_energy_import"]
    ]
    assert silent[0]["value_micro"] is None
    assert silent[0]["quality"] == Quality.NO_REPLY
    assert silent[0]["reason"] == "no reply in 1.5 s"
    assert silent[0]["measured_at_ms"] == silent[0]["received_at_ms"] == START_MS


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)), again=st.lists(st.integers(0, 4), max_size=6))
def test_any_order_with_repetitions_gives_the_same_rows(
    database: Database, order: list[int], again: list[int]
) -> None:
    code = f"S{next(_FRESH)}"
    straight, _ = add_gateway(database, add_site(database, code=f"{code}a"))
    shuffled, _ = add_gateway(database, add_site(database, code=f"{code}b"))
    post(database, straight, _BLOCKS)

    for index in [*order, *again]:
        last = post(database, shuffled, [_BLOCKS[index]])

    assert (last.acked_through, last.gaps, last.problems) == (12, [], [])
    assert _view(database, shuffled.gateway_id) == _view(database, straight.gateway_id)


def test_a_gap_is_named_and_closes_when_the_missing_block_comes(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))

    early = post(database, gateway, [_BLOCKS[0], _BLOCKS[2], _BLOCKS[4]])
    late = post(database, gateway, [_BLOCKS[1]])
    last = post(database, gateway, [_BLOCKS[3]])

    assert (early.acked_through, early.gaps) == (1, [(2, 3), (8, 9)])
    assert (late.acked_through, late.gaps) == (7, [(8, 9)])
    assert (last.acked_through, last.gaps) == (12, [])


def test_the_same_block_again_changes_nothing(database: Database, clock: FakeClock) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, _BLOCKS)
    before = rows_of(database, schema.reading), rows_of(database, schema.ingest_block)
    clock.advance(minutes=5)

    again = post(database, gateway, _BLOCKS)

    assert (again.acked_through, again.problems, again.rows_taken) == (12, [], 0)
    assert (rows_of(database, schema.reading), rows_of(database, schema.ingest_block)) == before


def test_other_content_under_the_same_number_is_a_conflict_and_overwrites_nothing(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, _BLOCKS)
    before = rows_of(database, schema.reading)
    forged = history_block(2, [energy(101, START_MS + 1, 1), energy(102, START_MS + 1, 2)])

    accepted = post(database, gateway, [forged])
    post(database, gateway, [forged])

    [problem] = accepted.problems
    assert (problem.first_seq, problem.code) == (2, "conflict")
    assert problem.detail == "rows 2 to 3 were received before with other content"
    assert rows_of(database, schema.reading) == before
    kept = database.read_now(TENANT, gateways.list_problems, add_manager(database), gateway.gateway_id)
    assert [(p.code, p.first_seq, p.last_seq, p.payload_bytes) for p in kept] == [
        ("conflict", 2, 3, len(forged.payload))
    ]


def test_a_block_that_overlaps_is_a_conflict_and_the_stream_goes_on(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, _BLOCKS[:3])  # rows 1 to 7

    overlapping = history_block(6, [energy(109, START_MS, 1)] * 4)  # rows 6 to 9
    accepted = post(database, gateway, [overlapping, history_block(10, [energy(101, START_MS + 9, 1)])])

    [problem] = accepted.problems
    assert problem.detail == "rows 6 to 9 overlap rows 4 to 7, received before"
    # Rows 8 and 9 are accounted for, so that nothing waits for them for ever.
    assert (accepted.acked_through, accepted.gaps) == (10, [])
    assert count(database, schema.reading) == 8


def test_a_malformed_block_is_put_aside_and_the_others_are_taken(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    poison = Block(2, 2, b"\x93not a block")

    accepted = post(database, gateway, [_BLOCKS[0], poison, _BLOCKS[2]])
    again = post(database, gateway, [poison])

    [problem] = accepted.problems
    assert (problem.first_seq, problem.code) == (2, "malformed")
    assert "history block" in problem.detail
    assert again.problems == accepted.problems
    assert accepted.acked_through == again.acked_through == 7
    assert count(database, schema.reading) == 5
    [kept] = rows_of(database, schema.ingest_problem)
    assert poison.payload in kept


def test_a_block_that_says_another_count_than_it_holds_is_malformed(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    lying = Block(1, 3, _BLOCKS[1].payload)

    accepted = post(database, gateway, [lying])

    assert [problem.detail for problem in accepted.problems] == [
        "history block says 3 rows and holds 2 points, 2 times and 2 values"
    ]
    assert count(database, schema.reading) == 0


def test_a_bad_row_is_put_aside_and_its_neighbours_are_taken(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    columns = msgspec.msgpack.decode(
        history_block(1, [energy(101, START_MS + k, k) for k in range(4)]).payload
    )
    columns[6] = [0, 0, 33, 0]  # qualities: a newer edge's word in row 2
    bad = Block(1, 4, msgspec.msgpack.encode(columns))

    first = post(database, gateway, [bad, history_block(5, [energy(101, START_MS + 9, 9)])])
    again = post(database, gateway, [bad])

    [problem] = first.problems
    assert (problem.first_seq, problem.code) == (1, "malformed")
    assert problem.detail == "3 of 4 rows taken, not: row 2: quality 33 is not known"
    assert again.problems == first.problems
    assert (first.rows_taken, again.rows_taken, first.acked_through) == (4, 0, 5)
    assert [row[4] for row in rows_of(database, schema.reading)] == [1, 2, 4, 5]
    [kept] = rows_of(database, schema.ingest_problem)
    assert bad.payload in kept


def test_a_bad_event_is_put_aside_and_the_others_are_taken(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    rows = msgspec.msgpack.decode(event_block(1, [leak(EventState.RAISED)] * 3).payload)
    rows[1][1] = "wobbling"
    bad = Block(1, 3, msgspec.msgpack.encode(rows))

    accepted = post(database, gateway, [bad], Stream.EVENT)

    [problem] = accepted.problems
    assert problem.detail.startswith("2 of 3 rows taken, not: row 1: event block: 'wobbling' is not a valid")
    assert (count(database, schema.event), count(database, schema.alarm)) == (2, 1)


def test_a_tombstone_may_stand_for_more_rows_than_any_batch_holds(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, [history_block(1, [energy(101, START_MS, 1)])])
    # A cloud restored from a backup: the gateway has deleted rows up to 5,000,000 long ago.
    late = post(database, gateway, [history_block(5_000_001, [energy(101, START_MS + 1, 2)])])

    settled = post(database, gateway, [Block(2, 4_999_999, b"")])

    assert (late.acked_through, late.gaps) == (1, [(2, 5_000_000)])
    assert (settled.acked_through, settled.gaps) == (5_000_001, [])


def test_a_tombstone_counts_as_received_and_is_shown_as_lost(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))

    accepted = post(database, gateway, [_BLOCKS[0], Block(2, 2, b""), _BLOCKS[2]])

    assert (accepted.acked_through, accepted.gaps, accepted.problems) == (7, [], [])
    _, [status] = database.read_now(TENANT, gateways.get_gateway, add_manager(database), gateway.gateway_id)
    assert status.lost_rows == 2


def test_a_tombstone_takes_nothing_back_and_what_was_lost_may_still_come(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, [_BLOCKS[0], Block(2, 2, b"")])

    late = post(database, gateway, [_BLOCKS[1]])
    buried = post(database, gateway, [Block(1, 1, b"")])

    assert (late.rows_taken, late.problems, buried.problems) == (2, [], [])
    assert count(database, schema.reading) == 3
    states = {row[4]: row[-1] for row in rows_of(database, schema.ingest_block)}
    assert set(states.values()) == {BlockState.TAKEN.value}


def test_points_never_heard_of_are_registered_by_their_names(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))

    post(
        database,
        gateway,
        [
            history_block(
                1, [Reading("fire-1/fire_alarm_3", START_MS, 0), Reading("x-9/mystery", START_MS, 7)]
            )
        ],
    )

    named = {row[4]: (row[5], row[6]) for row in rows_of(database, schema.point)}
    assert named == {
        "fire-1/fire_alarm_3": ("fire_alarm_3", "fire_alarm"),
        "x-9/mystery": ("mystery", ""),
    }
    assert [row[3] for row in rows_of(database, schema.device)] == ["fire-1", "x-9"]
    assert count(database, schema.reading) == 2


def test_a_backlog_does_not_overwrite_what_is_newer(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, [history_block(1, [energy(101, START_MS, 9_000_000)])])

    post(database, gateway, [history_block(2, [energy(101, START_MS - _HOUR_MS, 8_000_000)])])

    [value] = _values(database, "em-101")
    assert (value.measured_at_ms, value.value_micro) == (START_MS, 9_000_000)


def test_a_failure_is_shown_beside_the_last_value_with_its_time(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    silence = Reading("em-101/active_energy_import", START_MS + 60_000, None, Quality.NO_REPLY, "no reply")

    post(database, gateway, [history_block(1, [energy(101, START_MS, 9_000_000), silence])])

    [value] = _values(database, "em-101")
    assert (value.quality, value.value_micro, value.reason) == (Quality.NO_REPLY, None, "no reply")
    assert (value.valued_at_ms, value.last_value_micro) == (START_MS, 9_000_000)


def test_a_reading_from_the_future_is_kept_and_is_not_now(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    ahead = energy(101, START_MS + 365 * 24 * _HOUR_MS, 9_000_000)

    post(database, gateway, [history_block(1, [energy(101, START_MS, 8_000_000), ahead])])

    [value] = _values(database, "em-101")
    assert value.value_micro == 8_000_000
    assert count(database, schema.reading) == 2


def test_the_exchange_behind_a_reading_is_found_from_the_reading(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    # DL/T 645-2007, read data 00 00 00 00 of meter 202607000101.
    frame = bytes.fromhex("68010100072620681104333333339F16")
    exchange = Evidence("dlt645-2007", "bus-1", frame, b"\x68", START_MS, 41_000)
    shown = Reading("em-101/active_energy_import", START_MS, 1_000_000, evidence=exchange)
    also = Reading("em-101/voltage", START_MS, 220_000_000, evidence=exchange)

    post(database, gateway, [history_block(7, [energy(102, START_MS, 1), shown, also])])

    stored = {row[1]: row for row in rows_of(database, schema.reading)}
    assert sorted(row[-1] or 0 for row in stored.values()) == [0, 8, 8]
    [kept] = rows_of(database, schema.evidence)
    assert kept[2:5] == ("history", EPOCH, 8)
    assert exchange.digest().hex() in kept

    def work(tx: Tx) -> Evidence | None:
        return readings.readings.find_evidence(tx, gateway.gateway_id, EPOCH, 8)

    assert database.read_now(TENANT, work) == exchange


def test_a_new_epoch_begins_its_own_numbering(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    post(database, gateway, _BLOCKS)

    accepted = post(database, gateway, [history_block(1, [energy(101, START_MS, 77)])], epoch=EPOCH + 1)

    assert (accepted.acked_through, accepted.problems) == (1, [])
    assert count(database, schema.reading) == 13


def test_two_companies_with_the_same_codes_do_not_meet(database: Database) -> None:
    ours, _ = add_gateway(database, add_site(database))
    theirs, _ = add_gateway(database, add_site(database, OTHER_TENANT), OTHER_TENANT)

    post(database, ours, _BLOCKS)
    post(database, theirs, [history_block(1, [energy(101, START_MS, 42)])])

    assert count(database, schema.reading, TENANT) == 12
    assert count(database, schema.reading, OTHER_TENANT) == 1
    manager = add_manager(database, OTHER_TENANT)
    with pytest.raises(NotFound):
        database.read_now(OTHER_TENANT, gateways.get_gateway, manager, ours.gateway_id)
    page = database.read_now(
        OTHER_TENANT, readings.history, manager, SeriesId(1), START_MS - 1, START_MS + _HOUR_MS
    )
    assert [reading.value_micro for reading in page.items] == [42]


def test_history_comes_in_pages_that_join_without_a_seam(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    rows = [energy(101, START_MS + (k // 2), k) for k in range(25)]
    post(database, gateway, [history_block(1, rows)])
    manager = add_manager(database)
    [value] = _values(database, "em-101")

    seen: list[int | None] = []
    cursor: str | None = None
    while True:
        page = database.read_now(
            TENANT, readings.history, manager, value.point.series_id, START_MS, START_MS + 100, cursor, 4
        )
        seen += [reading.value_micro for reading in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == list(range(25))


def _values(database: Database, device_code: str) -> list[readings.PointValue]:
    def work(tx: Tx) -> list[readings.PointValue]:
        device_id = tx.conn.execute(
            sa.select(schema.device.c.id).where(
                schema.device.c.tenant_id == tx.tenant_id, schema.device.c.code == device_code
            )
        ).scalar_one()
        return readings.points.values_of_device(tx, device_id)

    return database.read_now(TENANT, work)


def _view(database: Database, gateway_id: str) -> list[tuple[object, ...]]:
    """Return what a gateway's rows say, without what depends on the order of arrival."""

    def work(tx: Tx) -> list[tuple[object, ...]]:
        r, p, c = schema.reading.c, schema.point.c, schema.point_current.c
        mine = sa.and_(p.tenant_id == tx.tenant_id, p.gateway_id == gateway_id)
        rows = sa.select(
            p.key, r.measured_at_ms, r.epoch, r.seq, r.value_micro, r.quality, r.reason, r.evidence_seq
        ).where(mine, r.tenant_id == p.tenant_id, r.series_id == p.series_id)
        now = sa.select(p.key, c.measured_at_ms, c.valued_at_ms, c.last_value_micro).where(
            mine, c.tenant_id == p.tenant_id, c.series_id == p.series_id
        )
        return sorted(map(tuple, tx.conn.execute(rows)), key=repr) + sorted(
            map(tuple, tx.conn.execute(now)), key=repr
        )

    return database.read_now(TENANT, work)
