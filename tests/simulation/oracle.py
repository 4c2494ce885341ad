"""The judge of a simulated world, after every step and at its end.

It holds what the cloud's file says against what each box's disk accepted and what each building issued.
Its invariants, by the names docs/reliability.md gives them:

    I1  nothing accepted is missing once the troubles stop
    I2  nothing is there twice
    I3  nothing is there that was not issued: value, time, quality
    I4  a fresh reading and a fresh alarm pass within seconds of healing
    I5  memory, disk and queues stay bounded
    I6  what was not delivered is still on the box, or counted
    I7  an alarm does not wait for the backlog
    I8  consumption in the cloud is what the meters turned
"""

import asyncio
import hashlib
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from protocol.envelope import decode_readings
from protocol.reading import Quality
from protocol.sync import Stream
from tests.simulation.box import BlockName, Box
from tests.simulation.site import FIRE

if TYPE_CHECKING:
    from tests.simulation.world import World

# From a healthy path on, an alarm has this long to the cloud: a poll of the panel, a commit, a way.
ALARM_WITHIN_S = 10.0
# A reading waits for its commit as well.
READING_WITHIN_S = 15.0
PROMPT_WITHIN_S = max(ALARM_WITHIN_S, READING_WITHIN_S)
# A reading is stamped with the middle of its exchange: so far from the instant it was issued, usually,
# and where the answer was late.
_USUAL_MS = 400
_LATE_MS = 3_000
# A time told by the cloud is as late as its answer was; a greeting that takes longer is given up.
_DATED_MS = 7_000
_TASKS_MAX = 400
_CONNECTIONS_MAX = 24  # of a box to the cloud, dying ones included
# Over its quota a store may grow by what comes between two looks at it, and by a log of 1,000 pages.
_DISK_SLACK_BYTES = 5 * 1024 * 1024

Found = dict[BlockName, tuple[int, bytes, str]]  # last number, digest, state


class Violation(AssertionError):
    """An invariant does not hold; the message begins with its name."""


