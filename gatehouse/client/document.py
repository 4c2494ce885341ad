"""The part of an OpenAPI 3.1 document that a client is written from.

The invariant: names that become code are names. A document comes from outside, and what is written from it
is run; texts and values enter as literals only.
"""

import keyword
from collections.abc import Iterator

import click
import msgspec


class Schema(
    msgspec.Struct, frozen=True, rename={"ref": "$ref", "any_of": "anyOf", "more": "additionalProperties"}
):
    """One schema of JSON Schema, as far as ours go."""

    ref: str = ""
    type: str = ""
    format: str = ""
    description: str = ""
    enum: tuple[str, ...] = ()
    any_of: "tuple[Schema, ...]" = ()
    items: "Schema | bool | None" = None
    first_items: "tuple[Schema, ...]" = ()
    properties: "dict[str, Schema]" = {}
    required: frozenset[str] = frozenset()
    more: "Schema | bool" = True
    default: object = msgspec.UNSET

    def parts(self) -> "Iterator[Schema]":
        """Yield the schemas this one is made of."""
        yield from self.any_of
        yield from self.first_items
        yield from self.properties.values()
        yield from (part for part in (self.items, self.more) if isinstance(part, Schema))


class Parameter(msgspec.Struct, frozen=True, rename={"place": "in", "value": "schema"}):
    """What a request carries beside its body."""

    name: str
    place: str
    value: Schema
    required: bool = False


class Content(msgspec.Struct, frozen=True, rename={"value": "schema"}):
    """What a body is."""

    value: Schema = Schema()


class Body(msgspec.Struct, frozen=True):
    """A body by its media types; empty where there is none."""

    content: dict[str, Content] = {}


class Operation(msgspec.Struct, frozen=True, rename="camel"):
    """One method of one address."""

    operation_id: str
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    request_body: Body = Body()
    responses: dict[str, Body] = {}

    @property
    def answer(self) -> Body:
        """What it answers when it does what was asked."""
        return next((body for status, body in self.responses.items() if status.startswith("2")), Body())

    @property
    def takes_file(self) -> bool:
        """Whether its body is a file."""
        return any(name != "application/json" for name in self.request_body.content)


class Components(msgspec.Struct, frozen=True):
    """What the operations refer to."""

    schemas: dict[str, Schema] = {}


class Info(msgspec.Struct, frozen=True):
    """Whose document it is."""

    title: str
    version: str


class Document(msgspec.Struct, frozen=True):
    """The whole document."""

    openapi: str
    info: Info
    paths: dict[str, dict[str, Operation]]
    components: Components = Components()

    def operations(self) -> Iterator[tuple[str, str, Operation]]:
        """Yield path, method and operation, in the document's order."""
        for path, methods in self.paths.items():
            for method, operation in methods.items():
                yield path, method.upper(), operation


def read_document(content: bytes, source: str) -> Document:
    """Return the document; click.ClickException says what about it is not as expected."""
    try:
        document = msgspec.json.decode(content, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{source}: no document of a Gatehouse cloud: {error}") from None
    if not document.openapi.startswith("3.1"):
        raise click.ClickException(f"{source}: openapi is {document.openapi!r}, expected 3.1")
    return document


def checked_name(name: str) -> str:
    """Return `name`; click.ClickException if it cannot be a name in Python."""
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
        raise click.ClickException(f"{name[:80]!r}: expected a name that Python can have")
    return name
