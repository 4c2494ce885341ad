"""Cameras: all of a site at a glance, and one with what it sees, what it saw, and what it is called.

The invariants: whoever looks has said so by a button and stands in the audit log; a picture that is waited
for is looked for again until it is there, and not for longer than it can come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.lists import Filter
from cloud.console.typed import whole_of
from cloud.domain.access import Action, may
from cloud.domain.camera import VIEW_S, CameraNow, CameraPicture, CameraSettings
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AlarmId, BuildingId, CameraId, CameraPictureId, SiteId, is_uuid
from cloud.domain.premises import Building
from cloud.domain.user import User
from cloud.services import cameras, premises
from cloud.store.db import Tx
from cloud.web.origin import is_own_path
from protocol.picture import PictureCause

_FIELD_LENGTH_MAX = 2_000
# A picture is there after some seconds or not at all: the command is good for half a minute.
_WAITED_MS = 45_000


@dataclass(frozen=True, slots=True)
class CamerasView:
    """The grid, its filter by building, and for managers the cameras nobody has named."""

    rows: tuple[CameraNow, ...]
    buildings: Mapping[str, str]
    filters: tuple[Filter, ...]
    unnamed: tuple[tuple[str, str], ...]  # gateway code and device code
    query_string: str
    typed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def offline(self) -> int:
        """Return how many do not answer."""
        return sum(row.is_online is False for row in self.rows)


@dataclass(frozen=True, slots=True)
class CameraView:
    """One camera; `shown` is the picture on the screen, live, waited for or kept."""

    now: CameraNow
    pictures: tuple[CameraPicture, ...]
    shown: CameraPicture | None
    is_live: bool
    is_waited: bool
    building: str
    buildings: tuple[Building, ...]
    typed: Mapping[str, str]
    error: str = ""

    @property
    def follows(self) -> str:
        """Return how soon the screen is looked at anew; "" where nothing is expected."""
        return "every 2s" if self.is_live or self.is_waited else ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show a site's cameras with what they saw last."""
    view = await desk.read(_list, desk.site.site_id, desk.request.query.get("building", ""), desk.format)
    if "part" in desk.request.query:
        return desk.part("cameras/grid.html", view=view)
    return await desk.page("cameras/list.html", view=view)


