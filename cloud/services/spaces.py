"""Spaces as they are and were: searched and counted on any day, changed from a day on, never overwritten.

The invariant: what is said of a space holds from a day that has begun, so that the newest word about it is
what it is like today.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cloud.domain.access import Action, require
from cloud.domain.attachment import AttachmentRecord, AttachmentSubject
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AttachmentId, BuildingId, SiteId, SpaceId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Building, Site, SpaceKind
from cloud.domain.space_history import (
    BEGINNING,
    SpaceCount,
    SpaceFacts,
    SpaceRecord,
    SpaceSearch,
    SpaceStatus,
    SpaceVersion,
    amended,
    version_on,
)
from cloud.domain.user import User
from cloud.services import attachments
from cloud.services.premises import site_of
from cloud.store import attachments as attachment_store
from cloud.store import audit, premises, space_versions
from cloud.store.audit import AuditEntry
from cloud.store.db import Tx
from cloud.store.space_versions import NewVersion

CODE_LENGTH_MAX = 64
NAME_LENGTH_MAX = 200
REASON_LENGTH_MAX = 200
_FLOOR_MIN, _FLOOR_MAX = -20, 200
_SUBJECT = AttachmentSubject.SPACE


@dataclass(frozen=True, slots=True)
class SpaceDetail:
    """A space on a day with everything ever said of it, newest word first, and what is attached."""

    record: SpaceRecord
    versions: tuple[SpaceVersion, ...]
    attachments: tuple[AttachmentRecord, ...]
    corrections: tuple[AuditEntry, ...]  # of its number and place


def today_at(tx: Tx, site: Site) -> date:
    """Return the site's date now."""
    return local_date(tx.now_ms, time_zone(site.time_zone))


