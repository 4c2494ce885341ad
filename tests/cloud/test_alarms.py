"""Alarms open once, end when their condition ends, and make noise only about the present."""

import itertools
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.domain.alarm import AlarmEntryKind, AlarmState
from cloud.domain.change import AlarmAct, AlarmChanged, EventRecorded
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import UserId
from cloud.domain.user import Role, User
from cloud.services import alarms
from cloud.services.opened_block import open_blocks
from cloud.store import schema
from cloud.store.db import Database
from protocol.event import Event, EventState, Severity
from protocol.sync import Stream
from tests.cloud.garden import (
    add_gateway,
    add_manager,
    add_site,
    count,
    event_block,
    leak,
    post,
)
from tests.databases import OTHER_TENANT, START_MS, TENANT, FakeClock

_FRESH = itertools.count()  # sites for examples that share a database
_RAISED, _CLEARED = EventState.RAISED, EventState.CLEARED


def _send(database: Database, gateway: GatewayIdentity, first_seq: int, *events: Event) -> None:
    post(database, gateway, [event_block(first_seq, events)], Stream.EVENT)


def test_a_condition_is_raised_acknowledged_and_cleared_with_its_history(
    database: Database, clock: FakeClock
) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)

    _send(database, gateway, 1, leak(_RAISED))
    [opened] = database.read_now(TENANT, alarms.list_alarms, manager).items
    clock.advance(minutes=2)
    known = database.write_now(TENANT, alarms.acknowledge, manager, opened.alarm_id, "已派人")
    clock.advance(minutes=3)
    _send(database, gateway, 2, leak(_CLEARED, clock.now_ms))

    assert (opened.number, opened.state) == ("DG-A-2026-0001", AlarmState.ACTIVE)
    assert (opened.severity, opened.device_title, opened.message) == (Severity.MAJOR, "leak-1", "泵房漏水")
    assert (known.state, known.acknowledged_by) == (AlarmState.ACKNOWLEDGED, manager.user_id)
    cleared, history = database.read_now(TENANT, alarms.get_alarm, manager, opened.alarm_id)
    assert (cleared.state, cleared.cleared_at_ms) == (AlarmState.CLEARED, START_MS + 300_000)
    assert [(entry.kind, entry.at_ms - START_MS, entry.user_name) for entry in history] == [
        (AlarmEntryKind.RAISED, 0, ""),
        (AlarmEntryKind.ACKNOWLEDGED, 120_000, "物业经理"),
        (AlarmEntryKind.CLEARED, 300_000, ""),
    ]
    assert database.read_now(TENANT, alarms.list_alarms, manager).items == ()


def test_a_repetition_adds_to_the_history_and_opens_nothing(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)

    _send(database, gateway, 1, *[leak(_RAISED, START_MS + k) for k in range(5)])

    [alarm] = database.read_now(TENANT, alarms.list_alarms, manager).items
    assert (alarm.repeat_count, alarm.raised_at_ms) == (4, START_MS)


def test_two_conditions_of_one_point_are_two_alarms(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    stale = Event("stale", _RAISED, Severity.MINOR, "leak-1/water_leak", START_MS, "silent")

    _send(database, gateway, 1, leak(_RAISED), stale)

    assert count(database, schema.alarm) == 2


def test_something_that_merely_occurred_is_kept_and_alarms_nobody(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    opened = Event("door_unlocked", EventState.OCCURRED, Severity.INFO, "lock-1", START_MS, "keypad")

    _send(database, gateway, 1, opened)

    assert count(database, schema.alarm) == 0
    [line] = database.read_now(TENANT, alarms.list_events, manager).items
    assert (line.kind, line.device_title) == ("door_unlocked", "lock-1")


def test_an_end_without_a_beginning_is_kept_and_changes_no_alarm(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))

    _send(database, gateway, 1, leak(_CLEARED))

    assert (count(database, schema.event), count(database, schema.alarm)) == (1, 0)


# What the leak sensor said in the order of its numbers, three minutes apart.
_STORY = [_RAISED, _CLEARED, _RAISED, _RAISED, _CLEARED, _RAISED]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(_STORY))), upto=st.integers(1, len(_STORY)))
def test_whether_an_alarm_is_open_does_not_depend_on_the_order_of_arrival(
    database: Database, order: list[int], upto: int
) -> None:
    gateway, _ = add_gateway(database, add_site(database, code=f"S{next(_FRESH)}"))
    manager = User(UserId("01900000-0000-7000-8000-000000000000"), TENANT, Role.MANAGER, "m")

    for index in [index for index in order if index < upto]:
        _send(database, gateway, index + 1, leak(_STORY[index], START_MS + 180_000 * index))

    page = database.read_now(TENANT, alarms.list_alarms, manager, gateway.site_id)
    assert len(page.items) == (1 if _STORY[upto - 1] is _RAISED else 0)


