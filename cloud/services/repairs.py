"""Repairs: asked for once however often it is sent, found again, and shown to whom they concern.

The invariant: a request that is repeated is one repair, an alarm has at most one under way, and a
resident sees those of their own homes alone.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from cloud.domain.access import Action, may, require, require_account
from cloud.domain.change import RepairChanged
from cloud.domain.errors import Conflict, Invalid, NotFound, Problem
from cloud.domain.ids import AccountId, AlarmId, EquipmentId, PhotoId, RepairId, SiteId, SpaceId, UserId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.photo import PhotoRecord, PhotoSubject
from cloud.domain.premises import Site
from cloud.domain.repair import (
    DESCRIPTION_LENGTH_MAX,
    UNFINISHED,
    Channel,
    Repair,
    RepairAct,
    RepairCategory,
    RepairEntry,
    RepairState,
    Urgency,
)
from cloud.domain.user import Role, User
from cloud.services import dispatching
from cloud.services.premises import site_of
from cloud.store import alarms, audit, equipment, people, photos, premises, repairs
from cloud.store.db import Tx
from cloud.store.numbers import next_number
from cloud.store.repairs import NewRepair, RepairFilter
from protocol.event import Severity

PLACE_LENGTH_MAX = 100
# A day: whoever tells of the same kind of thing in the same home again within it is asked if it is another.
SIMILAR_WITHIN_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """What somebody tells of. `request_key` is the sender's own: the same again is the same repair."""

    category: RepairCategory
    urgency: Urgency
    channel: Channel
    description: str
    place: str = ""
    account_id: AccountId | None = None
    space_id: SpaceId | None = None
    equipment_id: EquipmentId | None = None
    wanted_at_ms: int | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class RepairDetail:
    """A repair with its history, oldest first, and its photos."""

    repair: Repair
    entries: tuple[RepairEntry, ...]
    photos: tuple[PhotoRecord, ...]


def request(tx: Tx, actor: User, site_id: SiteId, asked: RepairRequest) -> Repair:
    """Write a repair down and send for somebody; the same `request_key` again returns the same repair."""
    require(actor, Action.REQUEST_REPAIRS)
    site = site_of(tx, site_id)
    if asked.request_key is not None:
        known = repairs.find_by_request(tx, asked.request_key)
        if known is not None:
            if known.reported_by != actor.person_id:
                raise Conflict("this request was sent by somebody else: make a new key")
            return known
    placed = _placed(tx, actor, site_id, asked)
    added = _written(tx, actor, site, placed, tx.now_ms, None)
    assert added is not None, "only an alarm's repair can be in its own way"
    return added


def request_for_alarm(tx: Tx, actor: User, alarm_id: AlarmId, category: RepairCategory) -> Repair:
    """Have what an alarm is about mended; the clocks begin with the alarm, not with this request.

    Asked for again while it is under way, it is the same repair.
    """
    require(actor, Action.RECORD_REPAIRS)
    alarm = alarms.find_alarm(tx, alarm_id)
    if alarm is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    known = repairs.find_open_of_alarm(tx, alarm_id)
    if known is not None:
        return known
    owner = equipment.find_by_device(tx, alarm.gateway_id, alarm.point_key.partition("/")[0])
    asked = RepairRequest(
        category,
        {Severity.CRITICAL: Urgency.EMERGENCY, Severity.MAJOR: Urgency.URGENT}.get(
            alarm.severity, Urgency.NORMAL
        ),
        Channel.ALARM,
        f"{alarm.number}: {alarm.message or alarm.kind}",
        place=(alarm.device_title or alarm.point_key)[:PLACE_LENGTH_MAX],
        space_id=None if owner is None else owner.space_id,
        equipment_id=None if owner is None else owner.equipment_id,
    )
    site = site_of(tx, alarm.site_id)
    added = _written(tx, actor, site, asked, alarm.raised_at_ms, alarm_id)
    if added is None:  # somebody else asked since we looked
        added = repairs.find_open_of_alarm(tx, alarm_id)
    assert added is not None, "what is in the way is under way"
    return added


def find_own_request(tx: Tx, actor: User, request_key: str) -> Repair | None:
    """Return the repair a request of the actor's has become, or None."""
    require(actor, Action.REQUEST_REPAIRS)
    known = repairs.find_by_request(tx, request_key) if request_key else None
    return known if known is not None and known.reported_by == actor.person_id else None


def similar(tx: Tx, actor: User, account_id: AccountId, category: RepairCategory) -> Repair | None:
    """Return a repair of the same kind told of in the same home within a day and under way, or None."""
    require(actor, Action.REQUEST_REPAIRS)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    wanted = RepairFilter(UNFINISHED, account_ids=[account_id])
    found = repairs.list_repairs(tx, account.site_id, wanted, None, 50)
    return next(
        (
            one
            for one in found
            if one.category is category and tx.now_ms - one.reported_at_ms < SIMILAR_WITHIN_MS
        ),
        None,
    )


