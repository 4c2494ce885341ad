"""Gateways: slots, and what their boxes last said of themselves."""

from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud.domain.gateway import Doubt, Gateway, GatewayHealth, GatewayIdentity, GatewayPaper, state_at
from cloud.domain.ids import GatewayId, SiteId, TenantId
from cloud.store.db import Tx
from cloud.store.schema import device, gateway, gateway_identity, ingest_problem, point
from protocol.greeting import Hello


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a box, and whether anybody may speak for it."""

    identity: GatewayIdentity
    is_enabled: bool
    last_seen_at_ms: int | None


SLOT_COLUMNS = (gateway.c.site_id, gateway.c.code, gateway.c.enabled, gateway.c.last_seen_at_ms)
# Asked and said with every batch, so built once: building a statement costs as much as running it.
# Whose place is this?
_FIND_SLOT = sa.select(*SLOT_COLUMNS).where(
    gateway.c.tenant_id == sa.bindparam("of_tenant"), gateway.c.id == sa.bindparam("of_gateway")
)
# The gateway is there.
_TOUCH = (
    sa.update(gateway)
    .where(
        gateway.c.tenant_id == sa.bindparam("of_tenant"),
        gateway.c.id == sa.bindparam("of_gateway"),
        sa.func.coalesce(gateway.c.last_seen_at_ms, 0) < sa.bindparam("now_ms"),
    )
    .values(last_seen_at_ms=sa.bindparam("now_ms"))
)
# Replace a gateway's health.
_SET_HELLO = (
    sa.update(gateway)
    .where(gateway.c.tenant_id == sa.bindparam("of_tenant"), gateway.c.id == sa.bindparam("of_gateway"))
    .values(
        hello=sa.bindparam("said"),
        hello_at_ms=sa.bindparam("now_ms"),
        last_seen_at_ms=sa.bindparam("now_ms"),
    )
)


def find_slot(tx: Tx, gateway_id: GatewayId) -> Slot | None:
    """Return a slot, or None."""
    row = tx.conn.execute(_FIND_SLOT, {"of_tenant": tx.tenant_id, "of_gateway": gateway_id}).one_or_none()
    return None if row is None else slot_from_row(tx, gateway_id, row)


def slot_from_row(tx: Tx, gateway_id: GatewayId, row: Any) -> Slot:
    """Return the slot a row with `SLOT_COLUMNS` tells of."""
    identity = GatewayIdentity(TenantId(tx.tenant_id), gateway_id, SiteId(row.site_id), row.code)
    return Slot(identity, row.enabled, row.last_seen_at_ms)


def insert_gateway(tx: Tx, site_id: SiteId, code: str, name: str) -> GatewayId | None:
    """Add a slot; None if the site has one of that code."""
    gateway_id = GatewayId(tx.new_id())
    # Add one slot, unless the code is taken.
    added = tx.conn.execute(
        tx.insert(gateway)
        .values(
            tenant_id=tx.tenant_id,
            id=gateway_id,
            site_id=site_id,
            code=code,
            name=name,
            enabled=True,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "site_id", "code"])
    ).rowcount
    return gateway_id if added else None


def touch_gateway(tx: Tx, gateway_id: GatewayId) -> None:
    """Note that the gateway has just been heard of; never backwards."""
    tx.conn.execute(_TOUCH, {"of_tenant": tx.tenant_id, "of_gateway": gateway_id, "now_ms": tx.now_ms})


def set_hello(tx: Tx, gateway_id: GatewayId, hello: Hello) -> None:
    """Keep what the gateway says of itself."""
    tx.conn.execute(
        _SET_HELLO,
        {
            "of_tenant": tx.tenant_id,
            "of_gateway": gateway_id,
            "said": msgspec.to_builtins(hello),
            "now_ms": tx.now_ms,
        },
    )


def find_gateway(tx: Tx, gateway_id: GatewayId) -> Gateway | None:
    """Return one gateway with its state now, or None."""
    found = _gateways(tx, gateway.c.id == gateway_id)
    return found[0] if found else None


def find_by_code(tx: Tx, site_id: SiteId, code: str) -> Gateway | None:
    """Return a site's gateway by its code, or None."""
    found = _gateways(tx, sa.and_(gateway.c.site_id == site_id, gateway.c.code == code))
    return found[0] if found else None


def list_gateways(tx: Tx, site_id: SiteId | None = None) -> list[Gateway]:
    """Return a site's gateways, or the tenant's, by code, with their state now."""
    return _gateways(tx, sa.true() if site_id is None else gateway.c.site_id == site_id)


def _gateways(tx: Tx, which: sa.ColumnElement[bool]) -> list[Gateway]:
    def count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        return (
            sa.select(sa.func.count())
            .select_from(table)
            .where(table.c.tenant_id == tx.tenant_id, table.c.gateway_id == gateway.c.id, *conditions)
            .scalar_subquery()
        )

    # Which gateways are there, how are they, and how much hangs on them?
    rows = tx.conn.execute(
        sa.select(
            gateway.c.id,
            gateway.c.site_id,
            gateway.c.code,
            gateway.c.name,
            gateway.c.enabled,
            gateway.c.last_seen_at_ms,
            gateway.c.hello,
            gateway.c.hello_at_ms,
            count(device).label("device_count"),
            count(point).label("point_count"),
            count(ingest_problem, ingest_problem.c.settled_at_ms.is_(None)).label("problem_count"),
            gateway_identity.c.serial,
            gateway_identity.c.newest_ms,
            gateway_identity.c.expires_at_ms,
            gateway_identity.c.doubt,
            gateway_identity.c.doubted_at_ms,
        )
        .select_from(
            gateway.outerjoin(
                gateway_identity,
                sa.and_(
                    gateway_identity.c.tenant_id == gateway.c.tenant_id,
                    gateway_identity.c.gateway_id == gateway.c.id,
                ),
            )
        )
        .where(gateway.c.tenant_id == tx.tenant_id, which)
        .order_by(gateway.c.code, gateway.c.id)
    )
    return [_gateway_from_row(row, tx.now_ms) for row in rows]


def _gateway_from_row(row: sa.Row[Any], now_ms: int) -> Gateway:
    health = None
    if row.hello is not None:
        hello = msgspec.convert(row.hello, Hello)
        health = GatewayHealth(
            row.hello_at_ms,
            hello.agent_version,
            hello.config_version,
            hello.clock_quality,
            hello.backlog_rows,
            hello.oldest_row_at_ms,
            hello.devices_online,
            hello.devices_offline,
            hello.configuration,
            hello.configuration_highest,
            None if hello.sent_at_ms is None else hello.sent_at_ms - row.hello_at_ms,
            hello.storage_fault,
        )
    return Gateway(
        GatewayId(row.id),
        SiteId(row.site_id),
        row.code,
        row.name,
        state_at(now_ms, enabled=row.enabled, last_seen_at_ms=row.last_seen_at_ms),
        row.last_seen_at_ms,
        health,
        row.device_count,
        row.point_count,
        row.problem_count,
        _paper_from_row(row),
    )


def _paper_from_row(row: sa.Row[Any]) -> GatewayPaper | None:
    if row.serial is None:
        return None
    doubt = None if row.doubt is None else Doubt(row.doubt)
    return GatewayPaper(row.serial, row.newest_ms, row.expires_at_ms, doubt, row.doubted_at_ms)
