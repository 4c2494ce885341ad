"""Entrances and access groups: which doors there are, and who may pass them at which hours."""

from collections.abc import Sequence

from cloud.domain.access import Action, require
from cloud.domain.entry import (
    GROUP_ENTRANCES_MAX,
    LABEL_LENGTH_MAX,
    READERS_MAX,
    AccessGroup,
    Covers,
    Entrance,
    checked_windows,
)
from cloud.domain.errors import Conflict, Invalid, NotFound, Problem
from cloud.domain.ids import AccessGroupId, BuildingId, EntranceId, GatewayId, SiteId
from cloud.domain.user import User
from cloud.services import granting
from cloud.services.premises import site_of
from cloud.store import audit, entrances, gateways, points, premises
from cloud.store.db import Tx


def list_entrances(tx: Tx, actor: User, site_id: SiteId) -> list[Entrance]:
    """Return a site's entrances, by name."""
    require(actor, Action.READ_PASSAGES)
    return entrances.entrances_of_site(tx, site_of(tx, site_id).site_id)


def list_groups(tx: Tx, actor: User, site_id: SiteId) -> list[AccessGroup]:
    """Return a site's access groups, by name."""
    require(actor, Action.READ_PASSAGES)
    return entrances.groups_of_site(tx, site_of(tx, site_id).site_id)


def add_entrance(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    gateway_id: GatewayId,
    name: str,
    device_code: str,
    readers: Sequence[str] = (),
) -> Entrance:
    """Make a lock an entrance; without `readers` its badges are shown at the lock's own device."""
    require(actor, Action.MANAGE_ENTRANCES)
    box = gateways.find_gateway(tx, gateway_id)
    if box is None or box.site_id != site_of(tx, site_id).site_id:
        raise NotFound(f"there is no gateway {gateway_id}")
    shown_at = tuple(dict.fromkeys(readers)) or (device_code,)
    if len(shown_at) > READERS_MAX:
        raise Invalid(f"{len(shown_at)} readers, expected at most {READERS_MAX}")
    for code in (device_code, *shown_at):
        if not points.has_device(tx, gateway_id, code):
            message = f"gateway {box.code} has no device {code!r}"
            raise Invalid(message, [Problem("/device_code", message)])
    entrance_id = entrances.insert_entrance(tx, site_id, gateway_id, _name(name), device_code, shown_at)
    if entrance_id is None:
        raise Conflict(f"{device_code} of {box.code} is the lock of another entrance already")
    audit.record(tx, actor.user_id, "add_entrance", "entrance", entrance_id)
    granting.changed(tx, site_id)
    return _entrance(tx, entrance_id)


def remove_entrance(tx: Tx, actor: User, entrance_id: EntranceId) -> None:
    """Let a lock be an entrance no more: no badge opens it."""
    require(actor, Action.MANAGE_ENTRANCES)
    found = _entrance(tx, entrance_id)
    entrances.remove_entrance(tx, entrance_id)
    audit.record(tx, actor.user_id, "remove_entrance", "entrance", entrance_id)
    granting.changed(tx, found.site_id)


def add_group(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    covers: Covers,
    entrance_ids: Sequence[EntranceId],
    windows: Sequence[tuple[int, int, int]] = (),
    building_id: BuildingId | None = None,
) -> AccessGroup:
    """Say who may pass which entrances at which hours; without windows at all hours."""
    require(actor, Action.MANAGE_ENTRANCES)
    site_of(tx, site_id)
    if not 1 <= len(entrance_ids) <= GROUP_ENTRANCES_MAX:
        raise Invalid(f"{len(entrance_ids)} entrances, expected 1 to {GROUP_ENTRANCES_MAX}")
    there = {one.entrance_id for one in entrances.entrances_of_site(tx, site_id)}
    if lacking := [one for one in entrance_ids if one not in there]:
        raise NotFound(f"there is no entrance {lacking[0]}")
    if building_id is not None and covers is not Covers.RESIDENTS:
        raise Invalid("a building is said only of a group of its residents")
    buildings = {one.building_id for one in premises.list_buildings(tx, site_id)}
    if building_id is not None and building_id not in buildings:
        raise NotFound(f"there is no building {building_id}")
    hours = checked_windows(windows)
    group_id = entrances.insert_group(tx, site_id, _name(name), covers, building_id, hours, entrance_ids)
    audit.record(tx, actor.user_id, "add_access_group", "access_group", group_id)
    granting.changed(tx, site_id)
    return _group(tx, group_id)


def remove_group(tx: Tx, actor: User, group_id: AccessGroupId) -> None:
    """Take a group away; its badges open what other groups let them."""
    require(actor, Action.MANAGE_ENTRANCES)
    found = _group(tx, group_id)
    entrances.remove_group(tx, group_id)
    audit.record(tx, actor.user_id, "remove_access_group", "access_group", group_id)
    granting.changed(tx, found.site_id)


def _name(typed: str) -> str:
    name = " ".join(typed.split())
    if not 1 <= len(name) <= LABEL_LENGTH_MAX:
        message = f"the name has {len(name)} characters, expected 1 to {LABEL_LENGTH_MAX}"
        raise Invalid(message, [Problem("/name", message)])
    return name


def _entrance(tx: Tx, entrance_id: EntranceId) -> Entrance:
    found = entrances.find_entrance(tx, entrance_id)
    if found is None:
        raise NotFound(f"there is no entrance {entrance_id}")
    return found


def _group(tx: Tx, group_id: AccessGroupId) -> AccessGroup:
    found = entrances.find_group(tx, group_id)
    if found is None:
        raise NotFound(f"there is no access group {group_id}")
    return found
