"""The door for gateways: batches in, acknowledgements out (`protocol.sync`, `protocol.envelope`).

The invariant: an acknowledgement leaves only after what it names is committed, and who a gateway is
comes from its certificate alone (`cloud.web.peer`). The two streams are two lanes: an event waits for one
small piece of a backlog at most, on whatever thread. Errors are problem documents (RFC 9457) whose `detail`
a person can act on.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import hdrs, web

from cloud.connections import CONNECTIONS, Connections, keep_watch
from cloud.domain.errors import (
    Conflict,
    Forbidden,
    GatehouseError,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from cloud.domain.gateway import GatewayIdentity
from cloud.keys import AUTHORITY, DATABASE, REQUEST_ID
from cloud.services import gateways, readings
from cloud.services.opened_block import OpenedBlock, open_blocks
from cloud.services.readings import Accepted
from cloud.store.db import Database
from cloud.turns import Turns
from cloud.web.door import Door
from cloud.web.peer import certificate_of, whole_certificate_of
from protocol.envelope import Ack, Batch, Problem, decode_batch
from protocol.errors import EnvelopeError
from protocol.greeting import Hello, Welcome
from protocol.sync import (
    ATTEMPT_TIMEOUT_S,
    BATCH_BYTES_MAX,
    BATCH_CONTENT_TYPE,
    BATCH_PATH,
    HELLO_PATH,
    Stream,
)

# A Hello is a few hundred bytes; a gateway with a thousand streams does not exist.
HELLO_BYTES_MAX = 64 * 1024
# Bodies in memory at a time, for each stream: 256 of the largest are 1 GiB, a usual one has 20 KiB.
BODIES_MAX = 256
# Rows to a transaction, for each stream. A flood of events is taken in pieces of some tenths of a second,
# between which other buildings' come in; a backlog in pieces of some hundredths, between which events do.
ROWS_PER_TRANSACTION = {Stream.EVENT: 500, Stream.HISTORY: 4_000}
# One backlog's batch is written while the next one is read: more at once would only take the interpreter
# from each other, and from the loop that an event comes in by. Of PostgreSQL's connections half stay free.
HISTORY_TURNS_MIN = 2
# Decoding more than this would hold up the event loop for a millisecond; a thread does it.
DECODE_INLINE_BYTES_MAX = 16 * 1024

_PROBLEM_TYPE = "application/problem+json"
_PROBLEM_PREFIX = "/problems/"

_GATES: web.AppKey[dict[Stream, asyncio.Semaphore]] = web.AppKey("ingest_gates", dict)
_HISTORY_TURNS: web.AppKey[Turns] = web.AppKey("ingest_history_turns", Turns)


class Malformed(GatehouseError):
    """A request that cannot be read."""


class TooLarge(GatehouseError):
    """A body above the limit, counted after decompression."""


class WrongType(GatehouseError):
    """A body that is not what this address takes."""


@dataclass(frozen=True, slots=True)
class _Kind:
    error: type[Exception]
    status: int
    name: str
    title: str


# First match wins.
_KINDS: Sequence[_Kind] = (
    _Kind(Malformed, 400, "malformed", "Malformed"),
    _Kind(Unauthenticated, 401, "unauthenticated", "Not a valid gateway certificate"),
    _Kind(Forbidden, 403, "forbidden", "Forbidden"),
    _Kind(NotFound, 404, "not-found", "Not found"),
    _Kind(Conflict, 409, "conflict", "Conflict"),
    _Kind(TooLarge, 413, "too-large", "Too large"),
    _Kind(WrongType, 415, "unsupported-media-type", "Unsupported type"),
    _Kind(Invalid, 422, "invalid", "Invalid"),
    _Kind(TooMany, 429, "too-many-requests", "Too many requests"),
    _Kind(Unavailable, 503, "unavailable", "Unavailable"),
)


class _ProblemDocument(msgspec.Struct, frozen=True):
    type: str
    title: str
    status: int
    detail: str
    request_id: str


def mount(app: web.Application) -> None:
    """Add the gateways' two addresses."""
    app[_GATES] = {stream: asyncio.Semaphore(BODIES_MAX) for stream in Stream}
    app.router.add_post(HELLO_PATH, _hello)
    app.router.add_post(BATCH_PATH, _batch)
    app[CONNECTIONS] = Connections()
    app.cleanup_ctx.append(_history_turns)
    app.cleanup_ctx.append(keep_watch)


async def render_error(request: web.Request, error: Exception) -> web.StreamResponse:
    """Return the problem document of an error; an unknown one tells only the request's number."""
    if isinstance(error, web.HTTPException):
        kind = _Kind(type(error), error.status, "http", error.reason)
        detail = f"{request.method} {request.path}: {error.reason}"
    else:
        unknown = _Kind(Exception, 500, "internal", "Internal error")
        kind = next((kind for kind in _KINDS if isinstance(error, kind.error)), unknown)
        detail = str(error) if kind is not unknown else "quote the request id to whoever runs the cloud"
    headers = {}
    if isinstance(error, TooMany | Unavailable):
        headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    if kind.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="gatehouse enrolment"'
    document = _ProblemDocument(
        _PROBLEM_PREFIX + kind.name, kind.title, kind.status, detail, request.get(REQUEST_ID, "")
    )
    return web.Response(
        status=kind.status,
        body=msgspec.json.encode(document),
        content_type=_PROBLEM_TYPE,
        headers=headers,
    )


