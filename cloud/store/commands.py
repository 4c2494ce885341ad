"""Commands: asked for, sent once, and what became of them. A state moves only along `TRANSITIONS`."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud.domain.command import BoxSignature, CommandStep, IssuedCommand, Purpose
from cloud.domain.ids import CommandId, GatewayId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import app_user, command, command_step, device, gateway, gateway_certificate
from protocol.command import FINAL_STATES, TRANSITIONS, Action, CommandState, SignedResult


def lock_gateway(tx: Tx, gateway_id: GatewayId) -> None:
    """Let nobody else number a command to this gateway until the transaction ends."""
    # Take the gateway's row: one command at a time gets a number.
    tx.conn.execute(
        sa.select(gateway.c.id)
        .where(gateway.c.tenant_id == tx.tenant_id, gateway.c.id == gateway_id)
        .with_for_update()
    ).one()


def insert_command(
    tx: Tx,
    site_id: SiteId,
    gateway_id: GatewayId,
    device_code: str,
    action: Action,
    parameters: Mapping[str, str],
    purpose: Purpose,
    reason: str,
    actor_id: UserId,
) -> CommandId:
    """Add a command as requested; the caller holds the gateway's lock."""
    # What is the highest number given to this gateway?
    highest = tx.conn.execute(
        sa.select(sa.func.coalesce(sa.func.max(command.c.counter), 0)).where(
            command.c.tenant_id == tx.tenant_id, command.c.gateway_id == gateway_id
        )
    ).scalar_one()
    command_id = CommandId(tx.new_id())
    # Add one command.
    tx.conn.execute(
        tx.insert(command).values(
            tenant_id=tx.tenant_id,
            id=command_id,
            site_id=site_id,
            gateway_id=gateway_id,
            device_code=device_code,
            action=action.value,
            parameters=dict(parameters),
            purpose=purpose.value,
            reason=reason,
            actor_id=actor_id,
            # From the time on, so that a cloud restored from a backup goes on above what it had given.
            counter=max(highest + 1, tx.now_ms),
            state=CommandState.REQUESTED.value,
            detail="",
            requested_at_ms=tx.now_ms,
        )
    )
    _insert_step(tx, command_id, CommandState.REQUESTED, reason, None)
    return command_id


def move(
    tx: Tx,
    command_id: CommandId,
    state: CommandState,
    detail: str,
    by_edge_at_ms: int | None = None,
    signed: SignedResult | None = None,
) -> bool:
    """Move a command on; False if its state does not lead there, and then nothing is written."""
    sources = [source.value for source, targets in TRANSITIONS.items() if state in targets]
    changed: dict[str, Any] = {"state": state.value, "detail": detail}
    if state is CommandState.SENT:
        changed["sent_at_ms"] = tx.now_ms
    if state in FINAL_STATES:
        changed["ended_at_ms"] = tx.now_ms
    # Move one command on, from a state that leads there.
    moved = tx.conn.execute(
        sa.update(command)
        .where(
            command.c.tenant_id == tx.tenant_id,
            command.c.id == command_id,
            command.c.state.in_(sources),
        )
        .values(**changed)
    ).rowcount
    if moved:
        _insert_step(tx, command_id, state, detail, by_edge_at_ms, signed)
    return bool(moved)


def find_command(tx: Tx, command_id: CommandId) -> IssuedCommand | None:
    """Return one command, or None."""
    # Which command is this?
    row = tx.conn.execute(_select(tx).where(command.c.id == command_id)).one_or_none()
    return None if row is None else _from_row(row)


def list_commands(
    tx: Tx, site_id: SiteId | None, before: tuple[int, str] | None, limit: int, device_code: str | None = None
) -> list[IssuedCommand]:
    """Return commands, the last asked for first."""
    query = _select(tx)
    if site_id is not None:
        query = query.where(command.c.site_id == site_id)
    if device_code is not None:
        query = query.where(command.c.device_code == device_code)
    if before is not None:
        query = query.where(sa.tuple_(command.c.requested_at_ms, command.c.id) < before)
    # What was asked for lately?
    rows = tx.conn.execute(query.order_by(command.c.requested_at_ms.desc(), command.c.id.desc()).limit(limit))
    return [_from_row(row) for row in rows]