class Oracle:
    """Made for one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._in_cloud: dict[str, Found] = {box.name: {} for box in world.boxes}
        self._read_to = 0  # which of the file's rows have been read
        self._were_there: dict[str, set[BlockName]] = {box.name: set() for box in world.boxes}
        self._reading: tuple[Path, sqlite3.Connection] | None = None
        self.readings = 0
        self.lost_rows = 0

    def after_step(self) -> None:
        """Check what must hold at any time."""
        world = self._world
        fresh = self._read_blocks()
        for box in world.boxes:
            self._accounted(box, fresh[box.name])
            self._explained(box)
            self._bounded(box)
            self._prompt(box)
        _must(len(asyncio.all_tasks()) <= _TASKS_MAX, f"I5: {len(asyncio.all_tasks())} tasks")

    def cloud_restored(self) -> None:
        """Note that the cloud goes back to a backup: what it lacks now a box may have given up already."""
        self._read_blocks()
        for code, found in self._in_cloud.items():
            self._were_there[code] |= found.keys()

    def is_settled(self) -> bool:
        """Tell whether everything accepted has arrived, or is counted as given up."""
        self._read_blocks()
        return not any(box.accepted.keys() - self._in_cloud[box.name].keys() for box in self._world.boxes)

    def at_end(self) -> None:
        """Check that what is in the cloud is what was accepted, and that this was issued."""
        self._begin_anew()  # also what was changed in a row that has been read
        self._read_blocks()
        for box in self._world.boxes:
            found = self._in_cloud[box.name]
            self._accounted(box, found)
            missing = [name for name in box.accepted if name not in found]
            _must(
                not missing, f"I1: {box.name}: {len(missing)} accepted blocks are missing, e.g. {missing[:3]}"
            )
            epochs = {epoch for _, epoch, _ in box.accepted}
            _must(len(epochs) == 1, f"I1: {box.name}: its store was begun anew: epochs {epochs}")
            self._same_rows(box)

    def close(self) -> None:
        """Let go of the cloud's file."""
        if self._reading is not None:
            self._reading[1].close()
        self._reading = None

    def _begin_anew(self) -> None:
        self.close()
        self._read_to = 0
        for found in self._in_cloud.values():
            found.clear()

    @contextmanager
    def _cloud(self) -> Iterator[sqlite3.Connection]:
        """Read the cloud's file, by one connection as long as it is the same: opening it costs most."""
        file = self._world.cloud.file
        if self._reading is None or self._reading[0] != file:
            self._begin_anew()
            self._reading = (file, _open(file))
        yield self._reading[1]

    # I1, I2, I3, I6: every block, all the time.

    def _read_blocks(self) -> dict[str, Found]:
        """Read what the cloud has; return what has come since the last look."""
        fresh: dict[str, Found] = {box.name: {} for box in self._world.boxes}
        with self._cloud() as db:
            for row_number, code, stream, epoch, first, last, digest, state in db.execute(
                "SELECT b.rowid, g.code, b.stream, b.epoch, b.first_seq, b.last_seq, b.digest, b.state"
                " FROM ingest_block b JOIN gateway g ON g.tenant_id = b.tenant_id AND g.id = b.gateway_id"
                " WHERE b.rowid > ? ORDER BY b.rowid",
                (self._read_to,),
            ):
                fresh[code][stream, epoch, first] = (last, digest, state)
                self._read_to = row_number
        for code, blocks in fresh.items():
            self._in_cloud[code] |= blocks
        return fresh

    def _accounted(self, box: Box, found: Found) -> None:
        for name, (last, digest, state) in found.items():
            accepted = box.accepted.get(name)
            _must(
                accepted is not None, f"I3: {box.name}: block {name} to {last} ({state}) was never accepted"
            )
            assert accepted is not None
            _must(last == name[2] + accepted.count - 1, f"I2: {box.name}: block {name} reaches to {last}")
            _must(state != "aside", f"I1: {box.name}: block {name} was put aside")
            if state == "taken":
                _must(digest == accepted.digest, f"I3: {box.name}: block {name} has another content")

    def _explained(self, box: Box) -> None:
        not_there = box.accepted.keys() - self._in_cloud[box.name].keys() - self._were_there[box.name]
        stored = box.stored_blocks() if not_there else None
        if stored is None:
            return
        for name in sorted(not_there):
            is_here = (name[0], name[2]) in stored
            _must(is_here, f"I6: {box.name}: block {name} is neither here nor there")

    # I5

    def _bounded(self, box: Box) -> None:
        allowed = box.config.buffer.size_max_bytes + _DISK_SLACK_BYTES
        _must(box.disk.size_bytes() <= allowed, f"I5: {box.name}: {box.disk.size_bytes()} bytes on its disk")
        ends = self._world.cloud_link(box).ends
        _must(len(ends) <= 2 * _CONNECTIONS_MAX, f"I5: {box.name}: {len(ends)} open ends of connections")

    # I4, I7

    def _prompt(self, box: Box) -> None:
        world = self._world
        healthy_s = world.loop.time() - world.healthy_since_s(box)
        burning_s = world.loop.time() - box.fire_changed_at_s
        if min(healthy_s, burning_s) > ALARM_WITHIN_S:
            is_open = self._alarm_is_open(box)
            said = "burns" if box.is_burning else "does not burn"
            _must(
                is_open == box.is_burning,
                f"I4/I7: {box.name}: it {said} for {burning_s:.1f} s, healthy for {healthy_s:.1f} s,"
                f" and the cloud has {'an' if is_open else 'no'} open alarm",
            )
        if healthy_s > READING_WITHIN_S:
            age_s = self._age_of_history_s(box)
            _must(
                age_s <= READING_WITHIN_S,
                f"I4: {box.name}: the newest readings came {age_s:.1f} s ago, healthy for {healthy_s:.1f} s",
            )

    def _alarm_is_open(self, box: Box) -> bool:
        with self._cloud() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM alarm a JOIN gateway g ON g.tenant_id = a.tenant_id AND"
                " g.id = a.gateway_id WHERE g.code = ? AND a.point_key = ? AND a.cleared_at_ms IS NULL",
                (box.name, f"{FIRE}/fire_alarm"),
            ).fetchone()
        return bool(count)

    def _age_of_history_s(self, box: Box) -> float:
        with self._cloud() as db:
            (at_ms,) = db.execute(
                "SELECT coalesce(max(s.received_at_ms), 0) FROM ingest_stream s JOIN gateway g"
                " ON g.tenant_id = s.tenant_id AND g.id = s.gateway_id WHERE g.code = ? AND s.stream = ?",
                (box.name, Stream.HISTORY.value),
            ).fetchone()
        return float((self._world.wall_ms() - at_ms) / 1000)

    # At the end: every row.

    def _same_rows(self, box: Box) -> None:
        there = self._rows_in_cloud(box)
        lost = {name for name, (_, _, state) in self._in_cloud[box.name].items() if state == "lost"}
        expected: dict[tuple[int, int], tuple[str, int, int | None, int]] = {}
        said: list[tuple[int, str, int, bool]] = []
        for name, block in sorted(box.accepted.items()):
            if name[0] != Stream.HISTORY.value or name in lost:
                self.lost_rows += block.count if name in lost else 0
                continue
            for number, reading in enumerate(decode_readings(block.payload, block.count), start=name[2]):
                expected[name[1], number] = (
                    reading.point_key, reading.measured_at_ms, reading.value_micro, int(reading.quality)
                )  # fmt: skip
                if reading.value_micro is not None:
                    said.append(
                        (reading.measured_at_ms, reading.point_key, reading.value_micro, name in box.dated)
                    )
        issued = _Issued(box)
        for measured_at_ms, key, value_micro, is_dated in sorted(said):
            issued.take(key, value_micro, measured_at_ms, is_dated=is_dated)
        _must(len(there) == len(expected), f"I1/I2: {box.name}: {len(there)} rows, accepted {len(expected)}")
        for at, row in expected.items():
            _must(there.get(at) == row, f"I3: {box.name}: row {at} is {there.get(at)}, accepted {row}")
        self.readings += len(expected)
        self._consumption(box, list(expected.values()))

    def _rows_in_cloud(self, box: Box) -> dict[tuple[int, int], tuple[str, int, int | None, int]]:
        rows: dict[tuple[int, int], tuple[str, int, int | None, int]] = {}
        with self._cloud() as db:
            for epoch, seq, *row in db.execute(
                "SELECT r.epoch, r.seq, p.key, r.measured_at_ms, r.value_micro, r.quality FROM reading r"
                " JOIN point p ON p.tenant_id = r.tenant_id AND p.series_id = r.series_id"
                " JOIN gateway g ON g.tenant_id = p.tenant_id AND g.id = p.gateway_id WHERE g.code = ?",
                (box.name,),
            ):
                _must((epoch, seq) not in rows, f"I2: {box.name}: row {seq} is there twice")
                rows[epoch, seq] = (row[0], row[1], row[2], row[3])
            (doubted,) = db.execute(
                "SELECT count(*) FROM alarm WHERE kind IN ('gateway_doubled', 'gateway_rolled_back')"
            ).fetchone()
            (doubled,) = db.execute(
                "SELECT count(*) FROM (SELECT 1 FROM alarm WHERE cleared_at_ms IS NULL"
                " GROUP BY gateway_id, point_key, kind HAVING count(*) > 1)"
            ).fetchone()
        _must(not doubted, f"I3: {doubted} boxes are taken for copies, and there are none")
        _must(not doubled, f"I2: {doubled} conditions have two open alarms")
        return rows

    def _consumption(self, box: Box, rows: list[tuple[str, int, int | None, int]]) -> None:
        """I8: between the first and the last reading of a register lies what its meter turned."""
        registers: dict[str, list[int]] = defaultdict(list)
        for key, _, value, quality in rows:
            if key.endswith(("active_energy_import", "water_volume")) and quality == Quality.GOOD and value:
                registers[key].append(value)
        issued: dict[tuple[str, str], list[int]] = defaultdict(list)
        for entry in box.site.ledger.items():
            issued[entry.device_id, entry.point].append(entry.value_micro)
        for key, values in registers.items():
            device, _, point = key.partition("/")
            turned = issued[device, point]
            first, last = turned.index(values[0]), turned.index(values[-1])
            _must(
                values[-1] - values[0]
                == sum(b - a for a, b in zip(turned[first:last], turned[first + 1 :], strict=False)),
                f"I8: {box.name}: {key} counted {values[-1] - values[0]}",
            )


