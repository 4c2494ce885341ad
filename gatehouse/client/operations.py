"""The document's operations as methods of one class, each with the types of what it takes and answers."""

import re
from collections.abc import Iterator

import click

from gatehouse.client.connection import Connection
from gatehouse.client.document import Document, Operation, Parameter, checked_name
from gatehouse.client.schemas import Types
from gatehouse.client.text import docstring, header

_JSON = "application/json"
_EVENTS = "text/event-stream"
_PACKAGE = "schemas."
_IMPORTS = """
from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from typing import Any, Literal

from . import schemas
from .connection import Connection, File, ServerSentEvent, path_part


class Client(Connection):
"""
# What a method already has besides what the document names.
_TAKEN = frozenset({"body", "content", "media_type", "idempotency_key", "if_match", "last_event_id", "self"})


_INHERITED = frozenset(vars(Connection)) | {"url", "token", "timeout_s", "last"}


def operations_module(document: Document, types: Types) -> str:
    """Return `operations.py`; click.ClickException if two operations share a name."""
    written = [header("Every operation of the API, under its own name.", document.info.version), _IMPORTS]
    written.append(docstring("One user's way to one cloud: a method for each operation.", 4))
    names = set(_INHERITED)
    for path, method, operation in document.operations():
        for text in _methods(path, method, operation, types):
            name = text.partition("(")[0].removeprefix("    def ")
            if name in names:
                raise click.ClickException(f"the document has two operations called {name[:100]!r}")
            names.add(name)
            written.append("\n" + text)
    return "".join(written)


def _methods(path: str, method: str, operation: Operation, types: Types) -> Iterator[str]:
    name = checked_name(operation.operation_id)
    takes, passes = _signature(path, method, operation, types)
    answer = operation.answer.content
    words = f"{operation.summary}\n\n{operation.description}"
    if _EVENTS in answer:
        takes = [*takes, "last_event_id: str = ''"]
        yield _method(
            name, takes, "Iterator[ServerSentEvent]", words, f"self._follow({passes[1]}, last_event_id)"
        )
    elif not answer:
        yield _method(name, takes, "None", words, f"self._send({', '.join(passes)})")
    elif _JSON in answer:
        kind = types.expression(answer[_JSON].value, _PACKAGE)
        yield _method(name, takes, kind, words, f"self._read({', '.join([*passes[:2], kind, *passes[2:]])})")
        item = types.item_of_page(answer[_JSON].value)
        if item is not None and any(parameter.name == "cursor" for parameter in operation.parameters):
            yield _iteration(name, takes, types.expression(item, _PACKAGE), operation.summary)
    else:
        accept = repr(", ".join(answer))
        yield _method(
            name, takes, "File", words, f"self._fetch({', '.join([*passes[:2], accept, *passes[2:]])})"
        )


def _signature(path: str, method: str, operation: Operation, types: Types) -> tuple[list[str], list[str]]:
    """Return what the method takes, and what it passes on: method and path first."""
    takes: list[str] = []
    named: list[str] = []
    passes = [repr(method), _path(path)]
    query = [parameter for parameter in operation.parameters if parameter.place == "query"]
    for parameter in operation.parameters:
        if checked_name(parameter.name.replace("-", "_")) in _TAKEN:
            raise click.ClickException(f"{path}: parameter {parameter.name!r} has a name that is taken")
        if parameter.place == "path":
            takes.append(f"{parameter.name}: {types.expression(parameter.value, _PACKAGE)}")
    if _JSON in operation.request_body.content:
        takes.append(f"body: {types.expression(operation.request_body.content[_JSON].value, _PACKAGE)}")
        passes.append("body=body")
    elif operation.takes_file:
        takes += ["content: bytes", "media_type: str"]
        passes += ["content=content", "media_type=media_type"]
    if query:
        named += [_query_parameter(parameter, types) for parameter in query]
        passes.append("query={" + ", ".join(f"{item.name!r}: {item.name}" for item in query) + "}")
    headers = {parameter.name for parameter in operation.parameters if parameter.place == "header"}
    if "Idempotency-Key" in headers:
        named.append("idempotency_key: str | None = None")
        passes += ["takes_key=True", "key=idempotency_key"]
    if "If-Match" in headers:
        named.append("if_match: str | None = None")
        passes.append("if_match=if_match")
    return [*takes, *(["*"] if named else []), *named], passes


def _query_parameter(parameter: Parameter, types: Types) -> str:
    kind = types.expression(parameter.value, _PACKAGE)
    if parameter.required:
        return f"{parameter.name}: {kind}"
    return f"{parameter.name}: {kind.removesuffix(' | None')} | None = None"


def _path(path: str) -> str:
    """Return the expression of a path: what stands in braces is filled in, everything else is literal."""
    pieces = re.split(r"\{(\w+)\}", path)
    shown = [
        f"path_part({checked_name(piece)})" if at % 2 else repr(piece) for at, piece in enumerate(pieces)
    ]
    return " + ".join(piece for piece in shown if piece != "''")


def _method(name: str, takes: list[str], gives: str, words: str, call: str) -> str:
    head = f"    def {name}({', '.join(['self', *takes])}) -> {gives}:\n"
    return f"{head}{docstring(words, 8)}        return {call}\n"


def _iteration(name: str, takes: list[str], item: str, summary: str) -> str:
    """Return a method that goes through all pages; it takes what the list takes but the cursor."""
    kept = [each for each in takes if not each.startswith("cursor:")]
    if kept[-1] == "*":
        kept.pop()
    names = [each.partition(":")[0] for each in kept if each != "*"]
    named = [f"{each}={each}" for each in names]
    return (
        f"    def iterate_{name.removeprefix('list_')}({', '.join(['self', *kept])}) -> Iterator[{item}]:\n"
        f"{docstring(f'{summary}, going on from page to page.', 8)}"
        "        cursor: str | None = None\n"
        "        while True:\n"
        f"            page = self.{name}({', '.join([*named, 'cursor=cursor'])})\n"
        "            yield from page.items\n"
        "            cursor = page.next_cursor\n"
        "            if cursor is None:\n"
        "                return\n"
    )
