"""What one configuration says otherwise than another, in the words of the file, and what that disturbs.

Two invariants: a difference lists every key that differs, by the thing it belongs to and no other; and
a device it does not count as disturbed keeps its line, its times and its polls when it is applied.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from provisioning.document import Document

# The tables that are lists of named things, in the order in which a person thinks of them.
_LISTS = (("lines", "line"), ("devices", "device"), ("rules", "rule"), ("reactions", "reaction"))
_NOT_GIVEN = ""

_Things: TypeAlias = Mapping[str, Mapping[str, object]]  # by id


class Kind(Enum):
    """What happened to a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a thing, before and after; "" where it was not given."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: a line, a device, a rule, a profile, or a table of its own."""

    kind: Kind
    thing: str
    name: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes, and the devices that are polled anew, paused or dropped by them."""

    changes: tuple[Change, ...]
    disturbed: tuple[str, ...]
    undisturbed: int

    def of(self, thing: str, kind: Kind) -> list[str]:
        """Return the names of the things of a sort to which this happened."""
        return [change.name for change in self.changes if (change.thing, change.kind) == (thing, kind)]


def difference(before: Document, after: Document) -> Difference:
    """Return what `after` says otherwise than `before`."""
    old, new = before.tables(), after.tables()
    changes: list[Change] = []
    for table, thing in _LISTS:
        changes += _changes(thing, _by_id(old.get(table)), _by_id(new.get(table)))
    lists = {table for table, _ in _LISTS}
    changes += _changes("table", _plain(old, lists), _plain(new, lists))
    profiles = [{name: {"text": text} for name, text in one.profiles.items()} for one in (before, after)]
    changes += _changes("profile", *profiles)
    devices_before, devices_after = _by_id(old.get("devices")), _by_id(new.get("devices"))
    disturbed = sorted(_disturbed(changes, devices_before, devices_after))
    undisturbed = len([name for name in devices_after if name not in disturbed])
    return Difference(tuple(changes), tuple(disturbed), undisturbed)


def _disturbed(changes: Sequence[Change], before: _Things, after: _Things) -> Iterator[str]:
    touched: dict[str, set[str]] = {}
    for change in changes:
        touched.setdefault(change.thing, set()).add(change.name)
    for name, device in {**before, **after}.items():
        is_named = name in touched.get("device", ())
        rests_on = {"line": device.get("line"), "profile": device.get("profile")}
        if is_named or any(what in touched.get(thing, ()) for thing, what in rests_on.items()):
            yield name


def _changes(thing: str, before: _Things, after: _Things) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind = Kind.ADDED if old is None else Kind.REMOVED if new is None else Kind.CHANGED
        yield Change(kind, thing, name, tuple(_keys(old or {}, new or {})))


def _keys(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Key]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old != new and name != "id":
            yield Key(name, _shown(old), _shown(new))


def _by_id(table: object) -> _Things:
    found: dict[str, Mapping[str, object]] = {}
    if isinstance(table, list):
        for i, entry in enumerate(table):
            if isinstance(entry, dict):
                found[str(entry.get("id", f"[{i}]"))] = entry
    return found


def _plain(document: Mapping[str, object], lists: set[str]) -> _Things:
    return {
        name: table if isinstance(table, dict) else {name: table}
        for name, table in document.items()
        if name not in lists
    }


def _shown(value: object) -> str:
    """Return a value as the file would have it, without the quotes of plain text."""
    match value:
        case None:
            return _NOT_GIVEN
        case bool():
            return "true" if value else "false"
        case dict():
            return ", ".join(f"{key} = {_shown(inside)}" for key, inside in value.items())
        case list():
            return ", ".join(_shown(inside) for inside in value)
        case _:
            return str(value)
