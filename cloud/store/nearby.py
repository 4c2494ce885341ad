"""What is near a site."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import NearbyServiceId, SiteId
from cloud.domain.nearby import NearbyCategory, NearbySaid, NearbyService
from cloud.store.db import Tx
from cloud.store.schema import nearby_service

_N = nearby_service.c


def insert_service(tx: Tx, added: NearbyService) -> None:
    """Add a service to a site's directory."""
    # Add one nearby service.
    tx.conn.execute(
        tx.insert(nearby_service).values(
            tenant_id=tx.tenant_id, id=added.service_id, site_id=added.site_id, **_values(added.said)
        )
    )


def update_service(tx: Tx, service_id: NearbyServiceId, said: NearbySaid) -> None:
    """Say anew what a service is."""
    # Change one nearby service.
    tx.conn.execute(
        sa.update(nearby_service)
        .where(_N.tenant_id == tx.tenant_id, _N.id == service_id)
        .values(**_values(said))
    )


def delete_service(tx: Tx, service_id: NearbyServiceId) -> None:
    """Take a service out of the directory."""
    # Remove one nearby service.
    tx.conn.execute(sa.delete(nearby_service).where(_N.tenant_id == tx.tenant_id, _N.id == service_id))


def find_service(tx: Tx, service_id: NearbyServiceId) -> NearbyService | None:
    """Return one service, or None."""
    found = _services(tx, _N.id == service_id)
    return found[0] if found else None


def list_services(tx: Tx, site_id: SiteId) -> list[NearbyService]:
    """Return a site's directory by position, then name."""
    return _services(tx, _N.site_id == site_id)


def _values(said: NearbySaid) -> dict[str, Any]:
    return {
        "name": said.name,
        "category": said.category.value,
        "phone": said.phone,
        "address": said.address,
        "hours": said.hours,
        "note": said.note,
        "position": said.position,
    }


def _services(tx: Tx, which: sa.ColumnElement[bool]) -> list[NearbyService]:
    # What is near?
    rows = tx.conn.execute(
        sa.select(nearby_service)
        .where(_N.tenant_id == tx.tenant_id, which)
        .order_by(_N.position, _N.name, _N.id)
    )
    return [
        NearbyService(
            NearbyServiceId(row.id),
            SiteId(row.site_id),
            NearbySaid(
                row.name,
                NearbyCategory(row.category),
                row.phone,
                row.address,
                row.hours,
                row.note,
                row.position,
            ),
        )
        for row in rows
    ]
