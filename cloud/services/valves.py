"""A valve that was turned, by a command or by the box itself: which homes are behind it, and who told them.

The invariant: nothing is guessed. Homes are behind a valve because it is a home's own meter, or because
the register of equipment says where it stands: at a flat for that flat's riser, at a common part for
its unit, else for the building.
"""

from dataclasses import dataclass

from cloud.domain.access import Action, require
from cloud.domain.alarm import Alarm
from cloud.domain.announcement import Announcement, Audience, in_natural_order, riser_of
from cloud.domain.equipment import Equipment
from cloud.domain.errors import NotFound
from cloud.domain.ids import DeviceId, GatewayId, SiteId
from cloud.domain.premises import SpaceKind
from cloud.domain.user import User
from cloud.services.announcements import homes_reached
from cloud.store import announcements, equipment, events, gateways, meters, points, premises
from cloud.store.db import Tx
from protocol.command import Action as Asked

# Whoever announces does so within minutes; more were written since then on no day.
_LOOKED_THROUGH = 20
_LOCAL_OUTPUT = "local_output"  # as the box calls what it did by itself
_VALVES = frozenset({Asked.VALVE_CLOSE.value, Asked.VALVE_OPEN.value})


@dataclass(frozen=True, slots=True)
class Behind:
    """The homes behind a valve, in the order people count them; `audience` is None for one home alone.

    `told` is what that audience has been told since. No homes: nobody has said where the valve stands.
    """

    codes: tuple[str, ...] = ()
    audience: Audience | None = None
    told: Announcement | None = None


@dataclass(frozen=True, slots=True)
class OwnTurn:
    """A valve the box turned by itself, and the homes behind it."""

    gateway_code: str
    device_code: str
    device_title: str
    is_closed: bool
    at_ms: int
    behind: Behind


def turned_over(tx: Tx, actor: User, alarm: Alarm) -> tuple[OwnTurn, ...]:
    """Return the valves the box turned because of an alarm, each as it turned it last, by code."""
    require(actor, Action.READ_COMMANDS)
    found = _own_turns(tx, actor, alarm.site_id, alarm.gateway_id, alarm.raised_at_ms, None, alarm.point_key)
    return tuple(found[code] for code in sorted(found))


def last_turn(
    tx: Tx, actor: User, site_id: SiteId, gateway_id: GatewayId, device_code: str, since_ms: int
) -> OwnTurn | None:
    """Return how the box last turned a device's valve by itself since an instant, or None."""
    require(actor, Action.READ_COMMANDS)
    return _own_turns(tx, actor, site_id, gateway_id, since_ms, device_code).get(device_code)


def behind_device(tx: Tx, actor: User, device_id: DeviceId, since_ms: int) -> Behind:
    """Return which homes a device's valve serves, and what they were told since an instant."""
    require(actor, Action.READ_COMMANDS)
    device = points.find_device(tx, device_id)
    gateway = None if device is None else gateways.find_gateway(tx, device.gateway_id)
    if device is None or gateway is None:
        raise NotFound(f"there is no device {device_id}")
    return behind_valve(tx, actor, gateway.site_id, device.gateway_id, device.code, since_ms)


def behind_valve(
    tx: Tx, actor: User, site_id: SiteId, gateway_id: GatewayId, device_code: str, since_ms: int
) -> Behind:
    """Return which homes a device's valve serves, and what they were told since an instant."""
    require(actor, Action.READ_COMMANDS)
    own = premises.find_spaces(tx, meters.spaces_of_device(tx, gateway_id, device_code))
    if own:
        return Behind(tuple(in_natural_order(space.code for space in own.values())))
    registered = equipment.find_by_device(tx, gateway_id, device_code)
    audience = None if registered is None or registered.retired_on else _audience(tx, registered)
    if audience is None:
        return Behind()
    homes = homes_reached(tx, site_id, audience)
    lately = announcements.list_announcements(tx, site_id, None, _LOOKED_THROUGH)
    told = next((one for one in lately if _tells(one, audience, since_ms)), None)
    return Behind(tuple(in_natural_order(home.code for home in homes)), audience, told)


def _own_turns(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    gateway_id: GatewayId,
    since_ms: int,
    device_code: str | None,
    because_of: str = "",
) -> dict[str, OwnTurn]:
    box = gateways.find_gateway(tx, gateway_id)
    assert box is not None, "an alarm, and a device, belong to a gateway"
    titles = {one.code: one.title for one in points.list_devices(tx, gateway_id)}
    found: dict[str, OwnTurn] = {}
    told = events.own_acts(tx, gateway_id, _LOCAL_OUTPUT, since_ms, device_code, _LOOKED_THROUGH)
    for at_ms, said, message in told:
        code, act = said.get("device", ""), said.get("act", "")
        # What waits for its interlock is told in the same way, and was not done.
        if act not in _VALVES or ": done" not in message or code in found:
            continue
        if because_of and because_of not in said.get("because_of", "").split(", "):
            continue
        behind = behind_valve(tx, actor, site_id, gateway_id, code, at_ms)
        is_closed = act == Asked.VALVE_CLOSE.value
        found[code] = OwnTurn(box.code, code, titles.get(code, code), is_closed, at_ms, behind)
    return found


def _audience(tx: Tx, registered: Equipment) -> Audience | None:
    space = None if registered.space_id is None else premises.find_space(tx, registered.space_id)
    if space is None:
        return (
            None
            if registered.building_id is None
            else Audience(building_ids=frozenset({registered.building_id}))
        )
    riser = riser_of(space.code, space.floor) if space.kind is SpaceKind.FLAT else ""
    return Audience(building_ids=frozenset({space.building_id}), unit_code=space.unit_code, riser=riser)


def _tells(one: Announcement, audience: Audience, since_ms: int) -> bool:
    return one.audience == audience and one.published_at_ms >= since_ms and one.withdrawn_at_ms is None
