"""How long a silent device is left alone."""

import random

import pytest

from edge.breaker import PAUSE_MAX_S, URGENT_PAUSE_MAX_S, Breaker


@pytest.mark.parametrize(
    ("pause_max_s", "longest_s"), [(PAUSE_MAX_S, 75.0), (URGENT_PAUSE_MAX_S, 30.0)], ids=["usual", "alarm"]
)
def test_a_silent_device_is_never_left_alone_for_longer_than_its_limit(
    pause_max_s: float, longest_s: float
) -> None:
    breaker, now = Breaker(random.Random(1), pause_max_s), 0.0
    pauses = []
    for _ in range(40):
        breaker.failed(now)
        pauses.append((breaker.retry_at or now) - now)
        now = breaker.retry_at or now

    assert max(pauses) <= longest_s
    assert max(pauses) > longest_s / 2
