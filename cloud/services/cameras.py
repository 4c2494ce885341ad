"""Cameras: what they are called and see, a picture when somebody asks, and the pictures boxes send.

The invariants: a picture is taken in only from the gateway its camera hangs on, and one that was asked for
only if it was; nothing of what was sent is kept but the picture, decoded and written anew; and who looked
is in the audit log before anything is shown.
"""

from cloud.domain.access import Action as Permission
from cloud.domain.access import may, require
from cloud.domain.alarm import Alarm
from cloud.domain.camera import (
    LIVE_KEPT_MS,
    VIEW_S,
    Camera,
    CameraNotice,
    CameraNow,
    CameraPicture,
    CameraSettings,
    checked_settings,
    seeing,
)
from cloud.domain.command import Purpose
from cloud.domain.errors import Conflict, Invalid, NotFound, Problem
from cloud.domain.gateway import Gateway, GatewayIdentity
from cloud.domain.ids import AlarmId, CameraId, CameraPictureId, GatewayId, SiteId, is_uuid
from cloud.domain.photo import CleanPhoto
from cloud.domain.user import User
from cloud.services import commands
from cloud.services.premises import site_of
from cloud.store import alarms, audit, cameras, gateways, points, premises
from cloud.store.db import Tx
from protocol.command import Action
from protocol.picture import Picture, PictureCause
from protocol.quantity import MICRO

# By this point a device is known to be a camera.
_CAMERA_POINT, _AVAILABILITY = "picture_fault", "availability"


def list_cameras(tx: Tx, actor: User, site_id: SiteId) -> list[CameraNow]:
    """Return a site's cameras by name, with how they stand and what they saw last."""
    require(actor, Permission.LOOK_AT_CAMERAS)
    return _now(tx, cameras.cameras_of_site(tx, site_of(tx, site_id).site_id))


def unnamed(tx: Tx, actor: User, site_id: SiteId) -> list[tuple[Gateway, str]]:
    """Return the cameras boxes tell of that nobody has named yet: gateway and device code."""
    require(actor, Permission.MANAGE_CAMERAS)
    known = {(one.gateway_id, one.device_code) for one in cameras.cameras_of_site(tx, site_id)}
    found: list[tuple[Gateway, str]] = []
    for box in gateways.list_gateways(tx, site_id):
        codes = [device.code for device in points.list_devices(tx, box.gateway_id)]
        keys = points.series_of_keys(tx, box.gateway_id, [f"{code}/{_CAMERA_POINT}" for code in codes])
        found += [
            (box, code)
            for code in codes
            if f"{code}/{_CAMERA_POINT}" in keys and (box.gateway_id, code) not in known
        ]
    return found


def get_camera(tx: Tx, actor: User, camera_id: CameraId) -> tuple[CameraNow, list[CameraPicture]]:
    """Return a camera and the pictures of it that are kept, the latest first."""
    require(actor, Permission.LOOK_AT_CAMERAS)
    found = _camera(tx, camera_id)
    return _now(tx, [found])[0], cameras.pictures_of_camera(tx, camera_id)


def add_camera(
    tx: Tx, actor: User, site_id: SiteId, gateway_id: GatewayId, device_code: str, said: CameraSettings
) -> CameraNow:
    """Name a device that is a camera."""
    require(actor, Permission.MANAGE_CAMERAS)
    box = gateways.find_gateway(tx, gateway_id)
    if box is None or box.site_id != site_of(tx, site_id).site_id:
        raise NotFound(f"there is no gateway {gateway_id}")
    if not points.has_device(tx, gateway_id, device_code):
        message = f"gateway {box.code} has no device {device_code!r}"
        raise Invalid(message, [Problem("/device_code", message)])
    settings = _checked(tx, site_id, gateway_id, said)
    camera_id = cameras.insert_camera(tx, site_id, gateway_id, device_code, settings)
    if camera_id is None:
        raise Conflict(f"{device_code} of {box.code} is a camera already")
    audit.record(tx, actor.user_id, "add_camera", "camera", camera_id, {"name": settings.name})
    return _now(tx, [_camera(tx, camera_id)])[0]


def change_camera(tx: Tx, actor: User, camera_id: CameraId, said: CameraSettings) -> CameraNow:
    """Say anew what a camera is called, where it hangs, what it sees, how long its pictures are kept."""
    require(actor, Permission.MANAGE_CAMERAS)
    found = _camera(tx, camera_id)
    settings = _checked(tx, found.site_id, found.gateway_id, said)
    cameras.change_camera(tx, camera_id, settings)
    detail: dict[str, str | int | None] = {"name": settings.name, "keep_days": settings.keep_days}
    audit.record(tx, actor.user_id, "change_camera", "camera", camera_id, detail)
    return _now(tx, [_camera(tx, camera_id)])[0]


