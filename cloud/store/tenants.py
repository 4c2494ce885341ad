"""Tenants: the companies whose data never meets."""

import sqlalchemy as sa

from cloud.domain.company import Company
from cloud.domain.ids import TenantId
from cloud.store.db import Tx
from cloud.store.schema import tenant


def add_tenant(tx: Tx, code: str, name: str) -> bool:
    """Add the transaction's own tenant; False if it is there."""
    # Make sure that there is a row all others of this tenant can refer to.
    statement = (
        tx.insert(tenant)
        .values(tenant_id=tx.tenant_id, code=code, name=name, created_at_ms=tx.now_ms)
        .on_conflict_do_nothing()
    )
    return tx.conn.execute(statement).rowcount == 1


def list_tenants(tx: Tx) -> list[TenantId]:
    """Return every tenant: for the jobs, which go through them one by one."""
    # Whose days are we to look after?
    return [TenantId(row.tenant_id) for row in tx.conn.execute(sa.select(tenant.c.tenant_id))]


def name_of(tx: Tx) -> str:
    """Return what the transaction's own tenant is called; nothing if it has no name."""
    # What is this company called?
    named = tx.conn.execute(sa.select(tenant.c.name).where(tenant.c.tenant_id == tx.tenant_id))
    return named.scalar_one_or_none() or ""


def list_companies(tx: Tx) -> list[Company]:
    """Return every company by its number; for finding where somebody signs in, and for who runs it all."""
    # Which companies are there?
    rows = tx.conn.execute(
        sa.select(tenant.c.tenant_id, tenant.c.code, tenant.c.name, tenant.c.created_at_ms).order_by(
            tenant.c.tenant_id
        )
    )
    return [Company(TenantId(row.tenant_id), row.code, row.name, row.created_at_ms) for row in rows]


def rename(tx: Tx, name: str) -> None:
    """Call the transaction's own tenant so from now on."""
    # The company has another name.
    tx.conn.execute(sa.update(tenant).where(tenant.c.tenant_id == tx.tenant_id).values(name=name))
