"""Votes and surveys: opened and counted by staff, voted in by residents."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import Language, mark
from cloud.console.typed import instant_of
from cloud.domain.ballot import Ballot, BallotKind, BallotState, Count, Entitled, Share, receipt
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import BallotId, SiteId, SpaceId, is_uuid
from cloud.domain.imports.cell import Cell
from cloud.domain.user import User
from cloud.services import ballots
from cloud.services.ballots import BallotDetail, OwnBallot
from cloud.store.db import Tx
from cloud.web.workbooks import workbook_response
from cloud.workbook.writing import Sheet, sheets_workbook

_TAB = "/home/more"
_ROWS = 50
_DECISION_WORDS = {"agree": mark("Agree"), "disagree": mark("Disagree"), "abstain": mark("Abstain")}
_FIELDS = ("kind", "title", "text", "options", "until")


@dataclass(frozen=True, slots=True)
class Row:
    """A vote in the list."""

    ballot: Ballot
    state: BallotState


@dataclass(frozen=True, slots=True)
class ListView:
    """A site's votes."""

    rows: tuple[Row, ...]
    open: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class FormView:
    """The form for a new vote."""

    typed: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """An option's part of what was cast, by area and by heads, in per cent."""

    name: str
    share: Share
    area_percent: Decimal
    heads_percent: Decimal


@dataclass(frozen=True, slots=True)
class OneView:
    """A vote, who took part, and its count once it is over."""

    detail: BallotDetail
    area_percent: Decimal
    heads_percent: Decimal
    lines: tuple[Line, ...]
    error: str = ""

    def receipt_of(self, vote: Entitled) -> str:
        """Return what the voter of a space was given, once it is over."""
        return receipt(self.detail.ballot.ballot_id, vote) if vote.choice is not None else ""


@dataclass(frozen=True, slots=True)
class OwnRow:
    """A vote as a resident has it."""

    own: OwnBallot
    lines: tuple[Line, ...]

    def receipt_of(self, vote: Entitled) -> str:
        """Return what the voter of a space was given."""
        return receipt(self.own.ballot.ballot_id, vote) if vote.choice is not None else ""


@dataclass(frozen=True, slots=True)
class OwnView:
    """The votes a resident takes part in."""

    rows: tuple[OwnRow, ...]
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the votes of a site."""
    view = await desk.read(_list, desk.site.site_id, desk.request.query.get("after"), desk.format)
    return await desk.page("ballots/list.html", view=view)


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show the form for a new vote."""
    return await desk.page("ballots/new.html", view=FormView({"kind": BallotKind.ORDINARY.value}))


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Open a vote, or show the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip() for name in _FIELDS}
    try:
        added = await desk.write(_open, desk.site.site_id, typed, desk.format)
    except (Conflict, Invalid) as error:
        return await desk.page("ballots/new.html", status=422, view=FormView(typed, str(error)))
    return desk.go(f"/ballots/{added.ballot_id}", "ballot-opened")


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one vote."""
    return await desk.page("ballots/ballot.html", view=await desk.read(_one, _ballot_id(desk), ""))


async def act(desk: Desk) -> web.StreamResponse:
    """Write down a vote on paper, or cancel."""
    form, ballot_id = await desk.request.post(), _ballot_id(desk)
    try:
        if form.get("act") == "cancel":
            await desk.write(ballots.cancel, ballot_id, str(form.get("why", "")))
            return desk.go(f"/ballots/{ballot_id}", "ballot-cancelled")
        space_id, choice = _choice(form)
        paper = str(form.get("paper", ""))
        kept = await desk.write(ballots.cast_on_paper, ballot_id, space_id, choice, paper)
    except (Conflict, Invalid) as error:
        view = await desk.read(_one, ballot_id, str(error))
        return await desk.page("ballots/ballot.html", status=422, view=view)
    return desk.go(f"/ballots/{ballot_id}", "ballot-cast", receipt=kept)


async def export(desk: Desk) -> web.StreamResponse:
    """Return the roll and the count as a workbook, for the file of the meeting."""
    view = await desk.read(_one, _ballot_id(desk), "")
    body = await asyncio.to_thread(sheets_workbook, _sheets(view, desk.format))
    return workbook_response(body, f"{desk.site.code}-vote")


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident the votes of their homes."""
    view = await desk.read(_own, desk.site.site_id, "")
    return await desk.page("home/ballots.html", tab=_TAB, view=view)


