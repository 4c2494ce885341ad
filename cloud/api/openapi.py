"""The OpenAPI 3.1 document, written from the route table and the types of its requests and views.

The invariant: nothing is described by hand that the code already says, so the document cannot lie about
paths, fields, limits, policies or statuses.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from cloud.api.errors import KINDS, ProblemDocument
from cloud.api.route import (
    EVENT_STREAM,
    JSON_BODY_BYTES_MAX,
    PATH_CODES,
    PATH_NUMBER_MAX,
    PATH_NUMBERS,
    Nothing,
    Open,
    Route,
)
from cloud.domain.access import POLICY
from cloud.domain.user import Role

_REFERENCE = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
_ANY_FILE = "application/octet-stream"
_PROBLEM = "application/problem+json"


def openapi_document(routes: Sequence[Route], *, version: str) -> dict[str, Any]:
    """Return the document for `routes`, as plain JSON values."""
    types = _types_of(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schema_of = dict(zip(map(_identity, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, components)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatehouse",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({tag_of(route) for route in routes})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": _problem_responses(),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-gatehouse"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    # Defaults in the schemas are Python values until they have been through JSON.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def tag_of(route: Route) -> str:
    """Return the noun a route belongs to: what it lists of a site, else its path's first after the version.

    Everything of a site under one heading were ninety operations, more than Swagger UI draws of one.
    """
    parts = route.path.removeprefix("/api/v1/").split("/")
    noun = parts[2] if parts[0] == "sites" and len(parts) > 2 else parts[0]
    return noun.removeprefix("own_").replace("_", " ")


def operation_id_of(route: Route) -> str:
    """Return the name generated clients use: that of the handler, unique in the table."""
    return str(getattr(route.handle, "__name__"))  # noqa: B009 - a Callable has no declared name


def _types_of(routes: Sequence[Route]) -> list[Any]:
    found: dict[str, Any] = {_identity(ProblemDocument): ProblemDocument}
    for route in routes:
        for kind in (route.query, route.body, route.response):
            if kind is not None and kind is not Nothing and not _is_stream(kind):
                found.setdefault(_identity(kind), kind)
    return list(found.values())


def _identity(kind: Any) -> str:
    return repr(kind)


def _is_stream(kind: Any) -> bool:
    return isinstance(kind, str)


def _operation(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id_of(route),
        "summary": route.summary,
        "tags": [tag_of(route)],
        "description": _description(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route, schema_of, components)],
        "responses": {**_success(route, schema_of), **_failures(route)},
        "security": [] if route.policy is Open.EVERYBODY else [{"session": []}, {"token": []}],
    }
    if route.creates:
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": route.needs_key,
                "schema": {"type": "string", "minLength": 8, "maxLength": 255},
                "description": "Made by the sender; sending the same request again answers the same.",
            }
        )
    if route.is_guarded:
        operation["parameters"].append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "The ETag of what you saw; 412 if it is not so any more.",
            }
        )
    if route.body is not None:
        content = {_JSON: {"schema": schema_of[_identity(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.uploads:
        # What a file is, its bytes say: whoever does not know its media type sends none in particular.
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type in (*route.uploads, _ANY_FILE)},
            "description": f"The file itself, at most {route.body_bytes_max} bytes.",
        }
    return operation


def _description(route: Route) -> str:
    match route.policy:
        case Open.EVERYBODY:
            who = "Anybody."
        case Open.SIGNED_IN:
            who = "Whoever is signed in."
        case action:
            roles = sorted(role.value for role in POLICY[action] if role is not Role.SYSTEM)
            who = f"Roles: {', '.join(roles)}."
    return f"{route.description} {who}".strip()


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _path_schema(name),
        }
        for name in _PATH_PARAMETER.findall(route.path)
    ]


def _path_schema(name: str) -> dict[str, Any]:
    if name in PATH_NUMBERS:
        return {"type": "integer", "minimum": 0, "maximum": PATH_NUMBER_MAX}
    if name in PATH_CODES:
        return {"type": "string"}
    return {"type": "string", "format": "uuid"}


def _query_parameters(
    route: Route, schema_of: dict[str, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    if route.query is Nothing:
        return []
    name = schema_of[_identity(route.query)]["$ref"].rpartition("/")[2]
    # A query is told parameter by parameter; the type that groups them is ours alone.
    schema = components[name]
    required = set(schema.get("required", ()))
    return [
        {"name": key, "in": "query", "required": key in required, "schema": value}
        for key, value in schema["properties"].items()
    ]


def _success(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    if route.response is None:
        return {"204": {"description": "Done."}}
    if _is_stream(route.response):
        # A file is bytes: OpenAPI 3.1 describes those by their media type alone; some come in two.
        schema = {"type": "string"} if route.response == EVENT_STREAM else {}
        content = {media_type: {"schema": schema} for media_type in route.response.split(", ")}
        return {"200": {"description": route.summary, "content": content}}
    content = {_JSON: {"schema": schema_of[_identity(route.response)]}}
    return {str(route.status): {"description": route.summary, "content": content}}


def _failures(route: Route) -> dict[str, Any]:
    # A query parameter nobody knows is refused everywhere.
    names = {"internal", "invalid", "too-many-requests", "unauthenticated", "unavailable"}
    takes_something = route.query is not Nothing or route.body is not None
    if not isinstance(route.policy, Open) or route.method != "GET":
        names |= {"forbidden"}
    if "{" in route.path or takes_something:
        names |= {"conflict", "not-found"}
    if route.body is not None:
        names |= {"malformed", "too-large", "unsupported-media-type"}
    if route.body_bytes_max != JSON_BODY_BYTES_MAX:  # a file, or a very long document
        names |= {"too-large"}
    if route.method != "GET":
        names |= {"conflict"}
    if route.needs_key:
        names |= {"malformed"}
    if route.is_guarded:
        names |= {"precondition-failed"}
    return {str(KINDS[name].status): {"$ref": f"#/components/responses/{name}"} for name in sorted(names)}


def _problem_responses() -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name=ProblemDocument.__name__)}
    return {
        kind.name: {
            "description": f"{kind.title_en}. {kind.advice}",
            "content": {_PROBLEM: {"schema": schema}},
        }
        for kind in KINDS.values()
    }


_DESCRIPTION = """\
Money is whole fen. Measured values are decimal strings in the unit named beside them. Instants are UTC
epoch milliseconds (`_ms`), days are local to the site (`_on`), periods are half-open. Lists are pages: hand
`next_cursor` back as `cursor`. Errors are problem documents (RFC 9457)."""
