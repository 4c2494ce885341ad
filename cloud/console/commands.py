"""Asking devices to act: a door, a valve, a relay; who asked, why, and what became of it, live.

The invariants: nothing is asked without a purpose and a reason in a person's words; the page repeats
what will be done to what before it is asked; and no page that knows of money leads here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.states import state_words
from cloud.domain.access import Action as Permission
from cloud.domain.access import may
from cloud.domain.camera import CameraNow
from cloud.domain.command import COMMAND_POLICIES, CommandStep, IssuedCommand, Purpose
from cloud.domain.command_offer import Offer
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import CommandId, SeriesId, SiteId, is_uuid
from cloud.domain.user import User
from cloud.services import cameras, commands, devices, valves
from cloud.services.devices import DeviceDetail, Door
from cloud.services.valves import Behind, OwnTurn
from cloud.store.db import Tx
from protocol.command import FINAL_STATES, Action, CommandState

_SHOWN = 50
_SHOWN_BESIDE = 10
_FIELD_LENGTH_MAX = 600
# Water and electricity of a home: what the law has a word on.
_SUPPLY = frozenset({Action.RELAY_CLOSE, Action.RELAY_OPEN, Action.VALVE_CLOSE, Action.VALVE_OPEN})
# What a supply to homes stops or starts by: they are told.
_VALVES = frozenset({Action.VALVE_CLOSE, Action.VALVE_OPEN})
# What a technician asks now and then stands behind what a person came for.
_TECHNICAL = frozenset({Action.BROADCAST_TIME, Action.FREEZE_TOTALS, Action.RAW_READ, Action.SET_POINT})
_WAY = (CommandState.REQUESTED, CommandState.SENT, CommandState.ACCEPTED, CommandState.DONE)


@dataclass(frozen=True, slots=True)
class ListView:
    """What was asked lately, and the doors that can be opened from here."""

    commands: tuple[IssuedCommand, ...]
    doors: tuple[Door, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is about to be asked: the form, what was typed, and what does not fit."""

    offer: Offer
    purposes: Sequence[Purpose]
    typed: Mapping[str, str]
    error: str
    is_supply: bool


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device: what it says, what can be asked, what was."""

    detail: DeviceDetail
    offers: tuple[Offer, ...]
    commands: tuple[IssuedCommand, ...]
    state_words: Mapping[SeriesId, str]
    cameras: tuple[CameraNow, ...]  # that see it
    own_turn: OwnTurn | None  # of its valve, if that was the last to turn it
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a command's way."""

    word: str
    state: str


