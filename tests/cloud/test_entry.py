"""Who may pass which door: what a gateway is granted, what becomes of lost badges, and the door log."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from cloud.domain.command import Purpose
from cloud.domain.entry import GRANTS_LIFE_MS, GRANTS_RENEWED_MS, Badge, BadgeState, Covers, Entrance, Passage
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import AccountId, BuildingId
from cloud.domain.periods import local_date, time_zone
from cloud.domain.user import Role
from cloud.services import (
    badges,
    commands,
    entrances,
    gateways,
    granting,
    moving,
    notices,
    passages,
    patrols,
    visits,
)
from cloud.store import points, premises, schema
from cloud.store.db import Database
from edge.access import Judge, Moment
from protocol.access import AccessReason, BadgeKind, GrantQuestion, badge_token
from protocol.command import Action, CommandState
from protocol.event import Event, EventState, Severity
from protocol.greeting import Hello, Welcome
from protocol.sync import Stream
from provisioning.grants import GrantSet
from tests.cloud.garden import event_block, post, rows_of
from tests.cloud.house import House, add_login
from tests.databases import TENANT, FakeClock

CARD = "0012345678"
OFFICE_HOURS = ((0b0011111, 8 * 60, 18 * 60),)


class Doors(House):
    """The house with a front door for its residents and a cellar for chosen people at office hours."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        super().__init__(database)
        self.clock = clock
        self.seq = 1
        locks = {"door-1", "door-2"}
        self.write(points.ensure_devices, self.gateway.gateway_id, locks)
        self.front, self.cellar = (
            self.entrance(name, code) for name, code in (("大门", "door-1"), ("地下室", "door-2"))
        )
        self.chosen = self.act(
            entrances.add_group, self.site_id, "保洁", Covers.CHOSEN, [self.cellar.entrance_id], OFFICE_HOURS
        )
        self.act(entrances.add_group, self.site_id, "住户", Covers.RESIDENTS, [self.front.entrance_id])
        self.host = add_login(self, "host", Role.RESIDENT, "A-101")
        self.guard = add_login(self, "guard", Role.GUARD)

    def write(self, work: object, *args: object, **kwargs: object) -> object:
        return self.database.write_now(TENANT, work, *args, **kwargs)  # type: ignore[arg-type]

    def act(self, work: object, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
        return self.write(work, self.manager, *args, **kwargs)

    def entrance(self, name: str, code: str) -> Entrance:
        return self.act(entrances.add_entrance, self.site_id, self.gateway.gateway_id, name, code)  # type: ignore[no-any-return]

    def give(self, kind: BadgeKind, label: str, secret: str = "", **more: object) -> Badge:
        return self.act(badges.give, self.site_id, kind, label, secret, **more)  # type: ignore[no-any-return]

    @property
    def home(self) -> AccountId:
        [account_id] = self.host.account_ids
        return account_id

    def greet(self, grants: tuple[int, int] | None = (0, 0)) -> Welcome:
        said = Hello("1", "boot", 1, "c", 0, {}, None, 2, 0, grants=grants)
        return self.write(gateways.hello, self.gateway, said)  # type: ignore[return-value]

    def grants(self) -> GrantSet:
        found = self.database.read_now(TENANT, granting.offered, self.gateway, GrantQuestion(0, 0))
        assert found is not None
        return found

    def at(self, reader: str, kind: BadgeKind, secret: str) -> AccessReason:
        judge = Judge(lambda badge_id: False)
        judge.take(self.grants())
        return judge.judge(reader, kind, secret, Moment(self.clock.now_ms, 0, True)).reason

    def told(self, kind_of_event: str, /, **attributes: str) -> None:
        happened = Event(
            kind_of_event,
            EventState.OCCURRED,
            Severity.INFO,
            "door-1/reader",
            self.clock.now_ms,
            "",
            attributes=attributes,
        )
        post(self.database, self.gateway, [event_block(self.seq, [happened])], Stream.EVENT)
        self.seq += 1

    def log(self) -> Sequence[Passage]:
        return self.database.read_now(TENANT, passages.list_passages, self.guard, self.site_id).items


@pytest.fixture
def doors(database: Database, clock: FakeClock) -> Doors:
    return Doors(database, clock)


def test_a_residents_card_opens_their_front_door_and_not_the_cellar(doors: Doors) -> None:
    given = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)

    assert given.ends == "78"
    assert doors.at("door-1", BadgeKind.CARD, "12345678") is AccessReason.GRANTED
    assert doors.at("door-2", BadgeKind.CARD, "12345678") is AccessReason.OTHER_DOOR
    assert doors.at("door-1", BadgeKind.CARD, "9") is AccessReason.UNKNOWN


