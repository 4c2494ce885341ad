"""Cameras: what they see, a picture when asked, and those that were taken."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.camera import (
    KEEP_DAYS_MAX,
    KEEP_DAYS_MIN,
    KEEP_DAYS_USUAL,
    NAME_LENGTH_MAX,
    PLACE_LENGTH_MAX,
    SEES_MAX,
    CameraNow,
    CameraPicture,
    CameraSettings,
)
from cloud.domain.command import REASON_LENGTH_MAX, REASON_LENGTH_MIN
from cloud.domain.ids import AlarmId, BuildingId, CameraId, CameraPictureId, GatewayId, SiteId
from cloud.services import cameras
from protocol.picture import PictureCause

_DeviceCode = Annotated[str, Meta(min_length=1, max_length=64)]
_Reason = Annotated[str, Meta(min_length=REASON_LENGTH_MIN, max_length=REASON_LENGTH_MAX)]


class CameraBody(Request, frozen=True, kw_only=True):
    """What a camera is called, where it hangs, what it sees, for how many days its pictures are kept."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    place: Annotated[str, Meta(max_length=PLACE_LENGTH_MAX)] = ""
    building_id: Id | None = None
    sees: Annotated[tuple[_DeviceCode, ...], Meta(max_length=SEES_MAX)] = ()
    keep_days: Annotated[int, Meta(ge=KEEP_DAYS_MIN, le=KEEP_DAYS_MAX)] = KEEP_DAYS_USUAL


class NewCamera(CameraBody, frozen=True, kw_only=True):
    """A device of a gateway that is a camera."""

    gateway_id: Id
    device_code: _DeviceCode


class LookBody(Request, frozen=True, kw_only=True):
    """Why somebody looks; kept in the audit log."""

    reason: _Reason


class PictureBody(LookBody, frozen=True, kw_only=True):
    """Why a picture is taken, and the alarm it belongs to if any."""

    alarm_id: Id | None = None


class CameraPictureView(View, frozen=True):
    """One picture; its content is at `/api/v1/camera_pictures/{picture_id}` once `taken_at_ms` is there."""

    picture_id: str
    camera_id: str
    camera_name: str
    cause: PictureCause
    kind: str
    point_key: str
    asked_by: str
    asked_at_ms: int
    taken_at_ms: int | None
    is_clock_set: bool
    sha256: str
    is_kept: bool


class CameraView(View, frozen=True):
    """One camera; `is_online` is null while nobody knows."""

    camera_id: str
    gateway_id: str
    device_code: str
    name: str
    place: str
    building_id: str | None
    sees: tuple[str, ...]
    keep_days: int
    is_online: bool | None
    latest: CameraPictureView | None


async def list_cameras(call: Call[PageQuery, Nothing]) -> Page[CameraView]:
    """List a site's cameras."""
    found = await call.read(cameras.list_cameras, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.camera.camera_id, _view)


async def add_camera(call: Call[Nothing, NewCamera]) -> web.Response:
    """Name a camera."""
    body = call.body
    where = (SiteId(call.id("site_id")), GatewayId(body.gateway_id), body.device_code)
    return await call.create(_view, cameras.add_camera, *where, _said(body))


async def change_camera(call: Call[Nothing, CameraBody]) -> CameraView:
    """Change what is said of a camera."""
    return _view(await call.write(cameras.change_camera, _camera_id(call), _said(call.body)))


async def remove_camera(call: Call[Nothing, Nothing]) -> None:
    """Show a camera no more."""
    await call.write(cameras.remove_camera, CameraId(call.id("camera_id")))


async def list_pictures(call: Call[PageQuery, Nothing]) -> Page[CameraPictureView]:
    """List a camera's pictures that are kept."""
    _, found = await call.read(cameras.get_camera, CameraId(call.id("camera_id")))
    return cut(found, call.query, lambda one: one.picture_id, _picture_view)


async def take_picture(call: Call[Nothing, PictureBody]) -> CameraPictureView:
    """Ask for a picture."""
    alarm_id = None if call.body.alarm_id is None else AlarmId(call.body.alarm_id)
    camera_id = CameraId(call.id("camera_id"))
    return _picture_view(await call.write(cameras.take_picture, camera_id, call.body.reason, alarm_id))


async def look(call: Call[Nothing, LookBody]) -> CameraPictureView:
    """Begin to look through a camera."""
    return _picture_view(await call.write(cameras.look, CameraId(call.id("camera_id")), call.body.reason))


async def get_picture(call: Call[Nothing, Nothing]) -> web.Response:
    """Return a picture."""
    picture_id = CameraPictureId(call.id("camera_picture_id"))
    content = await call.read(cameras.content_of, picture_id)
    return web.Response(body=content, content_type="image/jpeg")


def _camera_id(call: Call[Nothing, CameraBody]) -> CameraId:
    return CameraId(call.id("camera_id"))


def _said(body: CameraBody) -> CameraSettings:
    building_id = None if body.building_id is None else BuildingId(body.building_id)
    return CameraSettings(body.name, body.place, building_id, body.sees, body.keep_days)


def _view(one: CameraNow) -> CameraView:
    latest = None if one.latest is None else _picture_view(one.latest)
    return view_of(one.camera, CameraView, is_online=one.is_online, latest=latest)


def _picture_view(one: CameraPicture) -> CameraPictureView:
    return view_of(one, CameraPictureView)


_OF_SITE, _ONE = "/api/v1/sites/{site_id}/cameras", "/api/v1/cameras/{camera_id}"
_LOOK, _MANAGE = Action.LOOK_AT_CAMERAS, Action.MANAGE_CAMERAS

ROUTES = (
    Route("GET", _OF_SITE, "List cameras", _LOOK, list_cameras, Page[CameraView], query=PageQuery),
    Route(
        "POST",
        _OF_SITE,
        "Add a camera",
        _MANAGE,
        add_camera,
        CameraView,
        body=NewCamera,
        status=201,
        creates=True,
    ),
    Route("PUT", _ONE, "Change a camera", _MANAGE, change_camera, CameraView, body=CameraBody),
    Route("DELETE", _ONE, "Remove a camera", _MANAGE, remove_camera, None),
    Route(
        "GET",
        _ONE + "/pictures",
        "List a camera's pictures",
        _LOOK,
        list_pictures,
        Page[CameraPictureView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _ONE + "/pictures",
        "Take a picture",
        _LOOK,
        take_picture,
        CameraPictureView,
        body=PictureBody,
        description="Asked of the box at once, as every command; its content is there some seconds later.",
    ),
    Route(
        "POST",
        _ONE + "/views",
        "Look through a camera",
        _LOOK,
        look,
        CameraPictureView,
        body=LookBody,
        description="For a minute the picture is replaced every few seconds; who looked is in the audit log.",
    ),
    Route(
        "GET",
        "/api/v1/camera_pictures/{camera_picture_id}",
        "Show a camera's picture",
        _LOOK,
        get_picture,
        "image/jpeg",
    ),
)
