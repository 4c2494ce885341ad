"""The building's own door reader: people come to it, and what its panel does is seen in the building."""

from pathlib import Path

import pytest

from simulator.building import DEMO_READER_KEY
from simulator.simulation import Settings, Simulation
from tests.edge.test_osdp import DOOR, latest, listening, until
from tests.edge.test_panels import Disk
from tests.simulator.building import AT_MS

pytest.importorskip("osdp", reason="libosdp has no wheel for this machine")


def real_ms() -> int:
    return AT_MS


async def test_somebody_comes_to_the_reader_and_the_door_is_seen_to_open(tmp_path: Path) -> None:
    disk, key = Disk(), bytes.fromhex(DEMO_READER_KEY)
    async with (
        Simulation(Settings(has_door_reader=True), real_ms) as simulation,
        listening(str(simulation.places.doors_path), tmp_path, disk, key, DOOR) as listener,
    ):
        await until(lambda: latest(disk, "secure_channel"))
        await until(lambda: disk.events)
        await listener.switch(DOOR.device_id, is_on=True, for_ms=5_000)
        opened = simulation.building.values_micro("door-1", AT_MS)["lock_state"]
        closed = simulation.building.values_micro("door-1", AT_MS + 5_000)["lock_state"]

    assert [(event.kind, event.attributes["card_ends"]) for event in disk.events] == [("card_read", "…01")]
    assert (opened, closed) == (1_000_000, 0)
    assert [is_offline for name, is_offline in disk.notes if name == "reader-1"] == [False]


async def test_nobody_shows_a_card_to_a_reader_no_panel_listens_to() -> None:
    async with Simulation(Settings(has_door_reader=True), real_ms) as simulation:
        assert simulation.doors is not None
        with pytest.raises(ValueError, match="no panel talks"):
            simulation.doors.show(4_711_101)
