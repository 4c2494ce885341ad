"""The evidence of an alarm: everything that was seen, said and done about it, in one bundle.

The invariant: every file of a bundle stands in its manifest with its length and SHA-256, and a frame is in
it byte for byte as it was on the wire, so that whoever is given a bundle can tell whether it is whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cloud.domain.alarm import Alarm, AlarmEntry
from cloud.domain.alarm_handling import AlarmAct
from cloud.domain.entry import Passage
from cloud.domain.notice import Channel, NoticeState
from cloud.domain.premises import Site
from cloud.domain.response_plan import PlanAtAlarm
from protocol.event import EventState, Severity
from protocol.evidence import Evidence

MANIFEST = "manifest.json"
# How long before and after the alarm the doors are looked at.
DOORS_AROUND_MS = 15 * 60_000
# More than these is a siege, not an alarm; the bundle says where it was cut.
EVENTS_MAX, DOORS_MAX, TOLD_MAX, PHOTOS_MAX = 500, 500, 200, 50


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """What the box said, and the frame it said it by where there was one, with the hash stored at arrival."""

    occurred_at_ms: int
    received_at_ms: int
    kind: str
    state: EventState
    severity: Severity
    message: str
    epoch: int
    seq: int
    frame: Evidence | None
    frame_sha256: str


@dataclass(frozen=True, slots=True)
class ToldNotice:
    """A notice about the alarm: to whom (a name, or a site's staff), by what, and what became of it.

    `channel` and the rest are None where it was told in the console only.
    """

    at_ms: int
    name: str
    read_at_ms: int | None
    channel: Channel | None
    address: str
    state: NoticeState | None
    finished_at_ms: int | None


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """A photo taken at the repair of the alarm, or a picture by a camera: JPEG.

    Of a picture there is which camera took it when, and the SHA-256 of the bytes the camera gave; what is
    kept was decoded and written anew.
    """

    name: str
    content: bytes
    camera: str = ""
    taken_at_ms: int | None = None
    sha256_at_camera: str = ""


@dataclass(frozen=True, slots=True)
class AlarmEvidence:
    """Everything there is about one alarm, as of an instant."""

    alarm: Alarm
    site: Site
    as_of_ms: int
    made_by: str
    entries: tuple[AlarmEntry, ...]
    acts: tuple[AlarmAct, ...]
    plan: PlanAtAlarm
    events: tuple[SeenEvent, ...] = ()
    doors: tuple[Passage, ...] = ()
    told: tuple[ToldNotice, ...] = ()
    photos: tuple[SeenPhoto, ...] = ()

    @property
    def from_ms(self) -> int:
        """Return since when the doors are looked at."""
        return self.alarm.raised_at_ms - DOORS_AROUND_MS

    @property
    def until_ms(self) -> int:
        """Return until when."""
        return min(self.as_of_ms, (self.alarm.cleared_at_ms or self.as_of_ms) + DOORS_AROUND_MS)


def manifest_of(files: Mapping[str, bytes]) -> list[dict[str, str | int]]:
    """Return name, length and SHA-256 of every file, by name."""
    return [
        {"name": name, "bytes": len(files[name]), "sha256": sha256(files[name]).hexdigest()}
        for name in sorted(files)
    ]


def broken_files(manifest: Sequence[Mapping[str, str | int]], files: Mapping[str, bytes]) -> list[str]:
    """Return the names of files that are missing, were changed, or stand in no manifest."""
    told = {str(one["name"]): one for one in manifest}
    found = {str(one["name"]): one for one in manifest_of(files)}
    return sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))
