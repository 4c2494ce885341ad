"""Rules about conditions that last, over time and over several points; each survives a restart."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import pytest

from edge.rule import Rule, RuleScope
from edge.rules import RULES, load_rules
from protocol.event import Event
from protocol.quantity import MICRO, quantity_named
from provisioning.config import RuleEntry
from provisioning.strict import Malformed
from tests.edge.building_blocks import MIDNIGHT_MS, reading

POWER = "em-pump/active_power"
WATER = "wm-101/water_volume"
SCOPE = RuleScope(
    {
        POWER: quantity_named("active_power"),
        "em-pump/voltage": quantity_named("voltage"),
        WATER: quantity_named("water_volume"),
    },
    ZoneInfo("Asia/Shanghai"),
)


def rule(kind: str, **settings: object) -> Rule:
    return RULES[kind](RuleEntry("r", kind, settings), SCOPE)


def told(events: Sequence[Event]) -> list[str]:
    return [event.state.value for event in events]


def fed(watching: Rule, key: str, values: Mapping[int, float | None]) -> list[tuple[int, str]]:
    """Feed values by minute; return (minute, state) of each event."""
    found: list[tuple[int, str]] = []
    for minute, value in values.items():
        micro = None if value is None else round(value * MICRO)
        at_ms = MIDNIGHT_MS + minute * 60_000
        found += [
            (minute, state) for state in told(watching.observe(reading(key, micro, at_ms), minute * 60_000))
        ]
    return found


def restarted(before: Rule, after: Rule) -> Rule:
    after.restore(before.state())
    return after


def test_a_rule_may_count_only_in_some_hours() -> None:
    during = {"from": "22:00", "to": "06:00", "days": ["tue"]}
    watching = rule("threshold", points=[POWER], above="15", during=during)

    # 2026-09-01 is a Tuesday; its night ends on Wednesday at six.
    hours = {h * 60: 20 for h in (0, 5, 12, 21, 22, 23, 24, 29, 30, 31)}

    assert fed(watching, POWER, hours) == [(22 * 60, "raised"), (30 * 60, "cleared")]


def test_hours_within_a_day_need_no_midnight() -> None:
    watching = rule("threshold", points=[POWER], above="15", during={"from": "08:00", "to": "18:00"})

    assert fed(watching, POWER, {h * 60: 20 for h in range(24)}) == [(8 * 60, "raised"), (18 * 60, "cleared")]


def test_a_fast_fall_is_told_with_its_rate_and_a_slow_one_is_not() -> None:
    watching = rule("rate_of_change", points=["em-pump/voltage"], falls_per_min="5", over_s=60)

    assert fed(watching, "em-pump/voltage", {0: 230, 1: 228, 2: 222, 3: 216, 4: 215, 5: 240}) == [
        (2, "raised"),
        (4, "cleared"),
    ]


def test_a_rate_is_measured_over_the_time_that_passed() -> None:
    watching = rule("rate_of_change", points=["em-pump/voltage"], rises_per_min="5")

    assert fed(watching, "em-pump/voltage", {0: 200, 1: None, 10: 240, 11: 246}) == [(11, "raised")]


def test_a_value_that_stands_still_while_it_should_move_is_stuck_until_it_moves() -> None:
    watching = rule("stuck", points=[WATER], after_s=1800, while_point=POWER, while_above="0.5")
    events: list[tuple[int, str]] = []
    for minute in range(0, 181, 10):
        pump = 2.0 if minute < 100 else 0.0
        events += fed(watching, POWER, {minute: pump})
        events += fed(watching, WATER, {minute: 5.0 if 60 <= minute < 150 else 5.0 + minute})

    # It moves until 50, stands at 5 from 60 on, and moves again at 150; the pump stops at 100.
    assert events == [(90, "raised"), (150, "cleared")]


def test_without_a_companion_any_standing_still_counts_and_survives_a_restart() -> None:
    before = rule("stuck", points=[WATER], after_s=600)
    assert fed(before, WATER, {0: 1, 5: 1, 10: 1}) == [(10, "raised")]

    after = restarted(before, rule("stuck", points=[WATER], after_s=600))

    assert fed(after, WATER, {20: 1, 30: 1, 40: 2}) == [(40, "cleared")]


def test_water_that_never_pauses_is_told_and_the_first_pause_ends_it() -> None:
    watching = rule("continuous_flow", points=["wm-*/water_volume"], for_h=4, pause_min=30, minimum_m3="0.1")
    litres = {minute: 100 + minute * 0.002 for minute in range(0, 301, 10)}
    pause = dict.fromkeys(range(310, 400, 10), 100.6)

    assert fed(watching, WATER, litres | pause) == [(240, "raised"), (340, "cleared")]


def test_a_household_that_pauses_or_a_meter_that_creeps_is_no_continuous_flow() -> None:
    pausing = rule("continuous_flow", points=[WATER], for_h=2, minimum_m3="0.1")
    creeping = rule("continuous_flow", points=[WATER], for_h=2, minimum_m3="0.1")
    used = {minute: 100 + (minute // 60) * 0.5 + min(minute % 60, 20) * 0.01 for minute in range(0, 600, 5)}

    assert fed(pausing, WATER, used) == []
    assert fed(creeping, WATER, {minute: 100 + minute * 0.00001 for minute in range(0, 600, 5)}) == []


def test_a_continuous_flow_survives_a_short_restart() -> None:
    def fresh() -> Rule:
        return rule("continuous_flow", points=[WATER], for_h=4, minimum_m3="0.1")

    before = fresh()
    fed(before, WATER, {minute: 100 + minute * 0.002 for minute in range(0, 201, 10)})

    after = restarted(before, fresh())

    assert fed(after, WATER, {minute: 100 + minute * 0.002 for minute in range(210, 300, 10)}) == [
        (240, "raised")
    ]


def test_each_multiple_of_hours_run_is_told_once_and_outages_are_not_run() -> None:
    watching = rule("run_hours", points=[POWER], on_above="0.2", every_h=2)
    running = dict.fromkeys(range(0, 181, 10), 1.0)
    silence = {1000: 1.0}  # for hours nobody knew whether it ran
    again = dict.fromkeys(range(1010, 1081, 10), 1.0)

    events = fed(watching, POWER, running | silence | again)

    assert events == [(120, "occurred"), (1060, "occurred")]


def test_run_hours_survive_a_restart_and_a_devices_own_counter_is_taken_as_it_is() -> None:
    scope = RuleScope(
        {"lift-1/run_time": quantity_named("run_time"), POWER: SCOPE.points[POWER]}, SCOPE.time_zone
    )

    def fresh(key: str) -> Rule:
        return RULES["run_hours"](RuleEntry("r", "run_hours", {"points": [key], "every_h": 100}), scope)

    lift = fresh("lift-1/run_time")
    assert fed(lift, "lift-1/run_time", {0: 1825.7, 10: 1899.9, 20: 1900.0}) == [(20, "occurred")]
    assert fed(restarted(lift, fresh("lift-1/run_time")), "lift-1/run_time", {30: 1950, 40: 2000}) == [
        (40, "occurred")
    ]


EXPRESSION_SCOPE = RuleScope(
    {POWER: quantity_named("active_power"), "lift-1/lift_mode": quantity_named("lift_mode")}, ZoneInfo("UTC")
)
POINTS = {"power": POWER, "mode": "lift-1/lift_mode"}


def expression(when: str, **settings: object) -> Rule:
    entry = RuleEntry("r", "expression", {"points": POINTS, "when": when, **settings})
    return RULES["expression"](entry, EXPRESSION_SCOPE)


def test_an_expression_joins_points_and_knows_nothing_while_one_has_no_value() -> None:
    watching = expression("power > 15.0 && mode == 'normal'")
    mode, events = "lift-1/lift_mode", []
    for minute, (key, value) in enumerate(
        [(POWER, 20), (mode, 0), (POWER, None), (POWER, 21), (mode, 1), (mode, 0), (POWER, 3)]
    ):
        events += fed(watching, key, {minute: value})

    assert events == [(1, "raised"), (4, "cleared"), (5, "raised"), (6, "cleared")]


def test_an_expression_is_told_at_the_point_it_names() -> None:
    watching = expression("power > 15.0 || mode == 'fault'", at="lift-1/lift_mode")
    watching.observe(reading("lift-1/lift_mode", 0), 0)

    (event,) = watching.observe(reading(POWER, 20 * MICRO), 0)

    assert (event.point_key, event.value_micro) == ("lift-1/lift_mode", None)
    assert event.attributes == {"mode": "normal", "power": "20.0"}


def test_a_division_by_zero_is_not_known() -> None:
    watching = expression("100 / int(power) > 10 && mode == 'normal'")
    fed(watching, "lift-1/lift_mode", {0: 0})

    assert fed(watching, POWER, {1: 0, 2: 5, 3: 0, 4: 50}) == [(2, "raised"), (4, "cleared")]


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("power >", "when: Failed to parse"),
        ("powr > 1.0", "'powr' is none of the rule's points power, mode"),
        ("power > 'x'", "when: No such overload"),
        ("power + 1.0", "gives 2.0, expected true or false"),
        ("[1.0, 2.0].all(power, power > 0.0)", r"all\(…\) is not allowed"),
        ("mode.matches('(a+)+$')", "the function 'matches' is not allowed"),
        ("power > 1.0 || " * 40 + "false", "at most 500 are allowed"),
        ("(" * 21 + "power > 1.0" + ")" * 21, "nested deeper than 20"),
    ],
)
def test_an_expression_that_cannot_be_or_could_cost_too_much_is_refused(when: str, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        expression(when)


ABOVE = {"points": [POWER], "above": "1"}


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (
            "threshold",
            {"points": [POWER], "above": "1", "during": {"from": "25:00"}},
            "'25:00' is no time of day",
        ),
        (
            "threshold",
            {"points": [POWER], "above": "1", "during": {"days": ["son"]}},
            "'son' is none of mon, tue",
        ),
        (
            "threshold",
            {"points": [POWER], "above": "1", "during": {"to": "00:00"}},
            "leave during out for always",
        ),
        ("threshold", {"points": [POWER], "above": "1", "for_s": -1}, "for_s: -1 is negative"),
        ("rate_of_change", {"points": [POWER]}, "rises_per_min or falls_per_min: one of them"),
        (
            "rate_of_change",
            {"points": [POWER], "rises_per_min": "1", "over_s": 0},
            "over_s: 0 is not positive",
        ),
        ("stuck", {"points": [WATER], "after_s": 1, "while_point": "x/y"}, "there is no point 'x/y'"),
        ("stuck", {"points": [WATER], "after_s": 0}, "after_s: 0 is not positive"),
        ("continuous_flow", {"points": [POWER]}, "not a running total of m3"),
        ("continuous_flow", {"points": [WATER], "for_h": 0}, "both must be positive"),
        ("run_hours", {"points": [POWER], "every_h": 0}, "every_h: 0 is not positive"),
        ("expression", {"points": {"P": POWER}, "when": "true"}, "points.P: a name is lower case"),
        ("expression", {"points": {"p": "no/thing"}, "when": "true"}, "there is no point 'no/thing'"),
        ("expression", {"points": {"p": POWER, "q": POWER}, "when": "true"}, "has the name 'p' already"),
        ("expression", {"points": {"p": POWER}, "when": "true", "at": "a/b"}, "'a/b' is none of the rule's"),
    ],
)
def test_a_rule_of_a_later_kind_that_cannot_be_is_refused(
    kind: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(Malformed, match=message):
        load_rules([RuleEntry("r", kind, settings)], SCOPE)