def in_states(
    tx: Tx, states: Collection[CommandState], gateway_id: GatewayId | None = None
) -> list[IssuedCommand]:
    """Return the commands that stand in any of `states`, in the order of their numbers."""
    query = _select(tx).where(command.c.state.in_(sorted(state.value for state in states)))
    if gateway_id is not None:
        query = query.where(command.c.gateway_id == gateway_id)
    # Which commands have not ended?
    rows = tx.conn.execute(query.order_by(command.c.gateway_id, command.c.counter))
    return [_from_row(row) for row in rows]


def steps_of(tx: Tx, command_id: CommandId) -> list[CommandStep]:
    """Return the life of a command, oldest first."""
    certificate = (
        sa.select(gateway_certificate.c.pem)
        .where(
            gateway_certificate.c.tenant_id == command_step.c.tenant_id,
            gateway_certificate.c.gateway_id == command.c.gateway_id,
            gateway_certificate.c.key_hash == command_step.c.key_hash,
        )
        .order_by(gateway_certificate.c.not_before_ms.desc())
        .limit(1)
        .scalar_subquery()
        .label("certificate_pem")
    )
    # What happened to this command, and who signed for it?
    rows = tx.conn.execute(
        sa.select(command_step, certificate)
        .join(
            command,
            sa.and_(
                command.c.tenant_id == command_step.c.tenant_id, command.c.id == command_step.c.command_id
            ),
        )
        .where(command_step.c.tenant_id == tx.tenant_id, command_step.c.command_id == command_id)
        .order_by(command_step.c.step_no)
    )
    return [
        CommandStep(
            row.at_ms, CommandState(row.state), row.detail, row.by_edge_at_ms, _signature_from_row(row)
        )
        for row in rows
    ]


def _signature_from_row(row: Any) -> BoxSignature | None:
    if row.statement is None:
        return None
    return BoxSignature(row.statement, row.signature, row.key_hash, row.certificate_pem)


def _insert_step(
    tx: Tx,
    command_id: CommandId,
    state: CommandState,
    detail: str,
    by_edge_at_ms: int | None,
    signed: SignedResult | None = None,
) -> None:
    # How many steps has it had?
    steps = tx.conn.execute(
        sa.select(sa.func.count()).where(
            command_step.c.tenant_id == tx.tenant_id, command_step.c.command_id == command_id
        )
    ).scalar_one()
    # Add one step.
    tx.conn.execute(
        tx.insert(command_step).values(
            tenant_id=tx.tenant_id,
            command_id=command_id,
            step_no=steps + 1,
            at_ms=tx.now_ms,
            state=state.value,
            detail=detail,
            by_edge_at_ms=by_edge_at_ms,
            **({} if signed is None else msgspec.structs.asdict(signed)),
        )
    )


def _select(tx: Tx) -> sa.Select[Any]:
    title = sa.func.coalesce(device.c.title, command.c.device_code).label("device_title")
    columns: list[sa.ColumnElement[Any]] = [*command.c, title, app_user.c.display_name.label("actor_name")]
    return (
        sa.select(*columns)
        .join(
            app_user,
            sa.and_(app_user.c.tenant_id == command.c.tenant_id, app_user.c.id == command.c.actor_id),
        )
        .join(
            device,
            sa.and_(
                device.c.tenant_id == command.c.tenant_id,
                device.c.gateway_id == command.c.gateway_id,
                device.c.code == command.c.device_code,
            ),
            isouter=True,
        )
        .where(command.c.tenant_id == tx.tenant_id)
    )


def _from_row(row: Any) -> IssuedCommand:
    return IssuedCommand(
        CommandId(row.id),
        SiteId(row.site_id),
        GatewayId(row.gateway_id),
        row.device_code,
        row.device_title,
        Action(row.action),
        row.parameters,
        Purpose(row.purpose),
        row.reason,
        UserId(row.actor_id),
        row.actor_name,
        row.counter,
        CommandState(row.state),
        row.detail,
        row.requested_at_ms,
        row.sent_at_ms,
        row.ended_at_ms,
    )