class _Issued:
    """What a building put on its wires, each to be taken once, by what the box's clock will have shown.

    What was dated once the time was known is looked for at the true time.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._left: dict[tuple[str, int], list[int]] = defaultdict(list)
        self._true: dict[tuple[str, int], list[int]] = defaultdict(list)
        for entry in box.site.ledger.items():
            shown_ms = entry.at_ms + box.clock_error_at(entry.at_ms)
            key = f"{entry.device_id}/{entry.point}", entry.value_micro
            self._left[key].append(shown_ms)
            self._true[key].append(entry.at_ms)
        for times in (*self._left.values(), *self._true.values()):
            times.sort()

    def take(self, key: str, value_micro: int, measured_at_ms: int, *, is_dated: bool) -> None:
        """Strike out the issue a reading came from, oldest readings first; Violation if none is left."""
        times = (self._true if is_dated else self._left)[key, value_micro]
        # An exchange during which the clock was set is stamped by the new time, and was issued by the old.
        steps_ms = self._box.clock_steps_ms(measured_at_ms)
        near = [(0, _USUAL_MS), *((step_ms, 2 * _USUAL_MS) for step_ms in steps_ms)]
        for step_ms, tolerance_ms in (*near, (0, _DATED_MS if is_dated else _LATE_MS)):
            at = bisect_left(times, measured_at_ms - step_ms - tolerance_ms)
            if at < len(times) and times[at] <= measured_at_ms - step_ms + tolerance_ms:
                del times[at]
                return
        raise Violation(
            f"I3: {self._box.name}: {key} = {value_micro} at {measured_at_ms}"
            " was not issued, or is there twice"
        )


def state_digest(file: Path) -> Iterator[bytes]:
    """Yield all a cloud holds that follows from the seed; ids and tokens are chance's."""
    with closing(_open(file)) as db:
        for question in (
            "SELECT g.code, b.stream, b.epoch, b.first_seq, b.last_seq, hex(b.digest), b.received_at_ms,"
            " b.state FROM ingest_block b JOIN gateway g ON g.id = b.gateway_id ORDER BY 1, 2, 3, 4",
            "SELECT g.code, p.key, r.measured_at_ms, r.epoch, r.seq, r.value_micro, r.quality, r.reason,"
            " r.received_at_ms FROM reading r JOIN point p ON p.series_id = r.series_id"
            " JOIN gateway g ON g.id = p.gateway_id ORDER BY 1, 4, 5",
            "SELECT g.code, e.epoch, e.seq, e.kind, e.state, e.point_key, e.occurred_at_ms, e.received_at_ms,"
            " e.message FROM event e JOIN gateway g ON g.id = e.gateway_id ORDER BY 1, 2, 3",
            "SELECT g.code, a.point_key, a.kind, a.raised_at_ms, a.received_at_ms, a.cleared_at_ms"
            " FROM alarm a JOIN gateway g ON g.id = a.gateway_id ORDER BY 1, 2, 3, 4",
        ):
            whole = hashlib.sha256()
            for row in db.execute(question):
                whole.update(repr(row).encode())
            yield whole.digest()


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)


def _must(holds: bool, message: str) -> None:
    if not holds:
        raise Violation(message)
