"""The building's clock follows, hurries or stands."""

import pytest

from simulator.clock import Clock


class RealTime:
    now_ms = 1_000

    def __call__(self) -> int:
        return self.now_ms


def test_a_new_clock_follows_real_time() -> None:
    real = RealTime()
    clock = Clock(real)

    real.now_ms = 5_000

    assert clock.now_ms() == 5_000
    assert not clock.is_standing


def test_a_standing_clock_moves_only_when_set() -> None:
    real = RealTime()
    clock = Clock(real)

    clock.stand_at(77)
    real.now_ms = 9_000

    assert clock.now_ms() == 77
    assert clock.is_standing


def test_a_hurrying_clock_multiplies_what_passes() -> None:
    real = RealTime()
    clock = Clock(real)

    clock.follow(factor=60.0, from_ms=100_000)
    real.now_ms += 1_000

    assert clock.now_ms() == 160_000


def test_following_without_a_start_returns_to_the_present() -> None:
    real = RealTime()
    clock = Clock(real)
    clock.stand_at(77)

    clock.follow()

    assert clock.now_ms() == real.now_ms


@pytest.mark.parametrize("factor", [0.0, -1.0, 100_001.0])
def test_a_factor_out_of_bounds_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="clock factor"):
        Clock(RealTime()).follow(factor=factor)
