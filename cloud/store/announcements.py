"""Announcements, the homes they were for, and who has opened them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.announcement import Announcement, Audience, OwnAnnouncement, Readers, Receipt
from cloud.domain.ids import AccountId, AnnouncementId, BuildingId, SiteId, UserId
from cloud.domain.person import Relation
from cloud.store.db import Tx
from cloud.store.schema import (
    account,
    announcement,
    announcement_home,
    announcement_read,
    app_user,
    occupancy,
    space,
    user_account,
)

_A, _H, _R = announcement.c, announcement_home.c, announcement_read.c


@dataclass(frozen=True, slots=True)
class HomeRow:
    """One home of a site: what decides whether an audience has it."""

    account_id: AccountId
    code: str
    unit_code: str
    floor: int
    has_login: bool


def homes_of(
    tx: Tx, site_id: SiteId, building_ids: Collection[BuildingId], relation: Relation | None, on: date
) -> list[HomeRow]:
    """Return the open accounts of a site's spaces; of some buildings, and with somebody of a relation."""
    wanted = [
        account.c.tenant_id == tx.tenant_id,
        account.c.site_id == site_id,
        account.c.closed_on.is_(None),
    ]
    if building_ids:
        wanted.append(space.c.building_id.in_(sorted(building_ids)))
    if relation is not None:
        wanted.append(
            sa.exists().where(
                occupancy.c.tenant_id == account.c.tenant_id,
                occupancy.c.space_id == account.c.space_id,
                occupancy.c.relation == relation.value,
                occupancy.c.from_on <= on,
                sa.or_(occupancy.c.to_on.is_(None), occupancy.c.to_on > on),
            )
        )
    has_login = sa.exists().where(
        user_account.c.tenant_id == account.c.tenant_id, user_account.c.account_id == account.c.id
    )
    # Which homes are these?
    rows = tx.conn.execute(
        sa.select(account.c.id, space.c.code, space.c.unit_code, space.c.floor, has_login.label("has_login"))
        .select_from(
            account.join(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
        )
        .where(*wanted)
    )
    return [
        HomeRow(AccountId(row.id), row.code, row.unit_code, row.floor, bool(row.has_login)) for row in rows
    ]


def insert_announcement(
    tx: Tx,
    site_id: SiteId,
    title: str,
    words: str,
    audience: Audience,
    until_on: date | None,
    written_by: UserId | None,
    account_ids: Sequence[AccountId],
    *,
    is_urgent: bool,
) -> AnnouncementId:
    """Publish an announcement to some homes."""
    announcement_id = AnnouncementId(tx.new_id())
    # Add one announcement.
    tx.conn.execute(
        tx.insert(announcement).values(
            tenant_id=tx.tenant_id,
            id=announcement_id,
            site_id=site_id,
            title=title,
            text=words,
            audience=_document(audience),
            is_urgent=is_urgent,
            written_by=written_by,
            published_at_ms=tx.now_ms,
            until_on=until_on,
        )
    )
    if account_ids:
        # Keep whom it was for.
        tx.conn.execute(
            tx.insert(announcement_home),
            [
                {"tenant_id": tx.tenant_id, "announcement_id": announcement_id, "account_id": one}
                for one in account_ids
            ],
        )
    return announcement_id


def withdraw(tx: Tx, announcement_id: AnnouncementId) -> bool:
    """Take an announcement back; tell whether it still stood."""
    # Take one announcement back.
    return bool(
        tx.conn.execute(
            sa.update(announcement)
            .where(_A.tenant_id == tx.tenant_id, _A.id == announcement_id, _A.withdrawn_at_ms.is_(None))
            .values(withdrawn_at_ms=tx.now_ms)
        ).rowcount
    )


def find_announcement(tx: Tx, announcement_id: AnnouncementId) -> Announcement | None:
    """Return one announcement, or None."""
    found = _announcements(tx, [_A.id == announcement_id], 1)
    return found[0] if found else None


def list_announcements(
    tx: Tx, site_id: SiteId, before: AnnouncementId | None, limit: int
) -> list[Announcement]:
    """Return a site's announcements, newest first."""
    which = [_A.site_id == site_id]
    if before is not None:
        which.append(_A.id < before)
    return _announcements(tx, which, limit)


def own_announcements(
    tx: Tx, account_ids: Collection[AccountId], user_id: UserId, on: date | None, limit: int
) -> list[OwnAnnouncement]:
    """Return what homes were told and still holds `on` a day (None: ever), and when this user opened it."""
    is_mine = sa.exists().where(
        _H.tenant_id == _A.tenant_id, _H.announcement_id == _A.id, _H.account_id.in_(sorted(account_ids))
    )
    which = [is_mine, _A.withdrawn_at_ms.is_(None)]
    if on is not None:
        which.append(sa.or_(_A.until_on.is_(None), _A.until_on >= on))
    found = _announcements(tx, which, limit)
    # Which of these has this person opened?
    rows = tx.conn.execute(
        sa.select(_R.announcement_id, _R.read_at_ms).where(
            _R.tenant_id == tx.tenant_id,
            _R.user_id == user_id,
            _R.announcement_id.in_([one.announcement_id for one in found]),
        )
    )
    opened = {row.announcement_id: row.read_at_ms for row in rows}
    return [OwnAnnouncement(one, opened.get(one.announcement_id)) for one in found]


def mark_read(tx: Tx, announcement_id: AnnouncementId, user_id: UserId) -> None:
    """Note that somebody opened it; the first time counts."""
    # Note one receipt.
    tx.conn.execute(
        tx.insert(announcement_read)
        .values(
            tenant_id=tx.tenant_id, announcement_id=announcement_id, user_id=user_id, read_at_ms=tx.now_ms
        )
        .on_conflict_do_nothing()
    )


def receipts(tx: Tx, announcement_id: AnnouncementId) -> list[Receipt]:
    """Return every home it was for, with when somebody there first opened it."""
    read_at_ms = (
        sa.select(sa.func.min(_R.read_at_ms))
        .where(
            _R.tenant_id == _H.tenant_id,
            _R.announcement_id == _H.announcement_id,
            user_account.c.tenant_id == _R.tenant_id,
            user_account.c.user_id == _R.user_id,
            user_account.c.account_id == _H.account_id,
        )
        .correlate(announcement_home)
        .scalar_subquery()
    )
    # Which homes were told, and which have opened it?
    rows = tx.conn.execute(
        sa.select(account.c.id, account.c.number, space.c.code, read_at_ms.label("read_at_ms"))
        .select_from(
            announcement_home.join(
                account, sa.and_(account.c.tenant_id == _H.tenant_id, account.c.id == _H.account_id)
            ).outerjoin(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
        )
        .where(_H.tenant_id == tx.tenant_id, _H.announcement_id == announcement_id)
        .order_by(account.c.number)
    )
    return [Receipt(AccountId(row.id), row.number, row.code or "", row.read_at_ms) for row in rows]


def take_untold(tx: Tx, limit: int) -> list[tuple[AnnouncementId, AccountId]]:
    """Take some homes whose notice has not been handed on yet, and note that it is now."""
    # Who is still to be told of what still stands?
    rows = list(
        tx.conn.execute(
            sa.select(_H.announcement_id, _H.account_id)
            .where(_H.tenant_id == tx.tenant_id, _H.told_at_ms.is_(None))
            .order_by(_H.announcement_id, _H.account_id)
            .limit(limit)
        )
    )
    for row in rows:
        # This one is told now.
        tx.conn.execute(
            sa.update(announcement_home)
            .where(
                _H.tenant_id == tx.tenant_id,
                _H.announcement_id == row.announcement_id,
                _H.account_id == row.account_id,
            )
            .values(told_at_ms=tx.now_ms)
        )
    return [(AnnouncementId(row.announcement_id), AccountId(row.account_id)) for row in rows]


def _announcements(tx: Tx, which: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Announcement]:
    homes = (
        sa.select(sa.func.count())
        .where(_H.tenant_id == _A.tenant_id, _H.announcement_id == _A.id)
        .correlate(announcement)
        .scalar_subquery()
    )
    # Homes, not people: two who share one are one.
    opened = (
        sa.select(sa.func.count(_H.account_id.distinct()))
        .where(
            _R.tenant_id == _A.tenant_id,
            _R.announcement_id == _A.id,
            user_account.c.tenant_id == _R.tenant_id,
            user_account.c.user_id == _R.user_id,
            _H.tenant_id == _A.tenant_id,
            _H.announcement_id == _A.id,
            _H.account_id == user_account.c.account_id,
        )
        .correlate(announcement)
        .scalar_subquery()
    )
    joined = announcement.outerjoin(
        app_user, sa.and_(app_user.c.tenant_id == _A.tenant_id, app_user.c.id == _A.written_by)
    )
    # What was announced, to how many, and how many have opened it?
    rows = tx.conn.execute(
        sa.select(
            announcement,
            app_user.c.display_name,
            homes.label("home_count"),
            opened.label("read_count"),
        )
        .select_from(joined)
        .where(_A.tenant_id == tx.tenant_id, *which)
        .order_by(_A.id.desc())
        .limit(limit)
    )
    return [_from_row(row) for row in rows]


def _from_row(row: Any) -> Announcement:
    return Announcement(
        AnnouncementId(row.id),
        SiteId(row.site_id),
        row.title,
        row.text,
        _audience(row.audience),
        row.is_urgent,
        row.display_name or "",
        row.published_at_ms,
        row.until_on,
        row.withdrawn_at_ms,
        row.home_count,
        row.read_count,
    )


def _document(audience: Audience) -> dict[str, object]:
    return {
        "readers": audience.readers.value,
        "buildings": sorted(audience.building_ids),
        "unit": audience.unit_code,
        "riser": audience.riser,
    }


def _audience(kept: Any) -> Audience:
    return Audience(
        Readers(kept["readers"]),
        frozenset(BuildingId(one) for one in kept["buildings"]),
        kept["unit"],
        kept["riser"],
    )
