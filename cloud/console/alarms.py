"""The list of alarms, and one alarm with its history and the act of acknowledging it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.lists import Filter, link
from cloud.console.sayings import say
from cloud.console.states import state_words
from cloud.domain.access import Action, may
from cloud.domain.alarm import Alarm, AlarmEntry, AlarmState
from cloud.domain.alarm_group import AlarmGroup, grouped
from cloud.domain.alarm_handling import AlarmAct, Handling
from cloud.domain.camera import CameraNow, CameraPicture
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AlarmId, SeriesId, UserId, is_uuid
from cloud.domain.repair import category_of_alarm
from cloud.domain.response_plan import PlanAtAlarm
from cloud.domain.series import PointValue
from cloud.domain.user import User
from cloud.services import alarm_evidence, alarm_handling, alarms, cameras, gateways, response_plans, valves
from cloud.services.valves import OwnTurn
from cloud.store.db import Tx
from cloud.web.alarm_evidence import evidence_response
from cloud.web.origin import is_own_path

_ROWS = 200  # alarms, of which many may share a line
_OPEN = frozenset({AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED})
_SHOWN: dict[str, frozenset[AlarmState]] = {
    "active": frozenset({AlarmState.ACTIVE}),
    "all": frozenset(AlarmState),
    "open": _OPEN,
}


@dataclass(frozen=True, slots=True)
class AlarmsView:
    """The list and what its title says."""

    groups: tuple[AlarmGroup, ...]
    count: int
    expanded: str  # the latest alarm of the group that is unfolded
    active: int
    open: int
    filters: tuple[Filter, ...]
    query_string: str
    refreshed_by: str  # the same with what is unfolded
    next_href: str


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm's page; `values` are what its device says now."""

    alarm: Alarm
    entries: tuple[AlarmEntry, ...]
    delay: str
    values: tuple[PointValue, ...]
    state_words: dict[SeriesId, str]
    category: str  # of the repair it most likely asks for
    handling: Handling
    acts: tuple[AlarmAct, ...]
    helpers: tuple[User, ...]
    plan: PlanAtAlarm
    pictures: tuple[CameraPicture, ...]
    cameras: tuple[CameraNow, ...]  # that see its device
    turned: tuple[OwnTurn, ...]  # valves the box turned because of it
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the alarms of a site, open ones unless asked otherwise."""
    show = desk.request.query.get("show", "")
    show = show if show in _SHOWN else "open"
    after = desk.request.query.get("after")
    page = await desk.read(alarms.list_alarms, desk.site.site_id, _SHOWN[show], after, _ROWS)
    still_open = await desk.read(alarms.list_alarms, desk.site.site_id, _OPEN, None, 500)
    active = sum(alarm.state is AlarmState.ACTIVE for alarm in still_open.items)
    gettext = desk.language.gettext
    counts = {"open": len(still_open.items), "active": active, "all": None}
    labels = {"open": gettext("Open"), "active": gettext("Unacknowledged"), "all": gettext("All")}
    filters = tuple(
        Filter(labels[word], f"/alarms?show={word}", word == show, counts[word]) for word in labels
    )
    onward = link("/alarms", {"show": show, "after": page.next_cursor}) if page.next_cursor else ""
    asked = {"show": show} | ({"after": after} if after else {})
    expanded = desk.request.query.get("expand", "")
    view = AlarmsView(
        grouped(page.items),
        len(page.items),
        expanded,
        active,
        len(still_open.items),
        filters,
        urlencode(asked),
        urlencode(asked | ({"expand": expanded} if expanded else {})),
        onward,
    )
    if "part" in desk.request.query:
        return desk.part("alarms/table.html", view=view)
    return await desk.page("alarms/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one alarm: its facts, its history, what its device says now, what people do about it."""
    view = await _one(desk)
    if "part" in desk.request.query:
        return desk.part("alarms/detail.html", view=view)
    return await desk.page("alarms/alarm.html", view=view)


async def handle(desk: Desk) -> web.StreamResponse:
    """Give an alarm to somebody, note upon it, put it aside or take it back."""
    form = {name: str(value).strip() for name, value in (await desk.request.post()).items()}
    alarm_id = _alarm_id(desk)
    try:
        await desk.write(_handle, alarm_id, form)
    except (Conflict, Invalid) as error:
        return await desk.page("alarms/alarm.html", status=422, view=await _one(desk, str(error)))
    back = form.get("back", "")
    return desk.go(back if is_own_path(back) else f"/alarms/{alarm_id}", "alarm-handled")