async def add(desk: Desk) -> web.StreamResponse:
    """Name a camera."""
    form = await _form(desk)
    try:
        added = await desk.write(_add, desk.site.site_id, form, desk.format)
    except (Conflict, Invalid, NotFound) as error:
        view = await desk.read(_list, desk.site.site_id, "", desk.format, form, str(error))
        return await desk.page("cameras/list.html", status=422, view=view)
    return desk.go(f"/cameras/{added.camera.camera_id}", "camera-changed")


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one camera; with `picture` a picture of it, live or kept."""
    view = await desk.read(_one, _camera_id(desk), desk.request.query.get("picture", ""))
    if "part" in desk.request.query:
        return desk.part("cameras/screen.html", view=view)
    return await desk.page("cameras/camera.html", view=view)


async def act(desk: Desk) -> web.StreamResponse:
    """Take a picture, look, or say anew what the camera is."""
    form, camera_id = await _form(desk), _camera_id(desk)
    try:
        match form.get("act", ""):
            case "take" | "look" as word:
                return await _ask(desk, camera_id, form, is_live=word == "look")
            case "remove":
                await desk.write(cameras.remove_camera, camera_id)
                return desk.go("/cameras", "camera-changed")
            case _:
                await desk.write(_change, camera_id, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_one, camera_id, "", form, str(error))
        return await desk.page("cameras/camera.html", status=422, view=view)
    return desk.go(f"/cameras/{camera_id}", "camera-changed")


async def _ask(desk: Desk, camera_id: CameraId, form: Mapping[str, str], *, is_live: bool) -> web.Response:
    alarm = form.get("alarm", "")
    gettext = desk.language.gettext
    if is_live:
        asked = await desk.write(cameras.look, camera_id, gettext("looked through the console"))
    else:
        alarm_id = AlarmId(alarm) if is_uuid(alarm) else None
        reason = gettext("asked for in the console")
        asked = await desk.write(cameras.take_picture, camera_id, reason, alarm_id)
    back = form.get("back", "")
    return desk.go(back if is_own_path(back) else f"/cameras/{camera_id}?picture={asked.picture_id}")


async def show_picture(desk: Desk) -> web.StreamResponse:
    """Show what a picture shows."""
    text = desk.request.match_info["picture"]
    if not is_uuid(text):
        raise NotFound(f"there is no picture {text!r}")
    content = await desk.read(cameras.content_of, CameraPictureId(text))
    # What is live is another picture every few seconds under one address.
    return web.Response(body=content, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


async def _form(desk: Desk) -> dict[str, str]:
    posted = await desk.request.post()
    return {name: str(value).strip()[:_FIELD_LENGTH_MAX] for name, value in posted.items()}


def _list(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    building: str,
    fmt: Format,
    typed: Mapping[str, str] | None = None,
    error: str = "",
) -> CamerasView:
    rows = cameras.list_cameras(tx, actor, site_id)
    buildings = {one.building_id: one for one in premises.list_buildings(tx, actor, site_id)}
    names = {str(one.building_id): one.name for one in buildings.values()}
    there = [one for one in buildings.values() if any(r.camera.building_id == one.building_id for r in rows)]
    filters = [Filter(fmt.language.gettext("All"), "/cameras", not building, len(rows))]
    for one in there:
        count = sum(row.camera.building_id == one.building_id for row in rows)
        filters.append(Filter(one.name, f"/cameras?building={one.code}", one.code == building, count))
    chosen = next((one.building_id for one in there if one.code == building), None)
    unnamed: list[tuple[str, str]] = []
    if may(actor, Action.MANAGE_CAMERAS):
        unnamed = [(box.code, code) for box, code in cameras.unnamed(tx, actor, site_id)]
    return CamerasView(
        tuple(row for row in rows if chosen is None or row.camera.building_id == chosen),
        names,
        tuple(filters) if there else (),
        tuple(unnamed),
        f"building={building}&" if chosen is not None else "",
        typed or {},
        error,
    )


def _one(
    tx: Tx,
    actor: User,
    camera_id: CameraId,
    picture: str,
    typed: Mapping[str, str] | None = None,
    error: str = "",
) -> CameraView:
    now, pictures = cameras.get_camera(tx, actor, camera_id)
    camera = now.camera
    shown = now.latest
    if is_uuid(picture):
        shown = cameras.get_picture(tx, actor, CameraPictureId(picture))
        if shown.camera_id != camera_id:
            raise NotFound(f"there is no picture {picture}")
    age_ms = 0 if shown is None else tx.now_ms - shown.asked_at_ms
    buildings = tuple(premises.list_buildings(tx, actor, camera.site_id))
    said = {
        "name": camera.name,
        "place": camera.place,
        "building": next((one.code for one in buildings if one.building_id == camera.building_id), ""),
        "sees": "\n".join(camera.sees),
        "keep_days": str(camera.keep_days),
    }
    return CameraView(
        now,
        tuple(pictures),
        shown,
        shown is not None and shown.cause is PictureCause.LIVE and age_ms < VIEW_S * 1000,
        shown is not None and shown.taken_at_ms is None and age_ms < _WAITED_MS,
        next((one.name for one in buildings if one.building_id == camera.building_id), ""),
        buildings,
        typed or said,
        error,
    )


def _add(tx: Tx, actor: User, site_id: SiteId, form: Mapping[str, str], fmt: Format) -> CameraNow:
    unnamed = {f"{box.code}/{code}": (box, code) for box, code in cameras.unnamed(tx, actor, site_id)}
    if form.get("device", "") not in unnamed:
        raise Invalid("choose which device it is")
    box, code = unnamed[form["device"]]
    said = _said(tx, actor, site_id, form, fmt)
    return cameras.add_camera(tx, actor, site_id, box.gateway_id, code, said)


def _change(tx: Tx, actor: User, camera_id: CameraId, form: Mapping[str, str], fmt: Format) -> CameraNow:
    now, _ = cameras.get_camera(tx, actor, camera_id)
    said = _said(tx, actor, now.camera.site_id, form, fmt)
    return cameras.change_camera(tx, actor, camera_id, said)


def _said(tx: Tx, actor: User, site_id: SiteId, form: Mapping[str, str], fmt: Format) -> CameraSettings:
    found = premises.list_buildings(tx, actor, site_id)
    building = next((one for one in found if one.code == form.get("building", "")), None)
    building_id = None if building is None else BuildingId(building.building_id)
    sees = tuple(form.get("sees", "").replace("，", " ").replace(",", " ").split())
    keep_days = whole_of(form.get("keep_days", ""), fmt)
    return CameraSettings(form.get("name", ""), form.get("place", ""), building_id, sees, keep_days)


def _camera_id(desk: Desk) -> CameraId:
    text = desk.request.match_info["camera"]
    if not is_uuid(text):
        raise NotFound(f"there is no camera {text!r}")
    return CameraId(text)
