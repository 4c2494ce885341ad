"""A short torture in every test run, and a judge that is itself judged."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.torture.oracle import CloudReading, CloudState, violations
from tests.torture.run import torture

EPOCH = 17
PAYLOADS = {("history", EPOCH, 1): b"first block", ("history", EPOCH, 3): b"second block"}
ISSUED = {
    ("em-101", "voltage"): [(220_000_000, 1_000), (220_000_000, 61_000), (221_000_000, 121_000)],
    ("lock-1", "availability"): [(1_000_000, 500)],
}
ACCEPTED = {"history": 3, "event": 1}


def row(seq: int, value_micro: int | None, at_ms: int) -> CloudReading:
    return CloudReading("em-101/voltage", value_micro, at_ms, EPOCH, seq)


def availability(seq: int, value_micro: int) -> CloudReading:
    return CloudReading("lock-1/availability", value_micro, 300_000, EPOCH, seq)


WHOLE = CloudState(
    readings=[row(1, 220_000_000, 1_040), row(2, 220_000_000, 61_020), row(3, 221_000_000, 121_050)],
    event_rows=[(EPOCH, 1)],
    blocks={
        name: (last, hashlib.sha256(PAYLOADS[name]).digest())
        for name, last in ((("history", EPOCH, 1), 2), (("history", EPOCH, 3), 3))
    },
    acked_through={("history", EPOCH): 3, ("event", EPOCH): 1},
    problems=[],
    alarms_open_twice=[],
)


def judge(cloud: CloudState) -> list[str]:
    return violations(ISSUED, PAYLOADS, ACCEPTED, cloud)


def test_the_judge_finds_nothing_wrong_with_what_is_whole() -> None:
    assert judge(WHOLE) == []


def test_what_a_broker_retains_may_be_heard_again() -> None:
    heard_twice = [*WHOLE.readings, availability(4, 1_000_000), availability(5, 1_000_000)]
    acked = {("history", EPOCH): 5, ("event", EPOCH): 1}

    assert judge(replace(WHOLE, readings=heard_twice, acked_through=acked)) == []


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        pytest.param(replace(WHOLE, readings=WHOLE.readings[:2]), "accepted 3 rows, 2 came", id="lost-end"),
        pytest.param(
            replace(WHOLE, readings=[WHOLE.readings[0], WHOLE.readings[2]]),
            "rows are missing",
            id="lost-middle",
        ),
        pytest.param(
            replace(WHOLE, readings=[*WHOLE.readings, WHOLE.readings[2]]),
            "1 rows are there twice",
            id="doubled",
        ),
        pytest.param(
            replace(WHOLE, readings=[*WHOLE.readings, row(4, 221_000_000, 121_050)]),
            "not issued, or there twice",
            id="doubled-under-a-new-number",
        ),
        pytest.param(
            replace(WHOLE, readings=[*WHOLE.readings[:2], row(3, 222_000_000, 121_050)]),
            "not issued",
            id="other-value",
        ),
        pytest.param(
            replace(WHOLE, readings=[*WHOLE.readings[:2], row(3, 221_000_000, 181_050)]),
            "not issued",
            id="old-value-with-a-new-time",
        ),
        pytest.param(
            replace(WHOLE, readings=[*WHOLE.readings, availability(4, value_micro=0)]),
            "never issued",
            id="retained-value-never-said",
        ),
        pytest.param(replace(WHOLE, blocks={}), "lost: 2 committed blocks", id="block-lost"),
        pytest.param(
            replace(WHOLE, blocks=WHOLE.blocks | {("history", EPOCH, 3): (3, b"\0" * 32)}),
            "arrived with another content",
            id="block-changed",
        ),
        pytest.param(replace(WHOLE, event_rows=[]), "event: the edge accepted 1 rows, none", id="event-lost"),
        pytest.param(
            replace(WHOLE, event_rows=[(EPOCH, 1), (EPOCH + 1, 1)]), "event: 2 epochs", id="store-begun-anew"
        ),
        pytest.param(replace(WHOLE, problems=[("history", 3, "conflict")]), "could not take", id="problem"),
        pytest.param(replace(WHOLE, alarms_open_twice=[("7", "fire_alarm")]), "two open alarms", id="alarms"),
    ],
)
def test_the_judge_sees(cloud: CloudState, expected: str) -> None:
    found = judge(cloud)

    assert any(expected in violation for violation in found), found


def test_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    verdict = torture(tmp_path, edge_kills=3, cloud_kills=3, both_kills=2, seed=20260701)

    assert verdict.violations == []
    assert verdict.visible >= verdict.accepted["history"] > 0
    assert verdict.accepted["event"] > 0
