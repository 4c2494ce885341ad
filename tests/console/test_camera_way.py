"""From a camera over its box and the gateways' door to the page somebody looks at: all of it real."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import aiohttp
from PIL import Image

from cloud.services import commands
from edge.actuators.camera import CameraShutter
from edge.buffer import Buffer
from edge.cameras import CameraListener
from edge.cloud_client import CloudClient
from edge.counters import CounterGuard
from edge.identity import open_identity
from edge.intake import Intake
from edge.picture_lane import PictureLane
from edge.pictures import PictureShelf
from edge.rules.offline import Offline
from protocol.command import Action
from provisioning.config import BufferSettings, DeviceId
from provisioning.identity import write_credential
from provisioning.lines import LineId, OnvifLine
from provisioning.profiles import load_profile
from simulator.building import DEMO_CAMERA_PASSWORD, DEMO_CAMERA_USER
from simulator.simulation import Settings, Simulation
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.console import garden
from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of
from tests.edge.building_blocks import device_of, rng
from tests.edge.test_local_outputs import FastClock

CAMERA = DeviceId("cam-2")
_IMAGE = re.compile(r'src="(/camera-pictures/[^"]+)"')


@asynccontextmanager
async def box_with_camera(served: Served, folder: Path) -> AsyncIterator[CameraShutter]:
    """The pump room's camera, and the box that asks it and sends what it sees."""
    clock = FastClock()
    clock.now_ms = garden.NOW_MS
    (folder / "cameras.password").write_text(DEMO_CAMERA_PASSWORD)
    async with AsyncExitStack() as stack:
        building = await stack.enter_async_context(Simulation(Settings(has_cameras=True), clock.wall_ms))
        url = await stack.enter_async_context(gateways_port(served.runner))
        credential = await asyncio.to_thread(enrolled, served.app, served.gateway.gateway_id, url)
        write_credential(folder / "credential.json", credential)
        settings = BufferSettings(folder / "buffer.sqlite", 10_000, 1 << 30)
        buffer = await stack.enter_async_context(Buffer(settings, clock, rng()))
        identity = open_identity(folder / "credential.json", LONG_AGO_MS)
        client = await stack.enter_async_context(CloudClient(identity))
        line = OnvifLine(LineId("cameras"), DEMO_CAMERA_USER, folder / "cameras.password")
        address = building.places.cameras[CAMERA]
        device = replace(device_of(load_profile("onvif_camera"), address, CAMERA), intervals_s={"all": 60})
        shelf = PictureShelf(folder / "pictures")
        intake = Intake(buffer, [], Offline(), CounterGuard({}), clock)
        listener = CameraListener(line, [device], intake, clock, shelf)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for part in (listener, PictureLane(shelf, client, rng())):
            stack.callback(group.create_task(part.run()).cancel)
        async with asyncio.timeout(60):
            while not listener.is_online(CAMERA):
                await asyncio.sleep(0.02)
        yield CameraShutter(device, listener)


async def shown(session: aiohttp.ClientSession, path: str) -> tuple[str, bytes]:
    """Return what a page says once it shows a picture, and the picture."""
    async with asyncio.timeout(60):
        while True:
            async with session.get(path) as answer:
                screen = (await answer.text()).partition('id="screen"')[2].partition("</section>")[0]
            found = _IMAGE.search(screen)
            if found is not None:
                async with session.get(found[1].replace("&amp;", "&")) as answer:
                    assert answer.content_type == "image/jpeg"
                    return text_of(screen), await answer.read()
            await asyncio.sleep(0.05)


async def test_what_is_asked_for_on_a_page_is_seen_by_the_camera_and_shown_there(
    served: Served, tmp_path: Path
) -> None:
    async with await signed_in(served, "manager") as session, box_with_camera(served, tmp_path) as shutter:
        async with session.get("/cameras") as answer:
            [address] = re.findall(
                r'href="(/cameras/[0-9a-f-]+)">(?:(?!href).)*水泵房', await answer.text(), re.S
            )
        for act, action, said in (
            ("take", Action.TAKE_PICTURE, "物业经理"),
            ("look", Action.SHOW_LIVE, "实时"),
        ):
            async with session.post(address, data={"act": act}, allow_redirects=False) as answer:
                page = answer.headers["Location"]
            [asked] = await served.database.write(garden.TENANT, commands.take_to_send, served.gateway, "n")
            assert (asked.device_id, asked.action) == (CAMERA, action)

            await shutter.act(action, asked.parameters)

            words, content = await shown(session, page)
            assert said in words
            assert Image.open(BytesIO(content)).size == (1280, 720)


async def test_a_door_leads_to_its_camera_and_a_resident_learns_where_cameras_hang(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        async with session.get("/devices/gw-1/lock-1") as answer:
            assert "1 号楼大堂" in text_of((await answer.text()).partition("能看到它的摄像机")[2])
        async with session.get("/equipment/lock-1") as answer:
            assert "1 号楼大堂" in text_of((await answer.text()).partition("能看到它的摄像机")[2])
    async with await signed_in(served, "101") as session, session.get("/home/privacy") as answer:
        told = (await answer.text()).partition("公共区域的摄像机")[2]
    assert "地下一层" in text_of(told)
    assert "保存 30 天" in text_of(told)
    assert "/cameras" not in told