def test_a_chosen_badge_opens_at_its_groups_hours(doors: Doors) -> None:
    cleaner = doors.give(BadgeKind.CODE, "保洁员", group_ids=[doors.chosen.group_id])

    [grant] = doors.grants().grants
    assert len(cleaner.code) == 8
    [permission] = grant.permissions
    assert doors.grants().doors[permission.door].device_id == "door-2"
    assert doors.grants().times[permission.times][0].from_min == 480


def test_a_group_of_a_building_is_for_who_lives_there(doors: Doors) -> None:
    [building] = doors.database.read_now(TENANT, premises.list_buildings, doors.site_id)
    doors.act(
        entrances.add_group,
        doors.site_id,
        "1 号楼",
        Covers.RESIDENTS,
        [doors.cellar.entrance_id],
        (),
        BuildingId(building.building_id),
    )
    doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    doors.give(BadgeKind.CARD, "外来", "99", group_ids=[doors.chosen.group_id])

    assert doors.at("door-2", BadgeKind.CARD, "12345678") is AccessReason.GRANTED


def test_every_change_is_offered_at_the_next_greeting_and_only_then(doors: Doors) -> None:
    doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    has = doors.grants().order

    assert doors.greet().has_grants
    assert not doors.greet(has).has_grants
    assert not doors.greet(None).has_grants
    doors.give(BadgeKind.CARD, "陈静", "7", account_id=doors.home)
    assert doors.greet(has).has_grants


def test_grants_are_renewed_long_before_they_end(doors: Doors) -> None:
    first = doors.grants()
    doors.clock.advance(ms=GRANTS_RENEWED_MS)

    assert doors.greet(first.order).has_grants
    assert doors.grants().order > first.order
    assert first.expires_at_ms - first.issued_at_ms == GRANTS_LIFE_MS


def test_a_cloud_restored_from_a_backup_counts_on_from_what_the_box_has(doors: Doors) -> None:
    ahead = doors.grants().number + 40

    assert doors.greet((ahead, doors.clock.now_ms)).has_grants
    assert doors.grants().number > ahead


def test_a_card_reported_lost_by_its_holder_is_blocked_until_the_office_finds_it(doors: Doors) -> None:
    given = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    has = doors.grants().order

    lost = doors.write(badges.report_lost, doors.host, given.badge_id)

    assert isinstance(lost, Badge)
    assert lost.state is BadgeState.LOST
    assert doors.greet(has).has_grants
    assert doors.at("door-1", BadgeKind.CARD, "12345678") is AccessReason.BLOCKED
    with pytest.raises(Forbidden):
        doors.write(badges.report_found, doors.host, given.badge_id)
    doors.act(badges.report_found, given.badge_id)
    assert doors.at("door-1", BadgeKind.CARD, "12345678") is AccessReason.GRANTED


def test_nobody_reports_or_ends_a_neighbours_badge(doors: Doors) -> None:
    given = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    neighbour = add_login(doors, "neighbour", Role.RESIDENT, "A-201")

    for act in (badges.report_lost, badges.end):
        with pytest.raises(NotFound):
            doors.write(act, neighbour, given.badge_id)


