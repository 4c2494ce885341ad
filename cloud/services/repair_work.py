"""What is done to a repair: given to somebody, moved on, quoted, photographed, confirmed, rated.

The invariant: every act is one line of the history with who and when; a step that cannot follow the
present state is refused and changes nothing.
"""

from typing import Any

from cloud.domain.access import Action, may, require
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import PhotoId, RepairId, UserId
from cloud.domain.photo import CleanPhoto, PhotoSubject
from cloud.domain.repair import (
    NEXT,
    OF_RESIDENT,
    RATING_MAX,
    UNFINISHED,
    WAITING,
    QuoteState,
    Repair,
    RepairAct,
    RepairState,
    may_become,
)
from cloud.domain.user import Role, User
from cloud.services import dispatching, photos, repair_charges, technicians
from cloud.services.repair_news import tell_home, tell_of_answer
from cloud.services.repairs import sees, tell_change
from cloud.store import alarms, audit, repairs
from cloud.store.db import Tx

TEXT_LENGTH_MAX = 500
# A hundred thousand yuan: a whole bathroom; above it somebody has mistyped.
QUOTE_FEN_MAX = 10_000_000


def assign(tx: Tx, actor: User, repair_id: RepairId, user_id: UserId) -> Repair:
    """Give a repair to a technician of the manager's choosing; their grounds are kept as they are."""
    require(actor, Action.MANAGE_REPAIRS)
    found = _locked(tx, actor, repair_id)
    if found.state not in UNFINISHED:
        raise Conflict(f"{found.number} is {found.state.value} already")
    chosen = dispatching.candidate_of(technicians.candidates(tx, found), user_id)
    if chosen is None:
        raise NotFound("there is no such technician")
    reasons = dispatching.reasons_text(chosen.reasons)
    dispatching.give(tx, found, user_id, chosen.technician.name, reasons, actor.person_id)
    audit.record(tx, actor.user_id, "assign_repair", "repair", repair_id, {"to": user_id})
    return tell_change(tx, repair_id)


def move(tx: Tx, actor: User, repair_id: RepairId, state: RepairState, text: str = "") -> Repair:
    """Take a repair a step further, or back where it was not mended after all.

    Technicians accept and work; a resident confirms, opens again, or calls off what nobody has accepted.
    """
    require(actor, Action.REQUEST_REPAIRS)
    _check_text("note", text)
    found = _locked(tx, actor, repair_id)
    _require_may_move(actor, found, state)
    if not may_become(found, state, tx.now_ms):
        raise Conflict(f"{found.number} is {found.state.value}, it cannot become {state.value} now")
    if state is RepairState.REOPENED and not text.strip():
        raise Invalid("say what is still wrong")
    if state is RepairState.DONE:
        _require_normal(tx, found)
    repairs.update_repair(tx, repair_id, **_columns_after(tx, actor, found, state))
    repairs.insert_entry(tx, repair_id, RepairAct.MOVED, state, "", text.strip(), actor.person_id)
    audit.record(tx, actor.user_id, "move_repair", "repair", repair_id, {"state": state.value})
    match state:
        case RepairState.DONE:
            repair_charges.charge_agreed(tx, actor, found)
        case RepairState.CANCELLED:
            repair_charges.take_back(tx, actor, found)
        case RepairState.REOPENED:
            dispatching.dispatch(tx, repair_id)
        case _:
            pass
    moved = tell_change(tx, repair_id)
    tell_home(tx, actor, moved, state.value, text.strip())
    if actor.role is Role.RESIDENT:
        tell_of_answer(tx, actor, moved, state.value, text.strip())
    return moved


def note(tx: Tx, actor: User, repair_id: RepairId, text: str) -> Repair:
    """Add something to a repair's history for everybody to read."""
    require(actor, Action.REQUEST_REPAIRS)
    _check_text("note", text, may_be_empty=False)
    found = _locked(tx, actor, repair_id)
    repairs.insert_entry(tx, repair_id, RepairAct.NOTED, found.state, "", text.strip(), actor.person_id)
    return tell_change(tx, repair_id)


