"""The cloud's API as a demonstration uses it: signed in as the manager, one connection kept open.

The invariant: an answer is checked for the fields we rely on, and a refusal is told in the cloud's words.
"""

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from gatehouse.demo.errors import DemoError
from gatehouse.demo.local_http import HOST, ask

_T = TypeVar("_T")

TIMEOUT_S = 90.0  # closing a period may keep its caller waiting for a minute
PAGE_LIMIT = 200  # the most the API gives at once


class Refusal(msgspec.Struct):
    """What a problem document (RFC 9457) says."""

    title: str = ""
    detail: str = ""


class _Session(msgspec.Struct):
    token: str


class CodedItem(msgspec.Struct):
    """Something with a code, of which only code and id are needed."""

    code: str
    site_id: str = ""
    gateway_id: str = ""
    period_id: str = ""


class Gateways(msgspec.Struct):
    """All gateways; there are never so many that they come in pages."""

    items: list[CodedItem]


class PointValue(msgspec.Struct):
    """A point, and the value it has now."""

    series_id: int
    key: str


class Reading(msgspec.Struct):
    """A reading as the cloud shows it."""

    measured_at_ms: int
    value: Decimal | None


class InvoiceSummary(msgspec.Struct):
    """An invoice in a list."""

    invoice_id: str
    number: str
    period_code: str
    total_fen: int


class InvoiceLine(msgspec.Struct):
    """A line of an invoice."""

    line_no: int
    amount_fen: int


class Invoice(msgspec.Struct):
    """An invoice and its lines."""

    number: str
    total_fen: int
    lines: list[InvoiceLine]


class Alarm(msgspec.Struct):
    """An alarm in a list."""

    kind: str
    point_key: str
    raised_at_ms: int
    is_historical: bool


class Period(msgspec.Struct):
    """A billing period."""

    code: str
    state: str


class UsageProblem(msgspec.Struct):
    """Why a meter cannot be billed."""

    kind: str
    meter_serial: str
    detail: str


class Hold(msgspec.Struct):
    """An account that could not be billed, and why."""

    account_number: str
    problems: list[UsageProblem]


class PeriodOverview(msgspec.Struct):
    """What was billed in a period."""

    period: Period
    invoice_count: int
    total_fen: int
    holds: list[Hold]


class Closing(msgspec.Struct):
    """How far the closing of a period is."""

    state: str
    overview: PeriodOverview


class _Page(msgspec.Struct):
    items: msgspec.Raw
    next_cursor: str | None = None


class CloudApi:
    """The API of the cloud on a port of this machine. Not for two threads; `follow` has its own line."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self._port = port
        self._connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
        self._token = ""

    def is_ready(self) -> bool:
        """Tell whether it serves yet."""
        answer = ask(self._port, "GET", "/healthz")
        return answer is not None and answer.status < 300

    def sign_in(self, login: str, password: str) -> None:
        """Begin a session; every later request is that user's."""
        session = self.post("/api/v1/sessions", {"login": login, "password": password}, _Session)
        self._token = session.token

    def get(self, path: str, shape: type[_T], **query: object) -> _T:
        """Return what is at a path; DemoError in the cloud's words where it refuses."""
        return _decoded(self._ask("GET", f"{path}?{urlencode(query)}" if query else path), shape, path)

    def post(self, path: str, body: object, shape: type[_T], key: str = "") -> _T:
        """Post a body and return the answer, the same for the same `key`; DemoError where it refuses."""
        return _decoded(self._ask("POST", path, json.dumps(body).encode(), key=key), shape, path)

    def put(self, path: str, body: object) -> None:
        """Put a body in its place."""
        self._ask("PUT", path, json.dumps(body).encode())

    def send(self, path: str, picture: bytes) -> None:
        """Post a picture."""
        self._ask("POST", path, picture, kind="image/jpeg")

    def upload(self, path: str, table: bytes, shape: type[_T]) -> _T:
        """Post a table as a file and return the answer."""
        return _decoded(self._ask("POST", path, table, kind="application/octet-stream"), shape, path)

    def raw(self, path: str) -> bytes:
        """Return the bytes of an answer, for whoever wants to read them alone."""
        return self._ask("GET", path)

    def pages(self, path: str, shape: type[_T], **query: object) -> Iterator[_T]:
        """Yield the items of all pages."""
        cursor: str | None = None
        while True:
            wanted = {**query, "limit": PAGE_LIMIT, **({"cursor": cursor} if cursor else {})}
            page = self.get(path, _Page, **wanted)
            yield from _decoded(bytes(page.items), list[shape], path)  # type: ignore[valid-type]
            cursor = page.next_cursor
            if not cursor:
                return

    def follow(self, on_change: Callable[[str, bytes], None]) -> "Follower":
        """Follow the live changes until the returned follower is closed."""
        return Follower(self._port, self._token, on_change)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json", key: str = ""
    ) -> bytes:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = kind
        if key:
            headers["Idempotency-Key"] = key
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise DemoError(f"the cloud does not answer {method} {path}: {error!r}") from error
        if answer.status >= 400:
            raise DemoError(f"the cloud refused {method} {path}: {answer.status} {_reason(content)}")
        return content


class Follower:
    """A thread that hears the cloud's server-sent events."""

    def __init__(self, port: int, token: str, on_change: Callable[[str, bytes], None]) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
        self._connection.request("GET", "/api/v1/live", headers={"Authorization": f"Bearer {token}"})
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise DemoError(f"the cloud refused the live changes: {self._answer.status}")
        self._on_change = on_change
        self._thread = threading.Thread(target=self._listen, name="live changes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(2)
        self._thread.join(timeout=5)
        self._connection.close()

    def _listen(self) -> None:
        name, data = "", b""
        # The stream ends when the cloud does, or when `close` cuts it.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            for line in self._answer:
                field, _, value = line.rstrip(b"\r\n").partition(b": ")
                if field == b"event":
                    name = value.decode()
                elif field == b"data":
                    data += value
                elif not line.strip():
                    if name:
                        self._on_change(name, data)
                    name, data = "", b""


def _decoded(content: bytes, shape: type[_T], path: str) -> _T:
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.DecodeError as error:
        raise DemoError(f"the cloud's answer to {path} is not what was expected: {error}") from error


def _reason(content: bytes) -> str:
    try:
        refusal = msgspec.json.decode(content, type=Refusal)
    except msgspec.DecodeError:
        return content[:200].decode(errors="replace")
    return refusal.detail or refusal.title