def test_a_resident_makes_a_code_and_only_they_see_it_again(doors: Doors) -> None:
    made = doors.write(badges.make_own_code, doors.host, doors.home, "奶奶")

    assert isinstance(made, Badge)
    own = doors.database.read_now(TENANT, badges.own_badges, doors.host)
    seen = doors.database.read_now(TENANT, badges.own_badges, doors.manager, doors.home)
    assert [one.code for one in own] == [made.code]
    assert [one.code for one in seen] == [""]
    assert doors.at("door-1", BadgeKind.CODE, made.code) is AccessReason.GRANTED
    assert made.code not in repr(rows_of(doors.database, schema.badge))
    assert made.code not in repr(rows_of(doors.database, schema.audit_entry))


def test_a_card_is_one_persons_until_it_is_given_back(doors: Doors) -> None:
    given = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)

    with pytest.raises(Conflict, match="somebody's already"):
        doors.give(BadgeKind.CARD, "别人", "12345678")
    doors.act(badges.end, given.badge_id)
    again = doors.give(BadgeKind.CARD, "别人", "12345678", group_ids=[doors.chosen.group_id])

    assert again.badge_id != given.badge_id


def test_moving_out_ends_the_homes_badges(doors: Doors) -> None:
    given = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    today = local_date(doors.clock.now_ms, time_zone("Asia/Shanghai"))
    space_id = next(
        one.space_id
        for one in doors.database.read_now(TENANT, premises.list_spaces, doors.site_id)
        if one.code == given.space_code
    )
    planned = doors.database.read_now(TENANT, moving.plan, doors.manager, space_id, today)
    dials = {meter.installation_id: Decimal(100) for meter in planned.meters}

    doors.write(moving.move, doors.manager, space_id, today, None, dials)

    assert doors.at("door-1", BadgeKind.CARD, "12345678") is AccessReason.UNKNOWN


def test_a_visitors_code_works_at_the_hosts_door_once_and_the_host_hears_of_it(doors: Doors) -> None:
    now_ms = doors.clock.now_ms
    invited = doors.write(visits.invite, doors.host, doors.home, "李阿姨", now_ms, now_ms + 3_600_000)
    assert isinstance(invited, visits.Visit)

    [grant] = doors.grants().grants
    assert grant.is_once
    assert grant.token == badge_token(doors.grants().key, BadgeKind.CODE, invited.code)
    doors.told("access_granted", badge=invited.visit_id, reason="granted", door="door-1", kind="code")

    [told] = doors.database.read_now(TENANT, notices.list_received, doors.host).items
    assert "李阿姨" in told.text
    assert doors.grants().grants == []
    assert [(one.who, one.space_code, one.entrance_name) for one in doors.log()] == [
        ("李阿姨", "1-101", "大门")
    ]


def test_the_log_says_who_where_and_why_not(doors: Doors) -> None:
    given = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    token = badge_token(doors.grants().key, BadgeKind.CARD, "555").hex()

    doors.told(
        "access_granted", badge=given.badge_id, reason="granted", door="door-1", kind="card", ends="78"
    )
    doors.clock.advance(ms=1000)
    doors.told("access_denied", reason="unknown", door="door-2", kind="card", ends="55", token=token)
    doors.told("access_denied", badge="no-such-badge", reason="a newer word", door="elsewhere", kind="card")

    newer, unknown, passed = doors.log()
    assert (passed.who, passed.outcome.value, passed.entrance_name, passed.ends) == (
        "王建国",
        "granted",
        "大门",
        "78",
    )
    assert (unknown.who, unknown.outcome.value, unknown.reason) == ("", "denied", "unknown")
    assert (newer.entrance_name, newer.reason) == ("elsewhere", "a newer word")