async def acknowledge(desk: Desk) -> web.StreamResponse:
    """Say that somebody knows, and go back to where the button was."""
    form = await desk.request.post()
    alarm = await desk.write(alarms.acknowledge, _alarm_id(desk))
    back = str(form.get("back", ""))
    return desk.go(back if is_own_path(back) else "/alarms", "alarm-acknowledged", number=alarm.number)


async def acknowledge_all(desk: Desk) -> web.StreamResponse:
    """Say that somebody knows of all alarms of a group, and go back to the list."""
    form = await desk.request.post()
    named = [str(value) for value in form.getall("alarm", [])]
    if not all(is_uuid(one) for one in named):
        raise NotFound("there is no such alarm")
    known = await desk.write(alarms.acknowledge_all, [AlarmId(one) for one in named])
    back = str(form.get("back", ""))
    return desk.go(back if is_own_path(back) else "/alarms", "alarms-acknowledged", number=str(len(known)))


async def fetch_evidence(desk: Desk) -> web.StreamResponse:
    """Hand out everything there is about an alarm, as one file."""
    found = await desk.write(alarm_evidence.gather, _alarm_id(desk))
    said = partial(say, language=desk.language)
    return await evidence_response(desk.request, found, desk.preferences.language, said)


async def tick(desk: Desk) -> web.StreamResponse:
    """Say that a step of the plan was done, or take that back, and go back to where the button was."""
    form = await desk.request.post()
    number = str(form.get("step", ""))
    step_no = int(number) if number.isascii() and number.isdecimal() else 0
    await desk.write(response_plans.tick, _alarm_id(desk), step_no, is_done="undo" not in form)
    back = str(form.get("back", ""))
    return desk.go(back if is_own_path(back) else f"/alarms/{_alarm_id(desk)}")


async def _one(desk: Desk, error: str = "") -> AlarmView:
    alarm, entries, values = await desk.read(_alarm_with_device, _alarm_id(desk))
    pictures, seeing = await desk.read(cameras.of_alarm, alarm)
    handling, acts = await desk.read(alarm_handling.handling, alarm.alarm_id)
    turned: tuple[OwnTurn, ...] = ()
    if may(desk.actor, Action.READ_COMMANDS):
        turned = await desk.read(valves.turned_over, alarm)
    helpers: list[User] = []
    if may(desk.actor, Action.ACKNOWLEDGE_ALARM):
        helpers = await desk.read(alarm_handling.helpers)
    return AlarmView(
        alarm,
        tuple(entries),
        desk.format.age(max(0, alarm.received_at_ms - alarm.raised_at_ms)),
        values,
        dict(state_words(values)),
        category_of_alarm(alarm.kind).value,
        handling,
        tuple(acts),
        tuple(helpers),
        await desk.read(response_plans.at_alarm, alarm),
        tuple(pictures),
        tuple(seeing),
        turned,
        error,
    )


def _handle(tx: Tx, actor: User, alarm_id: AlarmId, form: Mapping[str, str]) -> None:
    match form.get("act", ""):
        case "assign" if is_uuid(form.get("user_id", "")):
            alarm_handling.assign(tx, actor, alarm_id, UserId(form["user_id"]))
        case "comment":
            alarm_handling.comment(tx, actor, alarm_id, form.get("text", ""))
        case "shelve":
            minutes = form.get("minutes", "")
            until_ms = tx.now_ms + 60_000 * (int(minutes) if minutes.isdecimal() else 0)
            alarm_handling.shelve(tx, actor, alarm_id, until_ms, form.get("text", ""))
        case "unshelve":
            alarm_handling.unshelve(tx, actor, alarm_id)
        case _:
            raise Invalid("choose whom to give it to")


def _alarm_id(desk: Desk) -> AlarmId:
    text = desk.request.match_info["alarm_id"]
    if not is_uuid(text):
        raise NotFound(f"there is no alarm {text!r}")
    return AlarmId(text)


def _alarm_with_device(
    tx: Tx, actor: User, alarm_id: AlarmId
) -> tuple[Alarm, list[AlarmEntry], tuple[PointValue, ...]]:
    alarm, entries = alarms.get_alarm(tx, actor, alarm_id)
    device_code = alarm.point_key.partition("/")[0]
    said = gateways.values(tx, actor, alarm.gateway_id) if device_code else []
    return alarm, entries, tuple(value for value in said if value.device_code == device_code)
