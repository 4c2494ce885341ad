"""Sending somebody to a repair: the one who suits best now, or, where nobody does, telling the managers.

The invariant: why somebody was sent, or nobody, stands in the repair's history.
"""

from collections.abc import Sequence

from cloud.domain.dispatch import Candidate, Reason
from cloud.domain.ids import RepairId, UserId
from cloud.domain.repair import Repair, RepairAct, escalation_due
from cloud.services import technicians
from cloud.services.repair_news import tell_site, tell_technician
from cloud.store import repairs
from cloud.store.db import Tx


def dispatch(tx: Tx, repair_id: RepairId) -> None:
    """Give a repair to whoever suits best now; where nobody does, a manager must choose."""
    found = repairs.find_repair(tx, repair_id)
    assert found is not None, "it has just been written"
    best = next(iter(technicians.candidates(tx, found)), None)
    if best is None or not best.is_suited:
        repairs.insert_entry(tx, repair_id, RepairAct.UNASSIGNED, found.state)
        tell_site(tx, found, "reported")
        return
    give(tx, found, best.technician.user_id, best.technician.name, reasons_text(best.reasons), None)


def give(tx: Tx, found: Repair, user_id: UserId, name: str, reasons: str, given_by: UserId | None) -> None:
    """Give a repair to somebody and tell them."""
    repairs.update_repair(tx, found.repair_id, assignee_id=user_id)
    repairs.insert_entry(tx, found.repair_id, RepairAct.ASSIGNED, found.state, name, reasons, given_by)
    if user_id != given_by:
        tell_technician(tx, found, user_id)


def escalate(tx: Tx) -> int:
    """Tell of every repair that is later than it should be, once a step; return how many were told of.

    How late it is follows from the clock alone, so a step missed while nothing ran is taken when it does.
    """
    told = 0
    for found in repairs.unfinished(tx):
        due = escalation_due(found, tx.now_ms)
        if due <= found.escalation_level:
            continue
        repairs.update_repair(tx, found.repair_id, escalation_level=due)
        repairs.insert_entry(tx, found.repair_id, RepairAct.ESCALATED, found.state, str(due))
        tell_site(tx, found, "escalated")
        told += 1
    return told


def reasons_text(reasons: Sequence[Reason]) -> str:
    """Return reasons as they are kept: `skill=plumbing; area=1; on_shift=08:00–20:00; load=2`."""
    return "; ".join(f"{reason.ground.value}={reason.value}" for reason in reasons)


def candidate_of(candidates: Sequence[Candidate], user_id: UserId) -> Candidate | None:
    """Return somebody among the candidates, or None."""
    return next((one for one in candidates if one.technician.user_id == user_id), None)
