"""Repairs and their history; the database keeps one under way for an alarm, and one for a request."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, AlarmId, EquipmentId, RepairId, SiteId, SpaceId, UserId
from cloud.domain.repair import (
    UNFINISHED,
    Channel,
    Quote,
    QuoteState,
    Repair,
    RepairAct,
    RepairCategory,
    RepairEntry,
    RepairState,
    Urgency,
)
from cloud.store.db import Tx
from cloud.store.schema import app_user, building, repair, repair_entry, space


@dataclass(frozen=True, slots=True)
class NewRepair:
    """A repair about to be written down."""

    site_id: SiteId
    number: str
    request_key: str | None
    category: RepairCategory
    urgency: Urgency
    channel: Channel
    description: str
    place: str
    space_id: SpaceId | None
    account_id: AccountId | None
    equipment_id: EquipmentId | None
    alarm_id: AlarmId | None
    reported_by: UserId | None
    wanted_at_ms: int | None
    started_at_ms: int


@dataclass(frozen=True, slots=True)
class RepairFilter:
    """Which repairs; None leaves a question open."""

    states: Collection[RepairState]
    account_ids: Collection[AccountId] | None = None
    assignee_id: UserId | None = None
    is_unassigned: bool = False
    space_id: SpaceId | None = None
    equipment_id: EquipmentId | None = None


_reporter, _assignee = app_user.alias("reporter"), app_user.alias("assignee")


def insert_repair(tx: Tx, added: NewRepair) -> RepairId | None:
    """Write a repair down; None if one is under way for its alarm."""
    repair_id = RepairId(tx.new_id())
    # Add one repair, unless its alarm has one under way.
    count = tx.conn.execute(
        tx.insert(repair)
        .values(
            tenant_id=tx.tenant_id,
            id=repair_id,
            site_id=added.site_id,
            number=added.number,
            request_key=added.request_key,
            category=added.category.value,
            urgency=added.urgency.value,
            channel=added.channel.value,
            state=RepairState.REPORTED.value,
            description=added.description,
            place=added.place,
            space_id=added.space_id,
            account_id=added.account_id,
            equipment_id=added.equipment_id,
            alarm_id=added.alarm_id,
            reported_by=added.reported_by,
            wanted_at_ms=added.wanted_at_ms,
            started_at_ms=added.started_at_ms,
            reported_at_ms=tx.now_ms,
            waited_ms=0,
            reopen_count=0,
            escalation_level=0,
            quote_state=QuoteState.NONE.value,
            quote_fen=0,
            quote_text="",
            rating_text="",
        )
        .on_conflict_do_nothing(
            index_elements=["tenant_id", "alarm_id"],
            index_where=sa.text("state NOT IN ('done', 'confirmed', 'cancelled')"),
        )
    ).rowcount
    return repair_id if count else None


def update_repair(tx: Tx, repair_id: RepairId, **changed: Any) -> None:
    """Write the changed columns of a repair that is locked."""
    # Change one repair.
    tx.conn.execute(
        sa.update(repair)
        .where(repair.c.tenant_id == tx.tenant_id, repair.c.id == repair_id)
        .values({name: getattr(value, "value", value) for name, value in changed.items()})
    )


def insert_entry(
    tx: Tx,
    repair_id: RepairId,
    act: RepairAct,
    state: RepairState,
    value: str = "",
    text: str = "",
    user_id: UserId | None = None,
) -> None:
    """Remember what happened to a repair."""
    # Add one line to a repair's history.
    tx.conn.execute(
        tx.insert(repair_entry).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            repair_id=repair_id,
            at_ms=tx.now_ms,
            act=act.value,
            state=state.value,
            value=value,
            text=text,
            user_id=user_id,
        )
    )


def lock_repair(tx: Tx, repair_id: RepairId) -> Repair | None:
    """Return one repair and hold it until the end of the transaction, or None."""
    # Hold this repair.
    tx.conn.execute(
        sa.select(repair.c.id)
        .where(repair.c.tenant_id == tx.tenant_id, repair.c.id == repair_id)
        .with_for_update()
    ).one_or_none()
    return find_repair(tx, repair_id)


def find_repair(tx: Tx, repair_id: RepairId) -> Repair | None:
    """Return one repair, or None."""
    # Which repair is this?
    row = tx.conn.execute(_select(tx).where(repair.c.id == repair_id)).one_or_none()
    return None if row is None else _from_row(row)


def find_by_number(tx: Tx, site_id: SiteId, number: str) -> Repair | None:
    """Return the repair people call by this number, or None."""
    # Which repair has this number?
    row = tx.conn.execute(
        _select(tx).where(repair.c.site_id == site_id, repair.c.number == number)
    ).one_or_none()
    return None if row is None else _from_row(row)


def find_by_request(tx: Tx, request_key: str) -> Repair | None:
    """Return the repair a request has become already, or None."""
    # Has this request been taken?
    row = tx.conn.execute(_select(tx).where(repair.c.request_key == request_key)).one_or_none()
    return None if row is None else _from_row(row)


def find_open_of_alarm(tx: Tx, alarm_id: AlarmId) -> Repair | None:
    """Return the repair under way for an alarm, or None."""
    # Is somebody mending what this alarm is about?
    row = tx.conn.execute(
        _select(tx).where(repair.c.alarm_id == alarm_id, repair.c.state.in_(_values(UNFINISHED)))
    ).one_or_none()
    return None if row is None else _from_row(row)


def list_repairs(
    tx: Tx, site_id: SiteId, wanted: RepairFilter, before_id: str | None, limit: int
) -> list[Repair]:
    """Return repairs, the last told first, those before `before_id`."""
    query = _select(tx).where(repair.c.site_id == site_id, *_clauses(wanted))
    if before_id is not None:
        query = query.where(repair.c.id < before_id)
    # Which repairs are there?
    rows = tx.conn.execute(query.order_by(repair.c.id.desc()).limit(limit))
    return [_from_row(row) for row in rows]


def unfinished(tx: Tx) -> list[Repair]:
    """Return every repair of the tenant that is under way."""
    # What is not mended yet?
    rows = tx.conn.execute(_select(tx).where(repair.c.state.in_(_values(UNFINISHED))).order_by(repair.c.id))
    return [_from_row(row) for row in rows]


def open_jobs(tx: Tx) -> dict[UserId, int]:
    """Return how many repairs each assignee has under way."""
    # How busy is everybody?
    rows = tx.conn.execute(
        sa.select(repair.c.assignee_id, sa.func.count())
        .where(
            repair.c.tenant_id == tx.tenant_id,
            repair.c.assignee_id.is_not(None),
            repair.c.state.in_(_values(UNFINISHED)),
        )
        .group_by(repair.c.assignee_id)
    )
    return {UserId(row[0]): row[1] for row in rows}


def entries_of(tx: Tx, repair_id: RepairId) -> list[RepairEntry]:
    """Return a repair's history, oldest first."""
    people = sa.and_(
        app_user.c.tenant_id == repair_entry.c.tenant_id, app_user.c.id == repair_entry.c.user_id
    )
    # What happened to this repair?
    rows = tx.conn.execute(
        sa.select(
            repair_entry.c.at_ms,
            repair_entry.c.act,
            repair_entry.c.state,
            repair_entry.c.value,
            repair_entry.c.text,
            repair_entry.c.user_id,
            app_user.c.display_name,
        )
        .select_from(repair_entry.outerjoin(app_user, people))
        .where(repair_entry.c.tenant_id == tx.tenant_id, repair_entry.c.repair_id == repair_id)
        .order_by(repair_entry.c.id)
    )
    return [
        RepairEntry(
            row.at_ms,
            RepairAct(row.act),
            RepairState(row.state),
            row.value,
            row.text,
            None if row.user_id is None else UserId(row.user_id),
            row.display_name or "",
        )
        for row in rows
    ]


