"""What the box decides by itself: fire first and for as long as it lasts, everything else once."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from edge.reactions import Phase, Reactions
from protocol.command import ACTION_RULES, Action, LocalAction, confirmed_by
from protocol.event import Event, EventState, Severity
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.config import DeviceId, Reaction, StateHeld
from provisioning.config_file import parse_config
from provisioning.strict import Malformed
from tests.edge.building_blocks import BUILDING, MIDNIGHT_MS

LOCK, VALVE, SIREN = DeviceId("lock-1"), DeviceId("wm-main"), DeviceId("siren-1")
RELEASE = Reaction(
    "release",
    frozenset({"fire_alarm"}),
    ("fire-*",),
    (LOCK,),
    LocalAction.DOOR_RELEASE,
    LocalAction.DOOR_RETURN,
)
WATER_ON = StateHeld("fire-1/fire_alarm", frozenset({1}), "the fire panel needs the water")
SHUT = Reaction("shut", frozenset({"water_leak"}), ("*",), (VALVE,), Action.VALVE_CLOSE, unless=WATER_ON)
SOUND = Reaction(
    "sound", frozenset({"water_leak"}), ("*",), (SIREN,), Action.RELAY_CLOSE, Action.RELAY_OPEN, at_most_s=180
)


def event(
    kind: str, key: str, state: EventState = EventState.RAISED, *, is_historical: bool = False
) -> Event:
    return Event(kind, state, Severity.CRITICAL, key, MIDNIGHT_MS, "", is_historical=is_historical)


def over(kind: str, key: str) -> Event:
    return event(kind, key, EventState.CLEARED)


FIRE = event("fire_alarm", "fire-1/fire_alarm_3")
LEAK = event("water_leak", "leak-1/water_leak")
QUIET = {"fire-1/fire_alarm": Reading("fire-1/fire_alarm", MIDNIGHT_MS, 0)}


def lock_reads(code: int) -> dict[str, Reading]:
    return {"lock-1/lock_state": Reading("lock-1/lock_state", MIDNIGHT_MS, code * MICRO)}


def asked(
    reactions: Reactions, now_ms: int, latest: dict[str, Reading] | None = None
) -> list[tuple[str, str]]:
    duties = reactions.due(now_ms, QUIET if latest is None else latest)
    return [(duty.device_id, duty.act.value) for duty in duties]


def obey(
    reactions: Reactions, now_ms: int, latest: dict[str, Reading] | None = None
) -> list[tuple[str, str]]:
    """Let every device do what it is asked."""
    found = asked(reactions, now_ms, latest)
    for duty in reactions.due(now_ms, QUIET if latest is None else latest):
        reactions.succeeded(duty, duty.act, now_ms)
    return found


def test_a_fire_releases_the_door_and_its_end_returns_it() -> None:
    reactions = Reactions([RELEASE])

    reactions.hear([FIRE], 0)
    begun = obey(reactions, 0)
    meanwhile = obey(reactions, 60_000, lock_reads(1))
    reactions.hear([over("fire_alarm", "fire-1/fire_alarm_3")], 61_000)
    ended = obey(reactions, 61_000, lock_reads(1))

    assert begun == [("lock-1", "door_release")]
    assert meanwhile == []
    assert ended == [("lock-1", "door_return")]
    assert asked(reactions, 62_000) == []


def test_the_door_stays_released_until_the_last_detector_is_quiet() -> None:
    reactions = Reactions([RELEASE])
    reactions.hear([FIRE, event("fire_alarm", "fire-1/fire_alarm_4")], 0)
    obey(reactions, 0)

    reactions.hear([over("fire_alarm", "fire-1/fire_alarm_3")], 1_000)

    assert asked(reactions, 1_000) == []
    assert reactions.refusal(LOCK, LocalAction.DOOR_RETURN)


def test_a_lock_that_relocks_by_itself_in_a_fire_is_released_again() -> None:
    reactions = Reactions([RELEASE])
    reactions.hear([FIRE], 0)
    obey(reactions, 0)

    assert asked(reactions, 1_000, lock_reads(0)) == [("lock-1", "door_release")]


def test_a_door_that_does_not_answer_is_asked_at_least_every_five_seconds_while_there_is_fire() -> None:
    reactions = Reactions([RELEASE])
    reactions.hear([FIRE], 0)
    asked_at = []

    for now_ms in range(0, 600_000, 1_000):
        for duty in reactions.due(now_ms, {}):
            asked_at.append(now_ms)
            reactions.failed(duty, now_ms)

    assert max(later - earlier for earlier, later in pairwise(asked_at)) <= 5_000
    assert len(asked_at) > 100


def test_a_valve_is_closed_once_and_whoever_opens_it_is_not_fought() -> None:
    reactions = Reactions([SHUT])
    reactions.hear([LEAK], 0)
    opened_by_hand = QUIET | {"wm-main/valve_state": Reading("wm-main/valve_state", MIDNIGHT_MS, 0)}

    assert obey(reactions, 0) == [("wm-main", "valve_close")]
    assert asked(reactions, 60_000, opened_by_hand) == []
    assert reactions.refusal(VALVE, Action.VALVE_OPEN) == ""


def test_a_valve_does_not_open_by_itself_when_it_is_dry_again() -> None:
    reactions = Reactions([SHUT])
    reactions.hear([LEAK], 0)
    obey(reactions, 0)

    reactions.hear([over("water_leak", "leak-1/water_leak")], 1_000)

    assert asked(reactions, 1_000) == []


@pytest.mark.parametrize(
    "panel",
    [
        pytest.param(Reading("fire-1/fire_alarm", MIDNIGHT_MS, MICRO), id="in alarm"),
        pytest.param(
            Reading("fire-1/fire_alarm", MIDNIGHT_MS, None, Quality.NO_REPLY, "silent"), id="silent"
        ),
        pytest.param(None, id="never read"),
    ],
)
def test_a_valve_waits_while_its_interlock_holds_or_is_not_known(panel: Reading | None) -> None:
    reactions = Reactions([SHUT])
    reactions.hear([LEAK], 0)

    assert asked(reactions, 0, {} if panel is None else {"fire-1/fire_alarm": panel}) == []
    assert asked(reactions, 5_000) == [("wm-main", "valve_close")]


def test_a_siren_ends_after_its_time_and_sounds_again_for_the_next_leak() -> None:
    reactions = Reactions([SOUND])
    reactions.hear([LEAK], 0)

    assert obey(reactions, 0) == [("siren-1", "relay_close")]
    assert obey(reactions, 179_000) == []
    assert obey(reactions, 180_000) == [("siren-1", "relay_open")]
    assert obey(reactions, 400_000) == []

    reactions.hear([event("water_leak", "leak-2/water_leak")], 500_000)
    assert obey(reactions, 500_000) == [("siren-1", "relay_close")]


def test_fire_goes_before_a_leak_that_wants_the_same_device_otherwise() -> None:
    open_water = Reaction("water", frozenset({"fire_alarm"}), ("*",), (VALVE,), Action.VALVE_OPEN)
    leak_only = Reaction("shut", frozenset({"water_leak"}), ("*",), (VALVE,), Action.VALVE_CLOSE)
    reactions = Reactions([leak_only, open_water])
    reactions.hear([LEAK], 0)
    obey(reactions, 0)

    reactions.hear([FIRE], 1_000)
    begun = obey(reactions, 1_000)
    refusal = reactions.refusal(VALVE, Action.VALVE_CLOSE)
    reactions.hear([event("water_leak", "leak-2/water_leak")], 2_000)

    assert begun == [("wm-main", "valve_open")]
    assert "valve_open holds while there is fire_alarm" in refusal
    assert asked(reactions, 2_000) == []


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(event("fire_alarm", "fire-1/x", EventState.OCCURRED), id="only happened"),
        pytest.param(event("fire_alarm", "fire-1/x", is_historical=True), id="of the past"),
        pytest.param(event("system_fault", "fire-1/x"), id="another kind"),
        pytest.param(event("fire_alarm", "alarm-1/zone-1"), id="another place"),
    ],
)
def test_what_is_not_meant_moves_nothing(told: Event) -> None:
    reactions = Reactions([RELEASE])

    reactions.hear([told], 0)

    assert asked(reactions, 0) == []


def restarted(before: Reactions, reactions: Sequence[Reaction]) -> Reactions:
    after = Reactions(reactions)
    after.restore(before.state())
    return after


def test_after_a_restart_in_a_fire_the_door_is_released_anew() -> None:
    before = Reactions([RELEASE])
    before.hear([FIRE], 0)
    obey(before, 0)

    after = restarted(before, [RELEASE])

    assert asked(after, 0) == [("lock-1", "door_release")]
    after.hear([over("fire_alarm", "fire-1/fire_alarm_3")], 1)
    assert asked(after, 1) == [("lock-1", "door_return")]


def test_after_a_restart_a_valve_that_was_closed_is_left_alone_and_one_that_was_not_is_closed() -> None:
    done, waiting = Reactions([SHUT]), Reactions([SHUT])
    for reactions in (done, waiting):
        reactions.hear([LEAK], 0)
    obey(done, 0)

    assert asked(restarted(done, [SHUT]), 0) == []
    assert asked(restarted(waiting, [SHUT]), 0) == [("wm-main", "valve_close")]


def test_a_siren_cut_off_by_a_restart_still_ends() -> None:
    before = Reactions([SOUND])
    before.hear([LEAK], 0)
    obey(before, 0)

    after = restarted(before, [SOUND])

    assert asked(after, 1_000_000) == []
    assert asked(after, 1_180_000) == [("siren-1", "relay_open")]


def test_an_end_that_comes_while_the_device_is_asked_is_not_lost() -> None:
    reactions = Reactions([SOUND])
    reactions.hear([LEAK], 0)
    (duty,) = reactions.due(0, QUIET)
    act = duty.act

    reactions.hear([over("water_leak", "leak-1/water_leak")], 1)
    reactions.succeeded(duty, act, 2)

    assert duty.phase is Phase.END_DUE
    assert asked(reactions, 2) == [("siren-1", "relay_open")]


def test_a_changed_configuration_follows_what_stands_already() -> None:
    reactions = Reactions([SHUT])
    reactions.hear([LEAK, FIRE], 0)
    obey(reactions, 0)

    reactions.change([SHUT, RELEASE])
    reactions.align({("fire_alarm", "fire-1/fire_alarm_3"), ("water_leak", "leak-1/water_leak")}, 1_000)

    assert asked(reactions, 1_000) == [("lock-1", "door_release")]


def test_what_nobody_watches_any_more_ends_with_the_change() -> None:
    reactions = Reactions([RELEASE])
    reactions.hear([FIRE], 0)
    obey(reactions, 0)

    reactions.change([RELEASE])
    reactions.align(set(), 1_000)

    assert asked(reactions, 1_000) == [("lock-1", "door_return")]


def test_no_command_can_name_a_lock_being_locked_nor_what_only_the_box_decides() -> None:
    words = {action.value for action in Action}

    assert not [word for word in words if "lock" in word and word != "door_unlock"]
    assert not words & {action.value for action in LocalAction}
    assert [
        rule.confirmed_by for action, rule in ACTION_RULES.items() if "lock_state" in str(rule.confirmed_by)
    ] == [("lock_state", "unlocked")]
    assert confirmed_by(LocalAction.DOOR_RETURN) is None


# The configuration

GOOD = """
[[reactions]]
id = "fire-release"
on = ["fire_alarm"]
devices = ["lock-1"]
act = "door_release"

