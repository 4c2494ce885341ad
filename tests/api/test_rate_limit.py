"""Waiting after too many attempts: how much at once, how long, and whether it ends."""

import pytest

from cloud.domain.errors import Invalid
from cloud.domain.rate_limit import (
    INTERVAL_MAX_MS,
    SIGN_IN_PER_LOGIN,
    SIGN_IN_PER_PAIR,
    Limit,
    Spent,
    failed,
    succeeded,
    take,
)


def test_a_burst_passes_and_the_next_waits_one_interval() -> None:
    spent = Spent()
    for _ in range(5):
        taken = take(SIGN_IN_PER_LOGIN, spent, 1_000_000)
        assert taken.wait_ms == 0
        spent = taken.spent

    sixth = take(SIGN_IN_PER_LOGIN, spent, 1_000_000)

    assert sixth.wait_ms == 12_000
    assert sixth.spent == spent
    assert take(SIGN_IN_PER_LOGIN, spent, 1_011_999).wait_ms == 1
    assert take(SIGN_IN_PER_LOGIN, spent, 1_012_000).wait_ms == 0


def test_the_wait_doubles_with_each_failure_past_the_forgiven_ones() -> None:
    now_ms, spent, waits_ms = 1_000_000, Spent(), []
    for _ in range(12):
        taken = take(SIGN_IN_PER_PAIR, spent, now_ms)
        waits_ms.append(taken.wait_ms)
        now_ms += taken.wait_ms
        spent = failed(take(SIGN_IN_PER_PAIR, spent, now_ms).spent)

    assert waits_ms[:5] == [0] * 5
    assert waits_ms[5:] == sorted(waits_ms[5:])
    assert waits_ms[-1] > 60_000


def test_the_wait_never_passes_its_ceiling() -> None:
    spent = Spent(due_at_ms=0, failures=1_000)

    first = take(SIGN_IN_PER_PAIR, spent, 10_000_000)
    second = take(SIGN_IN_PER_PAIR, first.spent, 10_000_000)

    assert first.wait_ms == 0
    assert second.wait_ms == INTERVAL_MAX_MS


def test_success_gives_the_attempt_back_and_forgets_failures() -> None:
    spent = Spent(due_at_ms=1_000_000, failures=3)
    taken = take(SIGN_IN_PER_PAIR, spent, 1_000_000)

    after = succeeded(SIGN_IN_PER_PAIR, taken.spent)

    assert after == Spent(due_at_ms=1_000_000, failures=0)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="burst 0"):
        Limit("nobody", burst=0, interval_ms=1)
