"""Every row of a table judged against what is there, before anything is written.

The invariant: a row is exactly one of new, changed, unchanged, in conflict or wrong; only new and
changed ones are ever carried out, and one thing is in at most one row.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from cloud.domain.imports.cell import Cell, Value
from cloud.domain.imports.fault import BadCell, Fault
from cloud.domain.imports.kind import Column, Key, Kind, Role, Table, Values, columns_of, shown


class Outcome(Enum):
    """What would become of a row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"  # it contradicts what may not be changed by an import
    WRONG = "wrong"  # it cannot be read, or names what nobody has


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row with its judgement; `before` has what a changed row would change, by column."""

    line: int
    cells: tuple[Cell, ...]
    outcome: Outcome
    values: Values
    before: Values
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a table would do. `header` is the file's own, so that rejected rows go back as they came."""

    kind: Kind
    header: tuple[Cell, ...]
    rows: tuple[PlannedRow, ...]

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Return how many rows have each outcome; every one is in it."""
        counted = Counter(row.outcome for row in self.rows)
        return {outcome: counted.get(outcome, 0) for outcome in Outcome}

    def of(self, *outcomes: Outcome) -> list[PlannedRow]:
        """Return the rows of some outcomes, in order."""
        return [row for row in self.rows if row.outcome in outcomes]

    @property
    def digest(self) -> str:
        """Return what names this plan: another one if the table or what is there differs."""
        hashed = hashlib.sha256(self.kind.code.encode())
        for row in self.of(Outcome.NEW, Outcome.CHANGED):
            said = [f"{key}={shown(value)}" for key, value in sorted(row.values.items())]
            was = [f"{key}={shown(value)}" for key, value in sorted(row.before.items())]
            hashed.update("|".join((str(row.line), row.outcome.value, *said, "was", *was, "\n")).encode())
        return hashed.hexdigest()


# What is there, by what names it; and what else is wrong with a row that can be read.
Present = Mapping[Key, Values]
Check = Callable[[Values, Values | None], Sequence[Fault]]


def plan_of(kind: Kind, table: Table, present: Present, check: Check) -> Plan:
    """Return what every row of the table would do."""
    columns = columns_of(kind, table.header)
    seen: dict[Key, int] = {}
    rows = []
    for line, cells in table.rows:
        values, faults = _read(kind, columns, cells)
        key = kind.key_of(values)
        if not faults and key in seen:
            faults.append(Fault("twice", (str(seen[key]),)))
        if faults:
            rows.append(PlannedRow(line, cells, Outcome.WRONG, values, {}, tuple(faults)))
            continue
        seen[key] = line
        rows.append(_judged(kind, line, cells, values, present.get(key), check))
    return Plan(kind, table.header, tuple(rows))


def _read(
    kind: Kind, columns: Sequence[Column | None], cells: Sequence[Cell]
) -> tuple[dict[str, Value], list[Fault]]:
    values: dict[str, Value] = {column.key: None for column in kind.columns}
    faults = []
    for column, cell in zip(columns, cells, strict=False):
        if column is None:
            continue
        try:
            values[column.key] = column.read(cell)
        except BadCell as error:
            faults.append(Fault(error.fault.code, error.fault.values, column.key))
    told = {fault.column for fault in faults}
    needed = [column for column in kind.columns if column.is_needed or column.role is Role.KEY]
    faults += [
        Fault("missing", (), column.key)
        for column in needed
        if values[column.key] is None and column.key not in told
    ]
    return values, faults


def _judged(
    kind: Kind,
    line: int,
    cells: tuple[Cell, ...],
    values: dict[str, Value],
    there: Values | None,
    check: Check,
) -> PlannedRow:
    if there is None:
        filled = {c.key: c.default if values[c.key] is None else values[c.key] for c in kind.columns}
        faults = tuple(check(filled, None))
        outcome = Outcome.WRONG if faults else Outcome.NEW
        return PlannedRow(line, cells, outcome, filled, {}, faults)
    # An empty cell says nothing about a thing that is there already.
    differing = [
        column
        for column in kind.columns
        if column.role in (Role.FIXED, Role.FREE)
        and values[column.key] is not None
        and values[column.key] != there.get(column.key)
    ]
    clashes = [
        Fault("fixed", (column.title_zh, shown(there.get(column.key)), shown(values[column.key])), column.key)
        for column in differing
        if column.role is Role.FIXED
    ]
    if clashes:
        return PlannedRow(line, cells, Outcome.CONFLICT, values, {}, tuple(clashes))
    if not differing:
        return PlannedRow(line, cells, Outcome.UNCHANGED, values, {})
    faults = tuple(check({**there, **{column.key: values[column.key] for column in differing}}, there))
    if faults:
        return PlannedRow(line, cells, Outcome.WRONG, values, {}, faults)
    before = {column.key: there.get(column.key) for column in differing}
    return PlannedRow(line, cells, Outcome.CHANGED, values, before)
