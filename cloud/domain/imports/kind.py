"""What a table is about: its columns, which of them name a thing, and which no import may change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from cloud.domain import money
from cloud.domain.errors import Invalid, Problem
from cloud.domain.imports.cell import Cell, Read, Value

Values = Mapping[str, Value]
Key = tuple[Value, ...]

# The column of the rejected rows' table; read back, it is passed over.
FAULT_TITLES = ("错误", "Errors")


class Role(Enum):
    """What a column is to its thing."""

    KEY = "key"  # names it
    FIXED = "fixed"  # said when it is new; another value later is a conflict
    FREE = "free"  # may be changed by an import
    NEW_ONLY = "new_only"  # used when the thing is new and not looked at after


@dataclass(frozen=True, slots=True)
class Column:
    """One column: titles and help in both languages, an example, and how its cells are read."""

    key: str
    title_zh: str
    title_en: str
    role: Role
    read: Read
    help_zh: str
    help_en: str
    example: str
    is_needed: bool = False
    default: Value = None
    choices: tuple[str, ...] = ()
    width: int = 14

    def title(self, *, is_chinese: bool) -> str:
        """Return its title in one language."""
        return self.title_zh if is_chinese else self.title_en


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of table. `version` is written into templates, so that an old one is known as such."""

    code: str
    title_zh: str
    title_en: str
    about_zh: str
    about_en: str
    columns: tuple[Column, ...]
    version: int = 1

    def column(self, key: str) -> Column:
        """Return the column of a key."""
        return next(column for column in self.columns if column.key == key)

    def key_of(self, values: Values) -> Key:
        """Return what names the row's thing."""
        return tuple(values[column.key] for column in self.columns if column.role is Role.KEY)

    def title(self, *, is_chinese: bool) -> str:
        """Return its title in one language."""
        return self.title_zh if is_chinese else self.title_en


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read: its header, and its rows with the number each has in the file."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]


def columns_of(kind: Kind, header: Sequence[Cell]) -> tuple[Column | None, ...]:
    """Return the column each of the table's columns is; None for that of the faults.

    Titles may be in either language and in any order. Invalid names what is missing, unknown or twice.
    """
    by_title = {title: column for column in kind.columns for title in (column.title_zh, column.title_en)}
    found: list[Column | None] = []
    problems: list[Problem] = []
    for number, cell in enumerate(header):
        title = str(cell or "").strip().removesuffix("*").strip()
        if not title or title in FAULT_TITLES:
            found.append(None)
            continue
        column = by_title.get(title)
        if column is None:
            problems.append(Problem(f"/header/{number}", f"no column of this table is called {title!r}"))
        elif column in found:
            problems.append(Problem(f"/header/{number}", f"the column {title!r} is there twice"))
        found.append(column)
    problems += [
        Problem("/header", f"the column {column.title_zh!r} is missing")
        for column in kind.columns
        if (column.is_needed or column.role is Role.KEY) and column not in found
    ]
    if problems:
        details = "; ".join(problem.detail for problem in problems)
        raise Invalid(f"this is not a table of {kind.title_zh}: {details}", problems)
    return tuple(found)


def value_to_json(value: Value) -> str | int | None:
    """Return a value as JSON: dates and decimals as text."""
    if isinstance(value, Decimal):
        return money.plain(value)
    return value.isoformat() if isinstance(value, date) else value


def shown(value: Value) -> str:
    """Return a value as people read it in a table."""
    return "" if value is None else str(value_to_json(value))
