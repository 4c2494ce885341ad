"""Configurations of gateways: drafts, sent ones, outcomes. A state moves only along `TRANSITIONS`."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.configuration import Configuration, ConfigurationStep
from cloud.domain.ids import GatewayId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import app_user, configuration, configuration_step, gateway
from protocol.configuration import TRANSITIONS, WATCH_S_USUAL, ConfigurationState
from provisioning.document import Document


def insert_configuration(
    tx: Tx,
    gateway_id: GatewayId,
    number: int,
    state: ConfigurationState,
    document: Document,
    note: str,
    based_on: int | None,
    author_id: UserId | None,
) -> str:
    """Add a configuration; the caller holds the gateway's lock."""
    configuration_id = tx.new_id()
    # Add one configuration.
    tx.conn.execute(
        tx.insert(configuration).values(
            tenant_id=tx.tenant_id,
            id=configuration_id,
            gateway_id=gateway_id,
            number=number,
            state=state.value,
            body=document.text,
            profiles=dict(document.profiles),
            digest=document.digest(),
            note=note,
            watch_s=WATCH_S_USUAL,
            based_on=based_on,
            author_id=author_id,
            created_at_ms=tx.now_ms,
            changed_at_ms=tx.now_ms,
        )
    )
    insert_step(tx, configuration_id, state, (), author_id, None)
    return configuration_id


def set_draft(tx: Tx, configuration_id: str, document: Document, note: str) -> bool:
    """Replace what a draft says; False if it is no draft any more."""
    # Write a draft anew.
    return bool(
        tx.conn.execute(
            sa.update(configuration)
            .where(
                configuration.c.tenant_id == tx.tenant_id,
                configuration.c.id == configuration_id,
                configuration.c.state == ConfigurationState.DRAFT.value,
            )
            .values(
                body=document.text,
                profiles=dict(document.profiles),
                digest=document.digest(),
                note=note,
                changed_at_ms=tx.now_ms,
            )
        ).rowcount
    )


def move(
    tx: Tx,
    configuration_id: str,
    state: ConfigurationState,
    reasons: Collection[str] = (),
    *,
    actor_id: UserId | None = None,
    by_edge_at_ms: int | None = None,
    watch_s: int | None = None,
) -> bool:
    """Move a configuration on; False if its state does not lead there, and then nothing is written."""
    sources = [source.value for source, targets in TRANSITIONS.items() if state in targets]
    changed: dict[str, Any] = {"state": state.value, "changed_at_ms": tx.now_ms}
    if watch_s is not None:
        changed["watch_s"] = watch_s
    # Move one configuration on, from a state that leads there.
    moved = tx.conn.execute(
        sa.update(configuration)
        .where(
            configuration.c.tenant_id == tx.tenant_id,
            configuration.c.id == configuration_id,
            configuration.c.state.in_(sources),
        )
        .values(**changed)
    ).rowcount
    if moved:
        insert_step(tx, configuration_id, state, reasons, actor_id, by_edge_at_ms)
    return bool(moved)


def find_configuration(tx: Tx, configuration_id: str) -> Configuration | None:
    """Return one configuration, or None."""
    # Which configuration is this?
    row = tx.conn.execute(_select(tx).where(configuration.c.id == configuration_id)).one_or_none()
    return None if row is None else _from_row(tx, row)


def find_number(tx: Tx, gateway_id: GatewayId, number: int) -> Configuration | None:
    """Return a gateway's configuration of that number, or None."""
    # What is number so-and-so?
    row = tx.conn.execute(
        _select(tx).where(configuration.c.gateway_id == gateway_id, configuration.c.number == number)
    ).one_or_none()
    return None if row is None else _from_row(tx, row)


# Has the gateway ever been seen to run, or been sent, this? Asked with every hello, so built once.
_IS_KNOWN = (
    sa.select(sa.literal(1))
    .where(
        configuration.c.tenant_id == sa.bindparam("of_tenant"),
        configuration.c.gateway_id == sa.bindparam("of_gateway"),
        configuration.c.digest == sa.bindparam("of_digest"),
        configuration.c.state != ConfigurationState.DRAFT.value,
    )
    .limit(1)
)


def is_known(tx: Tx, gateway_id: GatewayId, digest: str) -> bool:
    """Tell whether the gateway has a configuration with that digest that was not only written."""
    parameters = {"of_tenant": tx.tenant_id, "of_gateway": gateway_id, "of_digest": digest}
    return tx.conn.execute(_IS_KNOWN, parameters).first() is not None


