"""From what a message says of a key to a value, for every family of MQTT devices alike."""

from dataclasses import dataclass
from decimal import Decimal

from edge.porter import Shown
from protocol.event import Event
from protocol.fieldbus.annotation import Fact
from protocol.quantity import MICRO, Kind
from protocol.reading import Quality, Reading
from provisioning.profile import PointProfile


@dataclass(frozen=True, slots=True)
class Told:
    """What one message says, what is to be published because of it, and a badge that was shown."""

    readings: tuple[Reading, ...] = ()
    events: tuple[Event, ...] = ()
    publish: tuple[tuple[str, bytes], ...] = ()
    shown: Shown | None = None


def value_of(point: PointProfile, scale: Decimal, raw: Fact) -> tuple[int | None, Quality, str]:
    """Return the value in millionths, its quality and, where there is none, the reason."""
    if raw is None:
        return None, Quality.ABSENT, "the device says: not available"
    if point.codes or point.quantity.kind is Kind.STATE:
        text = str(raw).lower() if isinstance(raw, bool) else str(raw)
        code = point.codes.get(text)
        if code is None:
            return None, Quality.BAD_FRAME, f"{text[:40]!r} is none of {', '.join(sorted(point.codes))}"
        return code * MICRO, Quality.GOOD, ""
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        return None, Quality.BAD_FRAME, f"{str(raw)[:40]!r} is not a number"
    return round(Decimal(raw) * scale * MICRO), Quality.GOOD, ""