def test_fifty_beginnings_at_once_open_one_alarm(database: Database) -> None:
    site_id = add_site(database)
    gateway, _ = add_gateway(database, site_id)
    # As many epochs, so that no two wait for one stream's row: only the alarm's own key decides.
    begin = threading.Barrier(10)

    def raise_five(epoch: int) -> None:
        begin.wait()
        for number in range(5):
            post(database, gateway, [event_block(1 + number, [leak(_RAISED)])], Stream.EVENT, epoch)

    threads = [threading.Thread(target=raise_five, args=(epoch,)) for epoch in range(1, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(database, schema.event) == 50
    [alarm] = database.read_now(TENANT, alarms.list_alarms, add_manager(database)).items
    assert alarm.repeat_count == 49


def test_the_past_is_recorded_and_makes_no_noise(
    database_url: str, clock: FakeClock, database: Database
) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    heard: list[object] = []
    listening = Database(database_url, clock=clock, on_commit=heard.extend)
    month_ago = START_MS - 30 * 86_400_000

    _send(listening, gateway, 1, leak(_RAISED, month_ago, is_historical=True))
    _send(listening, gateway, 2, leak(_CLEARED, month_ago + 60_000, is_historical=True))
    listening.close()

    assert heard == []
    everything = frozenset(AlarmState)
    [alarm] = database.read_now(TENANT, alarms.list_alarms, manager, None, everything).items
    assert (alarm.is_historical, alarm.raised_at_ms, alarm.cleared_at_ms) == (
        True,
        month_ago,
        month_ago + 60_000,
    )


@pytest.mark.parametrize(
    ("raised_at_ms", "cleared_at_ms", "is_history"),
    [
        pytest.param(-600_000, -300_000, True, id="began and ended while nothing could be sent"),
        pytest.param(-600_000, -59_999, False, id="ended a moment ago"),
        pytest.param(-400, -200, False, id="brief and of the present"),
        pytest.param(-600_000, None, False, id="goes on"),
        pytest.param(-START_MS, 1_000 - START_MS, False, id="the box did not know the time"),
    ],
)
def test_what_began_and_ended_in_an_outage_is_of_the_past(
    raised_at_ms: int, cleared_at_ms: int | None, is_history: bool
) -> None:
    before = leak(_CLEARED, START_MS - 700_000)  # of a condition that was told before
    happened = [before, leak(_RAISED, START_MS + raised_at_ms)]
    if cleared_at_ms is not None:
        happened.append(leak(_CLEARED, START_MS + cleared_at_ms))

    blocks = [event_block(number, [event]) for number, event in enumerate(happened, start=1)]
    opened = open_blocks(Stream.EVENT, blocks, sent_at_ms=START_MS)

    first, *others = [event for block in opened for event in block.events]
    assert first == before
    assert {event.is_historical for event in others} == {is_history}


@pytest.mark.parametrize(
    ("age_ms", "is_history"),
    [pytest.param(600_000, True, id="held up"), pytest.param(5_000, False, id="new")],
)
def test_what_ended_in_another_batch_is_of_the_past_if_it_was_held_up(age_ms: int, is_history: bool) -> None:
    ended = leak(_RAISED, START_MS - age_ms)
    events = [ended, replace(ended, point_key="leak-2/water_leak")]
    blocks = [event_block(number, [event]) for number, event in enumerate(events, start=7)]

    opened = open_blocks(Stream.EVENT, blocks, sent_at_ms=START_MS, over=[7])

    assert [event.is_historical for block in opened for event in block.events] == [is_history, False]


def test_the_present_is_told_once_it_is_committed(
    database_url: str, clock: FakeClock, database: Database
) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    heard: list[object] = []
    listening = Database(database_url, clock=clock, on_commit=heard.extend)

    _send(listening, gateway, 1, leak(_RAISED), leak(_RAISED))
    [alarm] = listening.read_now(TENANT, alarms.list_alarms, manager).items
    listening.write_now(TENANT, alarms.acknowledge, manager, alarm.alarm_id)
    listening.write_now(TENANT, alarms.acknowledge, manager, alarm.alarm_id)
    _send(listening, gateway, 3, leak(_CLEARED))
    listening.close()

    acts = [change.act for change in heard if isinstance(change, AlarmChanged)]
    assert acts == [AlarmAct.RAISED, AlarmAct.ACKNOWLEDGED, AlarmAct.CLEARED]
    assert len([change for change in heard if isinstance(change, EventRecorded)]) == 3


def test_the_first_to_acknowledge_stays_the_one_who_did(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    first, second = add_manager(database), add_manager(database, login="deputy")
    _send(database, gateway, 1, leak(_RAISED))
    [alarm] = database.read_now(TENANT, alarms.list_alarms, first).items

    database.write_now(TENANT, alarms.acknowledge, first, alarm.alarm_id)
    again = database.write_now(TENANT, alarms.acknowledge, second, alarm.alarm_id)

    assert again.acknowledged_by == first.user_id


def test_an_alarm_whose_box_is_gone_is_ended_by_a_person_with_a_reason(
    database: Database, clock: FakeClock
) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    _send(database, gateway, 1, leak(_RAISED))
    [alarm] = database.read_now(TENANT, alarms.list_alarms, manager).items
    clock.advance(days=1)

    with pytest.raises(Invalid, match="the reason has 0 characters"):
        database.write_now(TENANT, alarms.clear, manager, alarm.alarm_id, "  ")
    ended = database.write_now(TENANT, alarms.clear, manager, alarm.alarm_id, "网关已更换，现场已看过")
    with pytest.raises(Conflict, match="DG-A-2026-0001 is over already"):
        database.write_now(TENANT, alarms.clear, manager, alarm.alarm_id, "again")
    _send(database, gateway, 2, leak(_RAISED, clock.now_ms))

    assert (ended.state, ended.cleared_at_ms) == (AlarmState.CLEARED, START_MS + 86_400_000)
    _, history = database.read_now(TENANT, alarms.get_alarm, manager, alarm.alarm_id)
    assert (history[-1].kind, history[-1].text, history[-1].user_name) == (
        AlarmEntryKind.CLEARED,
        "网关已更换，现场已看过",
        "物业经理",
    )
    [anew] = database.read_now(TENANT, alarms.list_alarms, manager).items
    assert anew.alarm_id != alarm.alarm_id


def test_an_alarm_is_no_business_of_residents_or_other_companies(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager, stranger = add_manager(database), add_manager(database, OTHER_TENANT)
    resident = User(manager.user_id, TENANT, Role.RESIDENT, "101")
    _send(database, gateway, 1, leak(_RAISED))
    [alarm] = database.read_now(TENANT, alarms.list_alarms, manager).items

    with pytest.raises(Forbidden, match="role resident may not read alarms"):
        database.read_now(TENANT, alarms.list_alarms, resident)
    with pytest.raises(NotFound):
        database.write_now(OTHER_TENANT, alarms.acknowledge, stranger, alarm.alarm_id)
    assert database.read_now(OTHER_TENANT, alarms.list_alarms, stranger).items == ()


def test_alarms_come_in_pages_newest_first_and_worst_first_for_the_queue(database: Database) -> None:
    site_id = add_site(database)
    gateway, _ = add_gateway(database, site_id)
    manager = add_manager(database)
    severities = [Severity.MINOR, Severity.CRITICAL, Severity.INFO, Severity.MAJOR, Severity.MINOR]
    events = [
        Event("threshold", _RAISED, severity, f"em-{k}/voltage", START_MS + k, f"{k}")
        for k, severity in enumerate(severities)
    ]
    _send(database, gateway, 1, *events)

    first = database.read_now(TENANT, alarms.list_alarms, manager, site_id, limit=3)
    rest = database.read_now(TENANT, alarms.list_alarms, manager, site_id, cursor=first.next_cursor, limit=3)
    worst = database.read_now(TENANT, alarms.worst_alarms, manager, site_id)

    assert [alarm.message for alarm in (*first.items, *rest.items)] == ["4", "3", "2", "1", "0"]
    assert rest.next_cursor is None
    assert [alarm.message for alarm in worst] == ["1", "3", "4", "0", "2"]
