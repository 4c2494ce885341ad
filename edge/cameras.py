"""The cameras of one line: looked at every so often, asked for a picture when one is wanted.

The invariants: a camera is asked one thing at a time, so that ten who look make no ten pictures a second;
what is shown live ends by itself; and a camera that missed one question is not called away for it.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.camera import Camera
from edge.clock import Clock
from edge.driver import state_readings
from edge.errors import EXCHANGE_FAILURES, LineDown, Offline, StorageFault
from edge.intake import Intake
from edge.pictures import PictureShelf
from edge.rules.offline import DEVICE_OFFLINE
from protocol.onvif import Credential
from protocol.picture import PICTURE_VERSION, Picture, PictureCause
from protocol.reading import ClockQuality
from provisioning.config import DeviceConfig, DeviceId
from provisioning.lines import OnvifLine

log = logging.getLogger(__name__)

ONLINE, NO_PICTURE, WRONG_CLOCK = "online", "no_picture", "wrong_clock"
# A camera that restarts misses a question or two; the next one follows soon.
_MISSED_MAX, _AGAIN_S = 2, 5.0
# Beyond this the time in a picture contradicts every other record of the same minute.
_CLOCK_TOLERANCE_MS = 60_000
# Live is one picture every so often: enough to see what goes on, little enough for a line of 4G.
LIVE_EVERY_S = 2.5
_PASSWORD_BYTES_MAX = 256


@dataclass(slots=True)
class _Watched:
    """One camera, and how it stands. `turn` keeps questions to it apart."""

    device: DeviceConfig
    camera: Camera | None = None
    missed: int = 0
    states: dict[str, bool] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    live: asyncio.Task[None] | None = None
    live_until_ms: int = 0


class CameraListener:
    """All cameras of one line."""

    def __init__(
        self,
        line: OnvifLine,
        devices: Sequence[DeviceConfig],
        intake: Intake,
        clock: Clock,
        shelf: PictureShelf,
    ) -> None:
        self.line = line
        self.devices = list(devices)
        self.down_reason = ""
        self.is_connected = False
        self.messages = 0
        self.bad_messages = 0
        self._intake = intake
        self._clock = clock
        self._shelf = shelf
        self._watched: Mapping[DeviceId, _Watched] = {one.device_id: _Watched(one) for one in devices}
        self._group: asyncio.TaskGroup | None = None

    def is_online(self, device_id: DeviceId) -> bool:
        """Tell whether a camera answers."""
        return self._watched[device_id].states.get(ONLINE, False)

    async def run(self) -> None:
        """Look at every camera, until cancelled; a password that cannot be read is looked for again."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for watched in self._watched.values():
                    group.create_task(self._watch(watched))
        finally:
            self._group, self.is_connected = None, False

    async def take(
        self,
        device_id: DeviceId,
        picture_id: str,
        cause: PictureCause,
        view_id: str = "",
        about: tuple[str, str] = ("", ""),
    ) -> str:
        """Take a picture and lay it on the shelf; return how long it is in words. Failures as of an exchange.

        `about` are kind and point of the event it is taken for.
        """
        watched = self._watched[device_id]
        if watched.camera is None:
            raise Offline(f"{device_id}: {self.down_reason or 'not looked at yet'}")
        async with watched.turn:
            content = await watched.camera.picture()
            taken_at_ms = self._clock.wall_ms()
        self.messages += 1
        picture = Picture(
            PICTURE_VERSION,
            picture_id,
            device_id,
            taken_at_ms,
            self._clock.quality is ClockQuality.SYNCED,
            cause,
            view_id,
            *about,
            content,
        )
        try:
            await self._shelf.put(picture)
        except StorageFault as error:
            raise LineDown(str(error)) from error
        return f"a picture of {len(content) // 1024 + 1} kB"

    def show_live(self, device_id: DeviceId, view_id: str, seconds: int) -> None:
        """Send what a camera sees every so often, until the time is over; who comes later prolongs it."""
        watched = self._watched[device_id]
        if watched.camera is None or self._group is None:
            raise Offline(f"{device_id}: {self.down_reason or 'not looked at yet'}")
        until_ms = self._clock.monotonic_ms() + seconds * 1000
        watched.live_until_ms = max(watched.live_until_ms, until_ms)
        if watched.live is None or watched.live.done():
            watched.live = self._group.create_task(self._live(watched, view_id))

    async def _live(self, watched: _Watched, view_id: str) -> None:
        while self._clock.monotonic_ms() < watched.live_until_ms:
            try:
                await self.take(watched.device.device_id, str(uuid.uuid4()), PictureCause.LIVE, view_id)
            except EXCHANGE_FAILURES as error:
                log.info("no live picture", extra={"device": watched.device.device_id, "reason": str(error)})
            await asyncio.sleep(LIVE_EVERY_S)

    async def _watch(self, watched: _Watched) -> None:
        interval_s = min(watched.device.intervals_s.values())
        credential = await self._credential()
        async with Camera(watched.device.address, credential, self._clock) as camera:
            watched.camera = camera
            try:
                while True:
                    is_well = await self._look(watched, camera)
                    await asyncio.sleep(interval_s if is_well else min(interval_s, _AGAIN_S))
            finally:
                watched.camera = None

    async def _credential(self) -> Credential:
        while True:
            password = ""
            with contextlib.suppress(OSError, UnicodeDecodeError):
                text = await asyncio.to_thread(self.line.password_file.read_text, "utf-8")
                password = text.strip("\r\n")
            if not 0 < len(password.encode()) <= _PASSWORD_BYTES_MAX:
                reason = f"{self.line.password_file}: no password to be read"
                if reason != self.down_reason:
                    log.warning("line is down", extra={"line": self.line.line_id, "reason": reason})
                self.down_reason = reason
                await asyncio.sleep(_AGAIN_S)
                continue
            self.down_reason, self.is_connected = "", True
            return Credential(self.line.username, password)

    async def _look(self, watched: _Watched, camera: Camera) -> bool:
        """Look once, and tell what changed; False where it did not answer as it should."""
        states, reason = {ONLINE: True, NO_PICTURE: False}, ""
        try:
            async with watched.turn:
                state = await camera.look()
                states[WRONG_CLOCK] = abs(state.ahead_ms) > _CLOCK_TOLERANCE_MS
        except EXCHANGE_FAILURES as error:
            states, reason = {ONLINE: False}, str(error)
        else:
            try:
                async with watched.turn:
                    await camera.picture()
            except EXCHANGE_FAILURES as error:
                states[NO_PICTURE], reason = True, str(error)
        if reason:
            self.bad_messages += 1
            watched.missed += 1
            if watched.missed < _MISSED_MAX:
                return False
        else:
            self.messages += 1
            watched.missed = 0
        self._tell(watched, states, reason)
        return not reason

    def _tell(self, watched: _Watched, states: dict[str, bool], reason: str) -> None:
        device = watched.device
        if not states[ONLINE] or not watched.states.get(ONLINE, False):
            is_offline = not states[ONLINE]
            self._intake.note(DEVICE_OFFLINE, device.device_id, is_offline=is_offline, reason=reason)
        watched.states = states
        at_ms, quality = self._clock.wall_ms(), self._clock.quality
        self._intake.accept(state_readings(device, states, at_ms, quality))
