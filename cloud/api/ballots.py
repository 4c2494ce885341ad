"""Votes and surveys: one vote a space, weighted by area and counted by heads."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.ballot import (
    OPTION_LENGTH_MAX,
    OPTIONS_MAX,
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Ballot,
    BallotKind,
    BallotState,
    Count,
    Entitled,
    receipt,
)
from cloud.domain.ids import BallotId, SiteId, SpaceId
from cloud.services import ballots
from cloud.services.ballots import OwnBallot


class NewBallot(Request, frozen=True, kw_only=True):
    """What is asked until when; only a survey brings its own options."""

    kind: BallotKind
    title: Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH_MAX)]
    text: Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
    until_ms: Annotated[int, Meta(ge=0, le=2**48 - 1)]
    options: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=OPTION_LENGTH_MAX)], ...],
        Meta(max_length=OPTIONS_MAX),
    ] = ()


class NewVote(Request, frozen=True, kw_only=True):
    """A space's vote: the number of an option; `paper` is where a vote given on paper is filed."""

    space_id: Id
    choice: Annotated[int, Meta(ge=0, le=OPTIONS_MAX - 1)]
    paper: Annotated[str, Meta(max_length=200)] = ""


class Cancellation(Request, frozen=True):
    """Why a vote is cancelled."""

    why: Annotated[str, Meta(min_length=1, max_length=200)]


class BallotView(View, frozen=True):
    """One vote."""

    ballot_id: str
    kind: BallotKind
    title: str
    text: str
    options: tuple[str, ...]
    opened_at_ms: int
    until_ms: int
    opened_by: str
    cancelled_at_ms: int | None
    why_cancelled: str


class ShareView(View, frozen=True):
    """A part by area (square decimetres) and by heads."""

    area_dm2: int
    heads: int


class CountView(View, frozen=True):
    """The count; `options` is empty until it is over. `digest` is over all receipts."""

    roll: ShareView
    cast: ShareView
    options: tuple[ShareView, ...]
    is_quorate: bool
    is_carried: bool
    digest: str


class RollView(View, frozen=True):
    """One space on the roll; its choice and receipt are there once the vote is over."""

    space_id: str
    space_code: str
    area_dm2: int
    choice: int | None
    cast_at_ms: int | None
    cast_by: str
    paper: str
    receipt: str


class BallotDetailView(View, frozen=True):
    """A vote with its count."""

    ballot: BallotView
    state: BallotState
    count: CountView


class OwnBallotView(View, frozen=True):
    """A vote somebody's homes take part in."""

    ballot_id: str
    ballot: BallotView
    state: BallotState
    spaces: tuple[RollView, ...]
    count: CountView | None


class ReceiptOfVote(View, frozen=True):
    """What a voter keeps, to find the vote in the count."""

    receipt: str


async def open_ballot(call: Call[Nothing, NewBallot]) -> web.Response:
    """Open a vote."""
    body = call.body
    return await call.create(
        _view,
        ballots.open_ballot,
        SiteId(call.id("site_id")),
        body.kind,
        body.title,
        body.text,
        body.until_ms,
        body.options,
    )


async def list_ballots(call: Call[PageQuery, Nothing]) -> Page[BallotView]:
    """List a site's votes, newest first."""
    site_id = SiteId(call.id("site_id"))
    return page_of(await call.read(ballots.list_ballots, site_id, call.query.cursor, call.query.limit), _view)


async def get_ballot(call: Call[Nothing, Nothing]) -> BallotDetailView:
    """Return a vote with its count."""
    found = await call.read(ballots.get_ballot, BallotId(call.id("ballot_id")))
    return BallotDetailView(ballot=_view(found.ballot), state=found.state, count=_count(found.count))


async def list_roll(call: Call[PageQuery, Nothing]) -> Page[RollView]:
    """List who may vote and who has."""
    ballot_id = BallotId(call.id("ballot_id"))
    found = await call.read(ballots.get_ballot, ballot_id)
    return cut(found.roll, call.query, lambda one: one.space_id, lambda one: _roll(ballot_id, one))


async def list_own_ballots(call: Call[PageQuery, Nothing]) -> Page[OwnBallotView]:
    """List the votes one's homes take part in."""
    found = await call.read(ballots.own_ballots, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: str(one.ballot.ballot_id), _own)


async def cast_vote(call: Call[Nothing, NewVote]) -> ReceiptOfVote:
    """Vote for a space, once."""
    ballot_id, body = BallotId(call.id("ballot_id")), call.body
    space_id = SpaceId(body.space_id)
    if body.paper:
        kept = await call.write(ballots.cast_on_paper, ballot_id, space_id, body.choice, body.paper)
    else:
        kept = await call.write(ballots.cast, ballot_id, space_id, body.choice)
    return ReceiptOfVote(receipt=kept)


async def cancel_ballot(call: Call[Nothing, Cancellation]) -> BallotView:
    """Cancel a vote that is open."""
    return _view(await call.write(ballots.cancel, BallotId(call.id("ballot_id")), call.body.why))


def _view(found: Ballot) -> BallotView:
    return view_of(found, BallotView)


def _count(found: Count) -> CountView:
    return view_of(
        found,
        CountView,
        roll=view_of(found.roll, ShareView),
        cast=view_of(found.cast, ShareView),
        options=tuple(view_of(one, ShareView) for one in found.options),
    )


def _roll(ballot_id: BallotId, one: Entitled) -> RollView:
    return view_of(one, RollView, receipt=receipt(ballot_id, one) if one.choice is not None else "")


def _own(found: OwnBallot) -> OwnBallotView:
    ballot_id = found.ballot.ballot_id
    return OwnBallotView(
        ballot_id=ballot_id,
        ballot=_view(found.ballot),
        state=found.state,
        spaces=tuple(_roll(ballot_id, one) for one in found.spaces),
        count=None if found.count is None else _count(found.count),
    )


_OF_SITE = "/api/v1/sites/{site_id}/ballots"
_ONE = "/api/v1/ballots/{ballot_id}"

ROUTES = (
    Route(
        "GET", _OF_SITE, "List votes", Action.READ_COMMUNITY, list_ballots, Page[BallotView], query=PageQuery
    ),
    Route(
        "POST",
        _OF_SITE,
        "Open a vote",
        Action.MANAGE_COMMUNITY,
        open_ballot,
        BallotView,
        body=NewBallot,
        status=201,
        creates=True,
        description="Who may vote with which area is settled now: every flat and shop with an area.",
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/own_ballots",
        "List votes of one's homes",
        Action.USE_COMMUNITY,
        list_own_ballots,
        Page[OwnBallotView],
        query=PageQuery,
    ),
    Route("GET", _ONE, "Read a vote", Action.READ_COMMUNITY, get_ballot, BallotDetailView),
    Route(
        "GET",
        f"{_ONE}/roll",
        "List the roll of a vote",
        Action.READ_COMMUNITY,
        list_roll,
        Page[RollView],
        query=PageQuery,
    ),
    Route(
        "POST",
        f"{_ONE}/votes",
        "Vote for a space",
        Action.USE_COMMUNITY,
        cast_vote,
        ReceiptOfVote,
        body=NewVote,
        description="Once a space, never changed. A manager writes down votes on paper alone.",
    ),
    Route(
        "POST",
        f"{_ONE}/cancellation",
        "Cancel a vote",
        Action.MANAGE_COMMUNITY,
        cancel_ballot,
        BallotView,
        body=Cancellation,
    ),
)
