"""A door reader on OSDP, played by libosdp on a pseudo-terminal: shows cards, obeys, tells what it was told.

The invariant: with a key it speaks over its secure channel only, as a reader that has been keyed does.
libosdp is imported when a reader is played, since not every machine has it.
"""

import contextlib
import os
import pty
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# What it has, by libosdp's names: compliance level and how many.
_ABILITIES = {
    "AudibleControl": (2, 1),
    "CardDataFormat": (1, 1),
    "CommunicationSecurity": (1, 1),
    "LEDControl": (2, 1),
    "OutputControl": (2, 1),
    "TextOutput": (1, 1),
}
_LOCAL = 2
_OFF, _ON, _ON_FOR_A_TIME = 1, 2, 5
_OUTPUT_WORDS = {_OFF: "off", _ON: "on", _ON_FOR_A_TIME: "on for a time"}
_TIMER_MS = 100  # timers of OSDP count tenths of a second


class DoorReader:
    """One reader; `tell` hears in words what it is told to do."""

    def __init__(
        self,
        address: int,
        key: bytes | None,
        descriptor: int,
        path: Path,
        tell: Callable[[str], None],
        unlock: Callable[[int | None], None],
    ) -> None:
        import osdp

        self.path = path
        self._osdp = osdp
        self._tell = tell
        self._unlock = unlock
        abilities = [(getattr(osdp.Capability, name), *at) for name, at in _ABILITIES.items()]
        flags = [osdp.LibFlag.EnforceSecure] if key else []
        self._device = osdp.PeripheralDevice(
            osdp.PDInfo(address, _channel(descriptor), scbk=key, flags=flags),
            osdp.PDCapabilities(abilities),
            log_level=osdp.LogLevel.Critical,
            command_handler=self._obey,
        )
        self._device.start()

    @property
    def is_heard(self) -> bool:
        """Tell whether a panel talks to it."""
        return bool(self._device.is_online())

    def show_card(self, card: bytes) -> None:
        """Let somebody hold a card to it."""
        self._say({"event": self._osdp.Event.CardRead, "reader_no": 0, "direction": 0} | _wiegand(card))

    def open_case(self, *, is_open: bool) -> None:
        """Let somebody open it, or close it again."""
        report = bytes((is_open, 0))
        event = {"event": self._osdp.Event.Status, "type": _LOCAL, "nr_entries": 2, "report": report}
        self._say(event)

    def close(self) -> None:
        """Switch it off."""
        self._device.teardown()

    def _say(self, event: dict[str, Any]) -> None:
        self._device.submit_event(event)

    def _obey(self, command: dict[str, Any]) -> tuple[int, None]:
        kinds = self._osdp.Command
        match command["command"]:
            case kinds.Output:
                code = command["control_code"]
                self._tell(f"lock {_OUTPUT_WORDS.get(code, 'output')}")
                timed_ms = _TIMER_MS * int(command["timer_count"])
                self._unlock({_OFF: 0, _ON_FOR_A_TIME: timed_ms}.get(code))
            case kinds.Buzzer:
                self._tell("beep")
            case kinds.LED:
                self._tell("light")
            case kinds.Text:
                self._tell(f"text {command['data']!r}")
        return 0, None


def _wiegand(card: bytes) -> dict[str, object]:
    return {"format": 1, "length": 8 * len(card), "data": card}


def _channel(descriptor: int) -> Any:
    import osdp

    class Channel(osdp.Channel):  # type: ignore[misc]  # libosdp has no types
        def read(self, max_bytes: int) -> bytes:
            with contextlib.suppress(OSError):
                return os.read(descriptor, max_bytes)
            return b""

        def write(self, data: bytes) -> int:
            with contextlib.suppress(OSError):
                return os.write(descriptor, data)
            return 0

        def flush(self) -> None:
            with contextlib.suppress(OSError):
                while os.read(descriptor, 4096):
                    pass

    return Channel()


@contextlib.contextmanager
def reader_on_a_line(
    link: Path | None,
    address: int,
    key: bytes | None,
    tell: Callable[[str], None],
    unlock: Callable[[int | None], None] = lambda _: None,
) -> Iterator[DoorReader]:
    """Yield a reader at the far end of a pseudo-terminal that `link` points to, if there is one.

    `unlock` hears for how many milliseconds from now the door's lock is on, 0 for no longer and None for
    until further notice. Both callbacks are called on a thread of libosdp's.
    """
    ours, theirs = pty.openpty()
    for descriptor in (ours, theirs):
        tty.setraw(descriptor)
    os.set_blocking(ours, False)
    path = Path(os.ttyname(theirs))
    if link is not None:
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    reader = DoorReader(address, key, ours, path, tell, unlock)
    try:
        yield reader
    finally:
        reader.close()
        if link is not None:
            link.unlink(missing_ok=True)
        os.close(ours)
        os.close(theirs)
