"""The judge: what the building issued, what the edge had committed, what the cloud holds, as sets.

Each violation is a sentence. None means: nothing accepted is missing, nothing is there twice, nothing
is there that the building did not say.
"""

import hashlib
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.torture.rig import BlockName

# The meter's own instant and the middle of the exchange as the edge saw it, on one busy machine.
TIME_TOLERANCE_MS = 3_000

# A broker keeps these and hands them to every new subscriber: said once, heard at each start of an edge.
RETAINED_POINTS = frozenset({"availability"})

_SHOWN_MAX = 10  # of each kind of violation


@dataclass(frozen=True, slots=True)
class CloudReading:
    """One row of the cloud's `reading` table."""

    point_key: str
    value_micro: int | None
    measured_at_ms: int
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class CloudState:
    """What the cloud's database holds after everything has come to rest."""

    readings: list[CloudReading]
    event_rows: list[tuple[int, int]]  # epoch, seq
    blocks: dict[BlockName, tuple[int, bytes]]  # last_seq, digest
    acked_through: dict[tuple[str, int], int]  # by stream and epoch
    problems: list[tuple[str, int, str]]
    alarms_open_twice: list[tuple[str, str]]


Issued = Mapping[tuple[str, str], Iterable[tuple[int, int]]]  # (device, point) -> (value_micro, at_ms)


def read_cloud(database: Path) -> CloudState:
    """Read a stopped cloud's SQLite database."""
    connection = sqlite3.connect(database)
    try:
        readings = [
            CloudReading(*row)
            for row in connection.execute(
                "SELECT p.key, r.value_micro, r.measured_at_ms, r.epoch, r.seq FROM reading r"
                " JOIN point p ON p.tenant_id = r.tenant_id AND p.series_id = r.series_id"
            )
        ]
        events = connection.execute("SELECT epoch, seq FROM event").fetchall()
        blocks = {
            (stream, epoch, first): (last, digest)
            for stream, epoch, first, last, digest in connection.execute(
                "SELECT stream, epoch, first_seq, last_seq, digest FROM ingest_block"
            )
        }
        acked = {
            (stream, epoch): through
            for stream, epoch, through in connection.execute(
                "SELECT stream, epoch, acked_through FROM ingest_stream"
            )
        }
        problems = connection.execute("SELECT stream, first_seq, detail FROM ingest_problem").fetchall()
        doubled = connection.execute(
            "SELECT point_id, kind FROM (SELECT series_id AS point_id, kind FROM alarm"
            " WHERE cleared_at_ms IS NULL) GROUP BY point_id, kind HAVING count(*) > 1"
        ).fetchall()
    finally:
        connection.close()
    return CloudState(readings, events, blocks, acked, problems, doubled)


def violations(
    issued: Issued, committed: Mapping[BlockName, bytes], accepted: Mapping[str, int], cloud: CloudState
) -> list[str]:
    """Return everything that is wrong; `accepted` is the last number each stream had when edges rested."""
    found: list[str] = []
    found += [f"the cloud could not take {problem}" for problem in cloud.problems]
    found += [f"two open alarms for {pair}" for pair in cloud.alarms_open_twice]
    found += _lost_blocks(committed, cloud)
    found += _numbering(accepted, cloud)
    found += _not_issued(issued, cloud.readings)
    return found


def _lost_blocks(committed: Mapping[BlockName, bytes], cloud: CloudState) -> list[str]:
    """Every block seen in the buffer after a kill must be in the cloud, with the same content."""
    lost = [name for name in committed if name not in cloud.blocks]
    changed = [
        name
        for name, payload in committed.items()
        if name in cloud.blocks and hashlib.sha256(payload).digest() != cloud.blocks[name][1]
    ]
    return [f"lost: {len(lost)} committed blocks, e.g. {name}" for name in lost[:_SHOWN_MAX]] + [
        f"changed: block {name} arrived with another content" for name in changed[:_SHOWN_MAX]
    ]


def _numbering(accepted: Mapping[str, int], cloud: CloudState) -> list[str]:
    """Numbers without gap or repetition, up to the last the edge gave, and one epoch all the while."""
    found: list[str] = []
    numbers = {
        "history": [(reading.epoch, reading.seq) for reading in cloud.readings],
        "event": list(cloud.event_rows),
    }
    for stream, rows in numbers.items():
        epochs = {epoch for epoch, _ in rows}
        if len(epochs) > 1:
            found.append(f"{stream}: {len(epochs)} epochs; a kill must not begin the store anew")
        for epoch in epochs:
            seqs = sorted(seq for its_epoch, seq in rows if its_epoch == epoch)
            doubled = len(seqs) - len(set(seqs))
            missing = sorted(set(range(1, seqs[-1] + 1)) - set(seqs))
            if doubled:
                found.append(f"{stream}: {doubled} rows are there twice")
            if missing:
                found.append(f"{stream}: {len(missing)} rows are missing, e.g. {missing[:_SHOWN_MAX]}")
            if seqs[-1] < accepted.get(stream, 0):
                found.append(f"{stream}: the edge accepted {accepted[stream]} rows, {seqs[-1]} came")
            if cloud.acked_through.get((stream, epoch), 0) != seqs[-1]:
                acked = cloud.acked_through.get((stream, epoch), 0)
                found.append(f"{stream}: acknowledged through {acked}, holds through {seqs[-1]}")
        if not rows and accepted.get(stream, 0):
            found.append(f"{stream}: the edge accepted {accepted[stream]} rows, none came")
    return found


def _not_issued(issued: Issued, readings: Iterable[CloudReading]) -> list[str]:
    """Each value in the cloud must be one the building issued about then, and each counts once."""
    left: dict[tuple[str, int], list[int]] = defaultdict(list)
    for (device, point), values in issued.items():
        for value_micro, at_ms in values:
            left[f"{device}/{point}", value_micro].append(at_ms)
    for times in left.values():
        times.sort()
    found: list[str] = []
    for reading in sorted(readings, key=lambda row: row.measured_at_ms):
        if reading.value_micro is None:
            continue
        times = left.get((reading.point_key, reading.value_micro), [])
        if reading.point_key.rpartition("/")[2] in RETAINED_POINTS:
            if not times or times[0] > reading.measured_at_ms + TIME_TOLERANCE_MS:
                found.append(f"never issued: {reading}")
            continue
        at = bisect_left(times, reading.measured_at_ms - TIME_TOLERANCE_MS)
        if at == len(times) or times[at] > reading.measured_at_ms + TIME_TOLERANCE_MS:
            found.append(f"not issued, or there twice: {reading}")
        else:
            del times[at]
    if len(found) > _SHOWN_MAX:
        found[_SHOWN_MAX:] = [f"… and {len(found) - _SHOWN_MAX} more that were not issued"]
    return found
