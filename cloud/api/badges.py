"""Badges: cards, codes and faces; given out, lost and found, ended."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Instant, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.entry import FACE_ID_LENGTH_MAX, LABEL_LENGTH_MAX, Badge, BadgeState
from cloud.domain.ids import AccessGroupId, AccountId, BadgeId, SiteId
from cloud.services import badges
from protocol.access import BadgeKind

Label = Annotated[str, Meta(min_length=1, max_length=LABEL_LENGTH_MAX)]


class NewBadge(Request, frozen=True, kw_only=True):
    """A badge for somebody. `secret`: a card's printed number, a terminal's id of a face, or a passage's id.

    A code is made here and told once. Residents' badges need no groups: their building's are theirs.
    """

    kind: BadgeKind
    label: Label
    secret: Annotated[str, Meta(max_length=FACE_ID_LENGTH_MAX)] = ""
    account_id: Id | None = None
    group_ids: Annotated[tuple[Id, ...], Meta(max_length=50)] = ()
    from_ms: Instant | None = None
    until_ms: Instant | None = None


class NewCode(Request, frozen=True):
    """Whose code it is to be."""

    label: Label


class BadgeView(View, frozen=True):
    """One badge; `code` is whole where it is made, and for who lives there."""

    badge_id: str
    kind: BadgeKind
    label: str
    account_id: str | None
    space_code: str
    group_ids: tuple[str, ...]
    ends: str
    code: str
    state: BadgeState
    from_ms: int | None
    until_ms: int | None
    created_at_ms: int


async def list_badges(call: Call[PageQuery, Nothing]) -> Page[BadgeView]:
    """List a site's badges."""
    found = await call.read(badges.list_badges, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.badge_id, _view)


async def give_badge(call: Call[Nothing, NewBadge]) -> web.Response:
    """Give a badge to somebody."""
    body = call.body
    return await call.create(
        _view,
        badges.give,
        SiteId(call.id("site_id")),
        body.kind,
        body.label,
        body.secret,
        None if body.account_id is None else AccountId(body.account_id),
        tuple(AccessGroupId(one) for one in body.group_ids),
        body.from_ms,
        body.until_ms,
    )


async def list_badges_of_home(call: Call[PageQuery, Nothing]) -> Page[BadgeView]:
    """List the badges of a home."""
    found = await call.read(badges.own_badges, AccountId(call.id("account_id")))
    return cut(found, call.query, lambda one: one.badge_id, _view)


async def make_code(call: Call[Nothing, NewCode]) -> web.Response:
    """Make a code for a home's own doors."""
    account_id = AccountId(call.id("account_id"))
    return await call.create(_view, badges.make_own_code, account_id, call.body.label)


async def report_badge_lost(call: Call[Nothing, Nothing]) -> BadgeView:
    """Block a badge at once."""
    return _view(await call.write(badges.report_lost, BadgeId(call.id("badge_id"))))


async def report_badge_found(call: Call[Nothing, Nothing]) -> BadgeView:
    """Let a lost badge open again."""
    return _view(await call.write(badges.report_found, BadgeId(call.id("badge_id"))))


async def end_badge(call: Call[Nothing, Nothing]) -> None:
    """End a badge for good."""
    await call.write(badges.end, BadgeId(call.id("badge_id")))


def _view(one: Badge) -> BadgeView:
    return view_of(one, BadgeView)


ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/badges",
        "List badges",
        Action.READ_PASSAGES,
        list_badges,
        Page[BadgeView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/badges",
        "Give out a badge",
        Action.MANAGE_BADGES,
        give_badge,
        BadgeView,
        body=NewBadge,
        status=201,
        creates=True,
    ),
    Route(
        "GET",
        "/api/v1/accounts/{account_id}/badges",
        "List a home's badges",
        Action.USE_OWN_BADGES,
        list_badges_of_home,
        Page[BadgeView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/accounts/{account_id}/codes",
        "Make a code for a home",
        Action.USE_OWN_BADGES,
        make_code,
        BadgeView,
        body=NewCode,
        status=201,
        creates=True,
    ),
    Route(
        "POST",
        "/api/v1/badges/{badge_id}/loss",
        "Report a badge lost",
        Action.REPORT_BADGE_LOST,
        report_badge_lost,
        BadgeView,
        description="It opens nothing from the next greeting of each gateway on, within seconds.",
    ),
    Route(
        "DELETE",
        "/api/v1/badges/{badge_id}/loss",
        "Report a badge found",
        Action.MANAGE_BADGES,
        report_badge_found,
        BadgeView,
    ),
    Route(
        "DELETE",
        "/api/v1/badges/{badge_id}",
        "End a badge",
        Action.USE_OWN_BADGES,
        end_badge,
        None,
    ),
)
