"""Rules: each raises once, clears once, and survives gaps and a restart."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import pytest

from edge.rule import Rule, RuleScope
from edge.rules import RULES, load_rules
from edge.rules.device_alarm import DeviceAlarm
from edge.rules.offline import DEVICE_OFFLINE, LINE_DOWN, Offline
from protocol.event import Event, EventState, Severity
from protocol.quantity import MICRO, quantity_named
from protocol.reading import Quality, Reading
from provisioning.config import RuleEntry
from provisioning.profile import AlarmWhen
from provisioning.strict import Malformed
from tests.edge.building_blocks import MIDNIGHT_MS, reading

SCOPE = RuleScope(
    {
        "em-pump/active_power": quantity_named("active_power"),
        "em-pump/voltage": quantity_named("voltage"),
        "em-101/active_energy_import": quantity_named("active_energy_import"),
        "wm-101/water_volume": quantity_named("water_volume"),
        "wm-102/water_volume": quantity_named("water_volume"),
    },
    ZoneInfo("Asia/Shanghai"),
)
POWER = "em-pump/active_power"
WATER = "wm-101/water_volume"
HOUR_MS = 3_600_000


def rule(kind: str, **settings: object) -> Rule:
    return RULES[kind](RuleEntry("r", kind, settings), SCOPE)


def told(events: Sequence[Event]) -> list[str]:
    return [event.state.value for event in events]


def feed(
    watching: Rule, key: str, values: Mapping[int, int | None], start_ms: int = 0
) -> list[tuple[int, str]]:
    """Feed values by second; return (second, state) of each event."""
    found: list[tuple[int, str]] = []
    for second, value in values.items():
        micro = None if value is None else value * MICRO
        events = watching.observe(reading(key, micro, MIDNIGHT_MS + second * 1000), second * 1000)
        found += [(second, state) for state in told(events)]
    return found


def test_a_threshold_raises_after_its_duration_and_clears_inside_its_margin() -> None:
    watching = rule("threshold", points=[POWER], above="15", hysteresis="1", for_s=30)

    events = feed(
        watching, POWER, {0: 10, 10: 16, 20: 17, 39: 16, 40: 16, 50: 18, 60: 15, 70: 14, 80: 13, 90: 14}
    )

    assert events == [(40, "raised"), (70, "cleared")]


def test_a_short_peak_is_no_event() -> None:
    watching = rule("threshold", points=[POWER], above="15", for_s=30)

    assert feed(watching, POWER, {0: 16, 20: 16, 25: 14, 30: 16, 50: 16, 59: 16}) == []


def test_a_reading_without_a_value_neither_raises_nor_clears() -> None:
    watching = rule("threshold", points=[POWER], above="15")

    assert feed(watching, POWER, {0: None, 1: 16, 2: None, 3: None, 4: 10}) == [(1, "raised"), (4, "cleared")]


def test_below_and_above_make_a_band() -> None:
    watching = rule("threshold", points=["em-pump/voltage"], above="235", below="198", hysteresis="2")

    events = feed(watching, "em-pump/voltage", {0: 220, 1: 197, 2: 199, 3: 200, 4: 236, 5: 234, 6: 233})

    assert events == [(1, "raised"), (3, "cleared"), (4, "raised"), (6, "cleared")]


def test_a_threshold_takes_up_its_duration_after_a_restart() -> None:
    before = rule("threshold", points=[POWER], above="15", for_s=30)
    feed(before, POWER, {0: 16, 20: 16})
    after = rule("threshold", points=[POWER], above="15", for_s=30)
    after.restore(before.state())

    # monotonic time begins anew, the time without us does not count
    assert feed(after, POWER, {1000: 16, 1009: 16, 1010: 16}) == [(1010, "raised")]


def test_a_raised_threshold_is_not_raised_again_after_a_restart() -> None:
    before = rule("threshold", points=[POWER], above="15")
    feed(before, POWER, {0: 16})
    after = rule("threshold", points=[POWER], above="15")
    after.restore(before.state())

    assert feed(after, POWER, {0: 16, 1: 10}) == [(1, "cleared")]


def test_a_silent_point_is_stale_once_and_clear_with_its_next_value() -> None:
    watching = rule("stale", points=["em-101/*"], after_s=60)
    key = "em-101/active_energy_import"
    events: list[tuple[int, str]] = []
    for second in range(0, 200, 10):
        if second in (0, 150):
            events += [(second, state) for state in told(watching.observe(reading(key, 1), second * 1000))]
        if second == 40:
            watching.observe(reading(key, None), 40_000)  # a failure is no value
        events += [(second, state) for state in told(watching.tick(second * 1000, MIDNIGHT_MS))]

    assert events == [(60, "raised"), (150, "cleared")]


def test_a_point_never_heard_is_stale_after_its_time_from_the_start() -> None:
    watching = rule("stale", points=["em-101/*"], after_s=60)

    assert told(watching.tick(1_000_000, 0)) == []
    assert told(watching.tick(1_059_000, 0)) == []
    assert told(watching.tick(1_060_000, 0)) == ["raised"]


def test_a_stale_point_is_cleared_after_a_restart() -> None:
    before = rule("stale", points=["em-101/*"], after_s=60)
    before.tick(0, 0)
    before.tick(60_000, 0)
    after = rule("stale", points=["em-101/*"], after_s=60)
    after.restore(before.state())

    assert told(after.tick(0, 0)) == []
    assert told(after.observe(reading("em-101/active_energy_import", 1), 1000)) == ["cleared"]


def night(watching: Rule, litres_by_hour: Mapping[int, int], day: int = 0) -> list[str]:
    """Feed hourly readings of a meter that stands at so many litres at each local hour."""
    events: list[str] = []
    for hour, litres in litres_by_hour.items():
        at_ms = MIDNIGHT_MS + day * 24 * HOUR_MS + hour * HOUR_MS
        events += told(watching.observe(reading(WATER, litres * 1000, at_ms), at_ms))
    return events


def test_water_that_runs_through_the_night_is_a_leak_and_a_dry_hour_ends_it() -> None:
    watching = rule("leak", points=["wm-*/water_volume"], minimum_m3="0.03")

    assert night(watching, {0: 0, 2: 100, 3: 110, 4: 121, 5: 133, 6: 140}) == ["raised"]
    assert night(watching, {2: 500, 3: 510, 4: 520, 5: 540}, day=1) == []  # still: told once
    assert night(watching, {2: 700, 3: 710, 4: 710, 5: 740}, day=2) == ["cleared"]


@pytest.mark.parametrize(
    "litres",
    [
        pytest.param({2: 100, 3: 110, 4: 110, 5: 150}, id="an hour without flow"),
        pytest.param({2: 100, 3: 105, 4: 110, 5: 115}, id="less than the minimum"),
        pytest.param({2: 100, 3: 150, 5: 250}, id="an hour not read proves nothing"),
        pytest.param({3: 100, 4: 150, 5: 250}, id="the night begun too late"),
    ],
)
def test_a_night_without_proof_is_no_leak(litres: Mapping[int, int]) -> None:
    assert night(rule("leak", points=["wm-*/water_volume"]), litres) == []


def test_a_night_under_way_survives_a_restart() -> None:
    before = rule("leak", points=["wm-*/water_volume"])
    night(before, {2: 100, 3: 120})
    after = rule("leak", points=["wm-*/water_volume"])
    after.restore(before.state())

    assert night(after, {4: 140, 5: 160}) == ["raised"]


def test_doubtful_and_unsynchronised_readings_are_no_evidence_of_a_leak() -> None:
    watching = rule("leak", points=["wm-*/water_volume"])
    for hour, litres in {2: 100, 3: 110, 4: 121, 5: 133}.items():
        doubtful = Reading(WATER, MIDNIGHT_MS + hour * HOUR_MS, litres * 1000, Quality.SUSPECT, "doubted")
        assert watching.observe(doubtful, 0) == ()


def fire_alarm() -> DeviceAlarm:
    alarm = AlarmWhen(frozenset({1}), "fire_alarm", Severity.CRITICAL, "fire panel reports fire")
    return DeviceAlarm({"fire-1/fire_alarm": alarm})


def test_the_devices_own_alarm_is_told_by_its_word_and_silence_says_nothing() -> None:
    watching = fire_alarm()

    events = feed(watching, "fire-1/fire_alarm", {0: 0, 1: 1, 2: 1, 3: None, 4: 1, 5: 0, 6: 0})

    assert events == [(1, "raised"), (5, "cleared")]


def test_the_devices_alarm_survives_a_restart() -> None:
    before = fire_alarm()
    (raised,) = before.observe(reading("fire-1/fire_alarm", MICRO), 0)
    after = fire_alarm()
    after.restore(before.state())

    assert (raised.kind, raised.severity, raised.rule_id) == ("fire_alarm", Severity.CRITICAL, "")
    assert feed(after, "fire-1/fire_alarm", {0: 1, 1: 0}) == [(1, "cleared")]


def test_a_device_is_told_offline_once_and_back_once() -> None:
    watching = Offline()

    def note(*, is_offline: bool) -> list[str]:
        return told(watching.note(DEVICE_OFFLINE, "em-101", is_offline=is_offline, reason="silent", at_ms=1))

    assert note(is_offline=False) == []
    assert note(is_offline=True) == ["raised"]
    assert note(is_offline=True) == []
    after = Offline()
    after.restore(watching.state())
    (back,) = after.note(DEVICE_OFFLINE, "em-101", is_offline=False, reason="", at_ms=2)
    assert (back.state, back.point_key) == (EventState.CLEARED, "em-101/availability")


def test_a_line_that_is_down_is_graver_than_a_device() -> None:
    (event,) = Offline().note(LINE_DOWN, "bus-1", is_offline=True, reason="no such port", at_ms=1)

    assert (event.kind, event.severity, event.message) == ("line_down", Severity.MAJOR, "no such port")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("threshold", {"points": [POWER]}, "above or below: one of them is required"),
        ("threshold", {"points": [POWER], "above": "1", "below": "2"}, "must be less than above"),
        ("threshold", {"points": [POWER], "above": "x"}, "'x' is not a decimal number"),
        ("threshold", {"points": [POWER], "above": "0.0000001"}, "at most six decimals"),
        ("threshold", {"points": ["nothing/*"], "above": "1"}, "no point matches 'nothing/\\*'"),
        ("threshold", {"points": [], "above": "1"}, "a rule needs at least one"),
        ("threshold", {"points": [POWER], "above": "1", "hysterese": "1"}, "did you mean 'hysteresis'"),
        ("threshold", {"points": [POWER], "above": "1", "severity": "bad"}, "'bad' is none of info"),
        ("stale", {"points": [POWER], "after_s": 0}, "after_s: 0 is not positive"),
        ("leak", {"points": [POWER]}, "not a running total of m3"),
        ("leak", {"points": [WATER], "from_hour": 5, "to_hour": 2}, "not two rising hours"),
        ("lek", {"points": [WATER]}, "kind 'lek' is none of"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_key(
    kind: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(Malformed, match=message):
        load_rules([RuleEntry("r", kind, settings)], SCOPE)
