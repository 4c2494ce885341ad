"""Answers as bytes: JSON with exact decimals, and the name by which a state is recognised again.

The invariant: equal bytes have equal names (ETag) and only those, so whoever sends a name back is told
truly whether what they saw is still so.
"""

import hashlib

import msgspec
from aiohttp import hdrs, web

from cloud.domain.errors import Conflict
from cloud.services.idempotency import Answer


class ChangedMeanwhile(Conflict):
    """The thing is no longer as the caller saw it."""


_encoder = msgspec.json.Encoder(decimal_format="string")


def json_bytes(value: object) -> bytes:
    """Return a view as JSON; decimals as strings, exact."""
    return _encoder.encode(value)


def json_response(answer: Answer, *, has_etag: bool = False) -> web.Response:
    """Return an answer as the response that carries it; with an ETag where it is the state of something."""
    response = web.Response(
        status=answer.status, body=answer.body, content_type="application/json", charset="utf-8"
    )
    if has_etag:
        response.headers[hdrs.ETAG] = etag_of(answer.body)
    return response


def etag_of(body: bytes) -> str:
    """Return the name of a representation: the same bytes, the same name."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_etag_in(header: str, etag: str) -> bool:
    """Tell whether `If-Match` or `If-None-Match` names the representation, weakly or strongly."""
    names = [name.strip().removeprefix("W/") for name in header.split(",")]
    return "*" in names or etag in names
