"""The first page: numbers that are measured or None, and one queue, the gravest consequence first."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloud.domain.change import GatewayChanged
from cloud.domain.complaint import ComplaintKind, ComplaintSubject
from cloud.domain.errors import Forbidden
from cloud.domain.gateway import ALARMED_AFTER_MS, OFFLINE_AFTER_MS, GatewayIdentity, GatewayState
from cloud.domain.ids import GatewayId
from cloud.domain.overview import Consequence, Need, NeedKind, Overview, in_order
from cloud.domain.periods import local_date
from cloud.domain.person import RequestKind
from cloud.domain.repair import Channel as RepairChannel
from cloud.domain.repair import RepairCategory, Urgency
from cloud.domain.user import Role, User, system_user
from cloud.services import alarms, billing, complaints, gateways, overview, privacy, repairs
from cloud.services.repairs import RepairRequest
from cloud.store import persons, schema
from cloud.store.db import Database, Tx
from protocol.envelope import Block
from protocol.event import Event, EventState, Severity
from protocol.greeting import Hello
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from tests.cloud.garden import (
    add_gateway,
    add_manager,
    add_site,
    count,
    energy,
    event_block,
    history_block,
    leak,
    post,
)
from tests.cloud.house import House, add_resident
from tests.databases import START_MS, TENANT, FakeClock

_HOUR_MS = 3_600_000
_MIDNIGHT_MS = START_MS - 8 * _HOUR_MS


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def _look(house: House) -> Overview:
    return house.database.read_now(TENANT, overview.overview, house.manager, house.site_id)


def test_a_site_nobody_has_heard_of_shows_nothing_as_known(house: House) -> None:
    seen = _look(house)

    assert (seen.site_code, seen.today, seen.time_zone) == ("DG", date(2026, 11, 24), "Asia/Shanghai")
    assert (seen.gateways_online, seen.gateways_total) == (0, 1)
    assert (seen.meters_fresh, seen.meters_total) == (0, 3)
    assert (seen.load_micro_kw, seen.energy_today_micro_kwh, seen.water_today_micro_m3) == (None, None, None)
    assert [(need.kind, need.count) for need in seen.needs] == [(NeedKind.METER_SILENT, 3)]


def test_load_and_energy_are_the_masters_times_their_multiplier(house: House) -> None:
    house.read(
        Reading("em-main/active_energy_import", _MIDNIGHT_MS + 5_000, 1_000_000_000),
        Reading("em-main/active_energy_import", START_MS - 1_000, 1_002_500_000),
        Reading("em-main/active_power", START_MS - 1_000, 250_000),
    )

    seen = _look(house)

    assert (seen.load_micro_kw, seen.load_at_ms) == (10_000_000, START_MS - 1_000)
    assert seen.energy_today_micro_kwh == 100_000_000
    assert (seen.gateways_online, seen.meters_fresh) == (1, 1)


def test_a_load_that_is_old_or_has_failed_is_not_known(house: House, clock: FakeClock) -> None:
    house.read(Reading("em-main/active_power", START_MS, 250_000))
    clock.advance(minutes=36)
    old = _look(house).load_micro_kw
    house.read(Reading("em-main/active_power", clock.now_ms, None, Quality.NO_REPLY, "no reply"))

    assert (old, _look(house).load_micro_kw) == (None, None)


def test_what_needs_a_person_is_ordered_by_consequence(house: House, clock: FakeClock) -> None:
    house.read(energy(201, START_MS, 7))
    house.read(Reading("em-101/active_energy_import", START_MS, 5, Quality.HELD, "register went back"))
    threshold = Event("threshold", EventState.RAISED, Severity.MINOR, "em-101/voltage", START_MS, "high")
    post(house.database, house.gateway, [event_block(1, [threshold, leak(EventState.RAISED)])], Stream.EVENT)
    post(house.database, house.gateway, [Block(900, 1, b"\x90")])

    needs = _look(house).needs

    assert [need.kind for need in needs] == [
        NeedKind.ALARM,  # water: people and property
        NeedKind.READING_HELD,
        NeedKind.METER_SILENT,
        NeedKind.ALARM,  # a voltage somewhat high
        NeedKind.INGEST_PROBLEM,
    ]
    assert [need.title for need in needs if need.kind is NeedKind.ALARM] == ["water_leak", "threshold"]
    assert (needs[1].place, needs[1].detail) == ("1-101", "register went back")
    assert "malformed" in needs[4].title


def test_the_nearest_deadline_comes_first_among_equals() -> None:
    def need(subject: str, due_on: date | None, severity: Severity = Severity.MINOR) -> Need:
        return Need(NeedKind.MAINTENANCE_DUE, Consequence.LAW, subject, "", "", "", severity, None, due_on)

    ordered = in_order(
        [
            need("never", None),
            need("later", date(2026, 12, 1)),
            need("sooner", date(2026, 11, 25)),
            need("overdue", date(2026, 11, 20), Severity.MAJOR),
        ]
    )

    assert [one.subject_id for one in ordered] == ["overdue", "sooner", "later", "never"]


def test_residents_do_not_see_the_first_page(house: House) -> None:
    with pytest.raises(Forbidden):
        resident = User(house.manager.user_id, TENANT, Role.RESIDENT, "101")
        house.database.read_now(TENANT, overview.overview, resident, house.site_id)


def _hello(database: Database, gateway: GatewayIdentity) -> None:
    said = Hello("0.1.0", "boot", 1, "c1", 0, {}, None, 58, 0)
    database.write_now(TENANT, gateways.hello, gateway, said)


_States = dict[GatewayId, GatewayState]


def _watch(database: Database, known: _States | None = None, since_ms: int = 0) -> _States:
    return database.write_now(TENANT, gateways.watch, system_user(TENANT), since_ms, known or {})


def test_a_silent_gateway_is_seen_then_alarmed_once_and_cleared_when_it_is_back(
    database: Database, database_url: str, clock: FakeClock
) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    heard: list[object] = []
    watching = Database(database_url, clock=clock, on_commit=heard.extend)
    _hello(database, gateway)
    states = _watch(watching)

    clock.advance(ms=OFFLINE_AFTER_MS)
    still = _watch(watching, states)
    clock.advance(ms=1)
    lost = _watch(watching, still)
    early = database.read_now(TENANT, alarms.list_alarms, manager).items
    clock.advance(ms=ALARMED_AFTER_MS - OFFLINE_AFTER_MS)
    _watch(watching, _watch(watching, lost))
    [alarm] = database.read_now(TENANT, alarms.list_alarms, manager).items
    _hello(database, gateway)
    back = _watch(watching, lost)
    watching.close()

    assert [set(seen.values()) for seen in (still, lost, back)] == [
        {GatewayState.ONLINE},
        {GatewayState.OFFLINE},
        {GatewayState.ONLINE},
    ]
    assert early == ()
    assert (alarm.kind, alarm.raised_at_ms, alarm.severity) == ("gateway_offline", START_MS, Severity.MAJOR)
    assert [change.state for change in heard if isinstance(change, GatewayChanged)] == ["offline", "online"]
    assert database.read_now(TENANT, alarms.list_alarms, manager).items == ()
    assert count(database, schema.alarm) == 1


def test_after_a_stop_of_ours_gateways_have_time_to_be_heard_of(database: Database, clock: FakeClock) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    _hello(database, gateway)
    clock.advance(hours=3)  # the cloud was down
    started_at_ms = clock.now_ms

    clock.advance(ms=OFFLINE_AFTER_MS)
    patient = _watch(database, since_ms=started_at_ms)
    clock.advance(ms=ALARMED_AFTER_MS - OFFLINE_AFTER_MS)
    seen = _watch(database, since_ms=started_at_ms)
    unalarmed = count(database, schema.alarm)
    clock.advance(ms=1)
    _watch(database, since_ms=started_at_ms)

    assert (patient, set(seen.values()), unalarmed) == ({}, {GatewayState.OFFLINE}, 0)
    assert count(database, schema.alarm) == 1


def test_a_slot_nobody_speaks_for_and_a_revoked_one_are_not_silent(
    database: Database, clock: FakeClock
) -> None:
    site_id = add_site(database)
    add_gateway(database, site_id)
    gone, _ = add_gateway(database, site_id, code="gw-2")
    _hello(database, gone)
    database.write_now(TENANT, gateways.revoke, system_user(TENANT), gone.gateway_id)
    clock.advance(days=2)

    assert set(_watch(database).values()) == {GatewayState.WAITING, GatewayState.REVOKED}
    assert count(database, schema.alarm) == 0


def test_a_gateways_page_says_how_far_its_streams_are_and_what_is_missing(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    post(database, gateway, [history_block(1, [energy(101, START_MS, 1)] * 3)])
    post(database, gateway, [history_block(9, [energy(101, START_MS, 1)] * 2)])
    post(database, gateway, [event_block(1, [leak(EventState.RAISED)])], Stream.EVENT)

    box, streams = database.read_now(TENANT, gateways.get_gateway, manager, gateway.gateway_id)

    assert (box.device_count, box.point_count, box.problem_count) == (2, 2, 0)
    told = {status.stream: (status.acked_through, status.gaps, status.lost_rows) for status in streams}
    assert told == {"event": (1, (), 0), "history": (3, ((4, 8),), 0)}


def test_a_problem_stays_until_a_person_has_settled_it(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    post(database, gateway, [Block(1, 1, b"\x90")])
    [problem] = database.read_now(TENANT, gateways.list_problems, manager)

    database.write_now(TENANT, gateways.settle_problem, manager, problem.problem_id)

    assert database.read_now(TENANT, gateways.list_problems, manager) == []
    [settled] = database.read_now(TENANT, gateways.list_problems, manager, only_open=False)
    assert settled.settled_at_ms == START_MS
    with pytest.raises(Forbidden, match="only a person"):
        database.write_now(TENANT, gateways.settle_problem, system_user(TENANT), problem.problem_id)


def test_a_deletion_that_was_asked_for_stands_there_with_its_deadline(house: House, clock: FakeClock) -> None:
    home = add_resident(house, "home", "A-101")

    def known(tx: Tx) -> None:
        name = (home.display_name, "13812348000", "", "")
        assert persons.insert_person(tx, house.site_id, *name, home.user_id) is not None

    house.database.write_now(TENANT, known)
    house.database.write_now(TENANT, privacy.ask, home, RequestKind.ERASE)
    [asked] = [need for need in _look(house).needs if need.kind is NeedKind.DELETION_ASKED]
    clock.advance(hours=16 * 24)
    [late] = [need for need in _look(house).needs if need.kind is NeedKind.DELETION_ASKED]

    today = local_date(START_MS, ZoneInfo("Asia/Shanghai"))
    assert (asked.due_on, asked.count) == (today + timedelta(days=15), 1)
    assert (asked.consequence, asked.severity, late.severity) == (
        Consequence.LAW,
        Severity.MINOR,
        Severity.MAJOR,
    )


def test_what_waits_in_the_office_is_a_line_each_with_its_count(house: House, clock: FakeClock) -> None:
    home = add_resident(house, "home", "A-101")
    [account_id] = home.account_ids
    for subject in (ComplaintSubject.NOISE, ComplaintSubject.CLEANING):
        house.database.write_now(
            TENANT, complaints.tell, home, account_id, ComplaintKind.COMPLAINT, subject, "又来了"
        )
    house.database.write_now(TENANT, billing.open_period, house.manager, house.site_id, "2026-10")
    asked = RepairRequest(RepairCategory.PLUMBING, Urgency.EMERGENCY, RepairChannel.PHONE, "爆管", "泵房")
    house.database.write_now(TENANT, repairs.request, house.manager, house.site_id, asked)
    clock.advance(hours=12)

    waiting = {need.kind: need.count for need in _look(house).needs}

    assert waiting == {
        NeedKind.METER_SILENT: 3,
        NeedKind.COMPLAINT_WAITING: 2,
        NeedKind.REPAIR_LATE: 1,
        NeedKind.BILL_RUN_WAITING: 1,
    }
