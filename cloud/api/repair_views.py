"""What is asked about repairs and what is shown of them."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from cloud.api.route import Call, Id, PageQuery, Request, View, view_of
from cloud.domain.photo import PhotoRecord
from cloud.domain.repair import (
    RATING_MAX,
    Channel,
    QuoteState,
    Repair,
    RepairAct,
    RepairCategory,
    RepairEntry,
    RepairState,
    Urgency,
    clock_of,
)
from cloud.keys import CLOCK
from cloud.services.repair_work import QUOTE_FEN_MAX

Words = Annotated[str, Meta(max_length=500)]
SaidWords = Annotated[str, Meta(min_length=1, max_length=500)]
Instant = Annotated[int, Meta(ge=0, le=2**48 - 1)]


class RepairQuery(PageQuery, frozen=True, kw_only=True):
    """Which repairs; without `state` those under way."""

    state: Literal[
        "unfinished",
        "all",
        "reported",
        "accepted",
        "on_the_way",
        "working",
        "waiting_for_parts",
        "done",
        "confirmed",
        "reopened",
        "cancelled",
    ] = "unfinished"
    assignee_id: Id | None = None
    account_id: Id | None = None


class NewRepair(Request, frozen=True, kw_only=True):
    """What is broken, where, and how long it may wait. Residents name one of their accounts."""

    category: RepairCategory
    description: Annotated[str, Meta(min_length=1, max_length=1_000)]
    urgency: Urgency = Urgency.NORMAL
    channel: Channel = Channel.WEB
    place: Annotated[str, Meta(max_length=100)] = ""
    account_id: Id | None = None
    space_id: Id | None = None
    equipment_id: Id | None = None
    wanted_at_ms: Instant | None = None


class RepairOfAlarm(Request, frozen=True):
    """Which kind of work an alarm asks for."""

    category: RepairCategory


class RepairMove(Request, frozen=True):
    """How far it has come; `text` is told to everybody."""

    state: RepairState
    text: Words = ""


class RepairNote(Request, frozen=True):
    """Something for everybody to read."""

    text: SaidWords


class Assignment(Request, frozen=True):
    """Who shall go."""

    user_id: Id


class NewQuote(Request, frozen=True):
    """What the resident would pay, and for what."""

    amount_fen: Annotated[int, Meta(ge=1, le=QUOTE_FEN_MAX)]
    text: SaidWords


class QuoteAnswer(Request, frozen=True):
    """Whether the resident agrees."""

    is_agreed: bool


class Rating(Request, frozen=True):
    """How good the work was, 1 to 5."""

    rating: Annotated[int, Meta(ge=1, le=RATING_MAX)]
    text: Words = ""


class QuoteView(View, frozen=True):
    """What the resident would pay."""

    state: QuoteState
    amount_fen: int
    text: str


class RepairView(View, frozen=True):
    """One repair; the clocks are as of now."""

    repair_id: str
    site_id: str
    number: str
    category: RepairCategory
    urgency: Urgency
    channel: Channel
    state: RepairState
    description: str
    place: str
    space_id: str | None
    space_code: str
    account_id: str | None
    equipment_id: str | None
    alarm_id: str | None
    assignee_id: str | None
    assignee_name: str
    wanted_at_ms: int | None
    started_at_ms: int
    reported_at_ms: int
    accepted_at_ms: int | None
    done_at_ms: int | None
    respond_by_ms: int
    resolve_by_ms: int
    is_late: bool
    reopen_count: int
    quote: QuoteView
    rating: int | None
    rating_text: str


class RepairEntryView(View, frozen=True):
    """One line of a repair's history."""

    at_ms: int
    act: RepairAct
    state: RepairState
    value: str
    text: str
    user_id: str | None
    user_name: str


class PhotoView(View, frozen=True):
    """A photo; fetch it under `…/photos/{photo_id}`."""

    photo_id: str
    width: int
    height: int
    size_bytes: int
    created_at_ms: int


class RepairDetailView(View, frozen=True):
    """A repair, its history, oldest first, and its photos."""

    repair: RepairView
    history: tuple[RepairEntryView, ...]
    photos: tuple[PhotoView, ...]


def repair_view(call: Call[Any, Any], repair: Repair) -> RepairView:
    """Return a repair as it is shown, its clocks as of now."""
    clock = clock_of(repair, call.request.app[CLOCK]())
    return view_of(
        repair,
        RepairView,
        respond_by_ms=clock.respond_by_ms,
        resolve_by_ms=clock.resolve_by_ms,
        is_late=clock.is_any_late,
        quote=view_of(repair.quote, QuoteView),
    )


def entry_view(entry: RepairEntry) -> RepairEntryView:
    """Return one line of its history as it is shown."""
    return view_of(entry, RepairEntryView)


def photo_view(photo: PhotoRecord) -> PhotoView:
    """Return a photo as it is listed."""
    return view_of(photo, PhotoView)
