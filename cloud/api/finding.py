"""Finding anything of a site by what people call it."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.finding import SEARCH_LENGTH_MAX, FoundKind
from cloud.domain.ids import SiteId
from cloud.services import finding


class FindQuery(Request, frozen=True, kw_only=True):
    """What people call it, or part of it; a whole telephone, identity or plate number finds its person."""

    text: Annotated[str, Meta(min_length=1, max_length=SEARCH_LENGTH_MAX)]


class FoundView(View, frozen=True):
    """One thing found.

    `key` names it in its own routes or pages; `word` is its kind within its kind, or its state.
    """

    kind: FoundKind
    key: str
    name: str
    detail: str
    word: str
    amount_fen: int | None


class FindingsView(View, frozen=True):
    """What was found: at most six of each kind, kind after kind."""

    items: tuple[FoundView, ...]


async def find(call: Call[FindQuery, Nothing]) -> FindingsView:
    """Find things of a site by part of what people call them."""
    found = await call.read(finding.find, SiteId(call.id("site_id")), call.query.text)
    return FindingsView(items=tuple(view_of(one, FoundView) for one in found))


ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/findings",
        "Find anything of a site",
        Action.READ_PREMISES,
        find,
        FindingsView,
        query=FindQuery,
        description="Each kind only for those who may read its list; numbers of people are masked.",
    ),
)
