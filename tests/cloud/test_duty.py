"""Whose turn it is follows from the rota and the swaps alone; whoever is on duty hears of alarms."""

from datetime import date

import pytest

from cloud.domain.dispatch import Shift
from cloud.domain.duty import DutyPost
from cloud.domain.errors import Forbidden, Invalid
from cloud.domain.ids import DutyPostId, SiteId, UserId
from cloud.domain.notice import Channel
from cloud.domain.user import Role, User
from cloud.services import alarm_handling, alarms, duty, notices, users
from cloud.store import schema
from cloud.store import users as users_store
from cloud.store.db import Database
from protocol.event import EventState, Severity
from protocol.sync import Stream
from tests.cloud.garden import event_block, leak, post, rows_of
from tests.cloud.house import House, add_login
from tests.databases import TENANT, FakeClock

_EVERY_DAY = frozenset(range(7))
_DAY, _NIGHT, _ALWAYS = (480, 1200), (1200, 480), (0, 0)
_MONDAY = date(2026, 11, 23)


def _post(turn_days: int, *rota: str) -> DutyPost:
    return DutyPost(
        DutyPostId("p"),
        SiteId("s"),
        "门岗",
        1,
        Shift(_EVERY_DAY, *_DAY),
        turn_days,
        _MONDAY,
        tuple(UserId(one) for one in rota),
    )


@pytest.mark.parametrize(
    ("turn_days", "on", "whose"),
    [
        (1, date(2026, 11, 23), "a"),
        (1, date(2026, 11, 24), "b"),
        (1, date(2026, 11, 26), "a"),
        (1, date(2026, 11, 22), "c"),
        (7, date(2026, 11, 29), "a"),
        (7, date(2026, 11, 30), "b"),
        (2, date(2027, 3, 1), "b"),  # 98 days on: the 49th pair of days
    ],
)
def test_the_turns_go_round_from_the_rota_s_first_day_on(turn_days: int, on: date, whose: str) -> None:
    assert _post(turn_days, "a", "b", "c").turn_of(on) == whose


class Watch:
    """A house with two guards and a manager on call."""

    def __init__(self, database: Database) -> None:
        self.house = House(database)
        self.day = add_login(self.house, "day", Role.GUARD)
        self.night = add_login(self.house, "night", Role.GUARD)
        self.work = database.write_now
        for name, circle, hours, who in (
            ("白班", 1, _DAY, (self.day, self.night)),
            ("夜班", 1, _NIGHT, (self.night, self.day)),
            ("值班经理", 2, _ALWAYS, (self.house.manager,)),
        ):
            rota = [one.user_id for one in who]
            shift = Shift(_EVERY_DAY, *hours)
            self.work(
                TENANT,
                duty.add_post,
                self.house.manager,
                self.house.site_id,
                name,
                circle,
                shift,
                7,
                _MONDAY,
                rota,
            )

    def names(self) -> list[str]:
        found = self.house.database.read_now(TENANT, duty.on_duty, self.house.manager, self.house.site_id)
        return [one.name for one in found]

    @property
    def manager_name(self) -> str:
        """Return the name the manager signs in with."""
        record = self.house.database.read_now(TENANT, users_store.find_user, self.house.manager.user_id)
        assert record is not None
        return record.user.display_name

    def told(self, user: User) -> int:
        return len(self.house.database.read_now(TENANT, notices.list_received, user).items)


@pytest.fixture
def watch(database: Database) -> Watch:
    return Watch(database)


def test_a_night_shift_is_held_past_midnight_by_whoever_began_it(watch: Watch, clock: FakeClock) -> None:
    names = [watch.names()]
    for _ in range(2):
        clock.advance(hours=12)
        names.append(watch.names())

    assert names[0] == names[2]
    assert {names[0][0], names[1][0]} == {"day", "night"}
    assert all(one[1:] == [watch.manager_name] for one in names)


def test_an_alarm_is_told_to_who_is_on_duty_circle_by_circle_and_on_their_phone(
    watch: Watch, clock: FakeClock
) -> None:
    [guard_name, _] = watch.names()
    guard, other = (watch.day, watch.night) if guard_name == "day" else (watch.night, watch.day)
    watch.work(TENANT, notices.add_own_contact, guard, Channel.SMS, "13800138000")
    raised = leak(EventState.RAISED, clock.now_ms, severity=Severity.CRITICAL)
    post(watch.house.database, watch.house.gateway, [event_block(1, [raised])], Stream.EVENT)

    clock.advance(s=31)
    watch.work(TENANT, alarm_handling.escalate)
    first = (watch.told(guard), watch.told(other))
    clock.advance(minutes=2)
    watch.work(TENANT, alarm_handling.escalate)

    assert first == (1, 0)
    assert (watch.told(guard), watch.told(other)) == (2, 0)
    sent = rows_of(watch.house.database, schema.notice_delivery)
    assert repr(sent).count("'13800138000'") == 2
    [alarm] = watch.house.database.read_now(TENANT, alarms.list_alarms, watch.house.manager).items
    _, acts = watch.house.database.read_now(
        TENANT, alarm_handling.handling, watch.house.manager, alarm.alarm_id
    )
    assert [(act.text, act.about_name) for act in acts] == [("1", guard_name), ("2", guard_name)]


def test_who_has_left_holds_no_turn_and_the_next_circle_is_told(watch: Watch, clock: FakeClock) -> None:
    for gone in (watch.day, watch.night):
        watch.work(TENANT, users.disable_user, watch.house.manager, gone.user_id)

    told = watch.house.database.read_now(TENANT, duty.to_tell_of_alarm, watch.house.site_id, 1)

    assert told == [watch.house.manager.user_id]


def test_one_gives_away_one_s_own_turn_and_a_manager_any(watch: Watch) -> None:
    site_id, manager = watch.house.site_id, watch.house.manager
    posts = watch.house.database.read_now(TENANT, duty.list_posts, manager, site_id)
    by_day = next(one for one in posts if one.name == "白班")
    on = date(2026, 11, 27)
    mine, yours = watch.day, watch.night

    with pytest.raises(Forbidden, match="by whose it is"):
        watch.work(TENANT, duty.swap, yours, by_day.post_id, on, yours.user_id, "")
    swapped = watch.work(TENANT, duty.swap, mine, by_day.post_id, on, yours.user_id, "孩子发烧")
    back = watch.work(TENANT, duty.swap, manager, by_day.post_id, on, mine.user_id, "")

    assert (swapped.name, swapped.instead_of_name, swapped.turn.reason) == ("night", "day", "孩子发烧")
    assert (back.name, back.instead_of_name) == ("day", "")
    resident = add_login(watch.house, "home", Role.RESIDENT, "A-101")
    with pytest.raises(Invalid, match="cannot deal with alarms"):
        watch.work(TENANT, duty.swap, manager, by_day.post_id, on, resident.user_id, "")
