"""Handling alarms: what nobody acknowledges is told on, once a step, also when nothing ran for a night."""

from dataclasses import dataclass, replace

import pytest

from cloud.domain.alarm_handling import AlarmActKind
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import AlarmId, UserId
from cloud.domain.response_plan import PlanKind, steps_of
from cloud.domain.user import Locale, Role, User
from cloud.response_plans import built_in
from cloud.services import alarm_handling, alarms, notices, response_plans
from cloud.store import users
from cloud.store.db import Database, Tx
from protocol.event import EventState, Severity
from protocol.sync import Stream
from tests.cloud.garden import event_block, leak, post
from tests.cloud.house import House, add_login
from tests.databases import TENANT, FakeClock


@dataclass
class Scene:
    """A house with one alarm raised just now."""

    house: House
    alarm_id: AlarmId

    @property
    def database(self) -> Database:
        return self.house.database

    def escalate(self) -> int:
        return self.database.write_now(TENANT, alarm_handling.escalate)

    def kinds(self) -> list[AlarmActKind]:
        _, acts = self.database.read_now(TENANT, alarm_handling.handling, self.house.manager, self.alarm_id)
        return [act.kind for act in acts]


@pytest.fixture
def scene(database: Database, clock: FakeClock) -> Scene:
    house = House(database)
    raised = leak(EventState.RAISED, clock.now_ms, severity=Severity.CRITICAL)
    post(database, house.gateway, [event_block(1, [raised])], Stream.EVENT)
    [alarm] = database.read_now(TENANT, alarms.list_alarms, house.manager).items
    return Scene(house, alarm.alarm_id)


def test_what_nobody_acknowledges_is_told_on_at_each_step_once(scene: Scene, clock: FakeClock) -> None:
    told = [scene.escalate()]
    for seconds in (29, 1, 1, 89, 180, 3_600):
        clock.advance(s=seconds)
        told += [scene.escalate(), scene.escalate()]

    assert told == [0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0]
    titles = [
        one.title
        for one in scene.database.read_now(
            TENANT, notices.list_received, scene.house.manager, scene.house.site_id
        ).items
    ]
    assert len(titles) == 3
    assert all("DG-A-2026-0001" in title for title in titles)


def test_a_device_s_english_words_are_told_in_each_reader_s_language_and_read_by_each_for_themselves(
    database: Database, clock: FakeClock
) -> None:
    house = House(database)
    raised = replace(leak(EventState.RAISED, clock.now_ms), message="the leak sensor is wet")
    post(database, house.gateway, [event_block(1, [raised])], Stream.EVENT)
    clock.advance(hours=1)
    database.write_now(TENANT, alarm_handling.escalate)
    guard = add_login(house, "guard", Role.GUARD)

    (told,) = database.read_now(TENANT, notices.list_received, house.manager, house.site_id).items
    (abroad,) = database.read_now(
        TENANT, notices.list_received, replace(guard, locale=Locale.ENGLISH), house.site_id
    ).items
    assert told.title.endswith("地面有水")
    assert abroad.title.endswith("water on the floor")
    assert "wet" not in told.title + told.text

    assert database.write_now(TENANT, notices.mark_read, house.manager, house.site_id) == 1

    unread = [
        database.read_now(TENANT, notices.count_unread, user, house.site_id)
        for user in (house.manager, guard)
    ]
    assert unread == [0, 1]


def test_after_a_night_without_a_server_all_steps_are_taken_and_one_notice_tells(
    scene: Scene, clock: FakeClock
) -> None:
    clock.advance(hours=9)

    assert [scene.escalate(), scene.escalate()] == [3, 0]
    found = scene.database.read_now(TENANT, notices.list_received, scene.house.manager, scene.house.site_id)
    assert len(found.items) == 1


def test_acknowledging_and_shelving_stop_it_and_what_was_shelved_comes_back(
    scene: Scene, clock: FakeClock
) -> None:
    manager = scene.house.manager
    until = clock.now_ms + 3_600_000
    scene.database.write_now(TENANT, alarm_handling.shelve, manager, scene.alarm_id, until, "正在试水")
    clock.advance(minutes=30)
    assert scene.escalate() == 0
    clock.advance(minutes=31)
    assert scene.escalate() == 3
    scene.database.write_now(TENANT, alarms.acknowledge, manager, scene.alarm_id)
    clock.advance(days=1)

    assert scene.escalate() == 0
    now, _ = scene.database.read_now(TENANT, alarm_handling.handling, manager, scene.alarm_id)
    assert (now.shelved_until_ms, now.escalations, now.next_escalation_at_ms) == (None, 3, None)


