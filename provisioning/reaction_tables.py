"""The tables of reactions in the configuration file: their shape, and what may not be written.

The invariants: what happens because of fire, and the release of a door for whatever reason, depends
on nothing else; a reaction never lets a valve or a relay of a home back on by itself; and two
reactions never pull one device both ways, except where one of them is to fire.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Annotated

import msgspec

from protocol.command import Act, Action, LocalAction, confirmed_by
from protocol.quantity import Quantity
from provisioning.config import DeviceConfig, DeviceId, Reaction, StateHeld
from provisioning.line_tables import Id

# What a fire panel raises; a rule may raise one of them as well (`event = "fire_alarm"`).
FIRE_KINDS = frozenset({"fire_alarm", "manual_alarm"})

# What may be done without asking anybody, by the word it is written with.
_ACTS: Mapping[str, Act] = {
    act.value: act
    for act in (
        LocalAction.ALARM_PICTURE,
        LocalAction.DOOR_RELEASE,
        Action.RELAY_CLOSE,
        Action.RELAY_OPEN,
        Action.VALVE_CLOSE,
        Action.VALVE_OPEN,
    )
}
# What follows when the condition is over. A supply that was cut comes back by a person's hand only.
_ENDS: Mapping[Act, Act] = {
    LocalAction.DOOR_RELEASE: LocalAction.DOOR_RETURN,
    Action.RELAY_CLOSE: Action.RELAY_OPEN,
}
_CAMERA = "onvif"
_HOME_SUPPLY = "dlt645"  # the protocols of meters that cut a home's power


class _Unless(msgspec.Struct, forbid_unknown_fields=True):
    point: str
    when: list[str]
    reason: str


class ReactionTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table as written."""

    id: Id
    on: Annotated[list[str], msgspec.Meta(min_length=1)]
    at: list[str] = []  # none: anywhere
    devices: Annotated[list[str], msgspec.Meta(min_length=1)]
    act: str
    at_most_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] | None = None
    unless: _Unless | None = None


def is_fire(reaction: Reaction) -> bool:
    """Tell whether it answers a fire: then it goes before all others, and is held while it lasts.

    A picture of a fire is one all the same, but there is nothing to hold.
    """
    if reaction.act is LocalAction.ALARM_PICTURE:
        return False
    return reaction.act is LocalAction.DOOR_RELEASE or bool(reaction.kinds & FIRE_KINDS)


def state_points(devices: Iterable[DeviceConfig]) -> dict[str, Quantity]:
    """Return the points that have named codes, by key."""
    return {
        f"{device.device_id}/{point.name}": point.quantity
        for device in devices
        for point in device.profile.points
        if point.quantity.codes
    }


def reactions_from_tables(
    tables: Sequence[ReactionTable], devices: Sequence[DeviceConfig], problems: list[str]
) -> tuple[Reaction, ...]:
    """Return the reactions; what is wrong is added to `problems`, and what is wrong is left out."""
    by_id = {device.device_id: device for device in devices}
    points = state_points(devices)
    found: list[Reaction] = []
    for i, table in enumerate(tables):
        here: list[str] = []
        reaction = _reaction(table, by_id, points, here)
        problems += [f"reactions[{i}] ({table.id}).{problem}" for problem in here]
        if reaction is not None and not here:
            found.append(reaction)
    problems += _contradictions(found)
    return tuple(found)


def _reaction(
    table: ReactionTable,
    devices: Mapping[DeviceId, DeviceConfig],
    points: Mapping[str, Quantity],
    problems: list[str],
) -> Reaction | None:
    act = _ACTS.get(table.act)
    if act is None:
        problems.append(f"act: {table.act!r} is none of {', '.join(_ACTS)}")
        return None
    for name in table.devices:
        problems += _device_problems(name, devices.get(DeviceId(name)), act)
    if table.at_most_s is not None and act is not Action.RELAY_CLOSE:
        problems.append(f"at_most_s: only relay_close ends by itself, {act.value} does not")
    unless = None if table.unless is None else _state_held(table.unless, points, problems)
    reaction = Reaction(
        table.id,
        frozenset(table.on),
        tuple(table.at) or ("*",),
        tuple(map(DeviceId, table.devices)),
        act,
        _ENDS.get(act),
        table.at_most_s,
        unless,
    )
    if unless is not None and is_fire(reaction):
        problems.append("unless: nothing may hold back what a fire, or the release of a door, asks for")
    return reaction


def _device_problems(name: str, device: DeviceConfig | None, act: Act) -> list[str]:
    if device is None:
        return [f"devices: there is no device {name!r}"]
    shown = confirmed_by(act)
    profile = device.profile
    if shown is not None and profile.point_named(shown[0]) is None:
        return [f"devices: {name} ({profile.name}) has no {shown[0]} by which {act.value} could be read back"]
    if act is LocalAction.ALARM_PICTURE and profile.protocol != _CAMERA:
        return [f"devices: {name} ({profile.name}) is no camera"]
    if act is Action.RELAY_CLOSE and profile.protocol.startswith(_HOME_SUPPLY):
        return [f"devices: {name} is a meter: the power of a home is switched on by a person only"]
    return []


def _state_held(table: _Unless, points: Mapping[str, Quantity], problems: list[str]) -> StateHeld | None:
    quantity = points.get(table.point)
    if quantity is None:
        problems.append(f"unless.point: {table.point!r} is no state point of this gateway")
        return None
    codes = {name: code for code, name in quantity.codes.items()}
    problems += [f"unless.when: {n!r} is none of {', '.join(codes)}" for n in table.when if n not in codes]
    return StateHeld(table.point, frozenset(codes[n] for n in table.when if n in codes), table.reason)


def _contradictions(reactions: Iterable[Reaction]) -> list[str]:
    return [
        f"reactions: {one.reaction_id!r} and {other.reaction_id!r} want {one.act.value} and "
        f"{other.act.value} of {device}; only a reaction to fire may contradict another"
        for one, other in combinations(reactions, 2)
        if one.act is not other.act and is_fire(one) is is_fire(other)
        for device in one.devices
        if device in other.devices
    ]