def search(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    wanted: SpaceSearch,
    on: date | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[SpaceRecord]:
    """Return spaces as they were on a day (today), by building, floor and number."""
    require(actor, Action.READ_PREMISES)
    checked_limit(limit)
    site = site_of(tx, site_id)
    after = None
    if cursor:
        building, floor, code = key_from_cursor(cursor, str, int, str)
        after = (str(building), int(floor), str(code))
    found = space_versions.search(tx, site_id, wanted, on or today_at(tx, site), after, limit + 1)
    return page_of(found, limit, lambda last: (last.building_code, last.space.floor, last.space.code))


def counts(
    tx: Tx, actor: User, site_id: SiteId, wanted: SpaceSearch, on: date | None = None
) -> list[SpaceCount]:
    """Return how many spaces are alike on a day (today): by kind, status, layout and area."""
    require(actor, Action.READ_PREMISES)
    site = site_of(tx, site_id)
    return space_versions.count_spaces(tx, site_id, wanted, on or today_at(tx, site))


def of_building(tx: Tx, actor: User, site_id: SiteId, building_id: BuildingId, on: date) -> list[SpaceRecord]:
    """Return every space of a building as it was on a day."""
    require(actor, Action.READ_PREMISES)
    return space_versions.search(tx, site_id, SpaceSearch(building_id=building_id), on)


def space_by_code(tx: Tx, actor: User, site_id: SiteId, code: str, on: date | None = None) -> SpaceDetail:
    """Return one space by what people call it, as it was on a day (today)."""
    require(actor, Action.READ_PREMISES)
    site = site_of(tx, site_id)
    found = space_versions.find_record(tx, site_id, code, on or today_at(tx, site))
    if found is None:
        raise NotFound(f"the site has no space {code!r}")
    space_id = found.space.space_id
    versions = space_versions.versions_of(tx, [space_id])[space_id]
    return SpaceDetail(
        found,
        tuple(reversed(versions)),
        tuple(attachment_store.list_attachments(tx, _SUBJECT, space_id)),
        tuple(one for one in audit.entries_of(tx, "space", space_id) if one.action == "rename_space"),
    )


def get_space(tx: Tx, actor: User, space_id: SpaceId, on: date | None = None) -> SpaceDetail:
    """Return one space as it was on a day (today)."""
    require(actor, Action.READ_PREMISES)
    site, code = _place(tx, space_id)
    return space_by_code(tx, actor, site.site_id, code, on)


def add_building(tx: Tx, actor: User, site_id: SiteId, code: str, name: str, floors: int) -> Building:
    """Add a building; Conflict if the site has one of that code."""
    require(actor, Action.MANAGE_PREMISES)
    site_of(tx, site_id)
    _check_text("code", code, CODE_LENGTH_MAX)
    _check_text("name", name, NAME_LENGTH_MAX)
    _check_range("floors", floors, 1, _FLOOR_MAX)
    if any(one.code == code for one in premises.list_buildings(tx, site_id)):
        raise Conflict(f"the site has a building {code!r} already")
    building_id = premises.insert_building(tx, site_id, code, name, floors)
    audit.record(tx, actor.user_id, "add_building", "building", building_id, {"code": code})
    return Building(building_id, site_id, code, name, floors)


def add_space(
    tx: Tx,
    actor: User,
    building_id: BuildingId,
    code: str,
    unit_code: str,
    floor: int,
    kind: SpaceKind,
    facts: SpaceFacts,
) -> SpaceDetail:
    """Add a space to a building; Conflict if the site has one of that number."""
    require(actor, Action.MANAGE_PREMISES)
    building = premises.find_building(tx, building_id)
    if building is None:
        raise NotFound(f"there is no building {building_id}")
    _check_name(tx, building.site_id, code, unit_code, floor)
    space_id = premises.insert_space(
        tx, building_id, code, unit_code, floor, kind, facts.built_area_dm2, facts, actor.person_id
    )
    audit.record(tx, actor.user_id, "add_space", "space", space_id, {"code": code})
    return space_by_code(tx, actor, building.site_id, code)


def rename_space(
    tx: Tx, actor: User, space_id: SpaceId, code: str, unit_code: str, floor: int
) -> SpaceDetail:
    """Correct what a space is called and where it lies; what it was called stays in its history."""
    require(actor, Action.MANAGE_PREMISES)
    site, _ = _place(tx, space_id)
    before = premises.find_space(tx, space_id)
    assert before is not None, "it has a place"
    if (before.code, before.unit_code, before.floor) != (code, unit_code, floor):
        _check_name(tx, site.site_id, code, unit_code, floor, besides=space_id)
        premises.rename_space(tx, space_id, code, unit_code, floor)
        detail: dict[str, str | int | None] = {
            "code_before": before.code,
            "code": code,
            "unit_before": before.unit_code,
            "unit": unit_code,
            "floor_before": before.floor,
            "floor": floor,
        }
        audit.record(tx, actor.user_id, "rename_space", "space", space_id, detail)
    return space_by_code(tx, actor, site.site_id, code)


def change_space(
    tx: Tx, actor: User, space_id: SpaceId, from_on: date, changes: Mapping[str, Any], reason: str
) -> SpaceDetail:
    """Say what a space is like from a day on; what was said before stays and still holds before that day."""
    require(actor, Action.MANAGE_PREMISES)
    site, code = _place(tx, space_id)
    _check_text("reason", reason, REASON_LENGTH_MAX)
    if from_on > today_at(tx, site):
        raise Invalid(f"from_on is {from_on}, expected today or earlier: record a change when it holds")
    if from_on < BEGINNING:
        raise Invalid(f"from_on is {from_on}, expected {BEGINNING} or later")
    write_changes(tx, actor, {space_id: changes}, from_on, reason)
    audit.record(tx, actor.user_id, "change_space", "space", space_id, {"from_on": from_on.isoformat()})
    return space_by_code(tx, actor, site.site_id, code)


def write_changes(
    tx: Tx, actor: User, changed: Mapping[SpaceId, Mapping[str, Any]], from_on: date, reason: str
) -> None:
    """Say what spaces are like from a day on; for services that have asked whether the actor may."""
    known = space_versions.versions_of(tx, sorted(changed))
    added: list[NewVersion] = []
    for space_id, changes in changed.items():
        versions = known[space_id]
        following = max(one.number for one in versions) + 1
        for number, (day, facts) in enumerate(amended(versions, from_on, changes), start=following):
            added.append(NewVersion(space_id, number, day, facts, reason))
    space_versions.insert_versions(tx, added, actor.person_id)
    newest = {one.space_id: one.facts.built_area_dm2 for one in added}
    for space_id, area_dm2 in newest.items():
        if area_dm2 != max(known[space_id], key=lambda one: one.number).facts.built_area_dm2:
            premises.set_area(tx, space_id, area_dm2)


def record_occupation(
    tx: Tx, actor: User, space_id: SpaceId, from_on: date, status: SpaceStatus | None, reason: str
) -> None:
    """Note that who uses a space has changed; for the service that changes it. None: as its account shows."""
    facts = version_on(space_versions.versions_of(tx, [space_id])[space_id], from_on).facts
    changes: dict[str, Any] = {"status": status}
    if facts.status is SpaceStatus.NOT_HANDED_OVER and facts.handed_over_on is None:
        changes["handed_over_on"] = from_on
    write_changes(tx, actor, {space_id: changes}, from_on, reason)


def attach(tx: Tx, actor: User, space_id: SpaceId, title: str, content: bytes) -> AttachmentId:
    """Keep a paper about a space: its title deed, its plan."""
    require(actor, Action.MANAGE_PREMISES)
    _place(tx, space_id)
    return attachments.attach(tx, actor, _SUBJECT, space_id, title, content)


def fetch_attachment(
    tx: Tx, actor: User, space_id: SpaceId, attachment_id: AttachmentId
) -> tuple[AttachmentRecord, bytes]:
    """Return a paper about a space; a title names its owner, so those who may see accounts may see it."""
    require(actor, Action.READ_LEDGER)
    _place(tx, space_id)
    return attachments.fetch(tx, _SUBJECT, space_id, attachment_id)


def withdraw_attachment(tx: Tx, actor: User, space_id: SpaceId, attachment_id: AttachmentId) -> None:
    """Show a paper about a space no more."""
    require(actor, Action.MANAGE_PREMISES)
    _place(tx, space_id)
    attachments.withdraw(tx, actor, _SUBJECT, space_id, attachment_id)


def _place(tx: Tx, space_id: SpaceId) -> tuple[Site, str]:
    space = premises.find_space(tx, space_id)
    building = None if space is None else premises.find_building(tx, space.building_id)
    if space is None or building is None:
        raise NotFound(f"there is no space {space_id}")
    return site_of(tx, building.site_id), space.code


def _check_name(
    tx: Tx, site_id: SiteId, code: str, unit_code: str, floor: int, besides: SpaceId | None = None
) -> None:
    _check_text("code", code, CODE_LENGTH_MAX)
    if len(unit_code) > CODE_LENGTH_MAX:
        raise Invalid(f"unit_code is longer than {CODE_LENGTH_MAX} characters")
    _check_range("floor", floor, _FLOOR_MIN, _FLOOR_MAX)
    if any(found != besides for found in premises.spaces_called(tx, site_id, code)):
        raise Conflict(f"the site has a space {code!r} already")


def _check_text(name: str, text: str, longest: int) -> None:
    if not 1 <= len(text.strip()) <= longest:
        raise Invalid(f"{name} has {len(text.strip())} characters, expected 1 to {longest}")


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Invalid(f"{name} is {value}, expected {least} to {most}")
