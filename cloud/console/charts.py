"""What a chart in the browser is given: a meter's line and bars, gaps, held values, exchanges.

The numbers are for drawing and may be floats; whatever is written in words comes from `formats`. The
invariant: a gap is a gap: no sample stands for it and no bar fills it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from cloud.console.formats import Format
from cloud.domain.meter import Installation, MeterRow
from cloud.domain.periods import midnight_ms
from cloud.domain.series import Sample, StoredReading
from cloud.services.meters import Chart, Step, Usage
from protocol.quantity import MICRO

_DAY_S = 24 * 3600
# A gap shorter than this is a missed turn, not worth hatching.
_GAP_MIN_MS = 2 * 3_600_000


@dataclass(frozen=True, slots=True)
class Span:
    """The local days a chart covers, and how wide its bars are."""

    name: str
    from_on: date
    until_on: date
    step: Step


def span_named(name: str, fmt: Format) -> Span:
    """Return the span of that name, ending today; a month for a name we do not know."""
    tomorrow = fmt.today + timedelta(days=1)
    match name:
        case "day":
            return Span("day", fmt.today - timedelta(days=1), tomorrow, Step.HOUR)
        case "year":
            return Span("year", tomorrow - timedelta(days=365), tomorrow, Step.DAY)
        case _:
            return Span("month", tomorrow - timedelta(days=30), tomorrow, Step.DAY)


def chart_json(
    row: MeterRow,
    line: Chart,
    use: Usage,
    span: Span,
    held: Sequence[StoredReading],
    installations: Sequence[Installation],
    fmt: Format,
) -> Markup:
    """Return the chart's data as JSON, safe inside a script element."""
    unit = fmt.unit(row.unit)
    gettext = fmt.language.gettext
    samples = line.samples
    document = {
        "hue": "elec" if row.commodity.value == "electricity" else "water",
        "unit": unit,
        "from_s": _seconds(line.from_ms),
        "until_s": _seconds(midnight_ms(span.until_on, fmt.zone)),
        "offsets": _offsets(span, fmt),
        "line": {
            "title": gettext("Register, %s") % unit,
            "times_s": [_seconds(sample.at_ms) for sample in samples],
            "values": [_value(sample.value_micro) for sample in samples],
        },
        "bars": {
            "title": (gettext("Use a day, %s") if span.step is Step.DAY else gettext("Use an hour, %s"))
            % unit,
            "span_s": _DAY_S if span.step is Step.DAY else 3600,
            "starts_s": [_seconds(bar.from_ms) for bar in use.bars],
            "values": [_value(bar.used_micro) for bar in use.bars],
            "estimated": [False for _ in use.bars],
        },
        "gaps": _gaps(samples, fmt),
        "held": [
            {
                "at_s": _seconds(reading.measured_at_ms),
                "text": gettext("%s held, not drawn") % fmt.measured(reading.value_micro, row.unit),
            }
            for reading in held
        ],
        "exchanges": [
            {"at_s": _seconds(one.from_at_ms), "text": gettext("meter %s") % one.meter.serial}
            for one in installations
            if line.from_ms < one.from_at_ms < line.to_ms and one.reason
        ],
        "words": {"gap": gettext("no data")},
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # Nothing in it can end the element it stands in, whatever a device is called.
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _gaps(samples: Sequence[Sample], fmt: Format) -> list[dict[str, Any]]:
    gaps = []
    for index, sample in enumerate(samples):
        if sample.value_micro is not None or not 0 < index < len(samples) - 1:
            continue
        before, after = samples[index - 1], samples[index + 1]
        if after.at_ms - before.at_ms < _GAP_MIN_MS:
            continue
        gaps.append(
            {
                "from_s": _seconds(before.at_ms),
                "until_s": _seconds(after.at_ms),
                "before": _value(before.value_micro),
                "after": _value(after.value_micro),
                "text": fmt.age(after.at_ms - before.at_ms),
            }
        )
    return gaps


def _offsets(span: Span, fmt: Format) -> list[dict[str, int]]:
    """Return the zone's offset from UTC at the beginning, and wherever it changes after."""
    offsets: list[dict[str, int]] = []
    on = span.from_on
    while on <= span.until_on:
        at_ms = midnight_ms(on, fmt.zone)
        offset = fmt.local(at_ms).utcoffset() or timedelta(0)
        offset_s = int(offset.total_seconds())
        if not offsets or offsets[-1]["offset_s"] != offset_s:
            offsets.append({"from_s": _seconds(at_ms), "offset_s": offset_s})
        on += timedelta(days=1)
    return offsets


def _seconds(at_ms: int) -> int:
    return at_ms // 1000


def _value(micro: int | None) -> float | None:
    return None if micro is None else micro / MICRO
