"""From a route to the handler aiohttp calls: policy, parsing, the one service call, rendering.

The invariant: nothing of a request's body is read before its caller is known to be allowed the route,
and nothing but JSON of the route's response type (or a stream the route makes itself) leaves.
"""

import hashlib

from aiohttp import hdrs, web

from cloud.api.answers import etag_of, is_etag_in, json_bytes, json_response
from cloud.api.errors import Malformed
from cloud.api.parse import query_of, read_json_bytes, value_from_json
from cloud.api.route import Call, Nothing, Open, Request, Route
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services import idempotency
from cloud.services.idempotency import Answer
from cloud.web.door import Handler
from cloud.web.identity import actor_of, require_actor, require_permission

_KEY_LENGTH_MIN, _KEY_LENGTH_MAX = 8, 255  # shorter ones collide by accident, longer ones are no keys


def endpoint(route: Route) -> Handler:
    """Return the handler of a route."""

    async def answer(request: web.Request) -> web.StreamResponse:
        caller = await _allowed(request, route)
        query = query_of(request, route.query)
        raw = b""
        body: Request = Nothing()
        if route.body is not None:
            raw = await read_json_bytes(request, bytes_max=route.body_bytes_max)
            body = value_from_json(raw, route.body)
        key = _key_of(request, route) if route.creates else ""
        call = Call(request, route, caller, query, body, key)
        if key:
            return await _once(call, raw)
        return _rendered(call, await route.handle(call))

    return answer


async def _once(call: Call[Request, Request], raw: bytes) -> web.StreamResponse:
    """Answer a request that carries a key: as the first time, if it came before."""
    database, actor, key = call.request.app[DATABASE], call.actor, call.idempotency_key
    digest = hashlib.sha256(f"{call.request.method} {call.request.path_qs}\n".encode() + raw).hexdigest()
    kept = await database.write(
        actor.tenant_id, idempotency.begin, actor, key, digest, is_permanent=call.route.needs_key
    )
    if kept is not None:
        response = json_response(kept)
        response.headers["Idempotency-Replayed"] = "true"
        return response
    try:
        return _rendered(call, await call.route.handle(call))
    except Exception:
        # Refused or failed, so nothing was changed: the sender may try again with the same key.
        await database.write(actor.tenant_id, idempotency.release, actor, key)
        raise


def _rendered(call: Call[Request, Request], value: object) -> web.StreamResponse:
    if isinstance(value, web.StreamResponse):
        return value
    if value is None:
        return web.Response(status=204)
    body = json_bytes(value)
    if call.route.method != hdrs.METH_GET:
        return json_response(Answer(call.route.status, body))
    known = call.request.headers.get(hdrs.IF_NONE_MATCH, "")
    if known and is_etag_in(known, etag_of(body)):
        return web.Response(status=304, headers={hdrs.ETAG: etag_of(body)})
    return json_response(Answer(call.route.status, body), has_etag=True)


def _key_of(request: web.Request, route: Route) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key and route.needs_key:
        raise Malformed("no Idempotency-Key: make one (a UUID), keep it, send it again with every repetition")
    if key and not (_KEY_LENGTH_MIN <= len(key) <= _KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        raise Malformed(
            f"Idempotency-Key has {len(key)} characters, expected {_KEY_LENGTH_MIN} to {_KEY_LENGTH_MAX} "
            f"printable ASCII ones"
        )
    return key


async def _allowed(request: web.Request, route: Route) -> User | None:
    match route.policy:
        case Open.EVERYBODY:
            return await actor_of(request)
        case Open.SIGNED_IN:
            return await require_actor(request)
        case action:
            return await require_permission(request, action)
