"""What a route of the API is: data, from which the router, the policy and the OpenAPI document come.

The invariant: a route states who may use it, what it takes and what it answers, or it cannot be built;
`handle` gets only values of those types.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Concatenate, Generic, ParamSpec, TypeVar

import msgspec
from aiohttp import hdrs, web

from cloud.api.answers import ChangedMeanwhile, etag_of, is_etag_in, json_bytes, json_response
from cloud.domain import page
from cloud.domain.access import Action
from cloud.domain.errors import NotFound, Unauthenticated
from cloud.domain.ids import is_uuid
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services import idempotency
from cloud.services.idempotency import Answer
from cloud.store.db import Tx

PAGE_LIMIT_MAX = 200  # what a person can scan and a phone can hold; a program takes several pages
JSON_BODY_BYTES_MAX = 1024 * 1024  # ASVS 5.0 §1.5: far above every form and script of ours
# Parameters of a path that are whole numbers, or codes people gave; all others are ids.
PATH_NUMBERS = frozenset({"line_no", "series_id", "version"})
PATH_CODES = frozenset({"checklist_code", "document_code", "document_number", "kind_code", "tariff_code"})
PATH_NUMBER_MAX = 2**53 - 1  # what a JSON number keeps exactly everywhere
EVENT_STREAM = "text/event-stream"

# An id in a query or body: a UUID in canonical lower-case form, as `cloud.domain.ids.is_uuid` has it.
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]

# UTC milliseconds.
Instant = Annotated[int, msgspec.Meta(ge=0, le=2**48 - 1)]

_T = TypeVar("_T")
_IdT = TypeVar("_IdT")
_P = ParamSpec("_P")
QueryT = TypeVar("QueryT")
BodyT = TypeVar("BodyT")
ItemT = TypeVar("ItemT")
ViewT = TypeVar("ViewT", bound="View")


class Open(Enum):
    """A policy that asks for no action of the policy table."""

    EVERYBODY = "everybody"  # without signing in
    SIGNED_IN = "signed_in"  # whoever one is


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a caller sends: a body or a query. Unknown fields are refused."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller gets. Fields may be added; none is renamed or re-meant within /api/v1."""


class Nothing(Request, frozen=True):
    """No body, or no query."""


