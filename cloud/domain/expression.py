"""Expressions with units: "quantity * average_price / (1 - min(loss, 0.12))", in yuan.

The invariant: an expression that was parsed has a unit, worked out from those of its names; kilowatt-hours
are never added to yuan. It is computed exactly, and where that is impossible (a division by zero, a name
without a value) it is an error, never a number.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from cloud.domain.errors import Invalid
from cloud.domain.money import decimal

# A formula a person can check has a line; ten of them are a program.
LENGTH_MAX = 500
_ATOM = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")

# How often each unit is multiplied (or, negative, divided by): yuan a kilowatt-hour is {CNY: 1, kWh: -1}.
Unit = Mapping[str, int]
NO_UNIT: Unit = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text, the names it needs, and its unit."""

    text: str
    names: frozenset[str]
    unit: Unit
    _tree: ast.expr

    def value(self, values: Mapping[str, Decimal]) -> Fraction:
        """Return what it comes to, exactly; Invalid where a value is missing or it cannot be computed."""
        return _value(self._tree, self.text, values)


def parse_unit(text: str) -> Unit:
    """Return the unit written as "CNY/kWh", "m2*month" or "1"; ValueError for anything else."""
    found: dict[str, int] = {}
    over, *under = text.split("/")
    for sign, part in ((1, over), *((-1, one) for one in under)):
        for atom in part.split("*"):
            if atom == "1":
                continue
            if not _ATOM.fullmatch(atom):
                raise ValueError(f'a unit is written "CNY/kWh", "m2*month" or "1", not {text!r}')
            found[atom] = found.get(atom, 0) + sign
    return _without_zeros(found)


def unit_text(unit: Unit) -> str:
    """Return a unit as it is written: "CNY/kWh"; "1" for none."""
    over = [atom for atom, power in sorted(unit.items()) for _ in range(power)]
    under = [atom for atom, power in sorted(unit.items()) for _ in range(-power)]
    return "/".join(["*".join(over) or "1", *under])


def parse_expression(text: str, units: Mapping[str, Unit]) -> Expression:
    """Return the expression of names with these units; ValueError says what is wrong with it.

    It has numbers, names, + - * / and brackets, min(…) and max(…), and nothing else.
    """
    if len(text) > LENGTH_MAX:
        raise ValueError(f"an expression has at most {LENGTH_MAX} characters, this one has {len(text)}")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is no expression") from error
    names: set[str] = set()
    unit = _unit(tree, text, units, names)
    return Expression(text, frozenset(names), unit, tree)


def _unit(node: ast.expr, text: str, units: Mapping[str, Unit], names: set[str]) -> Unit:
    match node:
        case ast.Constant():
            _number(node, text)
            return NO_UNIT
        case ast.Name(id=name):
            if name not in units:
                known = ", ".join(sorted(units))
                raise ValueError(f"{name!r} is not known; known are {known}")
            names.add(name)
            return units[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _unit(operand, text, units, names)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return _same([left, right], text, units, names)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as act, right=right):
            sign = 1 if isinstance(act, ast.Mult) else -1
            both = dict(_unit(left, text, units, names))
            for atom, power in _unit(right, text, units, names).items():
                both[atom] = both.get(atom, 0) + sign * power
            return _without_zeros(both)
        case ast.Call(func=ast.Name(id="min" | "max"), args=[_, _, *_] as args, keywords=[]):
            return _same(args, text, units, names)
        case _:
            shown = ast.get_source_segment(text, node) or text
            raise ValueError(f"{shown!r}: an expression has + - * / ( ) min and max, and nothing else")


def _same(parts: Sequence[ast.expr], text: str, units: Mapping[str, Unit], names: set[str]) -> Unit:
    found = [_unit(part, text, units, names) for part in parts]
    for part, unit in zip(parts[1:], found[1:], strict=True):
        if dict(unit) != dict(found[0]):
            one, other = (ast.get_source_segment(text, node) for node in (parts[0], part))
            raise ValueError(
                f"{one!r} is in {unit_text(found[0])} and {other!r} in {unit_text(unit)}: "
                "only what has one unit is added, subtracted or compared"
            )
    return found[0]


def _value(node: ast.expr, text: str, values: Mapping[str, Decimal]) -> Fraction:
    def of(part: ast.expr) -> Fraction:
        return _value(part, text, values)

    match node:
        case ast.Constant():
            return Fraction(_number(node, text))
        case ast.Name(id=name):
            if name not in values:
                raise Invalid(f"{name} is not known")
            return Fraction(values[name])
        case ast.UnaryOp(operand=operand):
            return -of(operand)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return of(left) + of(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return of(left) - of(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return of(left) * of(right)
        case ast.BinOp(left=left, right=right):
            divisor = of(right)
            if divisor == 0:
                shown = ast.get_source_segment(text, right)
                raise Invalid(f"{text}: {shown} is zero, and nothing is divided by it")
            return of(left) / divisor
        case ast.Call(func=ast.Name(id=name), args=args):
            choose: Callable[[list[Fraction]], Fraction] = min if name == "min" else max
            return choose([of(part) for part in args])
        case _:
            raise AssertionError("what was parsed has no other parts")


def _number(node: ast.Constant, text: str) -> Decimal:
    """Return a number as it was written: the parser's own value has been a float."""
    written = ast.get_source_segment(text, node) or ""
    if not _NUMBER.fullmatch(written):
        raise ValueError(f"{written!r} is no number such as 0.12")
    return decimal(written)


def _without_zeros(powers: Mapping[str, int]) -> Unit:
    return MappingProxyType({atom: power for atom, power in powers.items() if power})
