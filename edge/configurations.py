"""The shelf of configurations: those sent from the cloud, which of them runs, and what is still to be told.

    <buffer's folder>/configuration/state.json     which runs, which is on trial, what nobody has heard yet
                                    0000007.bundle as it was signed
                                    inbox.bundle   one brought by hand, to be looked at

The invariants: a bundle is whole on disk before anything points at it, and `state.json` is replaced in
one step, so power may fail anywhere and the next start finds the configuration of before or of after;
no number is taken twice, nor one below it. Rows and the gateway's identity are in other files.
"""

import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from edge.errors import StorageFault
from protocol.configuration import ConfigurationState, Report

log = logging.getLogger(__name__)

FOLDER = "configuration"
INBOX = "inbox.bundle"
_STATE = "state.json"
_SUFFIX = ".bundle"
# What the cloud has not heard of yet: a box that is never online must not fill its disk with reports.
_UNTOLD_MAX = 50


class _State(msgspec.Struct):
    """What `state.json` holds. 0 is the gateway's own file."""

    highest: int = 0  # no number up to this is taken again
    running: int = 0
    trial: int = 0
    trial_starts: int = 0  # of the agent, since the trial began
    must_answer: list[str] = []  # devices it concerns that answered when the trial began
    is_by_hand: bool = False  # brought to the box, which may have no way to the cloud
    own_digest: str = ""  # of the gateway's own file when the one that runs was taken
    untold: list[Report] = []


class Configurations:
    """The shelf. One per gateway; a method returns when what it did is on disk."""

    def __init__(
        self,
        folder: Path,
        now_ms: Callable[[], int],
        write: Callable[[Path, bytes], None] | None = None,
    ) -> None:
        self._folder = folder
        self._replace = write or write_durably
        self._now_ms = now_ms
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._state = self._read()
        except OSError as error:
            raise StorageFault(f"{folder}: {error}") from error

    @property
    def highest(self) -> int:
        """Return the highest number ever taken or turned down."""
        return self._state.highest

    @property
    def running(self) -> int:
        """Return the number that has passed its trial and runs; 0 for the gateway's own file."""
        return self._state.running

    @property
    def trial(self) -> int:
        """Return the number that is on trial, 0 for none."""
        return self._state.trial

    @property
    def trial_starts(self) -> int:
        """Return how often the agent has started since the trial began."""
        return self._state.trial_starts

    @property
    def must_answer(self) -> frozenset[str]:
        """Return the devices the trial concerns that answered when it began."""
        return frozenset(self._state.must_answer)

    @property
    def is_by_hand(self) -> bool:
        """Tell whether what is on trial was brought to the box."""
        return self._state.is_by_hand

    @property
    def own_digest(self) -> str:
        """Return what the gateway's own file was when the running configuration was taken."""
        return self._state.own_digest

    @property
    def untold(self) -> tuple[Report, ...]:
        """Return what the cloud has not confirmed to have heard, oldest first."""
        return tuple(self._state.untold)

    def content(self, number: int) -> bytes:
        """Return a bundle as it was signed; StorageFault if it cannot be read."""
        try:
            return self._path(number).read_bytes()
        except OSError as error:
            raise StorageFault(f"configuration {number}: {error}") from error

    def stage(self, number: int, content: bytes) -> None:
        """Put a bundle on the shelf."""
        self._write(self._path(number), content)
        self._change(ConfigurationState.STAGED, number, (), highest=max(number, self._state.highest))

    def refuse(self, number: int, reasons: Collection[str]) -> None:
        """Remember that a number was turned down, and why."""
        highest = max(number, self._state.highest)
        self._change(ConfigurationState.REFUSED, number, reasons, highest=highest)
        self._tidy()

    def begin_trial(self, number: int, must_answer: Collection[str], *, is_by_hand: bool) -> None:
        """Point at a staged bundle; from here a start of the agent begins with it."""
        self._change(
            ConfigurationState.APPLIED,
            number,
            (),
            trial=number,
            trial_starts=0,
            must_answer=sorted(must_answer),
            is_by_hand=is_by_hand,
        )

    def count_start(self) -> int:
        """Count a start of the agent under trial; return how many there have been."""
        self._state.trial_starts += 1
        self._save()
        return self._state.trial_starts

    def pass_trial(self, own_digest: str, remarks: Collection[str]) -> None:
        """Make what is on trial the one that runs."""
        number = self._state.trial
        self._change(
            ConfigurationState.HEALTHY, number, remarks, running=number, trial=0, own_digest=own_digest
        )
        self._tidy()

    def fail_trial(self, reasons: Collection[str]) -> None:
        """Go back to the one that ran before."""
        self._change(ConfigurationState.ROLLED_BACK, self._state.trial, reasons, trial=0)
        self._tidy()

    def return_to_file(self, reason: str) -> None:
        """Let the gateway's own file run again: it was edited by hand, or what ran cannot be read."""
        number = self._state.trial or self._state.running
        self._change(ConfigurationState.ROLLED_BACK, number, [reason], running=0, trial=0)
        self._tidy()

    def told(self, report: Report) -> None:
        """Forget a report that the cloud has heard."""
        self._state.untold = [one for one in self._state.untold if one != report]
        self._save()

    def take_inbox(self) -> bytes | None:
        """Return what was brought by hand and take it out of the inbox; None if there is nothing."""
        path = self._folder / INBOX
        try:
            content = path.read_bytes()
            path.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageFault(f"{path}: {error}") from error
        return content

    def _change(
        self, state: ConfigurationState, number: int, reasons: Collection[str], **changes: object
    ) -> None:
        report = Report(number, state, list(reasons), self._now_ms())
        untold = [*self._state.untold, report][-_UNTOLD_MAX:]
        self._state = msgspec.structs.replace(self._state, untold=untold, **changes)
        self._save()

    def _save(self) -> None:
        self._write(self._folder / _STATE, msgspec.json.encode(self._state))

    def _read(self) -> _State:
        path = self._folder / _STATE
        try:
            return msgspec.json.decode(path.read_bytes(), type=_State)
        except FileNotFoundError:
            return _State(highest=self._highest_on_shelf())
        except (msgspec.MsgspecError, UnicodeDecodeError):
            log.exception("what is known of configurations is damaged; the gateway's own file runs")
            return _State(highest=self._highest_on_shelf())

    def _highest_on_shelf(self) -> int:
        names = [path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}")]
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:07}{_SUFFIX}"

    def _tidy(self) -> None:
        """Drop bundles nothing points at; the newest stays, so that its number is known without the state."""
        kept = {self._path(self._state.running), self._path(self._state.trial), self._path(self.highest)}
        for path in self._folder.glob(f"[0-9]*{_SUFFIX}"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            self._replace(path, content)
        except OSError as error:
            raise StorageFault(f"{path}: {error}") from error


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file so that a power cut leaves the old one or the new one, never a part of either."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