INGEST = Door("ingest", ("/gateway/",), mount, render_error, for_gateways=True)


async def _hello(request: web.Request) -> web.Response:
    """Keep what a gateway says of itself; answer what we hold of it."""
    gateway = await gateway_of(request)
    body = await body_of(request, HELLO_BYTES_MAX)
    try:
        said = msgspec.json.decode(body, type=Hello)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"hello: {error}") from error
    authorities = request.app[AUTHORITY].digest
    welcome: Welcome = await request.app[DATABASE].write(
        gateway.tenant_id, gateways.hello, gateway, said, authorities
    )
    return _json(welcome)


async def _batch(request: web.Request) -> web.Response:
    """Take in a batch and acknowledge what is committed."""
    gateway = await gateway_of(request)
    stream = _stream_of(request)
    if request.content_type != BATCH_CONTENT_TYPE:
        raise WrongType(f"a batch has Content-Type {BATCH_CONTENT_TYPE}, not {request.content_type}")
    async with request.app[_GATES][stream]:
        return _json(await _taken(request, gateway, stream))


async def _history_turns(app: web.Application) -> AsyncIterator[None]:
    # Half of what the sender waits at most: the other half is for the way there and back.
    count = max(HISTORY_TURNS_MIN, app[DATABASE].writers // 2)
    app[_HISTORY_TURNS] = Turns(count, patience_s=ATTEMPT_TIMEOUT_S / 2)
    yield


async def _taken(request: web.Request, gateway: GatewayIdentity, stream: Stream) -> Ack:
    body = await body_of(request, BATCH_BYTES_MAX)
    try:
        batch = decode_batch(body, stream)
    except EnvelopeError as error:
        raise Malformed(str(error)) from error
    async with request.app[_HISTORY_TURNS].turn() if stream is Stream.HISTORY else contextlib.nullcontext():
        problems, accepted = await _accepted(request.app[DATABASE], gateway, stream, batch, len(body))
    return Ack(
        stream.value,
        batch.epoch,
        accepted.acked_through,
        hashlib.sha256(body).hexdigest(),
        accepted.received_at_ms,
        accepted.gaps,
        problems,
    )


async def _accepted(
    database: Database, gateway: GatewayIdentity, stream: Stream, batch: Batch, body_bytes: int
) -> tuple[list[Problem], Accepted]:
    """Take a batch in, piece by piece; return all that was wrong with it, and how far it came in the end."""
    told = (stream, batch.blocks, batch.told_through, batch.sent_at_ms, batch.over)
    if body_bytes <= DECODE_INLINE_BYTES_MAX:
        opened = open_blocks(*told)
    else:
        opened = await asyncio.to_thread(open_blocks, *told)
    write = database.write_bulk if stream is Stream.HISTORY else database.write
    problems: list[Problem] = []
    for piece in _pieces(opened, ROWS_PER_TRANSACTION[stream]):
        accepted = await write(gateway.tenant_id, readings.accept, gateway, stream, batch.epoch, piece)
        problems += accepted.problems
    return problems, accepted


def _pieces(opened: Sequence[OpenedBlock], rows_max: int) -> list[list[OpenedBlock]]:
    """Return the blocks in pieces of so many rows that one transaction keeps nobody waiting for long."""
    pieces: list[list[OpenedBlock]] = [[]]
    count = 0
    for block in opened:
        if pieces[-1] and count + block.block.count > rows_max:
            pieces.append([])
            count = 0
        pieces[-1].append(block)
        count += block.block.count
    return pieces


async def gateway_of(request: web.Request) -> GatewayIdentity:
    """Return who sends the request, by the certificate of its connection alone."""
    shown, database = certificate_of(request), request.app[DATABASE]
    speaker = await database.read(shown.tenant_id, gateways.authenticate, shown)
    if speaker.is_outdated:
        await database.write(shown.tenant_id, gateways.turn_away_outdated, speaker.identity)
        raise Unauthenticated(gateways.NOT_ANY_MORE)
    if speaker.is_newer:
        pem = request.app[AUTHORITY].chain_pem(whole_certificate_of(request))
        await database.write(shown.tenant_id, gateways.take_up, shown, pem)
    request.app[CONNECTIONS].remember(speaker.identity, request.transport)
    return speaker.identity


def _stream_of(request: web.Request) -> Stream:
    name = request.match_info["stream"]
    try:
        return Stream(name)
    except ValueError:
        known = ", ".join(stream.value for stream in Stream)
        raise NotFound(f"there is no stream {name!r}; there are {known}") from None


async def body_of(request: web.Request, bytes_max: int) -> bytes:
    """Return the inflated body; stop at the first byte too many, however small the compressed one was."""
    body = bytearray()
    try:
        # The sender gives the attempt up by then; whoever trickles slower holds nothing of ours.
        async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise TooLarge(f"the body is larger than {bytes_max} bytes: send fewer blocks at a time")
    except TimeoutError:
        raise Malformed(f"the body was not complete after {ATTEMPT_TIMEOUT_S:.0f} s") from None
    except web.RequestPayloadError as error:
        raise Malformed(f"the body cannot be read: {error}") from error
    return bytes(body)


def _json(value: Ack | Welcome) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