def remove_camera(tx: Tx, actor: User, camera_id: CameraId) -> None:
    """Show a camera no more; its pictures are erased when their days are over."""
    require(actor, Permission.MANAGE_CAMERAS)
    found = _camera(tx, camera_id)
    cameras.remove_camera(tx, camera_id)
    audit.record(tx, actor.user_id, "remove_camera", "camera", camera_id, {"name": found.name})


def take_picture(
    tx: Tx, actor: User, camera_id: CameraId, reason: str, alarm_id: AlarmId | None = None
) -> CameraPicture:
    """Ask for a picture, which will stand with the alarm if there is one; Conflict while its box is away."""
    require(actor, Permission.LOOK_AT_CAMERAS)
    about = ("", "")
    if alarm_id is not None:
        alarm = alarms.find_alarm(tx, alarm_id)
        if alarm is None:
            raise NotFound(f"there is no alarm {alarm_id}")
        about = (alarm.kind, alarm.point_key)
    return _asked(tx, actor, _camera(tx, camera_id), PictureCause.ASKED, reason, about)


def look(tx: Tx, actor: User, camera_id: CameraId, reason: str) -> CameraPicture:
    """Begin to look through a camera for a minute; what is seen is in one picture that is replaced."""
    require(actor, Permission.LOOK_AT_CAMERAS)
    return _asked(tx, actor, _camera(tx, camera_id), PictureCause.LIVE, reason, ("", ""))


def _asked(
    tx: Tx, actor: User, camera: Camera, cause: PictureCause, reason: str, about: tuple[str, str]
) -> CameraPicture:
    picture_id = CameraPictureId(tx.new_id())
    is_live = cause is PictureCause.LIVE
    action = Action.SHOW_LIVE if is_live else Action.TAKE_PICTURE
    parameters = {"view": picture_id, "seconds": str(VIEW_S)} if is_live else {"picture": picture_id}
    purpose = Purpose.EMERGENCY if about[0] else Purpose.WATCH
    commands.request(tx, actor, camera.gateway_id, camera.device_code, action, purpose, reason, parameters)
    cameras.insert_asked(tx, picture_id, camera.camera_id, cause, actor.person_id, about)
    act = "look_through_camera" if is_live else "take_picture"
    audit.record(tx, actor.user_id, act, "camera", camera.camera_id, {"name": camera.name, "reason": reason})
    return _picture(tx, picture_id)


def get_picture(tx: Tx, actor: User, picture_id: CameraPictureId) -> CameraPicture:
    """Return a picture without its content: waited for, kept or erased."""
    require(actor, Permission.LOOK_AT_CAMERAS)
    return _picture(tx, picture_id)


def content_of(tx: Tx, actor: User, picture_id: CameraPictureId) -> bytes:
    """Return a picture as JPEG; NotFound where it has not come, or its days are over."""
    require(actor, Permission.LOOK_AT_CAMERAS)
    found = _picture(tx, picture_id)
    is_over = found.cause is PictureCause.LIVE and tx.now_ms - found.asked_at_ms > LIVE_KEPT_MS
    content = None if is_over else cameras.content_of(tx, picture_id)
    if content is None:
        raise NotFound(f"picture {picture_id} is not here: it has not come yet, or was erased")
    return content


def of_alarm(tx: Tx, actor: User, alarm: Alarm) -> tuple[list[CameraPicture], list[CameraNow]]:
    """Return the pictures of an alarm and the cameras that see its device; nothing for who may not look."""
    if not may(actor, Permission.LOOK_AT_CAMERAS):
        return [], []
    device_code = alarm.point_key.partition("/")[0]
    there = seeing_device(tx, actor, alarm.site_id, alarm.gateway_id, device_code)
    return cameras.pictures_of_alarm(tx, alarm), there


def seeing_device(
    tx: Tx, actor: User, site_id: SiteId, gateway_id: GatewayId, device_code: str
) -> list[CameraNow]:
    """Return the cameras in whose view a device is; nothing for who may not look."""
    if not may(actor, Permission.LOOK_AT_CAMERAS):
        return []
    return seeing(_now(tx, cameras.cameras_of_site(tx, site_id)), gateway_id, device_code)


