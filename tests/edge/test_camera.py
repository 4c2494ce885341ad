"""A camera as the box asks it: over real sockets, by SOAP and HTTP digest, found by WS-Discovery."""

import time
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from edge.camera import Camera
from edge.discovery import find_cameras
from edge.errors import NoReply
from protocol import onvif
from protocol.errors import Refused
from simulator.cameras import Camera as SimulatedCamera
from simulator.cameras import CameraMake, Discovery
from simulator.clock import Clock
from simulator.scenes import SIZE, View
from simulator.simulation import Settings, Simulation
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock

CREDENTIAL = onvif.Credential("gatehouse", "lobby & <gate>")
LOBBY = CameraMake("cam-1", View("1 号楼大堂", "lobby"), "IPC-T3", CREDENTIAL)


@pytest.fixture
async def lobby() -> AsyncIterator[SimulatedCamera]:
    camera = SimulatedCamera(LOBBY, Clock(lambda: MIDNIGHT_MS), "127.0.0.1")
    await camera.open()
    yield camera
    await camera.close()


async def test_a_camera_says_what_it_is_and_gives_its_picture(lobby: SimulatedCamera) -> None:
    async with Camera(lobby.address, CREDENTIAL, ToldClock()) as camera:
        state = await camera.look()
        picture = await camera.picture()

    assert (state.information.model, state.information.firmware) == ("IPC-T3", "5.7.12")
    with Image.open(BytesIO(picture)) as shown:
        assert (shown.format, shown.size) == ("JPEG", SIZE)


async def test_a_wrong_clock_is_seen_and_does_not_keep_us_from_the_picture(lobby: SimulatedCamera) -> None:
    lobby.clock_offset_ms = -86_400_000  # its battery was empty: yesterday

    async with Camera(lobby.address, CREDENTIAL, ToldClock()) as camera:
        state = await camera.look()
        await camera.picture()

    assert abs(state.ahead_ms + 86_400_000) < 1_000


async def test_who_does_not_know_the_password_gets_neither_word_nor_picture(lobby: SimulatedCamera) -> None:
    stranger = onvif.Credential("gatehouse", "guessed")

    async with Camera(lobby.address, stranger, ToldClock()) as camera:
        with pytest.raises(Refused, match="does not know this user"):
            await camera.look()
        with pytest.raises(Refused, match="does not know this user"):
            await camera.picture()

    assert lobby.pictures_given == 0


async def test_a_camera_that_is_gone_is_no_reply(lobby: SimulatedCamera) -> None:
    await lobby.close()

    async with Camera(lobby.address, CREDENTIAL, ToldClock()) as camera:
        with pytest.raises(NoReply, match=r"127\.0\.0\.1"):
            await camera.look()


async def test_an_address_elsewhere_is_asked_of_the_camera_itself(
    lobby: SimulatedCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = lobby.address.rpartition(":")[2]
    elsewhere = f"http://admin:1@192.0.2.99:{port}/onvif/snapshot/main"
    monkeypatch.setattr(onvif, "read_snapshot_uri", lambda _: elsewhere)

    async with Camera(lobby.address, CREDENTIAL, ToldClock()) as camera:
        await camera.picture()

    assert lobby.pictures_given == 1


async def test_cameras_answer_a_probe_with_their_name_and_where_they_are(lobby: SimulatedCamera) -> None:
    dead = SimulatedCamera(
        CameraMake("cam-9", View("车库", "garage"), "IPC-T3", CREDENTIAL),
        Clock(lambda: time.time_ns() // 1_000_000),
        "127.0.0.1",
        is_dead=lambda: True,
    )
    discovery = Discovery([lobby, dead])
    port = await discovery.open("127.0.0.1", 0)
    try:
        found = await find_cameras("127.0.0.1", 0.6, port)
    finally:
        discovery.close()

    (match,) = found
    assert (match.name, match.hardware, match.endpoint) == ("1 号楼大堂", "IPC-T3", LOBBY.endpoint)
    assert match.addresses == (f"http://{lobby.address}/onvif/device_service",)


async def test_the_cameras_of_a_simulated_building_are_found_by_a_probe() -> None:
    settings = Settings(has_cameras=True, discovery_port=0)
    async with Simulation(settings, lambda: time.time_ns() // 1_000_000) as building:
        port = building.places.discovery_port
        assert port is not None
        found = await find_cameras("127.0.0.1", 0.6, port)
        hung = building.places.cameras

    assert len(hung) == 3
    told = sorted(address for match in found for address in match.addresses)
    assert told == sorted(f"http://{address}/onvif/device_service" for address in hung.values())
