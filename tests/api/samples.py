"""Requests made up from the OpenAPI document: the smallest that fit their schemas."""

import uuid
from typing import Any

from cloud.api.route import Route
from tests.api.contract import DOCUMENT

_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_BY_PATTERN = {
    _ID: str(uuid.UUID(int=7)),
    r"^\S(.*\S)?$": "x",
    r"^[a-z][a-z0-9_]{0,39}$": "x",
    r"^[12][0-9]{3}-(0[1-9]|1[0-2])$": "2026-10",
    r"^(\+?[0-9(][0-9 ()-]{1,22}[0-9])?$": "110",
    r"^[0-9]{1,9}(\.[0-9]{1,9})?(/[1-9][0-9]{0,8})?$": "0.001",
}


def sample_headers(route: Route) -> dict[str, str]:
    """Return the headers the route insists on."""
    return {"Idempotency-Key": str(uuid.uuid4())} if route.needs_key else {}


def sample_body(route: Route) -> Any:
    """Return a body the route takes, or None if it takes none."""
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    if route.body is None:
        return None
    return sample(operation["requestBody"]["content"]["application/json"]["schema"])


def sample_query(route: Route) -> dict[str, str]:
    """Return the query parameters the route insists on."""
    parameters = DOCUMENT["paths"][route.path][route.method.lower()]["parameters"]
    return {
        parameter["name"]: "2" if parameter["name"] == "to_ms" else str(sample(parameter["schema"]))
        for parameter in parameters
        if parameter["in"] == "query" and parameter["required"]
    }


def sample(schema: dict[str, Any]) -> Any:
    """Return a small value that fits `schema`."""
    if "$ref" in schema:
        return sample(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            return {key: sample(schema["properties"][key]) for key in schema.get("required", ())}
        case "array":
            return [sample(schema["items"]) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "string" if "pattern" in schema:
            return _BY_PATTERN[schema["pattern"]]
        case "string" if schema.get("format") == "date":
            return "2026-10-01"
        case "string" if schema.get("format") == "decimal":
            return "1"
        case "string":
            return "x" * max(8, schema.get("minLength", 0))
        case _:
            return {}
