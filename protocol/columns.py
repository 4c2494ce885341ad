"""What a block's rows may hold: columns of readings, and the limits both sides keep to.

The invariant: what passes here can be stored on any of our databases. Every number fits 64 bits, every
index points at something, every text is free of NUL, every value stands beside a quality that has one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import EnvelopeError
from protocol.event import Event
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Quality

# What the cloud's columns hold; anything beyond is a broken block, not a measurement.
VALUE_MICRO_MAX = 2**63 - 1
INSTANT_MS_MAX = 2**48 - 1  # the year 10889; also what a UUIDv7 can carry
POINT_KEY_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 2_000

_QUALITIES = frozenset(int(quality) for quality in Quality)
_CLOCK_QUALITIES = frozenset(int(quality) for quality in ClockQuality)


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """A history block's rows, column by column; all seven row columns have the same length.

    `point` indexes `points`, `reason` indexes `reasons`, `evidence_of` indexes `evidence` or is -1.
    """

    points: list[str]
    reasons: list[str]
    evidence: list[Evidence]
    point: list[int]
    measured_at_ms: list[int]
    value_micro: list[int | None]
    quality: list[int]
    reason: list[int]
    clock_quality: list[int]
    evidence_of: list[int]


def check_columns(columns: ReadingColumns) -> None:
    """Refuse columns with anything in them that could not be stored."""
    _check_range("point", columns.point, 0, len(columns.points) - 1)
    _check_range("reason", columns.reason, 0, len(columns.reasons) - 1)
    _check_range("evidence_of", columns.evidence_of, -1, len(columns.evidence) - 1)
    _check_range("measured_at_ms", columns.measured_at_ms, 0, INSTANT_MS_MAX)
    for name, seen, known in (
        ("quality", set(columns.quality), _QUALITIES),
        ("clock_quality", set(columns.clock_quality), _CLOCK_QUALITIES),
    ):
        if not seen <= known:
            raise EnvelopeError(f"{name} {min(seen - known)} is not known")
    _check_keys(columns.points)
    for text in columns.reasons:
        _check_text("reason", text)
    _check_values(columns)


def sound_rows(columns: ReadingColumns) -> tuple[list[int], list[str]]:
    """Return which rows could be stored, and for each other one what is wrong with it."""
    rows, problems = [], []
    for row in range(len(columns.point)):
        try:
            _check_range("point", [columns.point[row]], 0, len(columns.points) - 1)
            _check_range("reason", [columns.reason[row]], 0, len(columns.reasons) - 1)
            _check_range("evidence_of", [columns.evidence_of[row]], -1, len(columns.evidence) - 1)
            check_columns(pick_rows(columns, [row]))
        except EnvelopeError as error:
            problems.append(f"row {row}: {error}")
        else:
            rows.append(row)
    return rows, problems


def pick_rows(columns: ReadingColumns, rows: Sequence[int]) -> ReadingColumns:
    """Return only these rows, and of the points and reasons only those they name; all indexes are sound."""
    point, points = _reindexed([columns.point[row] for row in rows], columns.points)
    reason, reasons = _reindexed([columns.reason[row] for row in rows], columns.reasons)
    return ReadingColumns(
        points,
        reasons,
        columns.evidence,
        point,
        [columns.measured_at_ms[row] for row in rows],
        [columns.value_micro[row] for row in rows],
        [columns.quality[row] for row in rows],
        reason,
        [columns.clock_quality[row] for row in rows],
        [columns.evidence_of[row] for row in rows],
    )


def _reindexed(indexes: list[int], words: list[str]) -> tuple[list[int], list[str]]:
    used = sorted(set(indexes))
    place = {old: new for new, old in enumerate(used)}
    return [place[index] for index in indexes], [words[index] for index in used]


def check_evidence(evidence: Evidence) -> None:
    """Refuse an exchange that could not be stored."""
    _check_text("evidence protocol", evidence.protocol)
    _check_text("evidence line", evidence.line)
    _check_range("captured_at_ms", [evidence.captured_at_ms], 0, INSTANT_MS_MAX)
    _check_range("round_trip_us", [evidence.round_trip_us], 0, VALUE_MICRO_MAX)


def check_event(event: Event) -> None:
    """Refuse an event that could not be stored."""
    texts = (
        event.kind,
        event.point_key,
        event.message,
        event.rule_id,
        *event.attributes,
        *event.attributes.values(),
    )
    for text in texts:
        _check_text("event", text)
    if not event.kind or len(event.point_key) > POINT_KEY_LENGTH_MAX:
        raise EnvelopeError(f"event block: kind {event.kind!r} at point {event.point_key[:40]!r}")
    if not 0 <= event.occurred_at_ms <= INSTANT_MS_MAX:
        raise EnvelopeError(
            f"event block: occurred_at_ms {event.occurred_at_ms} is outside 0 to {INSTANT_MS_MAX}"
        )
    if event.value_micro is not None and abs(event.value_micro) > VALUE_MICRO_MAX:
        raise EnvelopeError(f"event block: value_micro {event.value_micro} does not fit 64 bits")


def fitting(text: str) -> str:
    """Return a text that passes, cut where it has to be: a reading matters more than its reason's tail."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:TEXT_LENGTH_MAX]


def _check_values(columns: ReadingColumns) -> None:
    values = [value for value in columns.value_micro if value is not None]
    _check_range("value_micro", values, -VALUE_MICRO_MAX, VALUE_MICRO_MAX)
    for value, quality in set(
        zip([value is not None for value in columns.value_micro], columns.quality, strict=True)
    ):
        if value != (quality < Quality.NO_REPLY):
            said = "a" if value else "no"
            raise EnvelopeError(f"history block: a row of quality {Quality(quality).name} has {said} value")


def _check_range(name: str, column: list[int], low: int, high: int) -> None:
    if column and not low <= min(column) <= max(column) <= high:
        wrong = min(column) if min(column) < low else max(column)
        raise EnvelopeError(f"{name} {wrong} is outside {low} to {high}")


def _check_keys(keys: list[str]) -> None:
    # All at once: a block of one moment has as many keys as rows.
    if keys and (
        "\0" in "".join(keys) or not 1 <= min(map(len, keys)) <= max(map(len, keys)) <= POINT_KEY_LENGTH_MAX
    ):
        for key in keys:
            _check_text("point key", key)
            if not 1 <= len(key) <= POINT_KEY_LENGTH_MAX:
                raise EnvelopeError(
                    f"point key of {len(key)} characters, expected 1 to {POINT_KEY_LENGTH_MAX}"
                )


def _check_text(name: str, text: str) -> None:
    # PostgreSQL text cannot hold NUL, and nothing longer says more.
    if "\0" in text or len(text) > TEXT_LENGTH_MAX:
        raise EnvelopeError(f"{name} {text[:40]!r} has a NUL or more than {TEXT_LENGTH_MAX} characters")
