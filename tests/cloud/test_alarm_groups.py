"""Many alarms of one cause are one line; what may cost a life always has its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.alarm import Alarm, AlarmState
from cloud.domain.alarm_group import GAP_MAX_MS, SIZE_MIN, grouped
from cloud.domain.errors import Forbidden, Invalid
from cloud.domain.ids import AlarmId, GatewayId, SiteId, UserId
from cloud.domain.overview import NeedKind
from cloud.domain.user import Role, User
from cloud.services import alarms, overview
from cloud.store.db import Database
from protocol.event import Event, EventState, Severity
from protocol.sync import Stream
from tests.cloud.garden import add_gateway, add_manager, add_site, event_block, post
from tests.databases import START_MS, TENANT

_MINOR, _MAJOR, _CRITICAL = Severity.MINOR, Severity.MAJOR, Severity.CRITICAL


def _alarm(
    number: int,
    at_ms: int,
    kind: str = "device_offline",
    *,
    severity: Severity = _MINOR,
    gateway: str = "g-1",
    known_ms: int | None = None,
) -> Alarm:
    device = f"em-{number}"
    site, box = SiteId("s"), GatewayId(gateway)
    key, numbered = f"{device}/availability", f"DG-A-2026-{number:04d}"
    user = None if known_ms is None else UserId("u")
    told = (device, kind, severity, "silent", False, 1, at_ms, at_ms, known_ms, user, None)
    return Alarm(AlarmId(f"a-{number:04d}"), site, box, numbered, key, None, *told)


def _sizes(found: list[Alarm]) -> list[int]:
    return [len(group.alarms) for group in grouped(found)]


def test_forty_devices_that_fall_silent_one_after_another_are_one_line() -> None:
    flood = [_alarm(n, START_MS + n * 30_000) for n in range(40)]

    [group] = grouped(flood[::-1])

    assert len(group.alarms) == 40
    assert (group.latest, group.since_ms) == (flood[-1], START_MS)


@pytest.mark.parametrize(
    ("count", "gap_ms", "sizes"),
    [
        pytest.param(SIZE_MIN, GAP_MAX_MS, [SIZE_MIN], id="at the limits"),
        pytest.param(SIZE_MIN - 1, 0, [1] * (SIZE_MIN - 1), id="one too few"),
        pytest.param(SIZE_MIN, GAP_MAX_MS + 1, [1] * SIZE_MIN, id="one millisecond too far apart"),
    ],
)
def test_few_alarms_or_distant_ones_stay_apart(count: int, gap_ms: int, sizes: list[int]) -> None:
    assert _sizes([_alarm(n, START_MS + n * gap_ms) for n in range(count)]) == sizes


def test_another_kind_gateway_or_state_is_another_line() -> None:
    found = [_alarm(n, START_MS) for n in range(4)]
    found += [_alarm(n, START_MS, "stale") for n in range(10, 14)]
    found += [_alarm(n, START_MS, gateway="g-2") for n in range(20, 24)]
    found += [_alarm(n, START_MS, known_ms=START_MS) for n in range(30, 34)]

    assert _sizes(found) == [4, 4, 4, 4]


@pytest.mark.parametrize("kind", ["fire_alarm", "intrusion_alarm", "trapped_person"])
def test_what_may_cost_a_life_is_never_within_a_line(kind: str) -> None:
    assert _sizes([_alarm(n, START_MS, kind) for n in range(9)]) == [1] * 9
    assert _sizes([_alarm(n, START_MS, severity=_CRITICAL) for n in range(9)]) == [1] * 9


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20 * 60_000),
            st.sampled_from(["device_offline", "fire_alarm", "stale"]),
            st.sampled_from(list(Severity)),
        ),
        max_size=60,
    )
)
def test_every_alarm_is_on_exactly_one_line(drawn: list[tuple[int, str, Severity]]) -> None:
    found = [
        _alarm(n, START_MS + after_ms, kind, severity=severity)
        for n, (after_ms, kind, severity) in enumerate(drawn)
    ]

    shown = [alarm.alarm_id for group in grouped(found) for alarm in group.alarms]

    assert sorted(shown) == sorted(alarm.alarm_id for alarm in found)


def _flood(database: Database) -> User:
    """Let six devices fall silent and a lift trap somebody."""
    gateway, _ = add_gateway(database, add_site(database))
    raised = EventState.RAISED
    silent = [
        Event("device_offline", raised, _MINOR, f"em-{n}/availability", START_MS + n, "silent")
        for n in range(6)
    ]
    trapped = Event("trapped_person", raised, _CRITICAL, "lift-1/trapped_person", START_MS + 9, "trapped")
    post(database, gateway, [event_block(1, [*silent, trapped])], Stream.EVENT)
    return add_manager(database)


def test_a_group_is_acknowledged_at_once_and_in_one_name(database: Database) -> None:
    manager = _flood(database)
    found = database.read_now(TENANT, alarms.list_alarms, manager).items
    silent = [one.alarm_id for one in found if one.kind == "device_offline"]

    known = database.write_now(TENANT, alarms.acknowledge_all, manager, silent)

    assert {one.state for one in known} == {AlarmState.ACKNOWLEDGED}
    after = database.read_now(TENANT, alarms.list_alarms, manager).items
    assert [one.kind for one in after if one.state is AlarmState.ACTIVE] == ["trapped_person"]


def test_nobody_acknowledges_a_trapped_person_among_others(database: Database) -> None:
    manager = _flood(database)
    everything = [one.alarm_id for one in database.read_now(TENANT, alarms.list_alarms, manager).items]

    with pytest.raises(Invalid, match="too grave to be acknowledged among others"):
        database.write_now(TENANT, alarms.acknowledge_all, manager, everything)
    with pytest.raises(Invalid, match="0 alarms, expected 1 to 500"):
        database.write_now(TENANT, alarms.acknowledge_all, manager, [])
    resident = User(manager.user_id, TENANT, Role.RESIDENT, "A-101")
    with pytest.raises(Forbidden):
        database.write_now(TENANT, alarms.acknowledge_all, resident, everything)

    after = database.read_now(TENANT, alarms.list_alarms, manager).items
    assert {one.state for one in after} == {AlarmState.ACTIVE}


def test_the_first_page_counts_a_group_in_one_line(database: Database) -> None:
    manager = _flood(database)
    [alarm, *_] = database.read_now(TENANT, alarms.list_alarms, manager).items

    needs = database.read_now(TENANT, overview.needs, manager, alarm.site_id)

    assert [(one.title, one.count) for one in needs if one.kind is NeedKind.ALARM] == [
        ("trapped_person", 1),
        ("device_offline", 6),
    ]
