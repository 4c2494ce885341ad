"""Cameras at the box: watched, asked; the picture of an alarm on disk first, then sent."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge.actuators.camera import CameraShutter
from edge.buffer import Buffer
from edge.cameras import CameraListener
from edge.counters import CounterGuard
from edge.errors import CloudFault
from edge.intake import Intake
from edge.local_outputs import LOCAL_OUTPUT, LocalOutputs
from edge.picture_lane import PictureLane
from edge.pictures import PICTURES_MAX, PictureShelf
from edge.reactions import Reactions
from edge.rules.device_alarm import DeviceAlarm
from edge.rules.offline import DEVICE_OFFLINE, Offline
from protocol import onvif
from protocol.command import Action, LocalAction
from protocol.envelope import decode_events
from protocol.errors import Refused
from protocol.event import Event, EventState, Severity
from protocol.picture import Picture, PictureAck, PictureCause, decode_picture, encode_picture_ack
from protocol.quantity import MICRO
from protocol.reading import Reading
from protocol.sync import Stream
from provisioning.config import BufferSettings, DeviceId, Reaction
from provisioning.lines import LineId, OnvifLine
from provisioning.profile import AlarmWhen
from provisioning.profiles import load_profile
from simulator.cameras import Camera as SimulatedCamera
from simulator.cameras import CameraMake
from simulator.clock import Clock
from simulator.scenes import View
from tests.edge.building_blocks import device_of, rng
from tests.edge.test_local_outputs import FastClock, until
from tests.protocol.test_picture import ASKED

CREDENTIAL = onvif.Credential("gatehouse", "pump room")
CAMERA, LEAK_POINT = DeviceId("cam-1"), "leak-1/water_leak"
SEES = Reaction("seen", frozenset({"water_leak"}), ("leak-*/*",), (CAMERA,), LocalAction.ALARM_PICTURE)


class Room:
    """A pump room: a camera on the network, a leak sensor, and the box that watches both."""

    def __init__(
        self, folder: Path, buffer: Buffer, clock: FastClock, there: SimulatedCamera, faults: list[str]
    ) -> None:
        self.there, self.clock, self.buffer, self.faults = there, clock, buffer, faults
        password = folder / "cameras.password"
        password.write_text("pump room\n")
        line = OnvifLine(LineId("bus"), "gatehouse", password)
        device = replace(
            device_of(load_profile("onvif_camera"), there.address, CAMERA), intervals_s={"all": 0.05}
        )
        self.reactions = Reactions([SEES])
        alarm = DeviceAlarm({LEAK_POINT: AlarmWhen(frozenset({1}), "water_leak", Severity.MAJOR, "wet")})
        self.intake = Intake(buffer, [alarm], Offline(), CounterGuard({}), clock, self.reactions)
        self.shelf = PictureShelf(folder / "pictures")
        self.cameras = CameraListener(line, [device], self.intake, clock, self.shelf)
        self.shutter = CameraShutter(device, self.cameras)
        self.outputs = LocalOutputs(self.reactions, {CAMERA: self.shutter}, self.intake, clock)

    def leaks(self, *, is_wet: bool) -> None:
        self.intake.accept([Reading(LEAK_POINT, self.clock.now_ms, is_wet * MICRO)])

    async def told(self, kind: str) -> list[Event]:
        await self.buffer.flush()
        blocks = await self.buffer.peek(Stream.EVENT, blocks_max=100, rows_max=1_000, bytes_max=10**6)
        events = [event for block in blocks for event in decode_events(block.payload, block.count)]
        return [event for event in events if event.kind == kind]

    async def until_told(self, kind: str, state: EventState) -> Event:
        async with asyncio.timeout(20):
            while True:
                found = [event for event in await self.told(kind) if event.state is state]
                if found:
                    return found[-1]
                await asyncio.sleep(0.05)

    async def waiting(self) -> Picture:
        found = await self.shelf.oldest()
        assert found is not None
        return found[1]


@pytest.fixture
async def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    monkeypatch.setattr("edge.cameras._AGAIN_S", 0.05)
    monkeypatch.setattr("edge.cameras.LIVE_EVERY_S", 0.05)
    clock = FastClock()
    make = CameraMake("cam-1", View("水泵房", "pump_room"), "IPC-T3", CREDENTIAL)
    dead: list[str] = []
    there = SimulatedCamera(make, Clock(clock.wall_ms), "127.0.0.1", lambda: bool(dead))
    await there.open()
    async with Buffer(BufferSettings(tmp_path / "buffer.sqlite", 10_000, 1 << 30), clock, rng()) as buffer:
        room = Room(tmp_path, buffer, clock, there, dead)
        tasks = [asyncio.create_task(part.run()) for part in (room.cameras, room.outputs)]
        yield room
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    await there.close()


async def test_an_alarm_has_its_picture_with_no_cloud_at_all(room: Room) -> None:
    await until(lambda: room.cameras.is_online(CAMERA))

    room.leaks(is_wet=True)
    told = await room.until_told(LOCAL_OUTPUT, EventState.OCCURRED)
    picture = await room.waiting()

    assert (picture.cause, picture.kind, picture.point_key) == (PictureCause.ALARM, "water_leak", LEAK_POINT)
    assert (picture.device_id, picture.taken_at_ms, picture.is_clock_set) == (CAMERA, room.clock.now_ms, True)
    assert told.message.startswith("alarm picture: done, a picture of ")


async def test_each_further_alarm_has_its_picture_too(room: Room) -> None:
    await until(lambda: room.cameras.is_online(CAMERA))

    for at in range(2):
        room.leaks(is_wet=True)
        await until(lambda wanted=at + 1: len(list(room.shelf._folder.glob("*"))) >= wanted)
        room.leaks(is_wet=False)
        room.clock.now_ms += 60_000


async def test_a_camera_that_goes_is_told_once_and_told_again_when_it_is_back(room: Room) -> None:
    await until(lambda: room.cameras.is_online(CAMERA))

    room.faults.append("unplugged")
    gone = await room.until_told(DEVICE_OFFLINE, EventState.RAISED)
    with pytest.raises(Refused, match="no picture"):
        await room.shutter.act(Action.TAKE_PICTURE, {"picture": str(uuid.uuid4())})
    room.faults.clear()
    await room.until_told(DEVICE_OFFLINE, EventState.CLEARED)

    assert gone.point_key == "cam-1/availability"
    assert len(await room.told(DEVICE_OFFLINE)) == 2


async def test_who_looks_sees_one_picture_after_another_until_the_time_is_over(room: Room) -> None:
    await until(lambda: room.cameras.is_online(CAMERA))

    said = await room.shutter.act(Action.SHOW_LIVE, {"view": "v", "seconds": "30"})
    seen: list[Picture] = []
    async with asyncio.timeout(20):
        while len(seen) < 2:
            await room.shelf.grown.wait()
            room.shelf.grown.clear()
            live = room.shelf.take_live()
            seen += [live] if live else []
    room.clock.now_ms += 30_000
    task = room.cameras._watched[CAMERA].live
    assert task is not None
    await asyncio.wait_for(task, 20)

    assert said == "shown for 30 s"
    assert {(one.cause, one.view_id) for one in seen} == {(PictureCause.LIVE, "v")}
    assert await room.shelf.oldest() is None, "what is shown live is not kept"


@pytest.mark.parametrize("seconds", ["0", "121", "-1", "x", "９", "9" * 50])
async def test_nobody_looks_without_end(room: Room, seconds: str) -> None:
    with pytest.raises(Refused, match="expected 1 to 120"):
        await room.shutter.act(Action.SHOW_LIVE, {"view": "v", "seconds": seconds})


class CloudDouble:
    """The far end of the lane: fails as told, keeps what it took."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.taken: list[Picture] = []

    async def post(
        self, path: str, content: bytes, headers: dict[str, str], timeout_s: float | None = None
    ) -> bytes:
        del path, headers, timeout_s
        answer = self.answers.pop(0) if self.answers else "kept"
        picture = decode_picture(content)
        if answer == "away":
            raise CloudFault("cannot reach the cloud")
        self.taken.append(picture)
        digest = "0" * 64 if answer == "another" else picture.digest
        problem = "there is no such camera" if answer == "refused" else ""
        return encode_picture_ack(PictureAck(picture.picture_id, digest, problem))


