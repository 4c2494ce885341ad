"""Events as gateways sent them: append-only, named by gateway, epoch and number."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import EventId, GatewayId, SeriesId, SiteId
from cloud.domain.overview import EventLine
from cloud.store.db import Tx
from cloud.store.schema import device, event, gateway, point
from protocol.event import Event, EventState, Severity

# Add one event.
_INSERT_EVENT = sa.insert(event)
# Has the end (or the next beginning) of this condition come in before this event?
_NEXT_OF_CONDITION = (
    sa.select(event.c.id, event.c.occurred_at_ms)
    .where(
        event.c.tenant_id == sa.bindparam("of_tenant"),
        event.c.gateway_id == sa.bindparam("of_gateway"),
        event.c.point_key == sa.bindparam("at_key"),
        event.c.kind == sa.bindparam("of_kind"),
        event.c.state == sa.bindparam("in_state"),
        sa.tuple_(event.c.epoch, event.c.seq)
        > sa.tuple_(
            sa.bindparam("after_epoch", type_=sa.BigInteger), sa.bindparam("after_seq", type_=sa.BigInteger)
        ),
    )
    .order_by(event.c.epoch, event.c.seq)
    .limit(1)
)


def insert_event(
    tx: Tx, gateway_id: GatewayId, epoch: int, seq: int, series_id: SeriesId | None, happened: Event
) -> EventId:
    """Keep an event; its number is known to be free."""
    event_id = EventId(tx.new_id())
    parameters = {
        "tenant_id": tx.tenant_id,
        "id": event_id,
        "gateway_id": gateway_id,
        "epoch": epoch,
        "seq": seq,
        "kind": happened.kind,
        "state": happened.state.value,
        "severity": int(happened.severity),
        "point_key": happened.point_key,
        "series_id": series_id,
        "occurred_at_ms": happened.occurred_at_ms,
        "received_at_ms": tx.now_ms,
        "message": happened.message,
        "rule_id": happened.rule_id,
        "value_micro": happened.value_micro,
        "is_historical": happened.is_historical,
        "attributes": dict(happened.attributes),
        "has_evidence": happened.evidence is not None,
    }
    tx.conn.execute(_INSERT_EVENT, parameters)
    return event_id


def own_acts(
    tx: Tx, gateway_id: GatewayId, kind: str, since_ms: int, device_code: str | None, limit: int
) -> list[tuple[int, Mapping[str, str], str]]:
    """Return what a box did by itself since, the last first: when, what it told of it, in which words."""
    conditions = [
        event.c.tenant_id == tx.tenant_id,
        event.c.gateway_id == gateway_id,
        event.c.kind == kind,
        event.c.occurred_at_ms >= since_ms,
    ]
    if device_code is not None:
        # "0" follows "/": all points of one device, by the index.
        conditions += [event.c.point_key >= f"{device_code}/", event.c.point_key < f"{device_code}0"]
    # What did this box do by itself?
    rows = tx.conn.execute(
        sa.select(event.c.occurred_at_ms, event.c.attributes, event.c.message)
        .where(*conditions)
        .order_by(event.c.occurred_at_ms.desc(), event.c.id.desc())
        .limit(limit)
    )
    return [(row.occurred_at_ms, row.attributes, row.message) for row in rows]


def next_of_condition(
    tx: Tx, gateway_id: GatewayId, epoch: int, seq: int, happened: Event, state: EventState
) -> tuple[EventId, int] | None:
    """Return id and time of the first event after this one that gives the same condition `state`, or None."""
    parameters = {
        "of_tenant": tx.tenant_id,
        "of_gateway": gateway_id,
        "at_key": happened.point_key,
        "of_kind": happened.kind,
        "in_state": state.value,
        "after_epoch": epoch,
        "after_seq": seq,
    }
    row = tx.conn.execute(_NEXT_OF_CONDITION, parameters).one_or_none()
    return None if row is None else (EventId(row.id), row.occurred_at_ms)


def list_events(
    tx: Tx, site_id: SiteId | None, before: tuple[int, str] | None, limit: int
) -> list[EventLine]:
    """Return events, the last that occurred first, those before the key `(occurred_at_ms, id)`."""
    conditions = [event.c.tenant_id == tx.tenant_id]
    if site_id is not None:
        conditions.append(gateway.c.site_id == site_id)
    if before is not None:
        conditions.append(sa.tuple_(event.c.occurred_at_ms, event.c.id) < before)
    # What happened lately?
    rows = tx.conn.execute(
        sa.select(
            event.c.id,
            event.c.kind,
            event.c.state,
            event.c.severity,
            event.c.point_key,
            device.c.title,
            event.c.occurred_at_ms,
            event.c.received_at_ms,
            event.c.message,
            event.c.is_historical,
        )
        .select_from(
            event.join(
                gateway,
                sa.and_(gateway.c.tenant_id == event.c.tenant_id, gateway.c.id == event.c.gateway_id),
            )
            .outerjoin(
                point,
                sa.and_(point.c.tenant_id == event.c.tenant_id, point.c.series_id == event.c.series_id),
            )
            .outerjoin(
                device, sa.and_(device.c.tenant_id == point.c.tenant_id, device.c.id == point.c.device_id)
            )
        )
        .where(*conditions)
        .order_by(event.c.occurred_at_ms.desc(), event.c.id.desc())
        .limit(limit)
    )
    return [_line_from_row(row) for row in rows]


def _line_from_row(row: Any) -> EventLine:
    return EventLine(
        row.id,
        row.kind,
        EventState(row.state),
        Severity(row.severity),
        row.point_key,
        row.title or row.point_key.partition("/")[0],
        row.occurred_at_ms,
        row.received_at_ms,
        row.message,
        row.is_historical,
    )
