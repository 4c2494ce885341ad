"""From an invoice line's trace to what its page shows: ladder, readings, frame.

Pure. The invariant: nothing here computes an amount; every number shown is one of the trace's or of
the invoice's, so the page cannot disagree with what was billed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.console.frames import FrameView, frame_view
from cloud.console.language import Language
from cloud.console.pictures.ladder import Ladder, Part, Step, draw_ladder
from cloud.domain import money
from cloud.domain.bill import graduated_steps
from cloud.domain.invoice import InvoiceLine
from cloud.domain.tariff_document import parse_version
from cloud.domain.trace import LineTrace, TracedFrame, TracedReading
from protocol.evidence import Evidence


@dataclass(frozen=True, slots=True)
class ShownReading:
    """A reading of the trace and what it was used as."""

    traced: TracedReading
    purpose: str


def exact_amount(line: InvoiceLine) -> str:
    """Return quantity times price before rounding, every digit of it."""
    if line.quantity is None or line.unit_price is None:
        return ""
    return money.plain(money.EXACT.multiply(line.quantity, line.unit_price))


def ladder_of(trace: LineTrace, lines: Sequence[InvoiceLine]) -> Ladder | None:
    """Return the ladder a line stands on, with the parts of this invoice that climbed it; None without one.

    `lines` are those of the invoice; parts are the lines of the same component of the same service.
    """
    steps = steps_of(trace)
    if trace.ladder is None or not steps:
        return None
    own = next(line for line in lines if line.line_no == trace.line_no)
    parts = [
        Part(int(line.tier), line.quantity, line.unit_price, line.amount_fen)
        for line in lines
        if line.component == own.component
        and line.charge_code == own.charge_code
        and line.service_point_id == own.service_point_id
        and line.tier.isdecimal()
        and line.quantity is not None
        and line.unit_price is not None
    ]
    return draw_ladder(steps, trace.ladder.before, parts)


def steps_of(trace: LineTrace) -> tuple[Step, ...]:
    """Return the tiers the line was priced by, with this household's bounds; empty if it was not tiered."""
    if trace.ladder is None or trace.charge_no is None:
        return ()
    tariff = parse_version(trace.tariff.document).tariff
    steps = graduated_steps(tariff, trace.charge_no, trace.ladder.bounds, trace.basis.start_on.month)
    return tuple(Step(step.number, step.upper, step.price) for step in steps)


def readings_of(trace: LineTrace) -> tuple[ShownReading, ...]:
    """Return the readings in order of time, each with what it was used as."""
    if trace.usage is None:
        return ()
    segments = trace.usage.segments
    shown = []
    for number, segment in enumerate(segments):
        is_first, is_last = number == 0, number == len(segments) - 1
        opening = "start" if is_first and segment.opening.source == "wire" else "install"
        shown.append(ShownReading(segment.opening, opening if is_first else "new_start"))
        shown.append(ShownReading(segment.closing, "end" if is_last else "old_end"))
    return tuple(shown)


def frame_of(
    readings: Sequence[ShownReading], selected: int, language: Language, *, shows_request: bool
) -> FrameView | None:
    """Return the frame of the selected reading, ready to draw; None where none was kept."""
    if not 0 <= selected < len(readings) or readings[selected].traced.frame is None:
        return None
    frame = readings[selected].traced.frame
    assert frame is not None
    return frame_view(
        _evidence(frame),
        frame.sha256,
        language,
        shows_request=shows_request,
        request_href=f"?reading={selected}&way=request",
        reply_href=f"?reading={selected}",
    )


def selected_reading(readings: Sequence[ShownReading], asked: str) -> int:
    """Return which reading's frame is shown: the one asked for, else the last that has one."""
    if asked.isdecimal() and int(asked) < len(readings):
        return int(asked)
    with_frame = [index for index, reading in enumerate(readings) if reading.traced.frame is not None]
    return with_frame[-1] if with_frame else len(readings) - 1


def _evidence(frame: TracedFrame) -> Evidence:
    return Evidence(
        frame.protocol,
        frame.line,
        bytes.fromhex(frame.request_hex),
        bytes.fromhex(frame.reply_hex),
        frame.captured_at_ms,
        frame.round_trip_us,
    )