async def cast_own(desk: Desk) -> web.StreamResponse:
    """Vote for an own space, once."""
    form = await desk.request.post()
    try:
        space_id, choice = _choice(form)
        kept = await desk.write(ballots.cast, _ballot_id(desk), space_id, choice)
    except (Conflict, Forbidden, Invalid) as error:
        view = await desk.read(_own, desk.site.site_id, str(error))
        return await desk.page("home/ballots.html", status=422, tab=_TAB, view=view)
    return desk.go("/home/ballots", "ballot-cast", receipt=kept)


def _ballot_id(desk: Desk) -> BallotId:
    text = desk.request.match_info["ballot"]
    if not is_uuid(text):
        raise NotFound(f"there is no vote {text!r}")
    return BallotId(text)


def _choice(form: Mapping[str, object]) -> tuple[SpaceId, int]:
    space, choice = str(form.get("space", "")), str(form.get("choice", ""))
    if not is_uuid(space) or not (choice.isascii() and choice.isdecimal() and len(choice) < 3):
        raise Invalid("choose a home and an option")
    return SpaceId(space), int(choice)


def _list(tx: Tx, actor: User, site_id: SiteId, after: str | None, fmt: Format) -> ListView:
    page = ballots.list_ballots(tx, actor, site_id, after, _ROWS)
    rows = tuple(Row(one, one.state_at(fmt.now_ms)) for one in page.items)
    return ListView(rows, sum(row.state is BallotState.OPEN for row in rows), page.next_cursor)


def _open(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], fmt: Format) -> Ballot:
    kind = next((one for one in BallotKind if one.value == typed["kind"]), BallotKind.SURVEY)
    until_ms = instant_of(typed["until"], fmt)
    options = typed["options"].splitlines() if kind is BallotKind.SURVEY else ()
    return ballots.open_ballot(tx, actor, site_id, kind, typed["title"], typed["text"], until_ms, options)


def _one(tx: Tx, actor: User, ballot_id: BallotId, error: str) -> OneView:
    detail = ballots.get_ballot(tx, actor, ballot_id)
    counted = detail.count
    return OneView(
        detail,
        _percent(counted.cast.area_dm2, counted.roll.area_dm2),
        _percent(counted.cast.heads, counted.roll.heads),
        _lines(detail.ballot, counted if detail.is_counted else None),
        error,
    )


def _own(tx: Tx, actor: User, site_id: SiteId, error: str) -> OwnView:
    found = ballots.own_ballots(tx, actor, site_id)
    return OwnView(tuple(OwnRow(one, _lines(one.ballot, one.count)) for one in found), error)


def option_word(name: str, ballot: Ballot, language: Language) -> str:
    """Return an option in the reader's language; a survey's are its own words."""
    if ballot.kind is BallotKind.SURVEY:
        return name
    return language.gettext(_DECISION_WORDS[name])


def _lines(ballot: Ballot, counted: Count | None) -> tuple[Line, ...]:
    if counted is None:
        return ()
    return tuple(
        Line(
            name,
            share,
            _percent(share.area_dm2, counted.cast.area_dm2),
            _percent(share.heads, counted.cast.heads),
        )
        for name, share in zip(ballot.options, counted.options, strict=True)
    )


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(part * 100) / whole).quantize(Decimal("0.01")) if whole else Decimal(0)


def _sheets(view: OneView, fmt: Format) -> Sequence[Sheet]:
    gettext = fmt.language.gettext
    detail, counted = view.detail, view.detail.count
    square = gettext("Area m²")
    result: list[Sequence[Cell | Decimal]] = [
        (detail.ballot.title, None, None),
        (gettext("On the roll"), counted.roll.area_m2, counted.roll.heads),
        (gettext("Took part"), counted.cast.area_m2, counted.cast.heads),
        *(
            (option_word(line.name, detail.ballot, fmt.language), line.share.area_m2, line.share.heads)
            for line in view.lines
        ),
        (gettext("Digest of all receipts"), counted.digest if detail.is_counted else "", None),
    ]
    votes = [
        (
            one.space_code,
            one.area_m2,
            option_word(detail.ballot.options[one.choice], detail.ballot, fmt.language)
            if one.choice is not None
            else "",
            fmt.exact(one.cast_at_ms) if one.cast_at_ms else "",
            one.cast_by,
            one.paper,
            view.receipt_of(one),
        )
        for one in detail.roll
    ]
    return (
        Sheet(gettext("Count"), ("", square, gettext("Heads")), result, (34, 16, 10)),
        Sheet(
            gettext("Roll"),
            (
                gettext("Home"),
                square,
                gettext("Option"),
                gettext("Time"),
                gettext("Cast by"),
                gettext("Paper"),
                gettext("Receipt"),
            ),
            votes,
            (14, 12, 16, 24, 16, 14, 18),
        ),
    )
