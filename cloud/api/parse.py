"""From bytes and query strings to request values, once, at the door.

The invariant: what leaves here is a value of the route's type. What cannot be read is `Malformed`;
what can be read but does not fit is `Invalid` with a JSON pointer to the place (RFC 6901), or with
`?name` for a query parameter. An unknown field is refused: a misspelt one must not be ignored.
"""

import asyncio
import re
from typing import TypeVar

import msgspec
from aiohttp import web

from cloud.api.errors import Malformed
from cloud.domain.errors import Invalid, Problem

# A body that trickles in slower than this is a stuck or hostile peer.
BODY_TIMEOUT_S = 20.0

_T = TypeVar("_T")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"(?:unknown|required) field `([^`]*)`")


async def read_json_bytes(request: web.Request, *, bytes_max: int) -> bytes:
    """Return the inflated body; stop at the first byte too many, however small the compressed one was."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    return await read_bytes(request, bytes_max=bytes_max)


async def read_bytes(request: web.Request, *, bytes_max: int) -> bytes:
    """Return a body of any kind, inflated, under the same limits."""
    if (request.content_length or 0) > bytes_max:
        raise web.HTTPRequestEntityTooLarge(max_size=bytes_max, actual_size=request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise web.HTTPRequestEntityTooLarge(max_size=bytes_max, actual_size=len(body))
    except TimeoutError as error:
        raise Malformed(f"the body was not complete after {BODY_TIMEOUT_S:.0f} s") from error
    except web.RequestPayloadError as error:
        raise Malformed(f"the body cannot be read: {error}") from error
    return bytes(body)


def value_from_json(body: bytes, kind: type[_T]) -> _T:
    """Return `body` as a `kind`; Malformed or Invalid say where it is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        place, what = place_of(error)
        raise Invalid("the request does not fit what this address expects", [Problem(place, what)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise Malformed("the body is nested too deeply") from error


def query_of(request: web.Request, kind: type[_T]) -> _T:
    """Return the query string as a `kind`; every parameter is known and given once."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise Invalid("the query is not clear", [Problem(f"?{name}", "given more than once")])
        given[name] = value
    try:
        return msgspec.convert(given, type=kind, strict=False)
    except msgspec.ValidationError as error:
        place, what = place_of(error)
        name = place.strip("/")
        raise Invalid(
            "the query does not fit what this address expects", [Problem(f"?{name}", what)]
        ) from error


def place_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return where and what: msgspec's `… - at `$.rows[17].area`` as `/rows/17/area` and the sentence."""
    found = _PLACE.match(str(error))
    assert found is not None, "the pattern matches any text"
    what, path = found["what"], found["path"] or "$"
    steps = [name or index for name, index in _STEP.findall(path)]
    field = _FIELD.search(what)
    if field is not None:
        steps.append(field[1])
    # "..." is msgspec's word for "some key of a mapping": the pointer ends above it.
    known = steps[: steps.index("...")] if "..." in steps else steps
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in known), what
