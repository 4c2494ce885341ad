"""What every page about repairs shows of one, and the acts any of them may ask for.

The invariant: a page offers exactly the steps the service would take; every act goes through the one
form reader and the services' own checks.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import fen_of
from cloud.console.uploads import Sent
from cloud.domain.dispatch import Candidate
from cloud.domain.errors import Invalid
from cloud.domain.ids import RepairId, SiteId, UserId
from cloud.domain.repair import (
    NEXT,
    UNFINISHED,
    Repair,
    RepairAct,
    RepairClock,
    RepairEntry,
    RepairState,
    clock_of,
)
from cloud.domain.user import User
from cloud.services import repair_work, repairs, technicians
from cloud.services.repairs import RepairDetail
from cloud.store.db import Tx

# The way a repair goes when all goes well; what happened besides is in its history.
_LANE = (
    RepairState.REPORTED,
    RepairState.ACCEPTED,
    RepairState.ON_THE_WAY,
    RepairState.WORKING,
    RepairState.DONE,
    RepairState.CONFIRMED,
)
_STANDS_AT = {RepairState.WAITING_FOR_PARTS: RepairState.WORKING, RepairState.REOPENED: RepairState.REPORTED}


@dataclass(frozen=True, slots=True)
class LaneStep:
    """One step of the way; `at_ms` is when it was last taken."""

    state: RepairState
    is_done: bool
    is_current: bool
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the history, the newest first; `reasons` are why somebody was sent."""

    entry: RepairEntry
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RepairPage:
    """One repair as a page shows it; `base` is where its acts are sent and its photos are."""

    repair: Repair
    clock: RepairClock
    lane: tuple[LaneStep, ...]
    history: tuple[HistoryLine, ...]
    reasons: tuple[tuple[str, str], ...]
    photos: tuple[str, ...]
    moves: tuple[RepairState, ...]
    candidates: tuple[Candidate, ...]
    base: str
    is_open: bool
    error: str = ""
    typed: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RepairRow:
    """One repair in a list."""

    repair: Repair
    clock: RepairClock


def rows_of(found: Sequence[Repair], now_ms: int) -> tuple[RepairRow, ...]:
    """Return repairs as a list shows them."""
    return tuple(RepairRow(one, clock_of(one, now_ms)) for one in found)


def repair_page(
    tx: Tx,
    actor: User,
    found: RepairDetail,
    fmt: Format,
    base: str,
    error: str = "",
    typed: Mapping[str, str] | None = None,
    *,
    shows_candidates: bool = False,
) -> RepairPage:
    """Return one repair as a page shows it."""
    one = found.repair
    history = tuple(HistoryLine(entry, _reasons(entry)) for entry in reversed(found.entries))
    given = next((line for line in history if line.entry.act is RepairAct.ASSIGNED), None)
    judged = tuple(technicians.candidates(tx, one)) if shows_candidates else ()
    return RepairPage(
        one,
        clock_of(one, fmt.now_ms),
        _lane(one, found.entries),
        history,
        () if given is None or one.assignee_id is None else given.reasons,
        tuple(f"{base}/photos/{photo.photo_id}" for photo in found.photos),
        tuple(repair_work.moves_for(actor, one, fmt.now_ms)),
        judged,
        base,
        one.state in UNFINISHED,
        error,
        typed,
    )


async def perform(desk: Desk, repair_id: RepairId, sent: Sent) -> None:
    """Do what a form on a repair's page asks for, in one transaction."""
    await desk.write(_perform, repair_id, sent, desk.format)


def new_key() -> str:
    """Return a fresh key for a form, so that sending it twice is one request."""
    return f"form-{secrets.token_hex(12)}"


def _perform(tx: Tx, actor: User, repair_id: RepairId, sent: Sent, fmt: Format) -> None:
    values = sent.values
    text = values.get("text", "").strip()
    for photo in sent.photos:
        repair_work.add_photo(tx, actor, repair_id, photo)
    match values.get("act", ""):
        case "move":
            _move(tx, actor, repair_id, values, text)
        case "assign":
            repair_work.assign(tx, actor, repair_id, UserId(values.get("user_id", "")))
        case "quote":
            repair_work.quote(tx, actor, repair_id, fen_of(values.get("amount", ""), fmt), text)
        case "agree" | "decline" as answer:
            repair_work.answer_quote(tx, actor, repair_id, is_agreed=answer == "agree")
        case "rate":
            rating = values.get("rating", "")
            repair_work.rate(tx, actor, repair_id, int(rating) if rating.isdecimal() else 0, text)
        case "note" if text or not sent.photos:
            repair_work.note(tx, actor, repair_id, text)
        case _:
            pass


def _move(tx: Tx, actor: User, repair_id: RepairId, values: Mapping[str, str], text: str) -> None:
    try:
        state = RepairState(values.get("state", ""))
    except ValueError as error:
        raise Invalid("choose what it has become") from error
    repair_work.move(tx, actor, repair_id, state, text)
    rating = values.get("rating", "")
    if state is RepairState.CONFIRMED and rating.isdecimal():
        repair_work.rate(tx, actor, repair_id, int(rating), text)


def _lane(one: Repair, entries: Sequence[RepairEntry]) -> tuple[LaneStep, ...]:
    if one.state is RepairState.CANCELLED:
        return ()
    at = _LANE.index(_STANDS_AT.get(one.state, one.state))
    last = {
        entry.state: entry.at_ms for entry in entries if entry.act in (RepairAct.MOVED, RepairAct.REPORTED)
    }
    return tuple(
        LaneStep(state, index < at, index == at, last.get(state) if index <= at else None)
        for index, state in enumerate(_LANE)
        # Somebody who is there already does not travel.
        if state is not RepairState.ON_THE_WAY or index >= at or state in last
    )


def _reasons(entry: RepairEntry) -> tuple[tuple[str, str], ...]:
    if entry.act is not RepairAct.ASSIGNED:
        return ()
    parts = [part.partition("=") for part in entry.text.split("; ") if part]
    return tuple((ground, value) for ground, _, value in parts)


def find_repair(tx: Tx, actor: User, site_id: SiteId, number: str) -> RepairDetail:
    """Return the repair an address names, with its history and photos."""
    found = repairs.find_by_number(tx, actor, site_id, number)
    return repairs.detail(tx, actor, found.repair_id)


assert set(_LANE) | set(_STANDS_AT) | {RepairState.CANCELLED} == set(NEXT), "the lane knows every state"