def notices(tx: Tx, actor: User, site_id: SiteId) -> list[CameraNotice]:
    """Return where cameras hang and how long their pictures are kept: everybody's to know."""
    require(actor, Permission.USE_OWN_PRIVACY)
    names = {one.building_id: one.name for one in premises.list_buildings(tx, site_of(tx, site_id).site_id)}
    return [
        CameraNotice(
            one.name, names.get(one.building_id, "") if one.building_id else "", one.place, one.keep_days
        )
        for one in cameras.cameras_of_site(tx, site_id)
    ]


def accept(tx: Tx, gateway: GatewayIdentity, sent: Picture, cleaned: CleanPhoto) -> str:
    """Keep a picture from a box; return why it never will be, "" where it is. Sent twice it is kept once."""
    if not is_uuid(sent.picture_id) or not is_uuid(sent.view_id or sent.picture_id):
        return "its id is no UUID"
    if sent.cause is PictureCause.ALARM:
        return _accept_of_alarm(tx, gateway, sent, cleaned)
    waited = cameras.find_picture(tx, CameraPictureId(sent.view_id or sent.picture_id))
    own = cameras.find_by_device(tx, gateway.gateway_id, sent.device_id)
    if waited is None or own is None or waited.camera_id != own.camera_id or waited.cause is not sent.cause:
        return "nobody has asked for it"
    cameras.fill(
        tx,
        waited.picture_id,
        sent.taken_at_ms,
        cleaned.content,
        sent.digest,
        is_clock_set=sent.is_clock_set,
    )
    return ""


def _accept_of_alarm(tx: Tx, gateway: GatewayIdentity, sent: Picture, cleaned: CleanPhoto) -> str:
    own = cameras.find_by_device(tx, gateway.gateway_id, sent.device_id)
    if own is None:
        if not points.has_device(tx, gateway.gateway_id, sent.device_id):
            return f"this gateway has no device {sent.device_id!r}"
        # A picture of a fire is not turned away because nobody has named the camera yet.
        said = CameraSettings(sent.device_id[:50])
        cameras.insert_camera(tx, gateway.site_id, gateway.gateway_id, sent.device_id, said)
        own = cameras.find_by_device(tx, gateway.gateway_id, sent.device_id)
        assert own is not None, "it was added, or was there"
    cameras.insert_taken(
        tx,
        CameraPictureId(sent.picture_id),
        own.camera_id,
        (sent.kind, sent.point_key),
        sent.taken_at_ms,
        cleaned.content,
        sent.digest,
        is_clock_set=sent.is_clock_set,
    )
    return ""


def erase_due(tx: Tx) -> int:
    """Erase some hundred of the pictures whose days are over; return how many were due."""
    counted = cameras.erase_due(tx)
    for camera_id, erased in sorted(counted.items()):
        audit.record(tx, None, "erase_pictures", "camera", camera_id, {"erased": erased})
    return sum(counted.values())


def _checked(tx: Tx, site_id: SiteId, gateway_id: GatewayId, said: CameraSettings) -> CameraSettings:
    settings = checked_settings(said)
    if settings.building_id is not None:
        buildings = {one.building_id for one in premises.list_buildings(tx, site_id)}
        if settings.building_id not in buildings:
            raise NotFound(f"there is no building {settings.building_id}")
    for code in settings.sees:
        if not points.has_device(tx, gateway_id, code):
            message = f"the camera's gateway has no device {code!r}"
            raise Invalid(message, [Problem("/sees", message)])
    return settings


def _now(tx: Tx, found: list[Camera]) -> list[CameraNow]:
    latest = cameras.latest_of(tx, [one.camera_id for one in found])
    online: dict[tuple[GatewayId, str], bool] = {}
    for gateway_id in {one.gateway_id for one in found}:
        keys = [f"{one.device_code}/{_AVAILABILITY}" for one in found if one.gateway_id == gateway_id]
        series = points.series_of_keys(tx, gateway_id, keys)
        for value in points.values_of_series(tx, list(series.values())):
            if value.last_value_micro is not None:
                online[gateway_id, value.device_code] = value.last_value_micro == MICRO
    return [
        CameraNow(one, online.get((one.gateway_id, one.device_code)), latest.get(one.camera_id))
        for one in found
    ]


def _camera(tx: Tx, camera_id: CameraId) -> Camera:
    found = cameras.find_camera(tx, camera_id)
    if found is None:
        raise NotFound(f"there is no camera {camera_id}")
    return found


def _picture(tx: Tx, picture_id: CameraPictureId) -> CameraPicture:
    found = cameras.find_picture(tx, picture_id)
    if found is None:
        raise NotFound(f"there is no picture {picture_id}")
    return found
