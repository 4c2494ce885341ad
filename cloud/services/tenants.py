"""Beginning a company: the row everything else of it refers to."""

from cloud.domain.ids import TenantId
from cloud.store import tenants
from cloud.store.db import Tx


def ensure_tenant(tx: Tx, code: str = "main", name: str = "") -> bool:
    """Add the transaction's tenant if it is not there yet; tell whether it was added."""
    return tenants.add_tenant(tx, code, name)


def list_tenants(tx: Tx) -> list[TenantId]:
    """Return every tenant; for the cloud's own jobs alone, which go through them one by one."""
    return tenants.list_tenants(tx)
