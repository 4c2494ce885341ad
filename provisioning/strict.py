"""Strict TOML: a document either fits its declared shape or is refused by key, with what was expected.

Shapes are msgspec structs that forbid unknown fields. The invariant: every refusal names the file,
the path of the key (`lines[0].baud`) and, for an unknown key, the keys that are known there.
"""

import difflib
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

_T = TypeVar("_T")

_AT = re.compile(r"^(?P<what>.*) - at `(?P<path>[^`]*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")


class Malformed(Exception):
    """A document that does not fit; `problems` has one line each, naming the key and what was expected."""

    def __init__(self, origin: str, problems: Sequence[str]) -> None:
        self.origin = origin
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{origin}: {problem}" for problem in self.problems))


def parse_toml(text: str, shape: type[_T], origin: str) -> _T:
    """Return the document as `shape`; Malformed names the key that is wrong."""
    try:
        document = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise Malformed(origin, [f"not TOML: {error}"]) from error
    return convert(document, shape, origin)


def convert(document: object, shape: type[_T], origin: str, at: str = "") -> _T:
    """Return already parsed TOML as `shape`; `at` is the key under which it stood."""
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        raise Malformed(origin, [_explain(str(error), document, shape, at)]) from error


def _explain(message: str, document: object, shape: Any, at: str) -> str:
    """Turn msgspec's `Expected X, got Y - at $.a[0].b` into `a[0].b: expected X, got Y`."""
    found = _AT.match(message)
    what, path = (found["what"], found["path"]) if found else (message, "$")
    if unknown := _UNKNOWN.search(what):
        known = sorted(_keys_at(document, shape, path))
        close = difflib.get_close_matches(unknown["key"], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        return f"{_name(at, path, unknown['key'])}: unknown key; {hint}"
    if missing := _MISSING.search(what):
        return f"{_name(at, path, missing['key'])}: missing, and it is required"
    where = _name(at, path, "")
    value = _value_at(document, path)
    if what.startswith("Invalid") and (allowed := _allowed_at(document, shape, path)):
        return f"{where}: {value!r} is none of {', '.join(allowed)}"
    shown = "" if value is None or isinstance(value, dict | list) else f" (it is {value!r})"
    return f"{where or 'document'}: {what[:1].lower()}{what[1:]}{shown}"


def _name(at: str, path: str, key: str) -> str:
    inside = path.removeprefix("$").lstrip(".")
    joined = ".".join(part for part in (at, inside, key) if part)
    return joined.replace(".[", "[")


def _steps(path: str) -> list[str]:
    return re.findall(r"[^.\[\]$]+", path)


def _value_at(document: object, path: str) -> object:
    value = document
    for step in _steps(path):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _keys_at(document: object, shape: Any, path: str) -> set[str]:
    """Return the keys known at `path`."""
    found = _shape_at(document, shape, path)
    if not _is_struct(found):
        return set()
    tag = found.__struct_config__.tag_field
    return {field.encode_name for field in msgspec.structs.fields(found)} | ({tag} if tag else set())


def _allowed_at(document: object, shape: Any, path: str) -> list[str]:
    """Return the values allowed at `path`: an enum's or literal's, or the tags of a union."""
    parent, _, key = path.rpartition(".")
    found = _shape_at(document, shape, parent, is_chosen=False)
    tags = [
        str(member.__struct_config__.tag)
        for member in get_args(found)
        if _is_struct(member) and member.__struct_config__.tag_field == key
    ]
    if tags:
        return sorted(tags)
    found = _shape_at(document, shape, path)
    if isinstance(found, type) and issubclass(found, Enum):
        return [str(member.value) for member in found]
    return [repr(choice) for choice in get_args(found)] if get_origin(found) is Literal else []


def _is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct)


def _shape_at(document: object, shape: Any, path: str, *, is_chosen: bool = True) -> Any:
    """Follow the shape's fields along `path`, choosing a union's member by its tag."""
    value = document
    for step in ["", *_steps(path)]:
        if step.isdigit() and isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
            shape = next(iter(get_args(shape)), None)
        elif step:
            value = value.get(step) if isinstance(value, dict) else None
            shape = _field_type(shape, step)
        unchosen, shape = shape, _chosen(shape, value)
    return shape if is_chosen else unchosen


def _field_type(shape: Any, name: str) -> Any:
    if _is_struct(shape):
        return next((f.type for f in msgspec.structs.fields(shape) if f.encode_name == name), None)
    arguments = get_args(shape)
    return arguments[-1] if arguments else None  # a mapping's value type


def _chosen(shape: Any, value: object) -> Any:
    """Return the member of a tagged union that `value` names, or the only struct of an optional one."""
    members = [member for member in get_args(shape) if _is_struct(member)]
    if isinstance(shape, type) or not members or not isinstance(value, dict):
        return shape
    for member in members:
        config = member.__struct_config__
        if config.tag_field is None or value.get(config.tag_field) == config.tag:
            return member
    return None
