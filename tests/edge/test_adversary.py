"""No lie on a bus becomes a value of another point; `make adversary` tells a million to each driver."""

import pytest

from edge.drivers import DRIVERS
from tests.edge.adversary import SITES, lie_to_the_drivers
from tests.edge.virtual_time import run_virtually

EXCHANGES = 4_000


@pytest.mark.parametrize("name", SITES)
def test_no_lie_on_the_bus_ever_becomes_a_value(name: str) -> None:
    site = SITES[name]()

    counts, wrong = run_virtually(lie_to_the_drivers(site, EXCHANGES, seed=645))

    assert wrong == []
    # The lies were told, and the truth still came through.
    told = [counts.late, counts.repeated, counts.foreign, *([] if site.is_tcp else [counts.damaged])]
    assert min(told) > EXCHANGES // 100
    assert counts.cancelled > 0
    assert counts.good > EXCHANGES // 4


def test_every_driver_is_lied_to() -> None:
    spoken = {device.profile.protocol for make in SITES.values() for device in make().devices}

    assert spoken == set(DRIVERS)