class PageQuery(Request, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT_MAX)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class Page(msgspec.Struct, Generic[ItemT], frozen=True):
    """Some items and where to go on; the cursor is opaque and stays right while items are added."""

    items: tuple[ItemT, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[QueryT, BodyT]):
    """One request, parsed: who asks, what for."""

    request: web.Request
    route: "Route"
    caller: User | None
    query: QueryT
    body: BodyT
    idempotency_key: str = ""

    @property
    def actor(self) -> User:
        """Return who asks; every route but the open ones has made sure that there is one."""
        if self.caller is None:
            raise Unauthenticated("nobody is signed in with this request")
        return self.caller

    def id(self, name: str) -> str:
        """Return the id in the path; NotFound if it is not one, as for any that does not exist."""
        text = self.request.match_info[name]
        if not is_uuid(text):
            raise NotFound(f"there is no {name.removesuffix('_id').replace('_', ' ')} {text!r}")
        return text

    def number(self, name: str) -> int:
        """Return the whole number in the path."""
        text = self.request.match_info[name]
        if not (text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= PATH_NUMBER_MAX):
            raise NotFound(f"there is no {name} {text!r}")
        return int(text)

    def code(self, name: str) -> str:
        """Return the code in the path."""
        return self.request.match_info[name]

    async def read(
        self, work: Callable[Concatenate[Tx, User, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a service on one snapshot of the caller's tenant, in the caller's name."""
        database = self.request.app[DATABASE]
        return await database.read(self.actor.tenant_id, work, self.actor, *args, **kwargs)

    async def write(
        self, work: Callable[Concatenate[Tx, User, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run a service in one transaction of the caller's tenant, in the caller's name."""
        database = self.request.app[DATABASE]
        return await database.write(self.actor.tenant_id, work, self.actor, *args, **kwargs)

    async def create(
        self,
        render: Callable[[_T], object],
        work: Callable[Concatenate[Tx, User, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> web.Response:
        """Like `write`, and keep the rendered answer in the same transaction if the caller gave a key."""
        database, actor = self.request.app[DATABASE], self.actor

        def rendered(value: _T) -> Answer:
            return Answer(self.route.status, json_bytes(render(value)))

        if self.idempotency_key:
            answer = await database.write(
                actor.tenant_id,
                idempotency.finish,
                actor,
                self.idempotency_key,
                rendered,
                work,
                *args,
                **kwargs,
            )
        else:
            answer = rendered(await database.write(actor.tenant_id, work, actor, *args, **kwargs))
        return json_response(answer)

    async def change(
        self,
        view: Callable[[_T], View],
        find: Callable[Concatenate[Tx, User, _IdT, ...], _T],
        work: Callable[Concatenate[Tx, User, _IdT, _P], _T],
        thing_id: _IdT,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> web.Response:
        """Change a thing, if it still is as `If-Match` says the caller saw it; all in one transaction."""
        return await self.change_seen(
            lambda tx, actor: view(find(tx, actor, thing_id)),
            lambda tx, actor: view(work(tx, actor, thing_id, *args, **kwargs)),
        )

    async def change_seen(
        self, seen: Callable[[Tx, User], View], work: Callable[[Tx, User], View | None]
    ) -> web.Response:
        """Do `work`, if what `seen` shows still is as `If-Match` says the caller saw it; in one transaction.

        The answer carries the name of what is to be seen now, so that the next change needs no reading.
        """
        wanted = self.request.headers.get(hdrs.IF_MATCH, "")

        def changed(tx: Tx, actor: User) -> tuple[View | None, str]:
            if wanted and not is_etag_in(wanted, etag_of(json_bytes(seen(tx, actor)))):
                raise ChangedMeanwhile("it was changed since you read it: read it again, then decide anew")
            return work(tx, actor), etag_of(json_bytes(seen(tx, actor)))

        answer, etag = await self.write(changed)
        if answer is None:
            return web.Response(status=204, headers={hdrs.ETAG: etag})
        response = json_response(Answer(self.route.status, json_bytes(answer)))
        response.headers[hdrs.ETAG] = etag
        return response


@dataclass(frozen=True, slots=True)
class Route:
    """One address and method of the API.

    `response` is a View, a Page of one, None for "no content", or the media type of a stream. `creates`
    says that the handler answers by `Call.create` and so honours Idempotency-Key
    (`needs_key`: insists on it and keeps it for ever),
    `is_guarded` that it answers by `Call.change` or `Call.change_seen` and so honours If-Match. `uploads`
    are the media types of a body that is a file, which the handler reads itself.
    """

    method: str
    path: str
    summary: str
    policy: Action | Open
    handle: Callable[[Call[Any, Any]], Awaitable[object]]
    response: Any
    query: type[Request] = Nothing
    body: Any = None  # a Request, or another Struct the domain defines as a document
    status: int = 200
    creates: bool = False
    needs_key: bool = False
    is_guarded: bool = False
    uploads: tuple[str, ...] = ()
    body_bytes_max: int = JSON_BODY_BYTES_MAX
    description: str = ""


def view_of(value: object, view: type[ViewT], **others: object) -> ViewT:
    """Return a value as the view whose fields have its names; `others` are those that are told differently.

    What the value has and the view has not stays inside.
    """
    same = {name: getattr(value, name) for name in view.__struct_fields__ if name not in others}
    return view(**same, **others)


def page_of(found: page.Page[Any], view: Callable[[Any], ItemT]) -> Page[ItemT]:
    """Return a page of domain values as a page of views."""
    return Page(tuple(view(item) for item in found.items), found.next_cursor)


def cut(
    found: Iterable[Any], query: PageQuery, key: Callable[[Any], str], view: Callable[[Any], ItemT]
) -> Page[ItemT]:
    """Return a page of a list that a service gives whole, because a site has a bounded number of them.

    `key` is unique among them and orders them.
    """
    after = str(page.key_from_cursor(query.cursor, str)[0]) if query.cursor else ""
    rest = sorted((item for item in found if key(item) > after), key=key)
    has_more = len(rest) > query.limit
    last = page.cursor_from_key(key(rest[query.limit - 1])) if has_more else None
    return Page(tuple(view(item) for item in rest[: query.limit]), last)
