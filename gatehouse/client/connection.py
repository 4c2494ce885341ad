"""Speak to a Gatehouse cloud: sign in, ask, read the answer or the problem.

The invariant: a request is sent again only where that cannot do a thing twice, which is a GET, or one that
carries an Idempotency-Key, and then with the same key.
"""

import datetime
import http.client
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any, TypeVar

import msgspec

AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")

_ATTEMPTS_MAX = 3  # a proxy that restarts is back within two or three seconds
_WAIT_S_MAX = 30.0  # longer than that the caller should know
_TRY_AGAIN = frozenset({429, 503})  # the cloud says that nothing was changed
_DETAIL_LENGTH_MAX = 300


class NoAnswer(Exception):
    """Nothing came back, or the line broke: whether the request was done is not known."""


class Unreadable(Exception):
    """An answer that does not fit the document this package was written from: write it again."""


class ProblemPart(msgspec.Struct, frozen=True):
    """What is wrong with one part: `pointer` into the body that was sent, or the `parameter` of the query."""

    detail: str
    pointer: str = ""
    parameter: str = ""


class Problem(Exception):
    """A refusal, as RFC 9457 has it; `type` is stable, `request_id` is what to quote."""

    def __init__(
        self,
        status: int,
        type: str,  # noqa: A002 - the standard's own word
        title: str,
        detail: str,
        request_id: str,
        errors: tuple[ProblemPart, ...],
        retry_after_s: int | None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.request_id = request_id
        self.errors = errors
        self.retry_after_s = retry_after_s


class _ProblemDocument(msgspec.Struct, frozen=True):
    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    request_id: str = ""
    errors: tuple[ProblemPart, ...] = ()


class _Begun(msgspec.Struct, frozen=True):
    token: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the last answer said beside its body; `etag` is what `if_match` takes."""

    status: int
    etag: str
    request_id: str
    is_replayed: bool


@dataclass(frozen=True, slots=True)
class File:
    """A file that came, and the media type it has."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of the live stream; `data` is JSON, `id` is what to go on from."""

    event: str
    id: str
    data: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it points; it is told as a problem instead."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing."""
        del req, fp, code, msg, headers, newurl


class Connection:
    """One user's way to one cloud. Not for several threads at once: make one each."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout_s: float = 30.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        scheme = urllib.parse.urlsplit(url).scheme
        if scheme not in ("http", "https"):
            raise ValueError(f"url {url!r}: expected one that begins with http:// or https://")
        self.url = url.rstrip("/")
        self.token = token
        self.timeout_s = timeout_s
        self.last: Answer | None = None
        self._wait = wait
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __repr__(self) -> str:
        """Return where it leads; never the token."""
        return f"{type(self).__name__}({self.url!r})"

    def sign_in(self, login: str, password: str, *, code: str = "", company: str = "") -> None:
        """Begin a session and use its token from now on; `code` is the second factor's, if there is one."""
        body = {"login": login, "password": password, "code": code, "company": company}
        self.token = self._read("POST", "/api/v1/sessions", _Begun, body=body).token

    def sign_out(self) -> None:
        """End the session and forget its token."""
        self._send("DELETE", "/api/v1/sessions/current")
        self.token = ""

    def _read(self, method: str, path: str, answer: type[AnswerT], **request: Any) -> AnswerT:
        content = self._fetch(method, path, "application/json", **request).content
        try:
            return msgspec.json.decode(content, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"{method} {path}: {error}; write the client anew for this cloud") from error

    def _send(self, method: str, path: str, **request: Any) -> None:
        self._fetch(method, path, "application/json", **request)

    def _fetch(self, method: str, path: str, accept: str, **request: Any) -> File:
        """Return the answer's body. `key` None means that this address takes no Idempotency-Key."""
        made = self._request(method, path, accept, **request)
        is_repeatable = method == "GET" or made.has_header("Idempotency-key")
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            is_last = attempt == _ATTEMPTS_MAX or not is_repeatable
            try:
                with self._open(made) as answer:
                    return File(answer.read(), answer.headers.get_content_type())
            except Problem as problem:
                wait_s = float(problem.retry_after_s or 0)
                if is_last or problem.status not in _TRY_AGAIN or wait_s > _WAIT_S_MAX:
                    raise
            except (OSError, http.client.HTTPException) as error:
                wait_s = 0.0
                if is_last:
                    raise NoAnswer(f"{method} {self.url}{path}: {error}") from error
            # Programs that were cut off together must not come back together.
            self._wait(wait_s + random.uniform(0.2, 0.6) * attempt)  # noqa: S311 - no secret
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, path: str, last_event_id: str) -> Iterator[ServerSentEvent]:
        """Yield events until the line breaks, which is NoAnswer; beats keep a quiet line alive."""
        made = self._request("GET", path, "text/event-stream")
        if last_event_id:
            made.add_header("Last-Event-ID", last_event_id)
        try:
            with self._open(made) as answer:
                yield from _events(answer)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"GET {self.url}{path}: {error}") from error

    def _request(
        self,
        method: str,
        path: str,
        accept: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        content: bytes | None = None,
        media_type: str = "application/json",
        takes_key: bool = False,
        key: str | None = None,
        if_match: str | None = None,
    ) -> urllib.request.Request:
        pairs = {name: _query_text(value) for name, value in (query or {}).items() if value is not None}
        address = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(pairs)}" if pairs else "")
        data = msgspec.json.encode(body) if body is not None else content
        made = urllib.request.Request(address, data, method=method)  # noqa: S310 - looked at when we were made
        made.add_header("Accept", f"{accept}, application/problem+json")
        if data is not None:
            made.add_header("Content-Type", media_type)
        if self.token:
            made.add_unredirected_header("Authorization", f"Bearer {self.token}")
        if takes_key:
            made.add_header("Idempotency-Key", key or str(uuid.uuid4()))
        if if_match:
            made.add_header("If-Match", if_match)
        return made

    def _open(self, made: urllib.request.Request) -> http.client.HTTPResponse:
        try:
            answer: http.client.HTTPResponse = self._opener.open(made, timeout=self.timeout_s)
        except urllib.error.HTTPError as refused:
            with refused:
                self._remember(refused.code, refused.headers)
                raise _problem(refused, refused.read()) from None
        self._remember(answer.status, answer.headers)
        return answer

    def _remember(self, status: int, headers: Message) -> None:
        self.last = Answer(
            status,
            headers.get("ETag", ""),
            headers.get("X-Request-Id", ""),
            headers.get("Idempotency-Replayed", "") == "true",
        )


def path_part(value: object) -> str:
    """Return a value as it stands in a path."""
    return urllib.parse.quote(str(value), safe="")


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def _problem(refused: urllib.error.HTTPError, body: bytes) -> Problem:
    """Return the refusal; what stands between us and the cloud (a proxy) may speak plain text."""
    try:
        told = msgspec.json.decode(body, type=_ProblemDocument)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _ProblemDocument(detail=body.decode("utf-8", "replace")[:_DETAIL_LENGTH_MAX])
    wait = refused.headers.get("Retry-After", "")
    return Problem(
        refused.code,
        told.type,
        told.title or str(refused.reason),
        told.detail,
        told.request_id or refused.headers.get("X-Request-Id", ""),
        told.errors,
        int(wait) if wait.isdecimal() else None,
    )


def _events(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[ServerSentEvent]:
    """Yield the events of a stream: fields line by line, an empty line ends one."""
    fields: dict[str, str] = {}
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8").rstrip("\r\n")
        name, _, value = line.partition(":")
        if not line and (fields or data):
            yield ServerSentEvent(fields.get("event", "message"), fields.get("id", ""), "\n".join(data))
            fields, data = {}, []
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif name:
            fields[name] = value.removeprefix(" ")
