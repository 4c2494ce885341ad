"""The guard's screen: the worst alarm fills it, with what to do; whatever else is open stands beside it.

The invariant: it shows what is so within seconds by itself, and needs no mouse.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.alarm import Alarm, AlarmState
from cloud.domain.alarm_handling import Handling
from cloud.domain.camera import CameraPicture
from cloud.domain.ids import AlarmId, SiteId
from cloud.domain.overview import EventLine
from cloud.domain.response_plan import PlanAtAlarm
from cloud.domain.user import User
from cloud.services import alarm_handling, alarms, cameras, duty, response_plans
from cloud.services.duty import NamedTurn
from cloud.store.db import Tx

_QUEUE_MAX, _EVENTS_READ, _EVENTS_SHOWN, _PICTURES_SHOWN = 12, 60, 8, 3
_DOOR_KINDS = frozenset({"access_denied", "access_granted", "door_locked", "door_open", "door_unlocked"})


@dataclass(frozen=True, slots=True)
class GuardView:
    """What the screen shows; `sound` is what it plays while nobody has acknowledged."""

    alarm: Alarm | None
    handling: Handling | None
    plan: PlanAtAlarm | None
    queue: tuple[Alarm, ...]
    shelved: int
    doors: tuple[EventLine, ...]
    pictures: tuple[CameraPicture, ...]
    on_duty: tuple[NamedTurn, ...]
    sound: str


async def show(desk: Desk) -> web.StreamResponse:
    """Show the screen, or what is on it anew."""
    view = await desk.read(_view, desk.site.site_id)
    if "part" in desk.request.query:
        return desk.part("guard/screen.html", view=view)
    return await desk.page("guard/page.html", view=view)


def _view(tx: Tx, actor: User, site_id: SiteId) -> GuardView:
    still = alarms.worst_alarms(tx, actor, site_id, 100)
    handlings = alarm_handling.handlings(tx, actor, still)
    shown = [one for one in still if not _is_shelved(handlings, one.alarm_id)]
    # What nobody has acknowledged comes before what somebody is on, however grave.
    shown.sort(key=lambda one: one.state is not AlarmState.ACTIVE)
    first = shown[0] if shown else None
    events = alarms.list_events(tx, actor, site_id, None, _EVENTS_READ).items
    return GuardView(
        first,
        None if first is None else handlings[first.alarm_id],
        None if first is None else response_plans.at_alarm(tx, actor, first),
        tuple(shown[1 : _QUEUE_MAX + 1]),
        len(still) - len(shown),
        tuple(one for one in events if one.kind in _DOOR_KINDS)[:_EVENTS_SHOWN],
        () if first is None else tuple(cameras.of_alarm(tx, actor, first)[0][-_PICTURES_SHOWN:]),
        tuple(duty.on_duty(tx, actor, site_id)),
        _sound(first),
    )


def _is_shelved(handlings: Mapping[AlarmId, Handling], alarm_id: AlarmId) -> bool:
    return handlings[alarm_id].shelved_until_ms is not None


def _sound(first: Alarm | None) -> str:
    if first is None or first.state is not AlarmState.ACTIVE:
        return ""
    return {"fire_alarm": "fire", "trapped_person": "person"}.get(first.kind, "chime")
