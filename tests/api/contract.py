"""Holding every answer of the API against the document that describes it."""

import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator

from cloud.api.openapi import openapi_document
from cloud.api.route import Route
from cloud.api.routes import ROUTES

DOCUMENT = openapi_document(ROUTES, version="0")


def check_answer(method: str, path: str, status: int, content_type: str, body: Any) -> None:
    """Raise AssertionError if a JSON answer is not one the document allows there."""
    route = _route_of(method, path.partition("?")[0])
    if route is None or "json" not in content_type:
        return
    responses = DOCUMENT["paths"][route.path][method.lower()]["responses"]
    assert str(status) in responses, (
        f"{method} {route.path} answered {status}: documented are {sorted(responses)}"
    )
    errors = [error.message for error in _validator(method, route.path, str(status)).iter_errors(body)]
    assert errors == [], f"{method} {route.path} → {status}: {errors[:3]}"


@cache
def _validator(method: str, path: str, status: str) -> Any:
    response = DOCUMENT["paths"][path][method.lower()]["responses"][status]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    [media] = response["content"].values()
    return OAS31Validator({**media["schema"], "components": DOCUMENT["components"]})


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], Route]]:
    found = [
        (route.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", route.path) + "$"), route) for route in ROUTES
    ]
    # A fixed word wins over a parameter in its place: /sessions/current over /sessions/{session_id}.
    return sorted(found, key=lambda entry: entry[2].path.count("{"))


def _route_of(method: str, path: str) -> Route | None:
    return next((r for m, pattern, r in _patterns() if m == method and pattern.match(path)), None)
