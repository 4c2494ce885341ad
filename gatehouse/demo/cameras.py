"""The cameras of the demonstration: what they are called and see, and a picture of each to begin with.

The invariant: every picture went from a camera over the box to the cloud; none is put there.
"""

import time

import msgspec

from gatehouse.demo.cloud_api import CloudApi
from gatehouse.demo.errors import ProofFailed

# By device: name, place, what is in its view. The lobby and the garage also see the doors.
_CAMERAS = (
    ("cam-1", "1 号楼大堂", "一层大堂北墙", True, ("lock-1", "lift-1", "plug-1")),
    ("cam-2", "水泵房", "地下一层", True, ("leak-1", "em-pump", "siren-1")),
    ("cam-3", "地下车库 A 区", "地下一层入口", False, ("door-1", "em-charger", "em-garage")),
)
_KEEP_DAYS = 30
_TIMEOUT_S, _LOOK_S = 30.0, 0.25


class _Building(msgspec.Struct):
    building_id: str


class _Camera(msgspec.Struct):
    camera_id: str
    device_code: str = ""
    is_online: bool | None = None


class _Picture(msgspec.Struct):
    picture_id: str
    kind: str = ""
    taken_at_ms: int | None = None


def name_cameras(api: CloudApi, site_id: str, gateway_id: str) -> int:
    """Name what the box has as cameras; return how many."""
    path = f"/api/v1/sites/{site_id}/cameras"
    if next(api.pages(path, _Camera), None) is not None:
        return 0
    [building, *_] = api.pages(f"/api/v1/sites/{site_id}/buildings", _Building)
    for code, name, place, is_inside, sees in _CAMERAS:
        camera = {"gateway_id": gateway_id, "device_code": code, "name": name, "place": place}
        within = {"building_id": building.building_id} if is_inside else {}
        api.post(path, {**camera, **within, "sees": sees, "keep_days": _KEEP_DAYS}, _Camera)
    return len(_CAMERAS)


def look_around(api: CloudApi, site_id: str) -> int:
    """Ask every camera that answers for a picture, as a guard does coming on duty; return how many."""
    path = f"/api/v1/sites/{site_id}/cameras"
    deadline = time.monotonic() + _TIMEOUT_S
    while not all(one.is_online for one in api.pages(path, _Camera)) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    online = [one for one in api.pages(path, _Camera) if one.is_online]
    for one in online:
        api.post(f"/api/v1/cameras/{one.camera_id}/pictures", {"reason": "接班巡视"}, _Picture)
    return len(online)


def pictures_come(api: CloudApi, site_id: str, kinds: set[str], asked: int) -> tuple[int, int]:
    """Return how many pictures of alarms and how many that were asked for have come.

    Waits until each of these kinds of alarm has one, and all that were asked for are there; else ProofFailed.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        cameras = api.pages(f"/api/v1/sites/{site_id}/cameras", _Camera)
        paths = [f"/api/v1/cameras/{one.camera_id}/pictures" for one in cameras]
        came = [one for path in paths for one in api.pages(path, _Picture) if one.taken_at_ms is not None]
        seen = [one for one in came if one.kind]
        if kinds <= {one.kind for one in seen} and len(came) - len(seen) >= asked:
            if not all(_is_jpeg(api, one) for one in came):
                raise ProofFailed("what stands as a camera's picture is none")
            return len(seen), len(came) - len(seen)
        if time.monotonic() > deadline:
            wanted = f"of {', '.join(sorted(kinds))} and {asked} that were asked for"
            raise ProofFailed(f"the cameras' pictures {wanted} have not come within {_TIMEOUT_S:.0f} s")
        time.sleep(_LOOK_S)


def _is_jpeg(api: CloudApi, picture: _Picture) -> bool:
    return api.raw(f"/api/v1/camera_pictures/{picture.picture_id}").startswith(b"\xff\xd8")
