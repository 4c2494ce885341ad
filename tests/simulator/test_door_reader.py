"""The simulated door reader and the gateway's side of the line understand each other."""

import asyncio
from pathlib import Path

import pytest

from edge.actuators.osdp_door import OsdpDoor
from protocol.command import LocalAction
from protocol.quantity import MICRO
from simulator.door_reader import reader_on_a_line
from tests.edge.test_osdp import CARD, DOOR, KEY, latest, listening, until
from tests.edge.test_panels import Disk

pytest.importorskip("osdp", reason="libosdp has no wheel for this machine")


async def test_a_card_a_tamper_and_a_release_go_over_the_line(tmp_path: Path) -> None:
    disk, told = Disk(), []
    link = tmp_path / "doors"
    with reader_on_a_line(link, 5, KEY, told.append) as reader:
        async with listening(str(link), tmp_path, disk, KEY, DOOR) as listener:
            await until(lambda: latest(disk, "secure_channel") == MICRO)
            reader.show_card(CARD)
            await until(lambda: disk.events and "beep" in told)
            reader.open_case(is_open=True)
            await until(lambda: latest(disk, "tamper") == MICRO)
            await OsdpDoor(DOOR, listener).act(LocalAction.DOOR_RELEASE, {})
            await asyncio.sleep(0)

    assert [event.kind for event in disk.events] == ["card_read"]
    assert told[-3:] == ["lock on", "light", "text 'EXIT OPEN'"]
    assert not link.is_symlink()