def test_a_badge_of_the_staff_proves_a_checkpoint_at_its_door_and_a_residents_does_not(doors: Doors) -> None:
    places = [("大门", doors.front.entrance_id)]
    minute = (doors.clock.now_ms // 60_000 + 8 * 60 + 1) % (24 * 60)
    doors.act(patrols.add_route, doors.site_id, "夜巡", range(7), [minute], 30, places)
    doors.clock.advance(minutes=2)
    of_home = doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    of_guard = doors.give(BadgeKind.CARD, "张强", "0087654321", group_ids=[doors.chosen.group_id])

    missing = []
    for given in (of_home, of_guard):
        doors.told(
            "access_granted", badge=given.badge_id, reason="granted", door="door-1", kind="card", ends="78"
        )
        rounds = doors.act(patrols.rounds, doors.site_id, date(2026, 11, 24), 2)
        under_way = next(one for one in rounds if one.from_ms <= doors.clock.now_ms < one.until_ms)
        missing.append(len(under_way.missing))

    assert missing == [1, 0]
    [proof] = under_way.proofs.values()
    assert (proof.who, proof.means.value) == ("张强", "door")


def test_a_card_shown_and_unknown_is_given_to_somebody_without_its_number(doors: Doors) -> None:
    token = badge_token(doors.grants().key, BadgeKind.CARD, "555").hex()
    doors.told("access_denied", reason="unknown", door="door-1", kind="card", ends="55", token=token)
    [shown] = doors.log()

    given = doors.give(BadgeKind.CARD, "陈静", shown.passage_id, account_id=doors.home)

    assert given.ends == "55"
    assert doors.at("door-1", BadgeKind.CARD, "555") is AccessReason.GRANTED
    doors.told("access_denied", reason="unknown", door="door-2", kind="card", ends="55", token=token)
    elsewhere = next(one for one in doors.log() if one.device_code == "door-2")
    assert (elsewhere.who, elsewhere.reason) == ("陈静", "other_door")


def test_an_opening_from_afar_is_in_the_log_with_who_asked(doors: Doors) -> None:
    doors.greet()
    asked = doors.act(
        commands.request,
        doors.gateway.gateway_id,
        "door-1",
        Action.DOOR_UNLOCK,
        Purpose.ACCESS,
        "送水师傅在门口",
    )
    doors.write(
        commands.report, doors.gateway, asked.command_id, CommandState.REFUSED, "policy", doors.clock.now_ms
    )

    [passage] = doors.log()
    assert (passage.reason, passage.outcome.value, passage.entrance_name) == ("remote", "denied", "大门")
    assert passage.who


@pytest.mark.parametrize(
    ("kind", "secret", "problem"),
    [
        (BadgeKind.CARD, "12x", "no card number"),
        (BadgeKind.CARD, "1,65536", "no card number"),
        (BadgeKind.CARD, "", "no card number"),
        (BadgeKind.FACE, " ", "0 characters"),
    ],
)
def test_what_is_no_badge_is_refused(doors: Doors, kind: BadgeKind, secret: str, problem: str) -> None:
    with pytest.raises(Invalid, match=problem):
        doors.give(kind, "王建国", secret)


def test_facility_and_number_are_the_card_a_26_bit_reader_tells(doors: Doors) -> None:
    doors.give(BadgeKind.CARD, "王建国", "123,45678", account_id=doors.home)

    assert doors.at("door-1", BadgeKind.CARD, str(123 << 16 | 45678)) is AccessReason.GRANTED


def test_doors_are_the_managers_to_change_and_an_entrance_taken_away_opens_to_nobody(doors: Doors) -> None:
    doors.give(BadgeKind.CARD, "王建国", CARD, account_id=doors.home)
    for user in (doors.host, doors.guard):
        with pytest.raises(Forbidden):
            doors.write(entrances.remove_entrance, user, doors.front.entrance_id)

    doors.act(entrances.remove_entrance, doors.front.entrance_id)

    assert [one.device_id for one in doors.grants().doors] == ["door-2"]
    assert doors.grants().grants == []
    with pytest.raises(Conflict, match="another entrance"):
        doors.entrance("又一个", "door-2")
    with pytest.raises(Invalid, match="no device"):
        doors.entrance("没有的", "door-9")
