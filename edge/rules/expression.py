"""Expression: a condition over several points at once, in CEL (Common Expression Language).

In a manager's words: "tell me when the pump draws power and the tank does not fill".

    kind = "expression"
    points = { power = "em-pump/active_power", mode = "lift-1/lift_mode" }
    when = "power > 15.0 && mode == 'normal'"
    for_s = 60
    at = "em-pump/active_power"     # the point it is told at; default: the first one

Numbers are in the quantity's unit and compare with decimals (15.0, not 15); a state is its code's
name. While any of the points has no value the condition is not known. The language has no loops
here: macros, functions and long texts are refused, so that a rule costs microseconds, always.
"""

import importlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from edge.rule import RuleScope, refused
from edge.rules.condition import Conditions, ConditionSettings
from protocol.event import Event
from protocol.quantity import MICRO, Quantity
from protocol.reading import Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert

LENGTH_MAX = 500
NESTING_MAX = 20
_MACROS = re.compile(r"\b(all|exists|exists_one|filter|has|map|reduce)\s*\(")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_HAS_LETTER = re.compile(r"[A-Za-z]")
# Operators are called like `_>_`; of what has a name only these, which cost nothing.
_FUNCTIONS = frozenset({"@in", "double", "int"})


class _Program(Protocol):
    def variables(self) -> list[str]: ...

    def functions(self) -> list[str]: ...

    def execute(self, context: Mapping[str, float | str]) -> object: ...


class _Settings(ConditionSettings, forbid_unknown_fields=True, kw_only=True):
    points: dict[str, str]
    when: str
    at: str = ""


class Expression:
    """One condition over its points together."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        self.rule_id = entry.rule_id
        self._names, self._quantities = _named_points(entry, scope, settings.points)
        self.point_keys: Collection[str] = self._names
        self._at = settings.at or next(iter(settings.points.values()))
        if self._at not in self._names:
            raise refused(entry, f"at: {self._at!r} is none of the rule's points")
        self._program = _compiled(entry, settings.when, self._quantities)
        self._values: dict[str, float | str] = {}
        self._conditions = Conditions(entry, scope, [self._at], settings, settings.when)

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Evaluate with the last value of each point; without one of them nothing is known."""
        name = self._names[reading.point_key]
        if reading.value_micro is None:
            self._values.pop(name, None)
            return ()
        self._values[name] = _value(self._quantities[name], reading.value_micro)
        if len(self._values) < len(self._quantities):
            return ()
        try:
            holds = self._program.execute(self._values) is True
        except (ArithmeticError, RuntimeError, TypeError, ValueError):
            return ()  # a division by zero: not known
        attributes = {name: str(value) for name, value in self._values.items()}
        return self._conditions.update(self._at, reading, now_ms, holds=holds, attributes=attributes)

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return whether it is raised, or on its way to it."""
        return self._conditions.state()

    def restore(self, state: bytes) -> None:
        """Take it up again."""
        self._conditions.restore(state)


def _named_points(
    entry: RuleEntry, scope: RuleScope, points: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, Quantity]]:
    """Return the names by point key and the quantities by name."""
    if not points:
        raise refused(entry, "points: a rule needs at least one")
    names: dict[str, str] = {}
    quantities: dict[str, Quantity] = {}
    for name, key in points.items():
        if not _NAME.fullmatch(name):
            raise refused(entry, f"points.{name}: a name is lower case letters, digits and _")
        if key not in scope.points:
            raise refused(entry, f"points.{name}: there is no point {key!r}")
        if key in names:
            raise refused(entry, f"points.{name}: {key!r} has the name {names[key]!r} already")
        names[key], quantities[name] = name, scope.points[key]
    return names, quantities


def _compiled(entry: RuleEntry, text: str, quantities: Mapping[str, Quantity]) -> _Program:
    if len(text) > LENGTH_MAX:
        raise refused(entry, f"when: {len(text)} characters, at most {LENGTH_MAX} are allowed")
    if _depth(text) > NESTING_MAX:
        raise refused(entry, f"when: brackets are nested deeper than {NESTING_MAX}")
    if macro := _MACROS.search(text):
        raise refused(entry, f"when: {macro[1]}(…) is not allowed: a rule has no loops")
    try:
        cel = importlib.import_module("cel")
    except ModuleNotFoundError:
        raise refused(
            entry, "kind 'expression' needs gatehouse[expressions]: pip install 'gatehouse[expressions]'"
        ) from None
    try:
        program: _Program = cel.compile(text)
    except ValueError as error:
        raise refused(entry, f"when: {str(error).splitlines()[0]}") from error
    unknown = sorted(set(program.variables()) - set(quantities))
    if unknown:
        raise refused(entry, f"when: {unknown[0]!r} is none of the rule's points {', '.join(quantities)}")
    forbidden = sorted(set(filter(_HAS_LETTER.search, program.functions())) - _FUNCTIONS)
    if forbidden:
        raise refused(entry, f"when: the function {forbidden[0]!r} is not allowed")
    try:
        answer = program.execute({name: _sample(quantity) for name, quantity in quantities.items()})
    except ArithmeticError:
        return program
    except (RuntimeError, TypeError, ValueError) as error:
        raise refused(entry, f"when: {str(error).partition('. ')[0]}") from error
    if not isinstance(answer, bool):
        raise refused(entry, f"when: gives {answer!r}, expected true or false")
    return program


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _sample(quantity: Quantity) -> float | str:
    return next(iter(quantity.codes.values())) if quantity.codes else 1.0


def _value(quantity: Quantity, value_micro: int) -> float | str:
    if quantity.codes:
        return quantity.codes.get(value_micro // MICRO, str(value_micro // MICRO))
    return value_micro / MICRO
