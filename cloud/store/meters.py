"""Meters, where they hung and hang, and what their registers say now."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import (
    AccountId,
    DeviceId,
    GatewayId,
    InstallationId,
    MeterId,
    SeriesId,
    ServicePointId,
    SiteId,
    SpaceId,
    UserId,
)
from cloud.domain.meter import (
    Installation,
    Meter,
)
from cloud.domain.premises import Commodity
from cloud.store.db import Tx
from cloud.store.schema import (
    account,
    device,
    gateway,
    installation,
    meter,
    point,
    service_point,
    supply,
)


def meters_by_serial(tx: Tx, serials: Collection[str]) -> dict[str, Meter]:
    """Return the meters of these serial numbers that are known."""
    # Which meters are these?
    rows = tx.conn.execute(_meters(tx).where(meter.c.serial.in_(sorted(serials))))
    return {row.serial: _meter_from_row(row) for row in rows}


def insert_meter(
    tx: Tx,
    serial: str,
    commodity: Commodity,
    model: str,
    register_modulus_micro: int | None,
    max_per_day_micro: int | None,
) -> MeterId:
    """Add a meter."""
    meter_id = MeterId(tx.new_id())
    # Add one meter.
    tx.conn.execute(
        sa.insert(meter).values(
            tenant_id=tx.tenant_id,
            id=meter_id,
            serial=serial,
            commodity=commodity.value,
            model=model,
            register_modulus_micro=register_modulus_micro,
            max_per_day_micro=max_per_day_micro,
        )
    )
    return meter_id


def insert_installation(
    tx: Tx,
    service_point_id: ServicePointId,
    meter_id: MeterId,
    series_id: SeriesId | None,
    from_at_ms: int,
    opening_value_micro: int,
    multiplier: Decimal,
    reason: str,
    recorded_by: UserId | None,
) -> InstallationId | None:
    """Hang a meter at a service point; None if the place is taken or the meter hangs elsewhere."""
    installation_id = InstallationId(tx.new_id())
    # Add one installation; the unique keys over open ones say whether it may be.
    added = tx.conn.execute(
        tx.insert(installation)
        .values(
            tenant_id=tx.tenant_id,
            id=installation_id,
            service_point_id=service_point_id,
            meter_id=meter_id,
            series_id=series_id,
            from_at_ms=from_at_ms,
            opening_value_micro=opening_value_micro,
            multiplier=multiplier,
            reason=reason,
            recorded_by=recorded_by,
        )
        .on_conflict_do_nothing()
    ).rowcount
    return installation_id if added else None


def close_installation(
    tx: Tx, installation_id: InstallationId, to_at_ms: int, closing_value_micro: int
) -> bool:
    """Take a meter down; tell whether it was hanging."""
    # End one installation, once.
    return bool(
        tx.conn.execute(
            sa.update(installation)
            .where(
                installation.c.tenant_id == tx.tenant_id,
                installation.c.id == installation_id,
                installation.c.to_at_ms.is_(None),
            )
            .values(to_at_ms=to_at_ms, closing_value_micro=closing_value_micro)
        ).rowcount
    )


def installations_of(tx: Tx, service_point_id: ServicePointId) -> list[Installation]:
    """Return what hung and hangs at a service point, oldest first."""
    # Which meters measured this place, and when?
    return _installations(tx, installation.c.service_point_id == service_point_id)


def _counters_since() -> sa.Select[Any]:
    before = installation.alias("before")
    return (
        sa.select(point.c.key, installation.c.from_at_ms, installation.c.opening_value_micro)
        .join(
            point,
            sa.and_(
                point.c.tenant_id == installation.c.tenant_id, point.c.series_id == installation.c.series_id
            ),
        )
        .where(
            installation.c.tenant_id == sa.bindparam("of_tenant"),
            installation.c.to_at_ms.is_(None),
            installation.c.from_at_ms >= sa.bindparam("since_ms"),
            sa.exists().where(
                before.c.tenant_id == installation.c.tenant_id,
                before.c.service_point_id == installation.c.service_point_id,
                before.c.to_at_ms == installation.c.from_at_ms,
            ),
            point.c.gateway_id == sa.bindparam("of_gateway"),
        )
    )


# Which of this gateway's registers began anew lately, by a person's word? Asked with every hello.
_COUNTERS_SINCE = _counters_since()


def counters_since(tx: Tx, gateway_id: GatewayId, since_ms: int) -> dict[str, tuple[int, int]]:
    """Return, by point key, when each meter exchanged since then began to count, and its first value."""
    rows = tx.conn.execute(
        _COUNTERS_SINCE, {"of_tenant": tx.tenant_id, "of_gateway": gateway_id, "since_ms": since_ms}
    )
    return {row.key: (row.from_at_ms, row.opening_value_micro) for row in rows}


def find_installation(tx: Tx, installation_id: InstallationId) -> Installation | None:
    """Return one installation, or None."""
    # Which installation is this?
    found = _installations(tx, installation.c.id == installation_id)
    return found[0] if found else None


def device_of_series(tx: Tx, series_id: SeriesId) -> DeviceId | None:
    """Return the device a point belongs to, or None."""
    # Whose register is this?
    found = tx.conn.execute(
        sa.select(point.c.device_id).where(point.c.tenant_id == tx.tenant_id, point.c.series_id == series_id)
    ).scalar_one_or_none()
    return None if found is None else DeviceId(found)


def site_of_series(tx: Tx, series_id: SeriesId) -> SiteId | None:
    """Return the site whose gateway reads a point, or None."""
    # Where is this point?
    found = tx.conn.execute(
        sa.select(gateway.c.site_id)
        .join(point, sa.and_(point.c.tenant_id == gateway.c.tenant_id, point.c.gateway_id == gateway.c.id))
        .where(point.c.tenant_id == tx.tenant_id, point.c.series_id == series_id)
    ).scalar_one_or_none()
    return None if found is None else SiteId(found)


def is_measured_for(tx: Tx, series_id: SeriesId, account_ids: Collection[AccountId]) -> bool:
    """Tell whether a register belongs to a meter that any of these accounts pays or paid for."""
    # Does this register say something about these accounts?
    return bool(
        tx.conn.execute(
            sa.select(sa.literal(1))
            .select_from(
                installation.join(
                    supply,
                    sa.and_(
                        supply.c.tenant_id == installation.c.tenant_id,
                        supply.c.service_point_id == installation.c.service_point_id,
                    ),
                )
            )
            .where(
                installation.c.tenant_id == tx.tenant_id,
                installation.c.series_id == series_id,
                supply.c.account_id.in_(sorted(account_ids)),
            )
            .limit(1)
        ).scalar_one_or_none()
    )


def spaces_of_device(tx: Tx, gateway_id: GatewayId, device_code: str) -> list[SpaceId]:
    """Return the spaces whose meter a device is now."""
    # Whose meter is this?
    rows = tx.conn.execute(
        sa.select(service_point.c.space_id)
        .distinct()
        .select_from(
            device.join(
                point, sa.and_(point.c.tenant_id == device.c.tenant_id, point.c.device_id == device.c.id)
            )
            .join(
                installation,
                sa.and_(
                    installation.c.tenant_id == point.c.tenant_id,
                    installation.c.series_id == point.c.series_id,
                ),
            )
            .join(
                service_point,
                sa.and_(
                    service_point.c.tenant_id == installation.c.tenant_id,
                    service_point.c.id == installation.c.service_point_id,
                ),
            )
        )
        .where(
            device.c.tenant_id == tx.tenant_id,
            device.c.gateway_id == gateway_id,
            device.c.code == device_code,
            installation.c.to_at_ms.is_(None),
            service_point.c.space_id.is_not(None),
        )
    ).scalars()
    return [SpaceId(space_id) for space_id in rows]


def _meters(tx: Tx) -> sa.Select[Any]:
    return sa.select(
        meter.c.id,
        meter.c.serial,
        meter.c.commodity,
        meter.c.model,
        meter.c.register_modulus_micro,
        meter.c.max_per_day_micro,
    ).where(meter.c.tenant_id == tx.tenant_id)


def _meter_from_row(row: Any) -> Meter:
    return Meter(
        MeterId(row.id),
        row.serial,
        Commodity(row.commodity),
        row.model,
        row.register_modulus_micro,
        row.max_per_day_micro,
    )


def _installations(tx: Tx, which: sa.ColumnElement[bool]) -> list[Installation]:
    columns: list[sa.ColumnElement[Any]] = [
        installation.c.id,
        installation.c.service_point_id,
        installation.c.meter_id,
        installation.c.series_id,
        installation.c.from_at_ms,
        installation.c.to_at_ms,
        installation.c.opening_value_micro,
        installation.c.closing_value_micro,
        installation.c.multiplier,
        installation.c.reason,
        meter.c.serial,
        meter.c.commodity,
        meter.c.model,
        meter.c.register_modulus_micro,
        meter.c.max_per_day_micro,
    ]
    rows = tx.conn.execute(
        sa.select(*columns)
        .join(
            meter,
            sa.and_(meter.c.tenant_id == installation.c.tenant_id, meter.c.id == installation.c.meter_id),
        )
        .where(installation.c.tenant_id == tx.tenant_id, which)
        .order_by(installation.c.from_at_ms)
    )
    return [
        Installation(
            InstallationId(row.id),
            ServicePointId(row.service_point_id),
            Meter(
                MeterId(row.meter_id),
                row.serial,
                Commodity(row.commodity),
                row.model,
                row.register_modulus_micro,
                row.max_per_day_micro,
            ),
            None if row.series_id is None else SeriesId(row.series_id),
            row.from_at_ms,
            row.to_at_ms,
            row.opening_value_micro,
            row.closing_value_micro,
            row.multiplier,
            row.reason,
        )
        for row in rows
    ]


def site_of_service_point(tx: Tx, service_point_id: ServicePointId) -> SiteId:
    """Return the site of a service point that exists."""
    # Where is this service point?
    return SiteId(
        tx.conn.execute(
            sa.select(service_point.c.site_id).where(
                service_point.c.tenant_id == tx.tenant_id, service_point.c.id == service_point_id
            )
        ).scalar_one()
    )


def site_of_account(tx: Tx, account_id: AccountId) -> SiteId | None:
    """Return the site of an account, or None."""
    # Where does this account belong?
    found = tx.conn.execute(
        sa.select(account.c.site_id).where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
    ).scalar_one_or_none()
    return None if found is None else SiteId(found)