def find_digest(tx: Tx, gateway_id: GatewayId, digest: str) -> Configuration | None:
    """Return the gateway's newest configuration with that digest that was not only written, or None."""
    # What is it that runs there?
    row = tx.conn.execute(
        _select(tx)
        .where(
            configuration.c.gateway_id == gateway_id,
            configuration.c.digest == digest,
            configuration.c.state != ConfigurationState.DRAFT.value,
        )
        .order_by(configuration.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _from_row(tx, row)


def list_configurations(
    tx: Tx, gateway_id: GatewayId, *, below: int | None = None, limit: int = 50
) -> list[Configuration]:
    """Return a gateway's configurations, the newest first."""
    query = _select(tx).where(configuration.c.gateway_id == gateway_id)
    if below is not None:
        query = query.where(configuration.c.number < below)
    # What has this gateway been told?
    rows = tx.conn.execute(query.order_by(configuration.c.number.desc()).limit(limit)).all()
    return [_from_row(tx, row) for row in rows]


# Does anything wait for the gateway that it has not had? Asked with every hello, so built once.
_WAITING_NUMBER = sa.select(sa.func.max(configuration.c.number)).where(
    configuration.c.tenant_id == sa.bindparam("of_tenant"),
    configuration.c.gateway_id == sa.bindparam("of_gateway"),
    configuration.c.number > sa.bindparam("above"),
    configuration.c.state == ConfigurationState.SENT.value,
)


def waiting_number(tx: Tx, gateway_id: GatewayId, above: int) -> int:
    """Return the number of the newest configuration sent to a gateway and above that; 0 if none is."""
    parameters = {"of_tenant": tx.tenant_id, "of_gateway": gateway_id, "above": above}
    return tx.conn.execute(_WAITING_NUMBER, parameters).scalar_one() or 0


def in_states(tx: Tx, gateway_id: GatewayId, states: Collection[ConfigurationState]) -> list[Configuration]:
    """Return a gateway's configurations that stand in any of `states`, the newest first."""
    # Which of them stand there?
    rows = tx.conn.execute(
        _select(tx)
        .where(
            configuration.c.gateway_id == gateway_id,
            configuration.c.state.in_(sorted(state.value for state in states)),
        )
        .order_by(configuration.c.number.desc())
    ).all()
    return [_from_row(tx, row) for row in rows]


def highest_number(tx: Tx, gateway_id: GatewayId) -> int:
    """Return the highest number given to the gateway; 0 before the first."""
    # What is the highest number?
    return int(
        tx.conn.execute(
            sa.select(sa.func.coalesce(sa.func.max(configuration.c.number), 0)).where(
                configuration.c.tenant_id == tx.tenant_id, configuration.c.gateway_id == gateway_id
            )
        ).scalar_one()
    )


def steps_of(tx: Tx, configuration_id: str) -> list[ConfigurationStep]:
    """Return the life of a configuration, oldest first."""
    # What happened to this configuration?
    rows = tx.conn.execute(
        sa.select(
            configuration_step.c.at_ms,
            configuration_step.c.state,
            configuration_step.c.reasons,
            configuration_step.c.by_edge_at_ms,
            sa.func.coalesce(app_user.c.display_name, "").label("actor_name"),
        )
        .join(
            app_user,
            sa.and_(
                app_user.c.tenant_id == configuration_step.c.tenant_id,
                app_user.c.id == configuration_step.c.actor_id,
            ),
            isouter=True,
        )
        .where(
            configuration_step.c.tenant_id == tx.tenant_id,
            configuration_step.c.configuration_id == configuration_id,
        )
        .order_by(configuration_step.c.step_no)
    )
    return [
        ConfigurationStep(
            row.at_ms, ConfigurationState(row.state), tuple(row.reasons), row.actor_name, row.by_edge_at_ms
        )
        for row in rows
    ]


def insert_step(
    tx: Tx,
    configuration_id: str,
    state: ConfigurationState,
    reasons: Collection[str],
    actor_id: UserId | None,
    by_edge_at_ms: int | None,
) -> None:
    """Add a step to the life of a configuration."""
    # How many steps has it had?
    steps = tx.conn.execute(
        sa.select(sa.func.count()).where(
            configuration_step.c.tenant_id == tx.tenant_id,
            configuration_step.c.configuration_id == configuration_id,
        )
    ).scalar_one()
    # Add one step.
    tx.conn.execute(
        tx.insert(configuration_step).values(
            tenant_id=tx.tenant_id,
            configuration_id=configuration_id,
            step_no=steps + 1,
            at_ms=tx.now_ms,
            state=state.value,
            reasons=list(reasons),
            actor_id=actor_id,
            by_edge_at_ms=by_edge_at_ms,
        )
    )


def _select(tx: Tx) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [
        *configuration.c,
        gateway.c.site_id,
        sa.func.coalesce(app_user.c.display_name, "").label("author_name"),
    ]
    return (
        sa.select(*columns)
        .join(
            gateway,
            sa.and_(
                gateway.c.tenant_id == configuration.c.tenant_id,
                gateway.c.id == configuration.c.gateway_id,
            ),
        )
        .join(
            app_user,
            sa.and_(
                app_user.c.tenant_id == configuration.c.tenant_id,
                app_user.c.id == configuration.c.author_id,
            ),
            isouter=True,
        )
        .where(configuration.c.tenant_id == tx.tenant_id)
    )


def _from_row(tx: Tx, row: Any) -> Configuration:
    return Configuration(
        row.id,
        GatewayId(row.gateway_id),
        SiteId(row.site_id),
        row.number,
        ConfigurationState(row.state),
        Document(row.body, row.profiles),
        row.digest,
        row.note,
        row.watch_s,
        row.based_on,
        None if row.author_id is None else UserId(row.author_id),
        row.author_name,
        row.created_at_ms,
        row.changed_at_ms,
        _last_reasons(tx, row.id),
    )


def _last_reasons(tx: Tx, configuration_id: str) -> tuple[str, ...]:
    # What was said with the last step?
    row: Sequence[Any] | None = tx.conn.execute(
        sa.select(configuration_step.c.reasons)
        .where(
            configuration_step.c.tenant_id == tx.tenant_id,
            configuration_step.c.configuration_id == configuration_id,
        )
        .order_by(configuration_step.c.step_no.desc())
        .limit(1)
    ).one_or_none()
    return () if row is None else tuple(row[0])