@dataclass(frozen=True, slots=True)
class CommandView:
    """One command and its life."""

    command: IssuedCommand
    steps: tuple[CommandStep, ...]
    way: tuple[Step, ...]
    gateway_code: str
    behind: Behind | None = None


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show what was asked of the site's devices, the last first."""
    view = await desk.read(_list, desk.site.site_id, desk.request.query.get("after", ""))
    if "part" in desk.request.query:
        return desk.part("commands/table.html", view=view)
    return await desk.page("commands/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one command and where it stands."""
    view = await desk.read(_one, desk.site.site_id, desk.request.match_info["command_id"])
    if "part" in desk.request.query:
        return desk.part("commands/detail.html", view=view)
    return await desk.page("commands/command.html", view=view)


async def show_device(desk: Desk) -> web.StreamResponse:
    """Show a device, and with `ask` the question that comes before anything is asked of it."""
    matched = desk.request.match_info
    where = (desk.site.site_id, matched["code"], matched["device"])
    view = await desk.read(_device, *where, desk.request.query.get("ask", ""), {}, "")
    if "part" in desk.request.query:
        return desk.part("commands/device_detail.html", view=view)
    return await desk.page("commands/device.html", view=view)


async def ask(desk: Desk) -> web.StreamResponse:
    """Ask it, or show the question again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(value).strip()[:_FIELD_LENGTH_MAX] for name, value in form.items()}
    matched = desk.request.match_info
    where = (desk.site.site_id, matched["code"], matched["device"])
    try:
        command_id = await desk.write(_ask, *where, typed)
    except (Conflict, Invalid) as error:
        view = await desk.read(_device, *where, typed.get("action", ""), typed, str(error))
        return await desk.page("commands/device.html", status=422, view=view)
    return desk.go(f"/commands/{command_id}")


def _list(tx: Tx, actor: User, site_id: SiteId, after: str) -> ListView:
    found = commands.list_commands(tx, actor, site_id, after or None, _SHOWN)
    doors = devices.doors(tx, actor, site_id) if not after and _may_ask(actor, Action.DOOR_UNLOCK) else ()
    return ListView(found.items, tuple(doors), found.next_cursor or "")


def _one(tx: Tx, actor: User, site_id: SiteId, command_id: str) -> CommandView:
    if not is_uuid(command_id):
        raise NotFound(f"there is no command {command_id!r}")
    command, steps = commands.get_command(tx, actor, CommandId(command_id))
    if command.site_id != site_id:
        raise NotFound(f"there is no command {command_id}")
    code = commands.gateway_code_of(tx, actor, command)
    behind = None
    if command.action in _VALVES and command.state is CommandState.DONE:
        since_ms = command.requested_at_ms
        behind = valves.behind_valve(tx, actor, site_id, command.gateway_id, command.device_code, since_ms)
    return CommandView(command, tuple(steps), _way(command, steps), code, behind)


def _way(command: IssuedCommand, steps: Sequence[CommandStep]) -> tuple[Step, ...]:
    """Return the steps it has gone and those to come; one that ended otherwise ends its way there."""
    gone = [step.state for step in steps]
    last = command.state
    ahead = [] if last in FINAL_STATES else [state for state in _WAY if state not in gone]
    made = [Step(state.value, "done") for state in dict.fromkeys(gone)]
    made[-1] = Step(last.value, "done" if last is CommandState.DONE else "current")
    return (*made, *(Step(state.value, "") for state in ahead))


def _device(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    gateway_code: str,
    code: str,
    action: str,
    typed: Mapping[str, str],
    error: str,
) -> DeviceView:
    detail = devices.get_device(tx, actor, site_id, gateway_code, code)
    own_offers = (offer for offer in detail.offers if _may_ask(actor, offer.action))
    offers = tuple(sorted(own_offers, key=lambda offer: offer.action in _TECHNICAL))
    listed = commands.list_commands(tx, actor, site_id, None, _SHOWN_BESIDE, code).items
    own = tuple(one for one in listed if one.gateway_id == detail.gateway.gateway_id)
    chosen = next((offer for offer in offers if offer.action.value == action and offer.is_allowed), None)
    asked = None
    if chosen is not None:
        purposes = sorted(COMMAND_POLICIES[chosen.action].purposes, key=lambda one: one.value)
        asked = Asked(chosen, purposes, typed, error, chosen.action in _SUPPLY)
    seen_by = cameras.seeing_device(tx, actor, site_id, detail.gateway.gateway_id, code)
    own_turn = None
    if may(actor, Permission.READ_COMMANDS):
        by_hand = (one.ended_at_ms or 0 for one in own if one.action in _VALVES)
        since_ms = max(by_hand, default=0)
        own_turn = valves.last_turn(tx, actor, site_id, detail.gateway.gateway_id, code, since_ms)
    words = dict(state_words(detail.values))
    return DeviceView(detail, offers, own, words, tuple(seen_by), own_turn, asked)


def _ask(
    tx: Tx, actor: User, site_id: SiteId, gateway_code: str, code: str, typed: Mapping[str, str]
) -> CommandId:
    detail = devices.get_device(tx, actor, site_id, gateway_code, code)
    offer = next((one for one in detail.offers if one.action.value == typed.get("action")), None)
    if offer is None:
        raise NotFound(f"{code} cannot do {typed.get('action', '')!r}")
    purpose = next((one for one in Purpose if one.value == typed.get("purpose")), None)
    if purpose is None:
        raise Invalid("say what it is for")
    parameters = {name: typed.get(name, "") for name in offer.parameters}
    reason = typed.get("reason", "")
    asked = (detail.gateway.gateway_id, code, offer.action, purpose, reason, parameters)
    return commands.request(tx, actor, *asked).command_id


def _may_ask(actor: User, action: Action) -> bool:
    return may(actor, COMMAND_POLICIES[action].allowed_by)
