"""Reliability of equipment: out of service and back, what was paid, how each piece did over a time.

The invariant: what its device tells by alarms and what people tell is one account of the same hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cloud.domain.access import Action, require
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import EquipmentId, SiteId
from cloud.domain.periods import local_date, time_zone
from cloud.domain.reliability import (
    NOTE_LENGTH_MAX,
    Cost,
    CostKind,
    Outage,
    Reliability,
    reliability_of,
)
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, equipment, reliability
from cloud.store.db import Tx

DAYS_MAX = 3_660
# What a device says when its equipment does not do its work.
OUTAGE_ALARMS = frozenset({"lift_fault", "system_fault"})
_DAY_MS = 24 * 3_600_000
_COSTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Record:
    """One piece of equipment over a time: how it did, its outages, the newest first, and its last costs."""

    reliability: Reliability
    outages: tuple[Outage, ...]
    costs: tuple[Cost, ...]


def begin_outage(tx: Tx, actor: User, equipment_id: EquipmentId, reason: str) -> None:
    """Note that a piece of equipment is out of service from now; Conflict if that is noted already."""
    require(actor, Action.COMPLETE_MAINTENANCE)
    owner = _find(tx, equipment_id)
    if not 1 <= len(reason.strip()) <= NOTE_LENGTH_MAX:
        raise Invalid(f"the reason has {len(reason.strip())} characters, expected 1 to {NOTE_LENGTH_MAX}")
    if not reliability.begin_outage(tx, equipment_id, reason.strip(), actor.person_id):
        raise Conflict(f"{owner.name} is out of service already")
    audit.record(tx, actor.user_id, "begin_outage", "equipment", equipment_id)


def end_outage(tx: Tx, actor: User, equipment_id: EquipmentId) -> None:
    """Note that a piece of equipment is in service again."""
    require(actor, Action.COMPLETE_MAINTENANCE)
    owner = _find(tx, equipment_id)
    if not reliability.end_outage(tx, equipment_id, actor.person_id):
        raise Conflict(f"{owner.name} is in service already")
    audit.record(tx, actor.user_id, "end_outage", "equipment", equipment_id)


def record_cost(tx: Tx, actor: User, equipment_id: EquipmentId, cost: Cost) -> None:
    """Note what was paid for a piece of equipment."""
    require(actor, Action.COMPLETE_MAINTENANCE)
    owner = _find(tx, equipment_id)
    today = local_date(tx.now_ms, time_zone(site_of(tx, owner.site_id).time_zone))
    if cost.spent_on > today:
        raise Invalid(f"{cost.spent_on} has not come yet: note a cost when it was paid")
    reliability.insert_cost(tx, equipment_id, cost, actor.person_id)
    detail: dict[str, str | int | None] = {"amount_fen": cost.amount_fen, "kind": cost.kind.value}
    audit.record(tx, actor.user_id, "record_cost", "equipment", equipment_id, detail)


def of_site(tx: Tx, actor: User, site_id: SiteId, days: int) -> list[Reliability]:
    """Return how a site's equipment in use did over the last days, the least available first."""
    require(actor, Action.READ_EQUIPMENT)
    site = site_of(tx, site_id)
    pieces = [one for one in equipment.list_equipment(tx, site_id) if one.retired_on is None]
    found = _reliabilities(tx, pieces, site_id, days, time_zone_name=site.time_zone)
    return sorted(found, key=lambda one: (one.availability, -one.cost_fen, one.equipment.code))


def of_equipment(tx: Tx, actor: User, equipment_id: EquipmentId, days: int) -> Record:
    """Return how one piece of equipment did over the last days."""
    require(actor, Action.READ_EQUIPMENT)
    owner = _find(tx, equipment_id)
    site = site_of(tx, owner.site_id)
    [found] = _reliabilities(tx, [owner], owner.site_id, days, time_zone_name=site.time_zone)
    outages = _outages(tx, owner.site_id, tx.now_ms - days * _DAY_MS).get(equipment_id, [])
    newest_first = sorted(outages, key=lambda one: -one.from_ms)
    return Record(found, tuple(newest_first), tuple(reliability.costs_of(tx, equipment_id, _COSTS_SHOWN)))


def _reliabilities(
    tx: Tx, pieces: Sequence[Equipment], site_id: SiteId, days: int, *, time_zone_name: str
) -> list[Reliability]:
    if not 1 <= days <= DAYS_MAX:
        raise Invalid(f"{days} days, expected 1 to {DAYS_MAX}")
    from_ms = tx.now_ms - days * _DAY_MS
    from_on: date = local_date(tx.now_ms, time_zone(time_zone_name)) - timedelta(days=days)
    outages = _outages(tx, site_id, from_ms)
    costs: dict[EquipmentId, list[tuple[CostKind, int]]] = {}
    for equipment_id, kind, amount_fen in reliability.costs_of_site(tx, site_id, from_on, from_ms):
        costs.setdefault(equipment_id, []).append((kind, amount_fen))
    return [
        reliability_of(
            one, outages.get(one.equipment_id, []), costs.get(one.equipment_id, []), from_ms, tx.now_ms
        )
        for one in pieces
    ]


def _outages(tx: Tx, site_id: SiteId, from_ms: int) -> dict[EquipmentId, list[Outage]]:
    found: dict[EquipmentId, list[Outage]] = {}
    told = reliability.told_outages(tx, site_id, from_ms)
    for equipment_id, outage in told + reliability.alarm_outages(tx, site_id, OUTAGE_ALARMS, from_ms):
        found.setdefault(equipment_id, []).append(outage)
    return found


def _find(tx: Tx, equipment_id: EquipmentId) -> Equipment:
    found = equipment.find_equipment(tx, equipment_id)
    if found is None:
        raise NotFound(f"there is no equipment {equipment_id}")
    return found