def list_repairs(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    states: Collection[RepairState] = UNFINISHED,
    cursor: str | None = None,
    limit: int = 50,
    *,
    assignee_id: UserId | None = None,
    is_unassigned: bool = False,
    equipment_id: EquipmentId | None = None,
    account_id: AccountId | None = None,
) -> Page[Repair]:
    """Return a site's repairs, the last told first; to a resident those of their own homes."""
    require(actor, Action.READ_OWN_REPAIRS)
    checked_limit(limit)
    site_of(tx, site_id)
    own = actor.account_ids if actor.role is Role.RESIDENT else None
    if account_id is not None:
        require_account(actor, account_id)
        own = frozenset({account_id})
    before = str(key_from_cursor(cursor, UUID)[0]) if cursor else None
    wanted = RepairFilter(states, own, assignee_id, is_unassigned, equipment_id=equipment_id)
    found = repairs.list_repairs(tx, site_id, wanted, before, limit + 1)
    return page_of(found, limit, lambda last: (last.repair_id,))


def get_repair(tx: Tx, actor: User, repair_id: RepairId) -> Repair:
    """Return one repair; to a resident a neighbour's does not exist."""
    require(actor, Action.READ_OWN_REPAIRS)
    found = repairs.find_repair(tx, repair_id)
    if found is None or not sees(actor, found):
        raise NotFound(f"there is no repair {repair_id}")
    return found


def find_by_number(tx: Tx, actor: User, site_id: SiteId, number: str) -> Repair:
    """Return the repair people call by this number."""
    require(actor, Action.READ_OWN_REPAIRS)
    found = repairs.find_by_number(tx, site_id, number)
    if found is None or not sees(actor, found):
        raise NotFound(f"there is no repair {number!r}")
    return found


def detail(tx: Tx, actor: User, repair_id: RepairId) -> RepairDetail:
    """Return one repair with its history and photos."""
    found = get_repair(tx, actor, repair_id)
    shown = photos.list_photos(tx, PhotoSubject.REPAIR, repair_id)
    return RepairDetail(found, tuple(repairs.entries_of(tx, repair_id)), tuple(shown))


def photo(tx: Tx, actor: User, repair_id: RepairId, photo_id: PhotoId) -> bytes:
    """Return a photo of a repair as JPEG."""
    get_repair(tx, actor, repair_id)
    content = photos.content_of(tx, PhotoSubject.REPAIR, repair_id, photo_id)
    if content is None:
        raise NotFound(f"there is no photo {photo_id}")
    return content


def sees(actor: User, repair: Repair) -> bool:
    """Tell whether the repair exists for the actor: for a resident only in their own homes."""
    if actor.role is not Role.RESIDENT:
        return True
    return repair.account_id in actor.account_ids or repair.reported_by == actor.user_id


def tell_change(tx: Tx, repair_id: RepairId) -> Repair:
    """Announce how a repair stands now, and return it."""
    found = repairs.find_repair(tx, repair_id)
    assert found is not None, "a repair is never deleted"
    tx.announce(
        RepairChanged(
            tx.tenant_id, found.site_id, repair_id, found.account_id, found.number, found.state.value
        )
    )
    return found


def _placed(tx: Tx, actor: User, site_id: SiteId, asked: RepairRequest) -> RepairRequest:
    """Return the request with what it names found, and its words checked."""
    description = asked.description.strip()
    if not 1 <= len(description) <= DESCRIPTION_LENGTH_MAX:
        message = f"the description has {len(description)} characters, expected 1 to {DESCRIPTION_LENGTH_MAX}"
        raise Invalid(message, [Problem("/description", message)])
    if len(asked.place) > PLACE_LENGTH_MAX:
        raise Invalid(f"the place has {len(asked.place)} characters, expected at most {PLACE_LENGTH_MAX}")
    if actor.role is Role.RESIDENT and asked.account_id is None:
        raise Invalid("say which of your homes it is about", [Problem("/account_id", "is missing")])
    space_id = asked.space_id
    if asked.account_id is not None:
        require_account(actor, asked.account_id)
        account = people.find_account(tx, asked.account_id)
        if account is None or account.site_id != site_id:
            raise NotFound("there is no such account")
        space_id = space_id or account.space_id
    if space_id is not None and premises.site_of_space(tx, space_id) != site_id:
        raise NotFound(f"there is no space {space_id}")
    if asked.equipment_id is not None:
        found = equipment.find_equipment(tx, asked.equipment_id)
        if found is None or found.site_id != site_id:
            raise NotFound(f"there is no equipment {asked.equipment_id}")
    channel = Channel.WEB if not may(actor, Action.RECORD_REPAIRS) else asked.channel
    return replace(
        asked, description=description, place=asked.place.strip(), space_id=space_id, channel=channel
    )


def _written(
    tx: Tx, actor: User, site: Site, asked: RepairRequest, started_at_ms: int, alarm_id: AlarmId | None
) -> Repair | None:
    year = str(local_date(tx.now_ms, time_zone(site.time_zone)).year)
    repair_id = repairs.insert_repair(
        tx,
        NewRepair(
            site.site_id,
            f"{site.code}-R-{year}-{next_number(tx, site.code, 'repair', year):04d}",
            asked.request_key,
            asked.category,
            asked.urgency,
            asked.channel,
            asked.description,
            asked.place,
            asked.space_id,
            asked.account_id,
            asked.equipment_id,
            alarm_id,
            actor.person_id,
            asked.wanted_at_ms,
            started_at_ms,
        ),
    )
    if repair_id is None:
        return None
    repairs.insert_entry(
        tx, repair_id, RepairAct.REPORTED, RepairState.REPORTED, asked.channel.value, "", actor.person_id
    )
    audit.record(tx, actor.user_id, "request_repair", "repair", repair_id)
    dispatching.dispatch(tx, repair_id)
    return tell_change(tx, repair_id)
