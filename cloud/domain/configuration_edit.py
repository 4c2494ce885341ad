"""Editing a configuration's text thing by thing: a device, a line, a rule, in the words of the file.

The invariant: what was not touched stays as it was written, with its order and its comments.
"""

from collections.abc import Mapping

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from cloud.domain.errors import Invalid, NotFound, Problem

# Where a person adds and takes away; the others are the box's own word.
EDITABLE = ("lines", "devices", "rules")
# What a form asks for; whatever else a device has is written under it as it stands in the file.
DEVICE_KEYS = ("id", "line", "profile", "address", "interval_s")


def entry_text(text: str, table: str, name: str) -> str:
    """Return one thing as the file has it, without its `[[…]]`; NotFound if there is none of that id."""
    entries = _entries(_parsed(text), table)
    one = tomlkit.document()
    kept = tomlkit.aot()
    kept.append(entries[_place(entries, table, name)])
    one[table] = kept
    return tomlkit.dumps(one).partition("]]")[2].strip("\n") + "\n"


def rest_of_device(text: str, name: str) -> str:
    """Return what a device has beside the keys of the form, as the file has it."""
    own = tomlkit.parse(entry_text(text, "devices", name))
    for key in DEVICE_KEYS:
        own.pop(key, None)
    return tomlkit.dumps(own).strip("\n")


def with_entry(text: str, table: str, was: str, entry: str) -> str:
    """Return the text with one thing written anew, or added at the end where `was` is "".

    `entry` is what stands under `[[…]]`. Invalid says what is no TOML in it.
    """
    document = _parsed(text)
    try:
        made = _entries(tomlkit.parse(f"[[{table}]]\n{entry.strip()}\n"), table)
    except TOMLKitError as error:
        message = f"not TOML: {error}"
        raise Invalid(message, [Problem("/entry", message)]) from error
    if len(made) != 1:
        message = f"one of {table} at a time, and nothing else; this has {len(made)}"
        raise Invalid(message, [Problem("/entry", message)])
    if table not in document:
        document[table] = tomlkit.aot()
    entries = _entries(document, table)
    if was:
        at = _place(entries, table, was)
        kept = [made[0] if i == at else one for i, one in enumerate(entries)]
    else:
        kept = [*entries, made[0]]
    anew = tomlkit.aot()
    for one in kept:
        anew.append(one)
    document[table] = anew
    return tomlkit.dumps(document)


def without_entry(text: str, table: str, name: str) -> str:
    """Return the text without one thing."""
    document = _parsed(text)
    entries = _entries(document, table)
    gone = _place(entries, table, name)
    anew = tomlkit.aot()
    for i, one in enumerate(entries):
        if i != gone:
            anew.append(one)
    if len(anew) or table != "lines":
        document[table] = anew
    else:
        document[table] = tomlkit.array()
    return tomlkit.dumps(document)


def device_entry(values: Mapping[str, str], rest: str, was: object) -> str:
    """Return a device as the file has it, from what a form holds; an address stays a number if it was one."""
    table = tomlkit.document()
    for key in ("id", "line", "profile"):
        table[key] = values.get(key, "").strip()
    address = values.get("address", "").strip()
    table["address"] = int(address) if isinstance(was, int) and address.isdecimal() else address
    interval = values.get("interval_s", "").strip()
    if interval:
        try:
            table["interval_s"] = float(interval) if "." in interval else int(interval)
        except ValueError as error:
            message = f"interval_s: expected a number of seconds, got {interval!r}"
            raise Invalid(message, [Problem("/interval_s", message)]) from error
    return tomlkit.dumps(table) + rest.strip("\n") + "\n"


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        message = f"not TOML: {error}"
        raise Invalid(message, [Problem("/text", message)]) from error


def _entries(document: tomlkit.TOMLDocument, table: str) -> AoT:
    found = document.get(table)
    # `lines = []` is an array of nothing, which has no tables to speak of.
    return found if isinstance(found, AoT) else tomlkit.aot()


def _place(entries: AoT, table: str, name: str) -> int:
    for i, entry in enumerate(entries):
        if entry.get("id") == name:
            return i
    raise NotFound(f"{table}: there is no {name!r}")
