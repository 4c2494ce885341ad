"""Pictures: asked for by who may, taken in from the box that has the camera, kept for their days, erased."""

import uuid
from dataclasses import replace
from io import BytesIO

import msgspec
import pytest
from PIL import Image

from cloud.domain.camera import CameraNow, CameraSettings, checked_settings
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.user import Role, User
from cloud.services import alarm_evidence, alarms, audit, cameras, commands, gateways, photos
from cloud.store import points
from cloud.store.db import Database
from protocol.command import Action
from protocol.event import EventState
from protocol.greeting import Hello
from protocol.picture import PICTURE_VERSION, Picture, PictureCause
from protocol.sync import Stream
from tests.cloud.garden import add_gateway, event_block, leak, post
from tests.cloud.house import House, add_login
from tests.databases import TENANT, FakeClock

LEAK, LEAK_POINT = "water_leak", "wm-1/water_leak"


def jpeg(colour: str = "navy") -> bytes:
    written = BytesIO()
    Image.new("RGB", (640, 360), colour).save(written, "JPEG")
    return written.getvalue()


class Watched:
    """The house with one of its devices named as a camera that sees another."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.house, self.clock = House(database), clock
        self.box, self.manager = self.house.gateway, self.house.manager
        self.guard: User = add_login(self.house, "guard", Role.GUARD)
        self.work, self.read = database.write_now, database.read_now
        self.codes = [one.code for one in self.read(TENANT, points.list_devices, self.box.gateway_id)]
        said = CameraSettings("水泵房", "地下一层", None, (self.codes[1],))
        self.now: CameraNow = self.work(
            TENANT,
            cameras.add_camera,
            self.manager,
            self.house.site_id,
            self.box.gateway_id,
            self.codes[0],
            said,
        )
        self.camera_id = self.now.camera.camera_id

    def is_there(self) -> None:
        """Let the gateway say hello."""
        self.work(TENANT, gateways.hello, self.box, Hello("1", "boot", 1, "c", 0, {}, None, 2, 0))

    def sent(self, picture_id: str, cause: PictureCause, view_id: str = "", content: bytes = b"") -> Picture:
        told = (LEAK, LEAK_POINT) if cause is PictureCause.ALARM else ("", "")
        return Picture(
            PICTURE_VERSION,
            picture_id,
            self.codes[0],
            self.clock.now_ms,
            True,
            cause,
            view_id,
            *told,
            content or jpeg(),
        )

    def accept(self, picture: Picture, box: GatewayIdentity | None = None) -> str:
        return self.work(TENANT, cameras.accept, box or self.box, picture, photos.clean(picture.content))


@pytest.fixture
def watched(database: Database, clock: FakeClock) -> Watched:
    return Watched(database, clock)


def test_a_guard_asks_and_the_box_s_picture_is_kept_without_anything_hidden_in_it(watched: Watched) -> None:
    watched.is_there()
    asked = watched.work(TENANT, cameras.take_picture, watched.guard, watched.camera_id, "听到异响")
    [command] = watched.work(TENANT, commands.take_to_send, watched.box, "nonce")
    with pytest.raises(NotFound, match="has not come yet"):
        watched.read(TENANT, cameras.content_of, watched.guard, asked.picture_id)
    sent = watched.sent(command.parameters["picture"], PictureCause.ASKED, command.parameters["picture"])

    problems = [watched.accept(sent), watched.accept(sent)]

    now, [kept] = watched.read(TENANT, cameras.get_camera, watched.guard, watched.camera_id)
    assert (command.action, problems) == (Action.TAKE_PICTURE, ["", ""])
    assert (kept.asked_by, kept.taken_at_ms, kept.sha256) == ("guard", watched.clock.now_ms, sent.digest)
    assert now.latest == kept
    content = watched.read(TENANT, cameras.content_of, watched.guard, kept.picture_id)
    assert content == photos.clean(sent.content).content


def test_the_picture_of_an_alarm_stands_with_it_and_is_in_its_evidence(watched: Watched) -> None:
    happened = leak(EventState.RAISED, watched.clock.now_ms)
    post(watched.house.database, watched.box, [event_block(1, [happened])], Stream.EVENT)
    [alarm] = watched.read(TENANT, alarms.list_alarms, watched.manager).items
    watched.clock.advance(s=1)
    sent = watched.sent(str(uuid.uuid4()), PictureCause.ALARM)
    sent = msgspec.structs.replace(sent, kind=alarm.kind, point_key=alarm.point_key)

    problem = watched.accept(sent)

    [shown], _ = watched.read(TENANT, cameras.of_alarm, watched.guard, alarm)
    evidence = watched.work(TENANT, alarm_evidence.gather, watched.manager, alarm.alarm_id)
    [photo] = evidence.photos
    assert (problem, shown.cause, shown.camera_name) == ("", PictureCause.ALARM, "水泵房")
    assert (photo.name, photo.camera, photo.sha256_at_camera) == ("camera-01.jpg", "水泵房", sent.digest)


def test_what_somebody_looks_at_is_replaced_and_soon_forgotten_and_who_looked_is_written_down(
    watched: Watched,
) -> None:
    watched.is_there()
    view = watched.work(TENANT, cameras.look, watched.guard, watched.camera_id, "巡查")
    for colour in ("navy", "olive"):
        sent = watched.sent(str(uuid.uuid4()), PictureCause.LIVE, view.picture_id, jpeg(colour))
        assert watched.accept(sent) == ""
    seen = watched.read(TENANT, cameras.content_of, watched.guard, view.picture_id)
    _, kept = watched.read(TENANT, cameras.get_camera, watched.guard, watched.camera_id)
    watched.clock.advance(minutes=11)

    assert (seen, kept) == (photos.clean(jpeg("olive")).content, [])
    with pytest.raises(NotFound):
        watched.read(TENANT, cameras.content_of, watched.guard, view.picture_id)
    watched.work(TENANT, cameras.erase_due)
    acts = [
        (one.action, one.user_id) for one in watched.read(TENANT, audit.list_entries, watched.manager).items
    ]
    assert ("look_through_camera", watched.guard.user_id) in acts


def test_pictures_are_erased_when_their_days_are_over_and_that_is_written_down(watched: Watched) -> None:
    watched.accept(watched.sent(str(uuid.uuid4()), PictureCause.ALARM))
    watched.clock.advance(days=29)
    watched.accept(watched.sent(str(uuid.uuid4()), PictureCause.ALARM))
    early = watched.work(TENANT, cameras.erase_due)
    watched.clock.advance(days=2)

    erased = watched.work(TENANT, cameras.erase_due)

    _, kept = watched.read(TENANT, cameras.get_camera, watched.guard, watched.camera_id)
    assert (early, erased, len(kept)) == (0, 1, 1)
    [entry] = [
        one
        for one in watched.read(TENANT, audit.list_entries, watched.manager).items
        if one.action == "erase_pictures"
    ]
    assert entry.detail == {"erased": 1}


def test_a_picture_nobody_asked_for_or_of_another_gateway_is_not_taken(watched: Watched) -> None:
    watched.is_there()
    asked = watched.work(TENANT, cameras.take_picture, watched.guard, watched.camera_id, "听到异响")
    other, _ = add_gateway(watched.house.database, watched.house.site_id, code="gw-9")
    unasked = "nobody has asked for it"

    assert watched.accept(watched.sent(str(uuid.uuid4()), PictureCause.ASKED)) == unasked
    assert watched.accept(watched.sent(asked.picture_id, PictureCause.ASKED), other) == unasked
    assert "has no device" in watched.accept(watched.sent(str(uuid.uuid4()), PictureCause.ALARM), other)
    assert watched.accept(watched.sent("../x", PictureCause.ASKED)) == "its id is no UUID"


def test_an_alarm_s_picture_of_a_camera_nobody_has_named_is_kept_all_the_same(watched: Watched) -> None:
    watched.work(TENANT, cameras.remove_camera, watched.manager, watched.camera_id)

    assert watched.accept(watched.sent(str(uuid.uuid4()), PictureCause.ALARM)) == ""

    [found] = watched.read(TENANT, cameras.list_cameras, watched.guard, watched.house.site_id)
    assert found.camera.name == watched.codes[0]
    assert found.latest is not None


def test_who_may_not_look_sees_nothing(watched: Watched) -> None:
    for role in (Role.RESIDENT, Role.FINANCE, Role.MAINTENANCE, Role.AUDITOR):
        somebody = replace(watched.guard, role=role)
        with pytest.raises(Forbidden):
            watched.read(TENANT, cameras.list_cameras, somebody, watched.house.site_id)
        with pytest.raises(Forbidden):
            watched.work(TENANT, cameras.look, somebody, watched.camera_id, "看看")


def test_a_device_leads_to_its_camera_for_who_may_look_only(watched: Watched) -> None:
    where = (watched.house.site_id, watched.box.gateway_id)
    technician = replace(watched.guard, role=Role.MAINTENANCE)

    seen, unseen, hidden = (
        watched.read(TENANT, cameras.seeing_device, actor, *where, code)
        for actor, code in (
            (watched.guard, watched.codes[1]),
            (watched.guard, watched.codes[2]),
            (technician, watched.codes[1]),
        )
    )

    assert [one.camera.camera_id for one in seen] == [watched.camera_id]
    assert (unseen, hidden) == ([], [])


def test_a_resident_is_told_where_cameras_hang_and_for_how_long_pictures_are_kept(watched: Watched) -> None:
    resident = watched.house.resident("A-101")

    [told] = watched.read(TENANT, cameras.notices, resident, watched.house.site_id)

    assert (told.name, told.place, told.keep_days) == ("水泵房", "地下一层", 30)
    with pytest.raises(Forbidden):
        watched.read(TENANT, cameras.notices, watched.guard, watched.house.site_id)


def test_without_its_box_no_picture_is_asked_for(watched: Watched) -> None:
    with pytest.raises(Conflict, match="nothing is kept for later"):
        watched.work(TENANT, cameras.take_picture, watched.guard, watched.camera_id, "听到异响")


def test_a_camera_sees_devices_of_its_own_gateway_only(watched: Watched) -> None:
    with pytest.raises(Invalid, match="has no device 'no-such'"):
        said = CameraSettings("门", sees=("no-such",))
        watched.work(TENANT, cameras.change_camera, watched.manager, watched.camera_id, said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (CameraSettings(" "), "a camera's name has 1 to 50"),
        (CameraSettings("门", keep_days=91), "pictures are kept 1 to 90 days, not 91"),
        (CameraSettings("门", keep_days=0), "pictures are kept 1 to 90 days, not 0"),
        (CameraSettings("门", "x" * 101), "a place has at most 100"),
        (CameraSettings("门", sees=tuple(map(str, range(31)))), "at most 30 devices, not 31"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(said: CameraSettings, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        checked_settings(said)
