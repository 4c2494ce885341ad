"""Reliability of equipment: out of service and back, costs, how each piece did over the last days."""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.ids import EquipmentId, SiteId
from cloud.domain.reliability import COST_FEN_MAX, NOTE_LENGTH_MAX, Cost, CostKind, Reliability
from cloud.services import reliability

Note = Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH_MAX)]


class DaysQuery(Request, frozen=True, kw_only=True):
    """Over how many of the last days."""

    days: Annotated[int, Meta(ge=1, le=reliability.DAYS_MAX)] = 365


class OutageBody(Request, frozen=True, kw_only=True):
    """Why a piece of equipment is out of service, from now."""

    reason: Note


class CostBody(Request, frozen=True, kw_only=True):
    """What was paid; a mistake is answered by an entry of the opposite sign."""

    spent_on: date
    kind: CostKind
    amount_fen: Annotated[int, Meta(ge=-COST_FEN_MAX, le=COST_FEN_MAX)]
    note: Note


class ReliabilityView(View, frozen=True):
    """How a piece of equipment did; means are null where nothing failed, availability is a part of 1."""

    equipment_id: str
    code: str
    name: str
    is_down: bool
    failures: int
    down_ms: int
    availability: str
    between_failures_ms: int | None
    to_repair_ms: int | None
    contractor_fen: int
    labour_fen: int
    parts_fen: int


class ReliabilitiesView(View, frozen=True):
    """How a site's equipment did, the least available first."""

    items: tuple[ReliabilityView, ...]


async def list_reliability(call: Call[DaysQuery, Nothing]) -> ReliabilitiesView:
    """Tell how a site's equipment did."""
    found = await call.read(reliability.of_site, SiteId(call.id("site_id")), call.query.days)
    return ReliabilitiesView(items=tuple(_view(one) for one in found))


async def get_reliability(call: Call[DaysQuery, Nothing]) -> ReliabilityView:
    """Tell how a piece of equipment did."""
    found = await call.read(reliability.of_equipment, _equipment_id(call), call.query.days)
    return _view(found.reliability)


async def begin_outage(call: Call[Nothing, OutageBody]) -> None:
    """Note that a piece of equipment is out of service."""
    await call.write(reliability.begin_outage, _equipment_id(call), call.body.reason)


async def end_outage(call: Call[Nothing, Nothing]) -> None:
    """Note that a piece of equipment is in service again."""
    await call.write(reliability.end_outage, _equipment_id(call))


async def record_cost(call: Call[Nothing, CostBody]) -> None:
    """Note what was paid for a piece of equipment."""
    await call.read(reliability.of_equipment, _equipment_id(call), 1)
    body = call.body
    cost = Cost(body.spent_on, body.kind, body.amount_fen, body.note)
    await call.write(reliability.record_cost, _equipment_id(call), cost)


def _view(one: Reliability) -> ReliabilityView:
    costs = dict(one.costs)
    return ReliabilityView(
        equipment_id=one.equipment.equipment_id,
        code=one.equipment.code,
        name=one.equipment.name,
        is_down=one.is_down,
        failures=one.failures,
        down_ms=one.down_ms,
        availability=f"{one.availability:.6f}",
        between_failures_ms=one.between_failures_ms,
        to_repair_ms=one.to_repair_ms,
        contractor_fen=costs[CostKind.CONTRACTOR],
        labour_fen=costs[CostKind.LABOUR],
        parts_fen=costs[CostKind.PARTS],
    )


def _equipment_id(call: Call[Any, Any]) -> EquipmentId:
    return EquipmentId(call.id("equipment_id"))


_EQUIPMENT = "/api/v1/equipment/{equipment_id}"
_WRITE = Action.COMPLETE_MAINTENANCE

ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/equipment_reliability",
        "Tell how a site's equipment did",
        Action.READ_EQUIPMENT,
        list_reliability,
        ReliabilitiesView,
        query=DaysQuery,
    ),
    Route(
        "GET",
        _EQUIPMENT + "/reliability",
        "Tell how a piece of equipment did",
        Action.READ_EQUIPMENT,
        get_reliability,
        ReliabilityView,
        query=DaysQuery,
    ),
    Route(
        "POST",
        _EQUIPMENT + "/outage",
        "Note that equipment is out of service",
        _WRITE,
        begin_outage,
        None,
        body=OutageBody,
        status=204,
        description="From now. Faults its device reports as alarms count without being noted.",
    ),
    Route(
        "DELETE",
        _EQUIPMENT + "/outage",
        "Note that equipment is in service again",
        _WRITE,
        end_outage,
        None,
        status=204,
    ),
    Route(
        "POST",
        _EQUIPMENT + "/costs",
        "Note what was paid for equipment",
        _WRITE,
        record_cost,
        None,
        body=CostBody,
        status=204,
        description="Besides what signed service sheets state, which counts as the contractor's.",
    ),
)