@pytest.mark.parametrize("before", [(), ("away", "away"), ("another",), ("refused",)])
async def test_a_picture_leaves_the_disk_when_the_cloud_names_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    monkeypatch.setattr("edge.picture_lane._PAUSE_MAX_S", 0.01)
    await PictureShelf(tmp_path / "pictures").put(ASKED)
    shelf = PictureShelf(tmp_path / "pictures")  # the box was restarted meanwhile
    cloud = CloudDouble(*before)
    lane = PictureLane(shelf, cloud, rng())  # type: ignore[arg-type]

    assert shelf.grown.is_set()
    while await lane.send_next():
        pass

    assert cloud.taken[-1] == ASKED
    assert not list((tmp_path / "pictures").iterdir())


async def test_a_full_shelf_lets_the_oldest_go(tmp_path: Path) -> None:
    shelf = PictureShelf(tmp_path / "pictures")
    for at in range(PICTURES_MAX):
        name = f"{at:015d}-{uuid.UUID(int=at)}.picture"
        shelf._folder.mkdir(exist_ok=True)
        (shelf._folder / name).write_bytes(b"")

    await shelf.put(ASKED)

    names = sorted(path.name for path in shelf._folder.iterdir())
    assert (len(names), shelf.dropped) == (PICTURES_MAX, 1)
    assert names[0].startswith(f"{1:015d}")


async def test_a_damaged_picture_is_passed_over(tmp_path: Path) -> None:
    shelf = PictureShelf(tmp_path / "pictures")
    await shelf.put(ASKED)
    (tmp_path / "pictures" / f"{0:015d}-{uuid.UUID(int=0)}.picture").write_bytes(b"half a pict")

    found = await shelf.oldest()

    assert found is not None
    assert found[1] == ASKED


async def test_no_id_of_the_cloud_names_a_file_elsewhere(tmp_path: Path) -> None:
    shelf = PictureShelf(tmp_path / "pictures")

    with pytest.raises(Exception, match="no UUID"):
        await shelf.put(msgspec.structs.replace(ASKED, picture_id="../../etc/cron.d/x"))