def test_an_alarm_is_given_to_somebody_who_may_deal_with_it(scene: Scene) -> None:
    def add(tx: Tx, login: str, role: Role) -> UserId:
        user_id = users.insert_user(tx, login, login, role, Locale.CHINESE, "!")
        assert user_id is not None
        return user_id

    guard = scene.database.write_now(TENANT, add, "guard", Role.GUARD)
    clerk = scene.database.write_now(TENANT, add, "clerk", Role.FINANCE)
    manager = scene.house.manager

    scene.database.write_now(TENANT, alarm_handling.assign, manager, scene.alarm_id, guard)
    scene.database.write_now(TENANT, alarm_handling.comment, manager, scene.alarm_id, "已派人去泵房")

    now, acts = scene.database.read_now(TENANT, alarm_handling.handling, manager, scene.alarm_id)
    assert (now.assignee_name, [act.kind.value for act in acts]) == ("guard", ["assigned", "commented"])
    own = User(guard, TENANT, Role.GUARD, "guard")
    assert len(scene.database.read_now(TENANT, notices.list_received, own).items) == 1
    with pytest.raises(Invalid, match="clerk cannot deal with alarms"):
        scene.database.write_now(TENANT, alarm_handling.assign, manager, scene.alarm_id, clerk)
    with pytest.raises(Forbidden):
        scene.database.write_now(
            TENANT, alarm_handling.comment, User(clerk, TENANT, Role.FINANCE, "clerk"), scene.alarm_id, "x"
        )


def test_what_cannot_be_done_says_why(scene: Scene, clock: FakeClock) -> None:
    manager = scene.house.manager

    for until in (clock.now_ms, clock.now_ms + 25 * 3_600_000):
        with pytest.raises(Invalid, match="a day at most"):
            scene.database.write_now(TENANT, alarm_handling.shelve, manager, scene.alarm_id, until, "why")
    with pytest.raises(Invalid, match="the text has 0 characters"):
        scene.database.write_now(TENANT, alarm_handling.comment, manager, scene.alarm_id, "  ")
    ended = leak(EventState.CLEARED, clock.now_ms + 1)
    post(scene.database, scene.house.gateway, [event_block(2, [ended])], Stream.EVENT)
    with pytest.raises(Conflict, match="is over already"):
        scene.database.write_now(TENANT, alarm_handling.unshelve, manager, scene.alarm_id)
    scene.database.write_now(TENANT, alarm_handling.comment, manager, scene.alarm_id, "接头松了")
    assert scene.kinds() == [AlarmActKind.COMMENTED]


def test_a_plan_is_ticked_once_and_an_alarm_keeps_the_plan_it_was_raised_under(
    scene: Scene, clock: FakeClock
) -> None:
    work, manager, site_id = scene.database.write_now, scene.house.manager, scene.house.site_id
    clock.advance(s=5)
    written = work(
        TENANT,
        response_plans.write_plan,
        manager,
        site_id,
        PlanKind.LEAK,
        steps_of(["关总阀"], ["Close the main valve"]),
    )

    ticked = work(TENANT, response_plans.tick, manager, scene.alarm_id, 1, is_done=True)
    clock.advance(s=60)
    again = work(TENANT, response_plans.tick, manager, scene.alarm_id, 1, is_done=True)
    taken_back = work(TENANT, response_plans.tick, manager, scene.alarm_id, 1, is_done=False)

    assert (written.version, ticked.plan.version, len(ticked.plan.steps)) == (1, 0, 4)
    assert again.done[1] == ticked.done[1]
    assert (ticked.current_no, taken_back.current_no, dict(taken_back.done)) == (2, 1, {})
    with pytest.raises(NotFound, match="there is no step 5"):
        work(TENANT, response_plans.tick, manager, scene.alarm_id, 5, is_done=True)
    again_wet = [leak(EventState.CLEARED, clock.now_ms - 1), leak(EventState.RAISED, clock.now_ms)]
    post(scene.database, scene.house.gateway, [event_block(2, again_wet)], Stream.EVENT)
    newest = scene.database.read_now(TENANT, alarms.list_alarms, manager).items[0]
    found = scene.database.read_now(TENANT, response_plans.at_alarm, manager, newest)
    assert (newest.alarm_id != scene.alarm_id, found.plan.version) == (True, 1)
    assert found.plan.steps[0].chinese == "关总阀"


@pytest.mark.parametrize("kind", PlanKind)
def test_every_kind_has_a_plan_in_both_languages(kind: PlanKind) -> None:
    assert all(step.said(locale).strip() for step in built_in(kind).steps for locale in Locale)
