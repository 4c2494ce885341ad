"""The document's schemas as Python types: msgspec structs, literals, and expressions that name them."""

from collections.abc import Iterable, Iterator, Mapping

import click

from gatehouse.client.document import Document, Operation, Schema, checked_name
from gatehouse.client.text import docstring, header

_PREFIX = "#/components/schemas/"
_SCALARS = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "": "Any",
}
_FORMATS = {"date": "datetime.date", "decimal": "decimal.Decimal"}
_IMPORTS = """
from __future__ import annotations

import datetime
import decimal
from typing import Any, Literal

import msgspec
"""


class Types:
    """Schemas by what Python calls them; only those are written that a request or an answer uses."""

    def __init__(self, document: Document) -> None:
        self._schemas = document.components.schemas
        self._used = sorted(_reached(_spoken(document), self._schemas))
        self._names = _python_names(self._used)

    def expression(self, schema: Schema, package: str = "") -> str:
        """Return the type of a value; `package` is what stands before the names of structs, with its dot."""
        if schema.ref:
            return package + self._names[_target(schema.ref, self._schemas)]
        if schema.enum:
            return f"Literal[{', '.join(map(repr, schema.enum))}]"
        if schema.any_of:
            return " | ".join(dict.fromkeys(self.expression(part, package) for part in schema.any_of))
        if schema.first_items:
            return f"tuple[{', '.join(self.expression(part, package) for part in schema.first_items)}]"
        if schema.type == "array":
            item = schema.items if isinstance(schema.items, Schema) else Schema()
            return f"tuple[{self.expression(item, package)}, ...]"
        if schema.type == "object":
            value = schema.more if isinstance(schema.more, Schema) else Schema()
            return f"dict[str, {self.expression(value, package)}]"
        if schema.type not in _SCALARS:
            raise click.ClickException(f"a value of type {schema.type[:80]!r}, expected one of JSON's")
        return _FORMATS.get(schema.format, "") or _SCALARS[schema.type]

    def item_of_page(self, schema: Schema) -> Schema | None:
        """Return what a page holds; None if `schema` is no page."""
        if not schema.ref:
            return None
        page = self._schemas[_target(schema.ref, self._schemas)]
        if page.properties.keys() != {"items", "next_cursor"}:
            return None
        items = page.properties["items"].items
        return items if isinstance(items, Schema) else None

    def module(self, version: str) -> str:
        """Return `schemas.py`: literals first, because the structs name them."""
        literals = [name for name in self._used if self._schemas[name].enum]
        structs = [name for name in self._used if not self._schemas[name].enum]
        parts = [header("What goes to the cloud and comes from it.", version) + _IMPORTS]
        parts += [f"{self._names[name]} = {self.expression(self._schemas[name])}\n" for name in literals]
        parts += ["\n" + "".join(self._struct(name)) for name in structs]
        return "\n".join(parts)

    def _struct(self, name: str) -> Iterator[str]:
        schema = self._schemas[name]
        yield f"class {self._names[name]}(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):\n"
        yield docstring(schema.description or f"{self._names[name]}.", 4)
        if schema.properties:
            yield "\n"
        for field, value in schema.properties.items():
            kind = self.expression(value)
            if field in schema.required:
                yield f"    {checked_name(field)}: {kind}\n"
            else:
                yield f"    {checked_name(field)}: {_with_default(kind, value.default)}\n"


def _with_default(kind: str, default: object) -> str:
    """Return type and default; one that cannot be written down is left to the cloud, by sending nothing."""
    if default is None:
        return f"{kind} = None"
    if default in ([], {}):
        return f"{kind} = {'()' if default == [] else '{}'}"
    is_plain = kind in ("str", "int", "bool") or not kind.startswith(
        ("datetime.", "decimal.", "dict", "tuple")
    )
    if isinstance(default, str | int) and is_plain:
        return f"{kind} = {default!r}"
    if isinstance(default, list) and all(isinstance(item, str | int) for item in default):
        return f"{kind} = {tuple(default)!r}"
    return f"{kind} | msgspec.UnsetType = msgspec.UNSET"


def _spoken(document: Document) -> Iterator[Schema]:
    """Yield the schemas of all parameters, bodies and answers."""

    def of(operation: Operation) -> Iterator[Schema]:
        yield from (parameter.value for parameter in operation.parameters)
        for body in (operation.request_body, operation.answer):
            yield from (content.value for content in body.content.values())

    for _path, _method, operation in document.operations():
        yield from of(operation)


def _reached(schemas: Iterable[Schema], known: Mapping[str, Schema]) -> set[str]:
    """Return the names of what the schemas refer to, and what that refers to."""
    found: set[str] = set()
    waiting = list(schemas)
    while waiting:
        schema = waiting.pop()
        waiting.extend(schema.parts())
        if schema.ref:
            name = _target(schema.ref, known)
            if name not in found:
                found.add(name)
                waiting.append(known[name])
    return found


def _target(reference: str, known: Mapping[str, Schema]) -> str:
    name = reference.removeprefix(_PREFIX)
    if name not in known:
        raise click.ClickException(f"the document refers to {reference[:120]!r}, which it does not hold")
    return name


def _python_names(names: Iterable[str]) -> dict[str, str]:
    """Return what each schema is called: `Page_SiteView_` SiteViewPage, `cloud.api.payments.X` PaymentsX."""
    called: dict[str, str] = {}
    for name in names:
        plain, wrapped = name.rstrip("_"), name.endswith("_")
        outer, _, inner = plain.partition("_") if wrapped else ("", "", plain)
        *_, module, last = ["", *inner.split(".")]
        python = "".join(word.title() for word in module.split("_")) + last + outer
        if python in called.values():
            raise click.ClickException(f"the document has two schemas that would be called {python[:80]!r}")
        called[name] = checked_name(python)
    return called
