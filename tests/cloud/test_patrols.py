"""A round is walked when every checkpoint is proven in its time; what nobody was at raises an alarm once."""

from datetime import date

import pytest

from cloud.domain.alarm import AlarmState
from cloud.domain.errors import Forbidden, Invalid, NotFound
from cloud.domain.patrol import PatrolRoute, RoundState
from cloud.domain.user import Role, User
from cloud.services import alarms, patrols
from cloud.store.db import Database
from tests.cloud.house import House, add_login
from tests.databases import TENANT, FakeClock

_EVERY_DAY = range(7)


class Beat:
    """A house whose guard walks past two places, in a round that begins at once."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.house, self.clock = House(database), clock
        self.guard: User = add_login(self.house, "guard", Role.GUARD)
        self.work, self.read = database.write_now, database.read_now
        minute = (clock.now_ms // 60_000 + 8 * 60) % (24 * 60)
        self.route: PatrolRoute = self.work(
            TENANT,
            patrols.add_route,
            self.house.manager,
            self.house.site_id,
            "夜巡",
            _EVERY_DAY,
            [(minute + 1) % (24 * 60)],
            30,
            [("泵房", None), ("大门", None)],
        )
        clock.advance(minutes=2)

    def mark(self, place: int) -> None:
        """Let the guard read a tag."""
        tag = self.route.checkpoints[place].tag
        self.work(TENANT, patrols.mark, self.guard, self.house.site_id, tag)

    def states(self) -> list[RoundState]:
        """Return where the rounds of these days stand, the latest first."""
        found = self.read(
            TENANT, patrols.rounds, self.house.manager, self.house.site_id, date(2026, 11, 24), 2
        )
        return [one.state_at(self.clock.now_ms) for one in found if one.from_ms <= self.clock.now_ms]

    def open_alarms(self) -> list[str]:
        """Return what the open alarms say."""
        return [one.message for one in self.read(TENANT, alarms.list_alarms, self.house.manager).items]


@pytest.fixture
def beat(database: Database, clock: FakeClock) -> Beat:
    return Beat(database, clock)


def test_a_round_is_whole_when_every_tag_was_read_within_its_time(beat: Beat, clock: FakeClock) -> None:
    states = beat.states()
    beat.mark(0)
    beat.mark(0)
    beat.mark(1)
    states += beat.states()
    clock.advance(minutes=40)

    assert states == [RoundState.UNDER_WAY, RoundState.DONE]
    assert [beat.work(TENANT, patrols.judge), beat.work(TENANT, patrols.judge)] == [1, 0]
    assert beat.open_alarms() == []


def test_a_place_nobody_was_at_is_an_alarm_once_and_the_next_whole_round_ends_it(
    beat: Beat, clock: FakeClock
) -> None:
    beat.mark(1)
    clock.advance(minutes=29, s=1)
    beat.mark(0)  # too late for this round

    assert [beat.work(TENANT, patrols.judge), beat.work(TENANT, patrols.judge)] == [1, 0]
    [message] = beat.open_alarms()
    assert message.startswith("夜巡 ")
    assert message.endswith(": 泵房")
    clock.advance(days=1, minutes=-29)
    beat.mark(0)
    beat.mark(1)
    clock.advance(minutes=31)
    assert beat.work(TENANT, patrols.judge) == 1
    assert beat.open_alarms() == []
    ended = beat.read(
        TENANT, alarms.list_alarms, beat.house.manager, None, frozenset({AlarmState.CLEARED})
    ).items
    assert [one.kind for one in ended] == ["patrol_missed"]


def test_what_fits_no_route_is_refused(beat: Beat) -> None:
    manager, site_id = beat.house.manager, beat.house.site_id
    with pytest.raises(NotFound, match="no checkpoint has this tag"):
        beat.work(TENANT, patrols.mark, beat.guard, site_id, "made-up")
    with pytest.raises(Forbidden):
        beat.read(TENANT, patrols.list_routes, beat.guard, site_id)
    for starts, minutes in (([], 30), ([1440], 30), ([60], 4), ([60], 481)):
        with pytest.raises(Invalid):
            beat.work(
                TENANT, patrols.add_route, manager, site_id, "x", _EVERY_DAY, starts, minutes, [("a", None)]
            )
    beat.work(TENANT, patrols.end_route, manager, beat.route.route_id)
    with pytest.raises(NotFound):
        beat.mark(0)
