"""Readings stamped before the box knew the time get the right stamp once it is known.

The wall clock that stamped them was wrong by some amount, the monotonic one runs on: by when the box started,
as the wrong clock had it and as it is now known, every stamp of that boot is wrong by the same amount. A box
that is started anew meanwhile has lost the measure; its readings keep their stamps and stay marked.

An event does not wait: where the time is known although the box's clock is wrong, because the cloud told it,
the event is stamped right at once, else as the clock has it.

The invariant: what is stamped anew is so before anybody has seen it, never after.
"""

from dataclasses import replace

import msgspec

from protocol.envelope import decode_readings, encode_readings
from protocol.event import Event
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Reading

# Wall and monotonic clock agree to this as long as nobody sets the one.
SAME_CLOCK_MS = 20


def dated(payload: bytes, count: int, later_ms: int) -> bytes:
    """Return a history block with its stamps moved by so much and confirmed; a move is told as the reason."""
    if abs(later_ms) <= SAME_CLOCK_MS:
        later_ms = 0  # it was right, and nobody had said so yet
    said = f"the clock was set later, by {later_ms / 1000:+.1f} s" if later_ms else ""
    return encode_readings([_dated(row, later_ms, said) for row in decode_readings(payload, count)])


def dated_event(event: Event, later_ms: int) -> Event:
    """Return an event with its stamp moved by so much."""
    if abs(later_ms) <= SAME_CLOCK_MS:
        return event
    at_ms = max(0, event.occurred_at_ms + later_ms)
    return replace(event, occurred_at_ms=at_ms, evidence=_moved(event.evidence, later_ms))


def _dated(row: Reading, later_ms: int, said: str) -> Reading:
    if row.clock_quality is ClockQuality.SYNCED:
        return row
    return msgspec.structs.replace(
        row,
        measured_at_ms=max(0, row.measured_at_ms + later_ms),
        clock_quality=ClockQuality.SYNCED,
        reason="; ".join(filter(None, (row.reason, said))),
        evidence=_moved(row.evidence, later_ms),
    )


def _moved(shown: Evidence | None, later_ms: int) -> Evidence | None:
    if shown is None:
        return None
    return replace(shown, captured_at_ms=max(0, shown.captured_at_ms + later_ms))
