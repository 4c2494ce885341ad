"""Points and the devices they belong to; each point has an integer series its readings are keyed by.

The invariant: a point once known is never forgotten (a trigger refuses it): readings name it for ever.
"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from cloud.domain.ids import DeviceId, GatewayId, SeriesId
from cloud.domain.series import Point, PointValue
from cloud.store.db import Tx
from cloud.store.numbers import next_number
from cloud.store.schema import device, point, point_current
from protocol.quantity import QUANTITIES
from protocol.reading import Quality

# "fire_alarm_3" measures what "fire_alarm" names: a device with several of a kind numbers them.
_NUMBERED = re.compile(r"(.+)_[0-9]+")

_SERIES = sa.select(point.c.key, point.c.series_id).where(
    point.c.tenant_id == sa.bindparam("tenant_id"), point.c.gateway_id == sa.bindparam("gateway_id")
)
# Asked for every batch with all its keys: they travel as one value, not as a parameter each.
_SERIES_POSTGRESQL = _SERIES.where(
    point.c.key == sa.any_(sa.bindparam("keys", type_=postgresql.ARRAY(sa.Text)))
)
_SERIES_SQLITE = _SERIES.where(
    point.c.key.in_(
        sa.select(sa.column("value")).select_from(sa.func.json_each(sa.bindparam("keys", type_=sa.Text)))
    )
)


@dataclass(frozen=True, slots=True)
class Device:
    """Something with an address on a gateway's line; `code` is the edge configuration's device id."""

    device_id: DeviceId
    gateway_id: GatewayId
    code: str
    profile: str
    title: str


def quantity_of(name: str) -> str:
    """Return the quantity a point of this name measures; empty if the name does not say."""
    if name in QUANTITIES:
        return name
    numbered = _NUMBERED.fullmatch(name)
    return numbered[1] if numbered and numbered[1] in QUANTITIES else ""


def series_of_keys(tx: Tx, gateway_id: GatewayId, keys: Collection[str]) -> dict[str, SeriesId]:
    """Return the series of each key that is known."""
    wanted = sorted(keys)
    # Which series do these points write to?
    if tx.is_postgresql:
        rows = tx.conn.execute(
            _SERIES_POSTGRESQL, {"tenant_id": tx.tenant_id, "gateway_id": gateway_id, "keys": wanted}
        )
    else:
        rows = tx.conn.execute(
            _SERIES_SQLITE,
            {"tenant_id": tx.tenant_id, "gateway_id": gateway_id, "keys": json.dumps(wanted)},
        )
    return {key: SeriesId(series_id) for key, series_id in rows.all()}


def register_keys(tx: Tx, gateway_id: GatewayId, keys: Iterable[str]) -> dict[str, SeriesId]:
    """Make points of the keys, and devices where needed; return the series of each.

    What a point measures is taken from its name; where that says nothing it stays open, its readings
    are kept all the same.
    """
    wanted = sorted(set(keys))
    names = {key: (key.partition("/")[0], key.partition("/")[2]) for key in wanted}
    devices = ensure_devices(tx, gateway_id, {code for code, _ in names.values()})
    first = next_number(tx, "", "series", count=len(wanted))
    rows = []
    for series_id, key in enumerate(wanted, start=first):
        code, name = names[key]
        quantity = quantity_of(name)
        rows.append(
            {
                "tenant_id": tx.tenant_id,
                "series_id": series_id,
                "gateway_id": gateway_id,
                "device_id": devices[code],
                "key": key,
                "name": name,
                "quantity": quantity,
                "unit": QUANTITIES[quantity].unit if quantity else "",
            }
        )
    # Add points; another transaction may have been faster, whose series then hold.
    tx.conn.execute(
        tx.insert(point).on_conflict_do_nothing(index_elements=["tenant_id", "gateway_id", "key"]), rows
    )
    return series_of_keys(tx, gateway_id, wanted)


def ensure_devices(tx: Tx, gateway_id: GatewayId, codes: Collection[str]) -> dict[str, DeviceId]:
    """Return the devices of these codes, made where there are none."""
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "id": tx.new_id(),
            "gateway_id": gateway_id,
            "code": code,
            "profile": "",
            "title": code,
        }
        for code in sorted(codes)
    ]
    if not rows:
        return {}
    # Add devices that are not known yet.
    tx.conn.execute(
        tx.insert(device).on_conflict_do_nothing(index_elements=["tenant_id", "gateway_id", "code"]), rows
    )
    return {found.code: found.device_id for found in list_devices(tx, gateway_id) if found.code in codes}


def list_devices(tx: Tx, gateway_id: GatewayId) -> list[Device]:
    """Return a gateway's devices by code."""
    # What hangs on this gateway?
    rows = tx.conn.execute(
        sa.select(device.c.id, device.c.gateway_id, device.c.code, device.c.profile, device.c.title)
        .where(device.c.tenant_id == tx.tenant_id, device.c.gateway_id == gateway_id)
        .order_by(device.c.code)
    )
    return [
        Device(DeviceId(row.id), GatewayId(row.gateway_id), row.code, row.profile, row.title) for row in rows
    ]


