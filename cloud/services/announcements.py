"""Announcements: a manager tells some homes or the staff something, and sees who has opened it.

The invariant: whom an announcement reaches is shown before it is published and kept afterwards; its
notices go out by the outbox, some homes at a time, and none after it was taken back.
"""

from datetime import date
from uuid import UUID

from cloud.domain.access import Action, require
from cloud.domain.announcement import (
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Announcement,
    Audience,
    OwnAnnouncement,
    Reach,
    Readers,
    Receipt,
    in_natural_order,
    riser_of,
)
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AnnouncementId, SiteId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.person import Relation
from cloud.domain.user import User
from cloud.services.notices import notify
from cloud.services.notices import withdraw as withdraw_notices
from cloud.services.premises import site_of
from cloud.store import announcements, audit, premises
from cloud.store.announcements import HomeRow
from cloud.store.db import Tx

_OWN_MAX = 100
# Each home's notice is some statements: as many as one transaction may hold others up for.
_TOLD_AT_ONCE = 100
_RELATION_OF = {Readers.OWNERS: Relation.OWNER, Readers.TENANTS: Relation.TENANT}


def reach(tx: Tx, actor: User, site_id: SiteId, audience: Audience) -> Reach:
    """Return whom an audience would reach now."""
    require(actor, Action.MANAGE_COMMUNITY)
    homes = homes_reached(tx, site_id, audience)
    return Reach(
        tuple(in_natural_order(home.code for home in homes)),
        tuple(home.account_id for home in homes),
        tuple(in_natural_order(home.code for home in homes if not home.has_login)),
    )


def homes_reached(tx: Tx, site_id: SiteId, audience: Audience) -> list[HomeRow]:
    """Return the homes an audience is, in no order; none for the staff."""
    today = _today(tx, site_id)
    own = {one.building_id for one in premises.list_buildings(tx, site_id)}
    for building_id in audience.building_ids - own:
        raise NotFound(f"there is no building {building_id}")
    if audience.readers is Readers.STAFF:
        return []
    relation = _RELATION_OF.get(audience.readers)
    return [
        home
        for home in announcements.homes_of(tx, site_id, audience.building_ids, relation, today)
        if audience.unit_code in ("", home.unit_code)
        and audience.riser in ("", riser_of(home.code, home.floor))
    ]


def publish(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    title: str,
    text: str,
    audience: Audience,
    until_on: date | None = None,
    *,
    is_urgent: bool = False,
) -> Announcement:
    """Tell an audience something; `until_on` is the last day residents see it."""
    require(actor, Action.MANAGE_COMMUNITY)
    said, words = " ".join(title.split()), text.strip()
    for name, value, longest in (("title", said, TITLE_LENGTH_MAX), ("text", words, TEXT_LENGTH_MAX)):
        if not 1 <= len(value) <= longest:
            raise Invalid(f"the {name} has {len(value)} characters, expected 1 to {longest}")
    today = _today(tx, site_id)
    if until_on is not None and until_on < today:
        raise Invalid(f"the last day {until_on} has passed: choose today or later")
    reached = reach(tx, actor, site_id, audience)
    if audience.readers is not Readers.STAFF and not reached.account_ids:
        raise Invalid("no home fits this audience: choose another building, unit or riser")
    announcement_id = announcements.insert_announcement(
        tx,
        site_id,
        said,
        words,
        audience,
        until_on,
        actor.person_id,
        reached.account_ids,
        is_urgent=is_urgent,
    )
    detail = {"readers": audience.readers.value, "homes": len(reached.account_ids)}
    audit.record(tx, actor.user_id, "publish_announcement", "announcement", announcement_id, detail)
    return _found(tx, announcement_id)


def take_back(tx: Tx, actor: User, announcement_id: AnnouncementId) -> Announcement:
    """Take an announcement back: nobody is told any more, and no resident sees it."""
    require(actor, Action.MANAGE_COMMUNITY)
    _found(tx, announcement_id)
    if not announcements.withdraw(tx, announcement_id):
        raise Conflict("the announcement was taken back already")
    withdraw_notices(tx, _about(announcement_id))
    audit.record(tx, actor.user_id, "take_back_announcement", "announcement", announcement_id)
    return _found(tx, announcement_id)


def list_announcements(
    tx: Tx, actor: User, site_id: SiteId, cursor: str | None = None, limit: int = 50
) -> Page[Announcement]:
    """Return a site's announcements, newest first, those taken back among them."""
    require(actor, Action.READ_COMMUNITY)
    checked_limit(limit)
    site_of(tx, site_id)
    before = AnnouncementId(str(key_from_cursor(cursor, UUID)[0])) if cursor else None
    found = announcements.list_announcements(tx, site_id, before, limit + 1)
    return page_of(found, limit, lambda last: (last.announcement_id,))


def get_announcement(tx: Tx, actor: User, announcement_id: AnnouncementId) -> Announcement:
    """Return one announcement."""
    require(actor, Action.READ_COMMUNITY)
    return _found(tx, announcement_id)


def list_receipts(tx: Tx, actor: User, announcement_id: AnnouncementId) -> list[Receipt]:
    """Return every home it was for, by account number, with when somebody there first opened it."""
    require(actor, Action.READ_COMMUNITY)
    _found(tx, announcement_id)
    return announcements.receipts(tx, announcement_id)


def own_announcements(tx: Tx, actor: User, site_id: SiteId) -> list[OwnAnnouncement]:
    """Return what the actor's homes were told and still holds, newest first."""
    require(actor, Action.USE_COMMUNITY)
    today = _today(tx, site_id)
    return announcements.own_announcements(tx, actor.account_ids, actor.user_id, today, _OWN_MAX)


def open_own(tx: Tx, actor: User, announcement_id: AnnouncementId) -> OwnAnnouncement:
    """Return an announcement to one of its readers, and note that they opened it."""
    require(actor, Action.USE_COMMUNITY)
    mine = announcements.own_announcements(tx, actor.account_ids, actor.user_id, None, _OWN_MAX)
    found = next((one for one in mine if one.announcement.announcement_id == announcement_id), None)
    if found is None:
        raise NotFound(f"there is no announcement {announcement_id}")
    announcements.mark_read(tx, announcement_id, actor.user_id)
    return found


def tell_some(tx: Tx) -> bool:
    """Hand the notices of some homes to the outbox; tell whether there may be more."""
    taken = announcements.take_untold(tx, _TOLD_AT_ONCE)
    known = {one: _found(tx, one) for one in {announcement_id for announcement_id, _ in taken}}
    for announcement_id, account_id in taken:
        said = known[announcement_id]
        if said.withdrawn_at_ms is not None:
            continue
        notify(
            tx,
            NewNotice(
                Topic.ANNOUNCEMENT,
                f"{_about(announcement_id)}:{account_id}",
                {"site": site_of(tx, said.site_id).name, "title": said.title, "text": said.text},
                account_id=account_id,
                about=_about(announcement_id),
                link=f"/home/announcements/{announcement_id}",
                is_urgent=said.is_urgent,
            ),
        )
    return len(taken) == _TOLD_AT_ONCE


def _found(tx: Tx, announcement_id: AnnouncementId) -> Announcement:
    found = announcements.find_announcement(tx, announcement_id)
    if found is None:
        raise NotFound(f"there is no announcement {announcement_id}")
    return found


def _today(tx: Tx, site_id: SiteId) -> date:
    return local_date(tx.now_ms, time_zone(site_of(tx, site_id).time_zone))


def _about(announcement_id: AnnouncementId) -> str:
    return f"announcement:{announcement_id}"
