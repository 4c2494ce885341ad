"""Cameras as people know them, and the pictures of them that are kept for a while.

The invariants: a picture is kept for the days its camera says and its content is gone afterwards, while that
there was one stays known; what is shown live is kept by nobody; and who asked for a picture stands with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.domain.errors import Invalid, Problem
from cloud.domain.ids import BuildingId, CameraId, CameraPictureId, GatewayId, SiteId
from protocol.picture import PictureCause

NAME_LENGTH_MAX, PLACE_LENGTH_MAX = 50, 100
# What is needed to look into an alarm; who keeps pictures for longer says why.
KEEP_DAYS_MIN, KEEP_DAYS_MAX, KEEP_DAYS_USUAL = 1, 90, 30
SEES_MAX = 30
# One view lasts so long; who still looks begins another, which is written down again.
VIEW_S = 60
# A view's last picture is forgotten this long after it was asked for.
LIVE_KEPT_MS = 10 * 60_000
# The box's clock and its event: a picture is taken a moment after what it was taken for was raised.
AROUND_ALARM_MS = 5_000
PICTURES_SHOWN_MAX = 60


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera behind a gateway; `sees` are the devices in its view."""

    camera_id: CameraId
    site_id: SiteId
    gateway_id: GatewayId
    device_code: str
    name: str
    place: str
    building_id: BuildingId | None
    sees: tuple[str, ...]
    keep_days: int


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """A picture without its content; `taken_at_ms` None until it has come, `is_kept` False once erased."""

    picture_id: CameraPictureId
    camera_id: CameraId
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


@dataclass(frozen=True, slots=True)
class CameraNow:
    """A camera, whether it answers (None: nobody knows), and its latest picture."""

    camera: Camera
    is_online: bool | None
    latest: CameraPicture | None


@dataclass(frozen=True, slots=True)
class CameraNotice:
    """What who passes a camera may know of it: where it hangs, how long its pictures are kept."""

    name: str
    building: str  # "": the whole site's
    place: str
    keep_days: int


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What people say of a camera."""

    name: str
    place: str = ""
    building_id: BuildingId | None = None
    sees: tuple[str, ...] = ()
    keep_days: int = KEEP_DAYS_USUAL


def checked_settings(said: CameraSettings) -> CameraSettings:
    """Return what was said with blanks put right; Invalid names the field that does not fit."""
    name, place = " ".join(said.name.split()), " ".join(said.place.split())
    sees = tuple(dict.fromkeys(code for code in said.sees if code))
    problems: list[Problem] = []
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        problems.append(
            Problem("/name", f"a camera's name has 1 to {NAME_LENGTH_MAX} characters, not {len(name)}")
        )
    if len(place) > PLACE_LENGTH_MAX:
        problems.append(
            Problem("/place", f"a place has at most {PLACE_LENGTH_MAX} characters, not {len(place)}")
        )
    if not KEEP_DAYS_MIN <= said.keep_days <= KEEP_DAYS_MAX:
        message = f"pictures are kept {KEEP_DAYS_MIN} to {KEEP_DAYS_MAX} days, not {said.keep_days}"
        problems.append(Problem("/keep_days", message))
    if len(sees) > SEES_MAX:
        problems.append(Problem("/sees", f"a camera sees at most {SEES_MAX} devices, not {len(sees)}"))
    if problems:
        raise Invalid(problems[0].detail, problems)
    return CameraSettings(name, place, said.building_id, sees, said.keep_days)


def seeing(cameras: Sequence[CameraNow], gateway_id: GatewayId, device_code: str) -> list[CameraNow]:
    """Return the cameras in whose view a device is."""
    return [
        one
        for one in cameras
        if one.camera.gateway_id == gateway_id and device_code and device_code in one.camera.sees
    ]
