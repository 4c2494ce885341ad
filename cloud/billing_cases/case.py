"""A worked example: its inputs, its expected results, and how the two are held against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from cloud.domain.errors import Invalid
from cloud.domain.money import decimal, plain


class NotSupported(Exception):
    """The case asks for something no adapter does; the message says for what."""


class Verdict(Enum):
    """How a case ended."""

    FAILED = "failed"
    NOT_SUPPORTED = "not supported"
    PASSED = "passed"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One example as the file has it; titles, sources and derivations are for people."""

    id: str
    topic: str
    input: dict[str, Any]
    expected: dict[str, Any]
    title: str = ""


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of examples and of numbers that validators must accept or refuse."""

    schema: int
    cases: list[Case]
    validators: dict[str, dict[str, Any]] = {}


class Outcome(NamedTuple):
    """How one case ended, with every difference or the reason it is not supported."""

    case_id: str
    verdict: Verdict
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A computed name with several spellings: a line may be called "water2" or "water"."""

    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class NotThis:
    """The right answer, where the case records a wrong one that somebody published."""

    right: Any


@dataclass(frozen=True, slots=True)
class Either:
    """An answer that may be stated in several ways: as a list of parts or as their sum."""

    ways: tuple[Any, ...]


@dataclass(slots=True)
class Inputs:
    """A case's inputs, remembering which were read, so that none is overlooked."""

    values: Mapping[str, Any]
    context: str = ""
    _read: set[str] = field(default_factory=set)

    def __contains__(self, name: str) -> bool:
        """Tell whether the input is there."""
        return name in self.values

    def take(self, name: str, default: Any = None) -> Any:
        """Return an input, or the default where the case does not have it."""
        self._read.add(name)
        return self.values.get(name, default)

    def need(self, name: str) -> Any:
        """Return an input the topic cannot do without."""
        if name not in self.values:
            raise NotSupported(f"input {name!r} is missing")
        return self.take(name)

    def number(self, name: str, default: str | None = None) -> Decimal:
        """Return a number; NotSupported where it is missing and has no default."""
        value = self.take(name) if name in self.values else default
        if value is None:
            raise NotSupported(f"input {name!r} is missing")
        return decimal(value)

    def first(self, *names: str) -> Any:
        """Return the first of several spellings of an input that is there, or None."""
        found = [self.take(name) for name in names if name in self.values]
        return found[0] if found else None

    def unread(self) -> list[str]:
        """Return the inputs nobody read."""
        return sorted(set(self.values) - self._read)


def read_cases(body: bytes) -> CaseFile:
    """Return the examples in a file; Invalid says where it is not one."""
    try:
        return msgspec.json.decode(body, type=CaseFile)
    except msgspec.DecodeError as error:
        raise Invalid(f"not a file of billing cases: {error}") from error


def differences(expected: Any, computed: Any, at: str) -> list[str]:
    """Return where the computed value is not the expected one; numbers are compared as numbers."""
    match computed:
        case NotThis(right):
            same = not differences(expected, right, at)
            return [f"{at}: {expected} is recorded as wrong, and we compute it too"] if same else []
        case Either(ways):
            tried = [differences(expected, way, at) for way in ways]
            return min(tried, key=len)
        case AnyOf(values):
            return [] if expected in values else [f"{at}: {expected!r} expected, is one of {sorted(values)}"]
    match expected:
        case dict():
            if not isinstance(computed, Mapping):
                return [f"{at}: an object was expected, got {_shown(computed)}"]
            return [
                difference
                for key, value in expected.items()
                for difference in differences(value, computed[key], f"{at}.{key}")
            ]
        case list():
            return _list_differences(expected, computed, at)
        case _:
            if _same(expected, computed):
                return []
            return [f"{at}: expected {_shown(expected)}, got {_shown(computed)}"]


def unknown_keys(expected: Any, computed: Any, at: str) -> list[str]:
    """Return the expected values nobody computed."""
    if isinstance(computed, Either):
        return min((unknown_keys(expected, way, at) for way in computed.ways), key=len)
    if isinstance(expected, list) and isinstance(computed, Sequence) and not isinstance(computed, str):
        pairs = zip(expected, computed, strict=False)
        return [key for index, (e, c) in enumerate(pairs) for key in unknown_keys(e, c, f"{at}[{index}]")]
    if not isinstance(expected, dict) or not isinstance(computed, Mapping):
        return []
    keys = [f"{at}.{key}" for key in expected if key not in computed]
    for key in expected.keys() & computed.keys():
        keys += unknown_keys(expected[key], computed[key], f"{at}.{key}")
    return keys


def _list_differences(expected: list[Any], computed: Any, at: str) -> list[str]:
    if isinstance(computed, Mapping):
        computed = list(computed.values())
    if not isinstance(computed, Sequence) or isinstance(computed, str):
        return [f"{at}: a list was expected, got {_shown(computed)}"]
    found = []
    if len(expected) != len(computed):
        found.append(f"{at}: {len(expected)} entries expected, got {len(computed)}")
    for index, (one, other) in enumerate(zip(expected, computed, strict=False)):
        found += differences(one, other, f"{at}[{index}]")
    return found


def _same(expected: Any, computed: Any) -> bool:
    if expected is None or computed is None or isinstance(expected, bool):
        return expected is computed
    one, other = _number(expected), _number(computed)
    if one is not None and other is not None:
        return one == other
    return str(expected) == str(computed)


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _shown(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
