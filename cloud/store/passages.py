"""Passages: what happened at entrances, from boxes' events and from commands."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud.domain.entry import Passage, PassageOutcome
from cloud.domain.ids import (
    AccountId,
    BadgeId,
    CommandId,
    EntranceId,
    EventId,
    GatewayId,
    SiteId,
    UserId,
    VisitId,
)
from cloud.store.db import Tx
from cloud.store.schema import account, app_user, badge, device, entrance, passage, space, visit


@dataclass(frozen=True, slots=True)
class NewPassage:
    """What is written down of one."""

    site_id: SiteId
    gateway_id: GatewayId
    device_code: str
    occurred_at_ms: int
    outcome: PassageOutcome
    reason: str
    kind: str = ""
    ends: str = ""
    token: str = ""
    event_id: EventId | None = None
    command_id: CommandId | None = None
    badge_id: BadgeId | None = None
    visit_id: VisitId | None = None
    user_id: UserId | None = None


def insert_passage(tx: Tx, new: NewPassage) -> str | None:
    """Write a passage down; None if its command has one already."""
    passage_id = tx.new_id()
    # Whose lock is it?
    entrance_id = tx.conn.execute(
        sa.select(entrance.c.id).where(
            entrance.c.tenant_id == tx.tenant_id,
            entrance.c.gateway_id == new.gateway_id,
            entrance.c.device_code == new.device_code,
            entrance.c.removed_at_ms.is_(None),
        )
    ).scalar_one_or_none()
    # Write one passage down.
    count = tx.conn.execute(
        tx.insert(passage)
        .values(
            tenant_id=tx.tenant_id,
            id=passage_id,
            site_id=new.site_id,
            gateway_id=new.gateway_id,
            entrance_id=entrance_id,
            device_code=new.device_code,
            event_id=new.event_id,
            command_id=new.command_id,
            badge_id=new.badge_id,
            visit_id=new.visit_id,
            user_id=new.user_id,
            occurred_at_ms=new.occurred_at_ms,
            outcome=new.outcome.value,
            reason=new.reason,
            kind=new.kind,
            ends=new.ends,
            token=new.token,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "command_id"])
    ).rowcount
    return passage_id if count else None


def list_passages(
    tx: Tx,
    site_id: SiteId,
    before: tuple[int, str] | None,
    limit: int,
    entrance_id: EntranceId | None = None,
) -> list[Passage]:
    """Return what happened at a site's entrances, the last first."""
    which = [passage.c.site_id == site_id]
    if entrance_id is not None:
        which.append(passage.c.entrance_id == entrance_id)
    if before is not None:
        which.append(sa.tuple_(passage.c.occurred_at_ms, passage.c.id) < before)
    return _passages(tx, sa.and_(*which), limit)


def list_where(tx: Tx, which: sa.ColumnElement[bool], limit: int) -> list[Passage]:
    """Return the passages a condition picks, the last first; for the store's own questions."""
    return _passages(tx, which, limit)


def passages_of_user(
    tx: Tx, user_id: UserId, account_ids: Collection[AccountId], label: str, limit: int
) -> list[Passage]:
    """Return the passages of one person, the last first: by their login, or a badge of theirs by its name."""
    own_badge = sa.and_(badge.c.account_id.in_(sorted(account_ids)), badge.c.label == label)
    return _passages(tx, sa.or_(passage.c.user_id == user_id, own_badge), limit)


def find_unknown(tx: Tx, passage_id: str) -> Passage | None:
    """Return a passage of a badge nobody has, or None."""
    found = _passages(tx, sa.and_(passage.c.id == passage_id, passage.c.token != ""), 1)
    return found[0] if found else None


def _passages(tx: Tx, which: sa.ColumnElement[bool], limit: int) -> list[Passage]:
    def on(table: Any, column: Any) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.tenant_id == passage.c.tenant_id, table.c.id == column)

    joined = (
        passage.outerjoin(entrance, on(entrance, passage.c.entrance_id))
        .outerjoin(
            device,
            sa.and_(
                device.c.tenant_id == passage.c.tenant_id,
                device.c.gateway_id == passage.c.gateway_id,
                device.c.code == passage.c.device_code,
            ),
        )
        .outerjoin(badge, on(badge, passage.c.badge_id))
        .outerjoin(visit, on(visit, passage.c.visit_id))
        .outerjoin(app_user, on(app_user, passage.c.user_id))
        .outerjoin(account, on(account, sa.func.coalesce(badge.c.account_id, visit.c.account_id)))
        .outerjoin(space, on(space, account.c.space_id))
    )
    # A lock that is no entrance is called what its device is.
    named = sa.func.coalesce(entrance.c.name, sa.func.nullif(device.c.title, ""), passage.c.device_code)
    door_name = named.label("door_name")
    # Who passed where, or was refused?
    rows: Any = tx.conn.execute(
        sa.select(
            passage,
            door_name,
            sa.func.coalesce(badge.c.label, visit.c.name, app_user.c.display_name, "").label("who"),
            space.c.code.label("space_code"),
        )
        .select_from(joined)
        .where(passage.c.tenant_id == tx.tenant_id, which)
        .order_by(passage.c.occurred_at_ms.desc(), passage.c.id.desc())
        .limit(limit)
    )
    return [
        Passage(
            row.id,
            SiteId(row.site_id),
            row.occurred_at_ms,
            row.door_name,
            row.device_code,
            PassageOutcome(row.outcome),
            row.reason,
            row.kind,
            None if row.badge_id is None else BadgeId(row.badge_id),
            None if row.visit_id is None else VisitId(row.visit_id),
            row.who,
            row.space_code or "",
            row.ends,
            row.token,
        )
        for row in rows
    ]
