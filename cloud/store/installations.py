"""Which meters hung at which service points, with all their dials, as a bill run needs them.

Everything is read for many service points at once, a fixed number of statements whatever their number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from cloud.domain.ids import InstallationId, MeterId, SeriesId, ServicePointId, SiteId
from cloud.domain.meter import Installation, Meter
from cloud.domain.premises import Commodity
from cloud.store.db import Tx
from cloud.store.schema import installation, installation_register, meter, service_point


def installations_at(
    tx: Tx, service_points: Sequence[str], bounds_ms: tuple[int, int]
) -> dict[str, list[Installation]]:
    """Return the meters that hung at service points between two instants, by point, earliest first."""
    start_ms, end_ms = bounds_ms
    by_point: dict[str, list[Installation]] = {}
    if not service_points:
        return by_point
    # Which meters hung there in that time?
    rows = tx.conn.execute(
        sa.select(
            installation.c.id,
            installation.c.service_point_id,
            installation.c.meter_id,
            meter.c.serial,
            meter.c.commodity,
            meter.c.model,
            meter.c.register_modulus_micro,
            meter.c.max_per_day_micro,
            installation.c.series_id,
            installation.c.from_at_ms,
            installation.c.to_at_ms,
            installation.c.opening_value_micro,
            installation.c.closing_value_micro,
            installation.c.multiplier,
            installation.c.reason,
        )
        .join(
            meter,
            sa.and_(meter.c.tenant_id == installation.c.tenant_id, meter.c.id == installation.c.meter_id),
        )
        .where(
            installation.c.tenant_id == tx.tenant_id,
            installation.c.service_point_id.in_(service_points),
            installation.c.from_at_ms < end_ms,
            sa.or_(installation.c.to_at_ms.is_(None), installation.c.to_at_ms > start_ms),
        )
        .order_by(installation.c.service_point_id, installation.c.from_at_ms)
    )
    for row in rows:
        found = Installation(
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
        by_point.setdefault(row.service_point_id, []).append(found)
    return by_point


def registers_of(
    tx: Tx, installations: Mapping[str, list[Installation]]
) -> dict[str, dict[str, tuple[Installation, ...]]]:
    """Return the further dials of meters, by service point and period of use, as installations of their own.

    A service point whose meters do not all have the same registers has none that could bill it.
    """
    hung = {one.installation_id: one for found in installations.values() for one in found}
    by_point: dict[str, dict[str, list[Installation]]] = {}
    if not hung:
        return {}
    # Which further dials have these meters?
    rows = tx.conn.execute(
        sa.select(
            installation_register.c.installation_id,
            installation_register.c.period,
            installation_register.c.series_id,
            installation_register.c.opening_value_micro,
            installation_register.c.closing_value_micro,
        )
        .where(
            installation_register.c.tenant_id == tx.tenant_id,
            installation_register.c.installation_id.in_(sorted(hung)),
        )
        .order_by(installation_register.c.installation_id, installation_register.c.period)
    )
    for row in rows:
        meter_there = hung[InstallationId(row.installation_id)]
        track = replace(
            meter_there,
            series_id=SeriesId(row.series_id),
            opening_value_micro=row.opening_value_micro,
            closing_value_micro=row.closing_value_micro,
            register=row.period,
        )
        by_register = by_point.setdefault(meter_there.service_point_id, {})
        by_register.setdefault(row.period, []).append(track)
    return {
        point: {register: tuple(tracks) for register, tracks in by_register.items()}
        for point, by_register in by_point.items()
        if all(len(tracks) == len(installations[point]) for tracks in by_register.values())
    }


def installations_by_code(
    tx: Tx, site_id: SiteId, codes: Collection[str], bounds_ms: tuple[int, int]
) -> dict[str, list[Installation]]:
    """Return the meters that hung at a site's service points of these codes; unknown codes are left out."""
    # Which places are these?
    rows = tx.conn.execute(
        sa.select(service_point.c.id, service_point.c.code).where(
            service_point.c.tenant_id == tx.tenant_id,
            service_point.c.site_id == site_id,
            service_point.c.code.in_(sorted(codes)),
        )
    )
    code_of = {row.id: row.code for row in rows}
    hung = installations_at(tx, sorted(code_of), bounds_ms)
    return {code: hung.get(point_id, []) for point_id, code in code_of.items()}
