"""A camera: "take a picture now", "let me look for a while", and a picture because something was raised."""

import uuid
from collections.abc import Mapping

from edge.cameras import CameraListener
from edge.errors import BadFrame, NoReply
from protocol.command import Act, Action, LocalAction
from protocol.errors import FrameError, Refused
from protocol.picture import PictureCause
from provisioning.config import DeviceConfig


class CameraShutter:
    """One camera. A picture that was not taken is known not to be: nothing is in doubt afterwards."""

    actions: frozenset[Act] = frozenset({Action.SHOW_LIVE, Action.TAKE_PICTURE, LocalAction.ALARM_PICTURE})

    def __init__(self, device: DeviceConfig, listener: CameraListener) -> None:
        self._device_id = device.device_id
        self._listener = listener

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Take a picture, or begin to show what the camera sees."""
        assert action in self.actions, action
        try:
            match action:
                case Action.SHOW_LIVE:
                    seconds = _seconds(parameters["seconds"])
                    self._listener.show_live(self._device_id, parameters["view"], seconds)
                    return f"shown for {seconds} s"
                case Action.TAKE_PICTURE:
                    return await self._listener.take(
                        self._device_id, parameters["picture"], PictureCause.ASKED, parameters["picture"]
                    )
                case _:
                    about = (parameters["kind"], parameters["point"])
                    return await self._listener.take(
                        self._device_id, str(uuid.uuid4()), PictureCause.ALARM, about=about
                    )
        except (BadFrame, FrameError, NoReply) as error:
            raise Refused(f"no picture: {error}") from error

    async def look(self, point: str) -> None:
        """Do nothing: the camera is looked at by itself."""
        del point


# A view that was begun may be watched for so long; who still looks then begins another.
SHOWN_MAX_S = 120


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= SHOWN_MAX_S:
        raise Refused(f"seconds: expected 1 to {SHOWN_MAX_S}, got {text[:16]!r}")
    return int(text)
