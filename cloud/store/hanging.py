"""What hangs at a site and who pays for it, for tables of meters and of readings by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from cloud.domain.ids import InstallationId, ServicePointId, SiteId
from cloud.store.db import Tx
from cloud.store.manual_readings import holds
from cloud.store.schema import (
    account,
    installation,
    manual_reading,
    meter,
    service_point,
    space,
    supply,
)


@dataclass(frozen=True, slots=True)
class Hanging:
    """One meter where it hangs, or last hung; account and tariff are empty where nobody pays for it."""

    installation_id: InstallationId
    service_point_id: ServicePointId
    service_point_code: str
    space_code: str
    serial: str
    commodity: str
    model: str
    modulus_micro: int | None
    from_at_ms: int
    to_at_ms: int | None
    opening_micro: int
    multiplier: Decimal
    account_number: str
    tariff_code: str


def list_hanging(tx: Tx, site_id: SiteId) -> list[Hanging]:
    """Return the meters of a site's places, those taken down first, then by serial number."""
    # Which meters hang or hung here, and who pays for the place now?
    rows = tx.conn.execute(
        sa.select(
            installation.c.id,
            service_point.c.id.label("point_id"),
            service_point.c.code.label("point_code"),
            space.c.code.label("space_code"),
            meter.c.serial,
            meter.c.commodity,
            meter.c.model,
            meter.c.register_modulus_micro,
            installation.c.from_at_ms,
            installation.c.to_at_ms,
            installation.c.opening_value_micro,
            installation.c.multiplier,
            sa.func.min(account.c.number).label("account_number"),
            sa.func.min(supply.c.tariff_code).label("tariff_code"),
        )
        .select_from(
            installation.join(
                meter,
                sa.and_(meter.c.tenant_id == installation.c.tenant_id, meter.c.id == installation.c.meter_id),
            )
            .join(
                service_point,
                sa.and_(
                    service_point.c.tenant_id == installation.c.tenant_id,
                    service_point.c.id == installation.c.service_point_id,
                ),
            )
            .outerjoin(
                space,
                sa.and_(
                    space.c.tenant_id == installation.c.tenant_id, space.c.id == service_point.c.space_id
                ),
            )
            .outerjoin(
                supply,
                sa.and_(
                    supply.c.tenant_id == installation.c.tenant_id,
                    supply.c.service_point_id == service_point.c.id,
                    supply.c.to_on.is_(None),
                ),
            )
            .outerjoin(
                account,
                sa.and_(account.c.tenant_id == supply.c.tenant_id, account.c.id == supply.c.account_id),
            )
        )
        .where(installation.c.tenant_id == tx.tenant_id, service_point.c.site_id == site_id)
        .group_by(
            installation.c.id,
            service_point.c.id,
            service_point.c.code,
            space.c.code,
            meter.c.serial,
            meter.c.commodity,
            meter.c.model,
            meter.c.register_modulus_micro,
            installation.c.from_at_ms,
            installation.c.to_at_ms,
            installation.c.opening_value_micro,
            installation.c.multiplier,
        )
        .order_by(installation.c.to_at_ms.is_(None), installation.c.from_at_ms, meter.c.serial)
    )
    return [
        Hanging(
            InstallationId(row.id),
            ServicePointId(row.point_id),
            row.point_code,
            row.space_code or "",
            row.serial,
            row.commodity,
            row.model,
            row.register_modulus_micro,
            row.from_at_ms,
            row.to_at_ms,
            row.opening_value_micro,
            row.multiplier,
            row.account_number or "",
            row.tariff_code or "",
        )
        for row in rows
    ]


def readings_by_hand(tx: Tx, site_id: SiteId) -> Mapping[tuple[InstallationId, int], tuple[int, str]]:
    """Return the value and reason that hold for each meter and moment somebody read at a site."""
    # What did people read here?
    rows = tx.conn.execute(
        sa.select(
            manual_reading.c.installation_id,
            manual_reading.c.at_ms,
            manual_reading.c.value_micro,
            manual_reading.c.reason,
        )
        .select_from(
            manual_reading.join(
                installation,
                sa.and_(
                    installation.c.tenant_id == manual_reading.c.tenant_id,
                    installation.c.id == manual_reading.c.installation_id,
                ),
            ).join(
                service_point,
                sa.and_(
                    service_point.c.tenant_id == installation.c.tenant_id,
                    service_point.c.id == installation.c.service_point_id,
                ),
            )
        )
        .where(manual_reading.c.tenant_id == tx.tenant_id, service_point.c.site_id == site_id, holds(tx))
        # The last recorded comes last and holds.
        .order_by(manual_reading.c.recorded_at_ms, manual_reading.c.id)
    )
    return {(InstallationId(row.installation_id), row.at_ms): (row.value_micro, row.reason) for row in rows}