def add_photo(tx: Tx, actor: User, repair_id: RepairId, added: CleanPhoto) -> PhotoId | None:
    """Keep a photo of a repair; None if this very photo is kept already."""
    require(actor, Action.REQUEST_REPAIRS)
    found = _locked(tx, actor, repair_id)
    photo_id = photos.keep(tx, PhotoSubject.REPAIR, repair_id, added, actor.person_id)
    if photo_id is not None:
        repairs.insert_entry(tx, repair_id, RepairAct.PHOTO_ADDED, found.state, photo_id, "", actor.person_id)
        tell_change(tx, repair_id)
    return photo_id


def quote(tx: Tx, actor: User, repair_id: RepairId, amount_fen: int, text: str) -> Repair:
    """Say what the resident would pay, and for what; they agree or decline."""
    require(actor, Action.WORK_REPAIRS)
    _check_text("quote", text, may_be_empty=False)
    if not 0 < amount_fen <= QUOTE_FEN_MAX:
        raise Invalid(f"the quote is {amount_fen} fen, expected 1 to {QUOTE_FEN_MAX}")
    found = _locked(tx, actor, repair_id)
    if found.state not in UNFINISHED:
        raise Conflict(f"{found.number} is {found.state.value} already")
    if found.quote.state is QuoteState.AGREED:
        raise Conflict(f"{found.number}: {found.quote.amount_fen} fen have been agreed already")
    if found.account_id is None:
        raise Conflict(f"{found.number} is in nobody's home: there is nobody to agree to a quote")
    repairs.update_repair(
        tx, repair_id, quote_state=QuoteState.OFFERED, quote_fen=amount_fen, quote_text=text.strip()
    )
    repairs.insert_entry(
        tx, repair_id, RepairAct.QUOTED, found.state, str(amount_fen), text.strip(), actor.person_id
    )
    audit.record(tx, actor.user_id, "quote_repair", "repair", repair_id, {"amount_fen": amount_fen})
    quoted = tell_change(tx, repair_id)
    tell_home(tx, actor, quoted, "quoted", f"¥{amount_fen // 100}.{amount_fen % 100:02d}　{text.strip()}")
    return quoted


def answer_quote(tx: Tx, actor: User, repair_id: RepairId, *, is_agreed: bool) -> Repair:
    """Agree to a quote or decline it; staff may do so for a resident who says so on the telephone."""
    require(actor, Action.REQUEST_REPAIRS)
    found = _locked(tx, actor, repair_id)
    if actor.role is Role.RESIDENT and found.account_id not in actor.bill_account_ids:
        raise Forbidden(f"{found.number}: who sees the bills of this home answers its quote")
    if found.quote.state is not QuoteState.OFFERED:
        raise Conflict(f"{found.number} has no quote to answer")
    state = QuoteState.AGREED if is_agreed else QuoteState.DECLINED
    act = RepairAct.QUOTE_AGREED if is_agreed else RepairAct.QUOTE_DECLINED
    repairs.update_repair(tx, repair_id, quote_state=state)
    repairs.insert_entry(tx, repair_id, act, found.state, str(found.quote.amount_fen), "", actor.person_id)
    audit.record(tx, actor.user_id, "answer_quote", "repair", repair_id, {"state": state.value})
    answered = tell_change(tx, repair_id)
    if answered.state in (RepairState.DONE, RepairState.CONFIRMED):
        repair_charges.charge_agreed(tx, actor, answered)
    return answered


