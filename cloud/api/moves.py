"""Moves: what a change of hands comes to, and doing it, from the registers of the day."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.people import Number
from cloud.api.route import Call, Id, Nothing, Request, Route, View, view_of
from cloud.api.words import checked_decimal, decimal_or_none
from cloud.domain.access import Action
from cloud.domain.ids import PersonId, SpaceId
from cloud.domain.person import (
    NAME_LENGTH_MAX,
    MeterAtMove,
    MovePlan,
    Relation,
)
from cloud.services import moving
from cloud.services.moving import Arrival, Moved

Household = Annotated[int, Meta(ge=1, le=99)]


class MoveQuery(Request, frozen=True):
    """On which local day."""

    on: date


class NewArrival(Request, frozen=True, kw_only=True):
    """Who moves in; `person_id` of who is known already, else a name."""

    person_id: Id | None = None
    name: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] = ""
    phone: Number = ""
    relation: Relation = Relation.OWNER
    household_size: Household = 1


class NewMove(Request, frozen=True, kw_only=True):
    """A change of hands; nobody arriving leaves the home empty. `dials`: registers read, by installation."""

    on: date
    arriving: NewArrival | None = None
    dials: Mapping[str, Decimal] = {}


class MeterAtMoveView(View, frozen=True):
    """A meter at a change of hands; without a value, `problem` says why a person must read it."""

    service_point_code: str
    serial: str
    installation_id: str
    unit: str
    value: Decimal | None
    measured_at_ms: int | None
    problem: str


class MovePlanView(View, frozen=True):
    """What a move would change."""

    space_code: str
    on: date
    account_number: str
    holder_name: str
    owed_fen: int
    leaving: tuple[str, ...]
    meters: tuple[MeterAtMoveView, ...]
    tariffs: tuple[str, ...]
    billed_until: date | None


class MovedView(View, frozen=True):
    """What a move has changed."""

    ended_account_id: str | None
    opened_account_id: str | None
    opened_number: str
    person_id: str | None


async def plan_move(call: Call[MoveQuery, Nothing]) -> MovePlanView:
    """Say what a move on a day would change."""
    return _plan_view(await call.read(moving.plan, SpaceId(call.id("space_id")), call.query.on))


async def move(call: Call[Nothing, NewMove]) -> web.Response:
    """Change hands: people, account, supplies and registers together."""
    body = call.body
    arriving = None
    if body.arriving is not None:
        one = body.arriving
        known = None if one.person_id is None else PersonId(one.person_id)
        arriving = Arrival(known, one.name, one.phone, one.relation, one.household_size)
    dials = {key: checked_decimal(f"dials/{key}", value) for key, value in body.dials.items()}
    return await call.create(_moved_view, moving.move, SpaceId(call.id("space_id")), body.on, arriving, dials)


def _meter_view(meter: MeterAtMove) -> MeterAtMoveView:
    return MeterAtMoveView(
        service_point_code=meter.service_point_code,
        serial=meter.serial,
        installation_id=meter.installation_id,
        unit=meter.unit,
        value=decimal_or_none(meter.value_micro),
        measured_at_ms=meter.measured_at_ms,
        problem=meter.problem,
    )


def _plan_view(planned: MovePlan) -> MovePlanView:
    return view_of(planned, MovePlanView, meters=tuple(_meter_view(meter) for meter in planned.meters))


def _moved_view(moved: Moved) -> MovedView:
    return MovedView(
        ended_account_id=None if moved.ended is None else moved.ended.account_id,
        opened_account_id=None if moved.opened is None else moved.opened.account_id,
        opened_number=moved.opened.number if moved.opened else "",
        person_id=moved.person_id,
    )


_MOVE = "/api/v1/spaces/{space_id}/move"
_READ, _MANAGE = Action.READ_PEOPLE, Action.MANAGE_PEOPLE

ROUTES = (
    Route("GET", _MOVE, "Plan a move", _MANAGE, plan_move, MovePlanView, query=MoveQuery),
    Route(
        "POST",
        _MOVE,
        "Move in or out",
        _MANAGE,
        move,
        MovedView,
        body=NewMove,
        status=201,
        creates=True,
        description="Ends one account and opens the next at the registers of the day, or changes nothing.",
    ),
)
