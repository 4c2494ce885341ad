"""Response plans: what to do at each kind of emergency, and what of it was done at an alarm."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut
from cloud.domain.access import Action
from cloud.domain.ids import AlarmId, SiteId
from cloud.domain.response_plan import (
    STEP_LENGTH_MAX,
    STEPS_MAX,
    PlanAtAlarm,
    PlanKind,
    PlanStep,
    ResponsePlan,
)
from cloud.services import response_plans

StepText = Annotated[str, Meta(min_length=1, max_length=STEP_LENGTH_MAX)]


class PlanStepBody(Request, frozen=True):
    """One step in both languages."""

    chinese: StepText
    english: StepText


class NewResponsePlan(Request, frozen=True):
    """The next version of a plan."""

    kind: PlanKind
    steps: Annotated[tuple[PlanStepBody, ...], Meta(min_length=1, max_length=STEPS_MAX)]


class StepTick(Request, frozen=True):
    """Which step, from 1, and whether it is done."""

    step_no: Annotated[int, Meta(ge=1, le=STEPS_MAX)]
    is_done: bool = True


class PlanStepView(View, frozen=True):
    """One step in both languages."""

    chinese: str
    english: str


class ResponsePlanView(View, frozen=True):
    """One version of a plan; version 0 is what the program comes with."""

    kind: PlanKind
    version: int
    steps: tuple[PlanStepView, ...]
    written_by_name: str
    written_at_ms: int | None


class DoneStepView(View, frozen=True):
    """A step that was done."""

    step_no: int
    at_ms: int
    user_id: Id
    user_name: str


class PlanAtAlarmView(View, frozen=True):
    """The plan that was in force when an alarm was raised, and which of its steps were done."""

    plan: ResponsePlanView
    done: tuple[DoneStepView, ...]


async def list_plans(call: Call[PageQuery, Nothing]) -> Page[ResponsePlanView]:
    """List what is in force at a site."""
    found = await call.read(response_plans.list_plans, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.kind.value, _plan_view)


async def write_plan(call: Call[Nothing, NewResponsePlan]) -> web.Response:
    """Write the next version of a plan."""
    body = call.body
    steps = [PlanStep(step.chinese.strip(), step.english.strip()) for step in body.steps]
    return await call.create(
        _plan_view, response_plans.write_plan, SiteId(call.id("site_id")), body.kind, steps
    )


async def get_alarm_plan(call: Call[Nothing, Nothing]) -> PlanAtAlarmView:
    """Show what is to be done at an alarm."""
    return _at_alarm_view(await call.read(response_plans.at_alarm_id, AlarmId(call.id("alarm_id"))))


async def tick_step(call: Call[Nothing, StepTick]) -> PlanAtAlarmView:
    """Say that a step was done, or take that back."""
    body, alarm_id = call.body, AlarmId(call.id("alarm_id"))
    found = await call.write(response_plans.tick, alarm_id, body.step_no, is_done=body.is_done)
    return _at_alarm_view(found)


def _plan_view(one: ResponsePlan) -> ResponsePlanView:
    return ResponsePlanView(
        kind=one.kind,
        version=one.version,
        steps=tuple(PlanStepView(chinese=step.chinese, english=step.english) for step in one.steps),
        written_by_name=one.written_by_name,
        written_at_ms=one.written_at_ms,
    )


def _at_alarm_view(found: PlanAtAlarm) -> PlanAtAlarmView:
    done = tuple(
        DoneStepView(step_no=one.step_no, at_ms=one.at_ms, user_id=one.user_id, user_name=one.user_name)
        for one in found.done.values()
    )
    return PlanAtAlarmView(plan=_plan_view(found.plan), done=done)


_OF_SITE, _OF_ALARM = "/api/v1/sites/{site_id}/response_plans", "/api/v1/alarms/{alarm_id}/plan"

ROUTES = (
    Route(
        "GET",
        _OF_SITE,
        "List response plans",
        Action.READ_ALARMS,
        list_plans,
        Page[ResponsePlanView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _OF_SITE,
        "Write a response plan",
        Action.MANAGE_RESPONSE_PLANS,
        write_plan,
        ResponsePlanView,
        body=NewResponsePlan,
        status=201,
        creates=True,
        description="The next version; alarms raised before keep the plan they had.",
    ),
    Route("GET", _OF_ALARM, "Show an alarm's plan", Action.READ_ALARMS, get_alarm_plan, PlanAtAlarmView),
    Route(
        "POST",
        _OF_ALARM + "/ticks",
        "Tick a step of the plan",
        Action.ACKNOWLEDGE_ALARM,
        tick_step,
        PlanAtAlarmView,
        body=StepTick,
    ),
)
