"""The building's cameras: which hang where, and all of them opened together.

The invariant: one camera a device of the list, each on a port of its own; one that is dead is silent.
"""

import importlib.util
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from protocol.onvif import Credential
from simulator.building import CAMERAS, DEMO_CAMERA_PASSWORD, DEMO_CAMERA_USER, Device, devices_on
from simulator.cameras import Camera, CameraMake
from simulator.clock import Clock
from simulator.faults import FaultBook, FaultKind
from simulator.scenes import View

_log = logging.getLogger(__name__)

DEMO_CAMERA = Credential(DEMO_CAMERA_USER, DEMO_CAMERA_PASSWORD)
_MODEL = "IPC-T3"


@asynccontextmanager
async def hung_cameras(
    clock: Clock, host: str, faults: FaultBook, first_port: int = 0
) -> AsyncIterator[list[Camera]]:
    """Open the cameras from that port on, 0 for any; none where this machine cannot draw."""
    async with AsyncExitStack() as stack:
        hung = [_camera(device, clock, host, faults) for device in devices_on(CAMERAS)]
        if importlib.util.find_spec("PIL") is None:
            _log.warning("no cameras: Pillow is not on this machine")
            hung = []
        for place, camera in enumerate(hung):
            await camera.open(first_port + place if first_port else 0)
            stack.push_async_callback(camera.close)
        yield hung


def _camera(device: Device, clock: Clock, host: str, faults: FaultBook) -> Camera:
    make = CameraMake(device.device_id, View(device.title, device.address), _MODEL, DEMO_CAMERA)
    return Camera(make, clock, host, lambda: faults.active(device.device_id, FaultKind.DEAD) is not None)