def _clauses(wanted: RepairFilter) -> list[sa.ColumnElement[bool]]:
    clauses: list[sa.ColumnElement[bool]] = [repair.c.state.in_(_values(wanted.states))]
    if wanted.account_ids is not None:
        clauses.append(repair.c.account_id.in_(sorted(wanted.account_ids)))
    if wanted.assignee_id is not None:
        clauses.append(repair.c.assignee_id == wanted.assignee_id)
    if wanted.is_unassigned:
        clauses.append(repair.c.assignee_id.is_(None))
    if wanted.space_id is not None:
        clauses.append(repair.c.space_id == wanted.space_id)
    if wanted.equipment_id is not None:
        clauses.append(repair.c.equipment_id == wanted.equipment_id)
    return clauses


def _values(states: Collection[RepairState]) -> list[str]:
    return sorted(state.value for state in states)


def _select(tx: Tx) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [
        *(column for column in repair.columns if column.name not in ("tenant_id", "request_key")),
        space.c.code.label("space_code"),
        building.c.code.label("building_code"),
        _reporter.c.display_name.label("reporter_name"),
        _assignee.c.display_name.label("assignee_name"),
    ]
    joined = (
        repair.outerjoin(
            space, sa.and_(space.c.tenant_id == repair.c.tenant_id, space.c.id == repair.c.space_id)
        )
        .outerjoin(
            building, sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id)
        )
        .outerjoin(
            _reporter,
            sa.and_(_reporter.c.tenant_id == repair.c.tenant_id, _reporter.c.id == repair.c.reported_by),
        )
        .outerjoin(
            _assignee,
            sa.and_(_assignee.c.tenant_id == repair.c.tenant_id, _assignee.c.id == repair.c.assignee_id),
        )
    )
    return sa.select(*columns).select_from(joined).where(repair.c.tenant_id == tx.tenant_id)


def _from_row(row: Any) -> Repair:
    return Repair(
        RepairId(row.id),
        SiteId(row.site_id),
        row.number,
        RepairCategory(row.category),
        Urgency(row.urgency),
        Channel(row.channel),
        RepairState(row.state),
        row.description,
        row.place,
        None if row.space_id is None else SpaceId(row.space_id),
        row.space_code or "",
        row.building_code or "",
        None if row.account_id is None else AccountId(row.account_id),
        None if row.equipment_id is None else EquipmentId(row.equipment_id),
        None if row.alarm_id is None else AlarmId(row.alarm_id),
        None if row.reported_by is None else UserId(row.reported_by),
        row.reporter_name or "",
        None if row.assignee_id is None else UserId(row.assignee_id),
        row.assignee_name or "",
        row.wanted_at_ms,
        row.started_at_ms,
        row.reported_at_ms,
        row.accepted_at_ms,
        row.done_at_ms,
        row.waiting_since_ms,
        row.waited_ms,
        row.reopen_count,
        row.escalation_level,
        Quote(QuoteState(row.quote_state), row.quote_fen, row.quote_text),
        row.rating,
        row.rating_text,
    )