[[reactions]]
id = "leak"
on = ["water_leak"]
at = ["leak-1/*"]
devices = ["wm-101"]
act = "valve_close"
unless = { point = "fire-1/fire_alarm_1", when = ["alarm"], reason = "water stays on" }
"""


def test_reactions_are_read_from_the_file() -> None:
    config = parse_config(BUILDING.read_text(encoding="utf-8") + GOOD, BUILDING)

    release, leak = config.reactions
    assert (release.act, release.ends) == (LocalAction.DOOR_RELEASE, LocalAction.DOOR_RETURN)
    assert (leak.act, leak.ends, leak.unless.codes if leak.unless else None) == (
        Action.VALVE_CLOSE,
        None,
        frozenset({1}),
    )


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        pytest.param(
            '"door_release"',
            '"door_lock"',
            "act: 'door_lock' is none of alarm_picture, door_release,",
            id="locking",
        ),
        pytest.param('"lock-1"', '"lock-9"', "devices: there is no device 'lock-9'", id="device"),
        pytest.param('"lock-1"', '"lift-1"', "lift-1 (lift_gateway) has no lock_state", id="a lift"),
        pytest.param(
            '"door_release"',
            '"door_release"\nunless = { point = "fire-1/fire_alarm_1", when = ["alarm"], reason = "x" }',
            "unless: nothing may hold back what a fire",
            id="fire with an interlock",
        ),
        pytest.param(
            '"door_release"', '"door_release"\nat_most_s = 60', "at_most_s: only relay_close", id="time"
        ),
        pytest.param('"wm-101"', '"em-101"', "em-101 (dlt645_single_phase) has no valve_state", id="valve"),
        pytest.param('["alarm"]', '["fire"]', "unless.when: 'fire' is none of normal, alarm", id="code"),
        pytest.param(
            '"leak"\non', '"fire-release"\non', "reactions: the id 'fire-release' is used", id="id twice"
        ),
        pytest.param(
            'id = "fire-release"',
            'id = "dry"\non = ["stale"]\ndevices = ["wm-101"]\nact = "valve_open"\n'
            '[[reactions]]\nid = "fire-release"',
            "'dry' and 'leak' want valve_open and valve_close of wm-101",
            id="both ways",
        ),
    ],
)
def test_a_reaction_that_cannot_be_is_refused_by_key(written: str, instead: str, told: str) -> None:
    text = BUILDING.read_text(encoding="utf-8") + GOOD.replace(written, instead, 1)

    with pytest.raises(Malformed) as refused:
        parse_config(text, Path("edge.toml"))

    assert told in str(refused.value)
