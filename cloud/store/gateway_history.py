"""What happened to a gateway, gathered from where each thing is written down; nothing is kept twice.

Each function returns the newest happenings of one subject up to an instant, newest first, in one fixed order.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from cloud.domain.gateway import BlockState
from cloud.domain.gateway_history import Happening, Subject
from cloud.domain.ids import GatewayId
from cloud.store.db import Tx
from cloud.store.schema import (
    alarm,
    alarm_entry,
    app_user,
    audit_entry,
    command,
    command_step,
    configuration,
    configuration_step,
    event,
    gateway_certificate,
    ingest_block,
    ingest_problem,
    ingest_stream,
)
from protocol.command import COMMAND_RESULT
from protocol.event import EventState

# Whose certificate it was is told by the certificate itself.
_TOLD_ELSEWHERE = ("renew_gateway",)


def _alarms(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    # When was the box itself silent, without room, or out of time?
    rows = tx.conn.execute(
        sa.select(alarm_entry.c.at_ms, alarm_entry.c.kind, alarm.c.kind.label("about"), alarm.c.id, _name())
        .select_from(
            alarm_entry.join(
                alarm,
                sa.and_(alarm.c.tenant_id == alarm_entry.c.tenant_id, alarm.c.id == alarm_entry.c.alarm_id),
            ).outerjoin(app_user, _is_user(alarm_entry.c.tenant_id, alarm_entry.c.user_id))
        )
        .where(
            alarm.c.tenant_id == tx.tenant_id,
            alarm.c.gateway_id == gateway_id,
            alarm.c.point_key == "",
            alarm_entry.c.at_ms <= until_ms,
        )
        .order_by(alarm_entry.c.at_ms.desc(), alarm_entry.c.id.desc())
        .limit(limit)
    )
    found = [
        Happening(row.at_ms, Subject.ALARM, row.kind, row.about, who=row.who, reference=row.id)
        for row in rows
    ]
    # What did it say of itself: that it was started, that it acted by itself?
    said = tx.conn.execute(
        sa.select(event.c.occurred_at_ms, event.c.kind, event.c.message)
        .where(
            event.c.tenant_id == tx.tenant_id,
            event.c.gateway_id == gateway_id,
            event.c.point_key == "",
            event.c.state == EventState.OCCURRED.value,
            event.c.kind != COMMAND_RESULT,
            event.c.occurred_at_ms <= until_ms,
        )
        .order_by(event.c.occurred_at_ms.desc(), event.c.id.desc())
        .limit(limit)
    )
    return found + [Happening(row.occurred_at_ms, Subject.ALARM, "", row.kind, row.message) for row in said]


def _commands(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    # What was asked of its devices, and what came of it?
    rows = tx.conn.execute(
        sa.select(
            command_step.c.at_ms,
            command_step.c.state,
            command_step.c.detail,
            command.c.id,
            command.c.action,
            command.c.device_code,
            _name(),
        )
        .select_from(
            command_step.join(
                command,
                sa.and_(
                    command.c.tenant_id == command_step.c.tenant_id, command.c.id == command_step.c.command_id
                ),
            ).outerjoin(app_user, _is_user(command.c.tenant_id, command.c.actor_id))
        )
        .where(
            command.c.tenant_id == tx.tenant_id,
            command.c.gateway_id == gateway_id,
            command_step.c.at_ms <= until_ms,
        )
        .order_by(command_step.c.at_ms.desc(), command.c.id.desc(), command_step.c.step_no.desc())
        .limit(limit)
    )
    return [
        Happening(
            row.at_ms,
            Subject.COMMAND,
            row.state,
            f"{row.action} {row.device_code}",
            row.detail,
            row.who if row.state == "requested" else "",
            row.id,
        )
        for row in rows
    ]


def _configurations(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    # Which configurations did it get, and what did it make of them?
    rows = tx.conn.execute(
        sa.select(
            configuration_step.c.at_ms,
            configuration_step.c.state,
            configuration_step.c.reasons,
            configuration.c.number,
            configuration.c.note,
            _name(),
        )
        .select_from(
            configuration_step.join(
                configuration,
                sa.and_(
                    configuration.c.tenant_id == configuration_step.c.tenant_id,
                    configuration.c.id == configuration_step.c.configuration_id,
                ),
            ).outerjoin(app_user, _is_user(configuration_step.c.tenant_id, configuration_step.c.actor_id))
        )
        .where(
            configuration.c.tenant_id == tx.tenant_id,
            configuration.c.gateway_id == gateway_id,
            configuration_step.c.at_ms <= until_ms,
        )
        .order_by(
            configuration_step.c.at_ms.desc(),
            configuration.c.number.desc(),
            configuration_step.c.step_no.desc(),
        )
        .limit(limit)
    )
    return [
        Happening(
            row.at_ms,
            Subject.CONFIGURATION,
            row.state,
            str(row.number),
            "; ".join(row.reasons) or row.note,
            row.who,
            str(row.number),
        )
        for row in rows
    ]


def _identity(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    # Which certificates did it get?
    issued = tx.conn.execute(
        sa.select(gateway_certificate.c.issued_at_ms, gateway_certificate.c.serial)
        .where(
            gateway_certificate.c.tenant_id == tx.tenant_id,
            gateway_certificate.c.gateway_id == gateway_id,
            gateway_certificate.c.issued_at_ms <= until_ms,
        )
        .order_by(gateway_certificate.c.issued_at_ms.desc(), gateway_certificate.c.serial)
        .limit(limit)
    )
    found = [Happening(at_ms, Subject.IDENTITY, "certificate", serial) for at_ms, serial in issued]
    # What did people do to it, and what was refused to whom?
    acts = tx.conn.execute(
        sa.select(audit_entry.c.at_ms, audit_entry.c.action, audit_entry.c.detail, _name())
        .select_from(
            audit_entry.outerjoin(app_user, _is_user(audit_entry.c.tenant_id, audit_entry.c.user_id))
        )
        .where(
            audit_entry.c.tenant_id == tx.tenant_id,
            audit_entry.c.subject_kind == "gateway",
            audit_entry.c.subject_id == gateway_id,
            audit_entry.c.action.not_in(_TOLD_ELSEWHERE),
            audit_entry.c.at_ms <= until_ms,
        )
        .order_by(audit_entry.c.at_ms.desc(), audit_entry.c.id.desc())
        .limit(limit)
    )
    return found + [
        Happening(row.at_ms, Subject.IDENTITY, row.action, detail=_why(row.detail), who=row.who)
        for row in acts
    ]


def _losses(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    # What did it give up before it could be sent?
    rows = tx.conn.execute(
        sa.select(
            ingest_block.c.received_at_ms,
            ingest_block.c.stream,
            sa.func.sum(ingest_block.c.row_count).label("rows"),
        )
        .where(
            ingest_block.c.tenant_id == tx.tenant_id,
            ingest_block.c.gateway_id == gateway_id,
            ingest_block.c.state == BlockState.LOST.value,
            ingest_block.c.received_at_ms <= until_ms,
        )
        .group_by(ingest_block.c.received_at_ms, ingest_block.c.stream)
        .order_by(ingest_block.c.received_at_ms.desc(), ingest_block.c.stream)
        .limit(limit)
    )
    return [
        Happening(row.received_at_ms, Subject.LOSS, "lost", row.stream, rows=int(row.rows)) for row in rows
    ]


def _quarantine(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    # What could not be taken?
    rows = tx.conn.execute(
        sa.select(
            ingest_problem.c.received_at_ms,
            ingest_problem.c.code,
            ingest_problem.c.stream,
            ingest_problem.c.detail,
        )
        .where(
            ingest_problem.c.tenant_id == tx.tenant_id,
            ingest_problem.c.gateway_id == gateway_id,
            ingest_problem.c.received_at_ms <= until_ms,
        )
        .order_by(ingest_problem.c.received_at_ms.desc(), ingest_problem.c.id.desc())
        .limit(limit)
    )
    return [
        Happening(row.received_at_ms, Subject.QUARANTINE, row.code, row.stream, row.detail) for row in rows
    ]


def _stores(tx: Tx, gateway_id: GatewayId, until_ms: int, limit: int) -> list[Happening]:
    first_ms = sa.func.min(ingest_stream.c.first_received_at_ms)
    # When did it begin to number anew: a new box, a damaged store, an old copy of itself?
    rows = tx.conn.execute(
        sa.select(first_ms.label("at_ms"), ingest_stream.c.epoch)
        .where(ingest_stream.c.tenant_id == tx.tenant_id, ingest_stream.c.gateway_id == gateway_id)
        .group_by(ingest_stream.c.epoch)
        .having(first_ms <= until_ms)
        .order_by(first_ms.desc(), ingest_stream.c.epoch.desc())
        .limit(limit)
    )
    return [Happening(row.at_ms, Subject.STORE, "begun", str(row.epoch)) for row in rows]


_Source = Callable[[Tx, GatewayId, int, int], list[Happening]]

_SOURCES: Mapping[Subject, _Source] = MappingProxyType(
    {
        Subject.ALARM: _alarms,
        Subject.COMMAND: _commands,
        Subject.CONFIGURATION: _configurations,
        Subject.IDENTITY: _identity,
        Subject.LOSS: _losses,
        Subject.QUARANTINE: _quarantine,
        Subject.STORE: _stores,
    }
)


def happenings(tx: Tx, gateway_id: GatewayId, subject: Subject, until_ms: int, limit: int) -> list[Happening]:
    """Return what happened to a gateway of one subject up to an instant, newest first."""
    return _SOURCES[subject](tx, gateway_id, until_ms, limit)


def _name() -> sa.Label[str]:
    return sa.func.coalesce(app_user.c.display_name, "").label("who")


def _is_user(tenant_id: sa.ColumnElement[Any], user_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(app_user.c.tenant_id == tenant_id, app_user.c.id == user_id)


def _why(detail: Mapping[str, object]) -> str:
    return " ".join(str(detail[name]) for name in ("reason", "doubt", "from") if detail.get(name))
