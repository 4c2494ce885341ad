"""DL/T 645 meters whose edition nobody knows: asked in one, then in the other, until one is answered.

Meters of 1997 and 2007 look alike and hang on one line. A meter of one edition refuses or ignores
the identifiers of the other, so the edition is found by asking. The invariant: every poll asks in
one edition only; an edition that gave a value is kept, and doubted only after a run of polls
without any, since then the meter may have been exchanged.
"""

from collections.abc import Sequence
from dataclasses import replace

from edge.driver import Bus, EvidenceKeeper, Heard, PlannedRequest
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.dlt645_talk import MeterTalk
from edge.errors import NoReply
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import Dlt645Source, PointProfile

# Polls without a value after which a proven edition is doubted: a power cut is longer, an exchange rarer.
_FAILURES_TO_DOUBT = 5


class EitherEditionDriver:
    """One meter on a bus, of 2007 unless it shows that it is of 1997."""

    def __init__(self, device: DeviceConfig, bus: Bus, evidence: EvidenceKeeper) -> None:
        self.device = device
        self._present, self._other = (
            Dlt645Driver(_of_edition(device, protocol), bus, evidence)
            for protocol in ("dlt645-2007", "dlt645-1997")
        )
        self._has_answered = False
        self._failures = 0

    def plan(self, group: str) -> Sequence[PlannedRequest]:
        """Return the requests in the edition that is presently believed."""
        return self._present.plan(group)

    async def poll(self, group: str) -> list[Reading]:
        """Ask in the present edition; turn to the other one for the next poll if nobody answers."""
        readings = await self._present.poll(group)
        qualities = {reading.quality for reading in readings}
        if qualities <= {Quality.OFFLINE}:
            return readings  # nothing was asked
        if any(quality.has_value or quality is Quality.ABSENT for quality in qualities):
            self._has_answered, self._failures = True, 0
        else:
            self._fail()
        return readings

    async def probe(self) -> None:
        """Ask for the shortest answer; if there is none, the other edition has its turn."""
        try:
            await self._present.probe()
        except NoReply:
            self._fail()
            raise

    async def read_raw(self, frame: bytes) -> Heard:
        """Send a person's own read in the present edition."""
        return await self._present.read_raw(frame)

    @property
    def talk(self) -> MeterTalk:
        """Return how the meter is talked to in the edition presently believed."""
        return self._present.talk

    def _fail(self) -> None:
        self._failures += 1
        if not self._has_answered or self._failures % _FAILURES_TO_DOUBT == 0:
            self._present, self._other = self._other, self._present


def _of_edition(device: DeviceConfig, protocol: str) -> DeviceConfig:
    points = tuple(_point_of(point, protocol) for point in device.profile.points)
    return replace(device, profile=replace(device.profile, protocol=protocol, points=points))


def _point_of(point: PointProfile, protocol: str) -> PointProfile:
    source = point.source
    assert isinstance(source, Dlt645Source)
    if protocol == "dlt645-2007":
        return point
    return replace(point, source=Dlt645Source(source.data_identifier_1997, "", 0))