def find_device(tx: Tx, device_id: DeviceId) -> Device | None:
    """Return one device, or None."""
    # Which device is this?
    row = tx.conn.execute(
        sa.select(device.c.id, device.c.gateway_id, device.c.code, device.c.profile, device.c.title).where(
            device.c.tenant_id == tx.tenant_id, device.c.id == device_id
        )
    ).one_or_none()
    if row is None:
        return None
    return Device(DeviceId(row.id), GatewayId(row.gateway_id), row.code, row.profile, row.title)


def has_device(tx: Tx, gateway_id: GatewayId, code: str) -> bool:
    """Tell whether a gateway has a device of that code."""
    # Is there such a device?
    found = tx.conn.execute(
        sa.select(device.c.id).where(
            device.c.tenant_id == tx.tenant_id, device.c.gateway_id == gateway_id, device.c.code == code
        )
    )
    return found.one_or_none() is not None


def describe_device(tx: Tx, device_id: DeviceId, profile: str, title: str) -> None:
    """Say what a device is."""
    # Name a device.
    tx.conn.execute(
        sa.update(device)
        .where(device.c.tenant_id == tx.tenant_id, device.c.id == device_id)
        .values(profile=profile, title=title)
    )


def describe_point(tx: Tx, series_id: SeriesId, quantity: str) -> None:
    """Say what a point measures."""
    # Give a point its quantity.
    tx.conn.execute(
        sa.update(point)
        .where(point.c.tenant_id == tx.tenant_id, point.c.series_id == series_id)
        .values(quantity=quantity, unit=QUANTITIES[quantity].unit if quantity else "")
    )


def find_point(tx: Tx, series_id: SeriesId) -> Point | None:
    """Return one point, or None."""
    found = _values(tx, point.c.series_id == series_id)
    return found[0].point if found else None


def values_of_device(tx: Tx, device_id: DeviceId) -> list[PointValue]:
    """Return what a device's points say now, by name."""
    return _values(tx, point.c.device_id == device_id)


def values_of_gateway(tx: Tx, gateway_id: GatewayId) -> list[PointValue]:
    """Return what a gateway's points say now, by key."""
    return _values(tx, point.c.gateway_id == gateway_id)


def values_of_series(tx: Tx, series_ids: Collection[SeriesId]) -> list[PointValue]:
    """Return what these points say now, by key."""
    return _values(tx, point.c.series_id.in_(sorted(series_ids))) if series_ids else []


def _values(tx: Tx, which: sa.ColumnElement[bool]) -> list[PointValue]:
    # What do these points say now?
    rows = tx.conn.execute(
        sa.select(
            point.c.series_id,
            point.c.gateway_id,
            point.c.device_id,
            point.c.key,
            point.c.name,
            point.c.quantity,
            point.c.unit,
            device.c.code,
            device.c.title,
            point_current.c.measured_at_ms,
            point_current.c.received_at_ms,
            point_current.c.value_micro,
            point_current.c.quality,
            point_current.c.reason,
            point_current.c.valued_at_ms,
            point_current.c.last_value_micro,
        )
        .select_from(
            point.join(
                device, sa.and_(device.c.tenant_id == point.c.tenant_id, device.c.id == point.c.device_id)
            ).outerjoin(
                point_current,
                sa.and_(
                    point_current.c.tenant_id == point.c.tenant_id,
                    point_current.c.series_id == point.c.series_id,
                ),
            )
        )
        .where(point.c.tenant_id == tx.tenant_id, which)
        .order_by(point.c.key)
    )
    return [_value_from_row(row) for row in rows]


def _value_from_row(row: Any) -> PointValue:
    return PointValue(
        Point(
            SeriesId(row.series_id),
            GatewayId(row.gateway_id),
            DeviceId(row.device_id),
            row.key,
            row.name,
            row.quantity,
            row.unit,
        ),
        row.code,
        row.title,
        row.measured_at_ms,
        row.received_at_ms,
        row.value_micro,
        None if row.quality is None else Quality(row.quality),
        row.reason or "",
        row.valued_at_ms,
        row.last_value_micro,
    )