def rate(tx: Tx, actor: User, repair_id: RepairId, rating: int, text: str = "") -> Repair:
    """Say how good the work was, 1 to 5, once it is done; the last word counts."""
    require(actor, Action.REQUEST_REPAIRS)
    _check_text("rating", text)
    if not 1 <= rating <= RATING_MAX:
        raise Invalid(f"the rating is {rating}, expected 1 to {RATING_MAX}")
    found = _locked(tx, actor, repair_id)
    if actor.role is not Role.RESIDENT:
        raise Forbidden("only whose home it is may rate the work")
    if found.state not in (RepairState.DONE, RepairState.CONFIRMED):
        raise Conflict(f"{found.number} is {found.state.value}: it is rated when it is done")
    repairs.update_repair(tx, repair_id, rating=rating, rating_text=text.strip())
    repairs.insert_entry(
        tx, repair_id, RepairAct.RATED, found.state, str(rating), text.strip(), actor.person_id
    )
    return tell_change(tx, repair_id)


def moves_for(actor: User, found: Repair, now_ms: int) -> list[RepairState]:
    """Return the states the actor may take a repair to now, in the order work goes."""
    return [
        state
        for state in RepairState
        if state in NEXT[found.state] and may_become(found, state, now_ms) and _may_move(actor, found, state)
    ]


def _locked(tx: Tx, actor: User, repair_id: RepairId) -> Repair:
    found = repairs.lock_repair(tx, repair_id)
    if found is None or not sees(actor, found):
        raise NotFound(f"there is no repair {repair_id}")
    return found


def _require_may_move(actor: User, found: Repair, state: RepairState) -> None:
    if not _may_move(actor, found, state):
        raise Forbidden(f"role {actor.role.value} may not make a repair {state.value.replace('_', ' ')}")


def _may_move(actor: User, found: Repair, state: RepairState) -> bool:
    is_manager = may(actor, Action.MANAGE_REPAIRS)
    if state in OF_RESIDENT:
        # For a repair in nobody's home the managers speak.
        return is_manager or actor.role is Role.RESIDENT
    if state is RepairState.CANCELLED:
        return is_manager or (actor.role is Role.RESIDENT and found.state in WAITING)
    return may(actor, Action.WORK_REPAIRS)


def _require_normal(tx: Tx, found: Repair) -> None:
    """Refuse to call mended what the device itself still says is wrong."""
    alarm = None if found.alarm_id is None else alarms.find_alarm(tx, found.alarm_id)
    if alarm is not None and alarm.cleared_at_ms is None:
        raise Conflict(f"{found.number} is not done: alarm {alarm.number} is still on")


def _columns_after(tx: Tx, actor: User, found: Repair, state: RepairState) -> dict[str, Any]:
    changed: dict[str, Any] = {"state": state, "waiting_since_ms": None}
    if found.waiting_since_ms is not None:
        changed["waited_ms"] = found.waited_ms + tx.now_ms - found.waiting_since_ms
    match state:
        case RepairState.ACCEPTED:
            changed["accepted_at_ms"] = tx.now_ms
            if actor.role is Role.MAINTENANCE:
                changed["assignee_id"] = actor.user_id
        case RepairState.WAITING_FOR_PARTS:
            changed["waiting_since_ms"] = tx.now_ms
        case RepairState.DONE:
            changed["done_at_ms"] = tx.now_ms
        case RepairState.REOPENED:
            # The promise begins anew: somebody believes it was mended, and it was not.
            changed |= {
                "started_at_ms": tx.now_ms,
                "accepted_at_ms": None,
                "done_at_ms": None,
                "waited_ms": 0,
                "escalation_level": 0,
                "reopen_count": found.reopen_count + 1,
            }
        case _:
            pass
    return changed


def _check_text(name: str, text: str, *, may_be_empty: bool = True) -> None:
    if len(text) > TEXT_LENGTH_MAX or not (may_be_empty or text.strip()):
        low = 0 if may_be_empty else 1
        raise Invalid(f"the {name} has {len(text.strip())} characters, expected {low} to {TEXT_LENGTH_MAX}")
