"""Rows that are committed together, packed into blocks: parted by what they are worth, each in its order."""

from collections.abc import Iterable, Sequence
from typing import Any

from edge.buffer_block import KeptBlock, ValueClass
from protocol.envelope import encode_events, encode_readings
from protocol.event import Event
from protocol.reading import Reading
from protocol.sync import Stream

# A block is one unit of repetition and of loss by corruption: bounded, and far below a batch's limit.
ROWS_PER_BLOCK_MAX = 2_000


def packed(
    readings: Sequence[Reading], events: Sequence[Event], billing_keys: frozenset[str]
) -> list[KeptBlock]:
    """Return the rows as blocks that have no numbers yet."""
    blocks: list[KeptBlock] = []
    for (value_class, booted_at_ms), rows in _by_value(readings, billing_keys):
        for part in _parts(rows):
            oldest = min(reading.measured_at_ms for reading in part)
            payload = encode_readings(part)
            blocks.append(KeptBlock(Stream.HISTORY, 0, len(part), value_class, oldest, payload, booted_at_ms))
    for some in _parts(events):
        oldest = min(event.occurred_at_ms for event in some)
        payload = encode_events(some)
        blocks.append(KeptBlock(Stream.EVENT, 0, len(some), ValueClass.EVENT, oldest, payload))
    return blocks


def _by_value(
    readings: Sequence[Reading], billing_keys: frozenset[str]
) -> Iterable[tuple[tuple[ValueClass, int | None], list[Reading]]]:
    """Return the readings parted by what they are worth and by the clock that stamped them, each in order."""
    parts: dict[int | None, tuple[list[Reading], list[Reading], list[Reading]]] = {}
    for reading in readings:
        telemetry, billing, evidenced = parts.get(reading.booted_at_ms) or parts.setdefault(
            reading.booted_at_ms, ([], [], [])
        )
        if reading.evidence is not None:
            evidenced.append(reading)
        elif reading.point_key in billing_keys:
            billing.append(reading)
        else:
            telemetry.append(reading)
    worths = (ValueClass.TELEMETRY, ValueClass.BILLING, ValueClass.EVIDENCED)
    return (
        ((worth, booted_at_ms), rows)
        for booted_at_ms, lists in parts.items()
        for worth, rows in zip(worths, lists, strict=True)
        if rows
    )


def _parts(rows: Sequence[Any]) -> Iterable[Any]:
    return (rows[at : at + ROWS_PER_BLOCK_MAX] for at in range(0, len(rows), ROWS_PER_BLOCK_MAX))
