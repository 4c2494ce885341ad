"""Many rows at once, for imports: added in one statement a table, changed by what names them, removed.

The invariant: what is removed here was made by the import that is undone; where something refers to it
since, the database refuses, and nothing is removed at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from cloud.domain.errors import Conflict
from cloud.domain.ids import (
    AccountId,
    BuildingId,
    InstallationId,
    MeterId,
    ServicePointId,
    SiteId,
    SpaceId,
    UserId,
)
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.domain.space_history import BEGINNING, SpaceFacts
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import (
    account,
    building,
    equipment,
    former_charge,
    installation,
    manual_reading,
    meter,
    nearby_service,
    occupancy,
    opening_usage,
    person,
    service_point,
    space,
    supply,
    vehicle,
    withdrawn_reading,
)
from cloud.store.space_versions import NewVersion, insert_versions, remove_versions

# Below the number of parameters a statement takes on either engine.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewSpace:
    """A space to be added."""

    building_id: BuildingId
    code: str
    unit_code: str
    floor: int
    kind: str
    facts: SpaceFacts


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be added."""

    number: str
    holder_name: str
    space_id: SpaceId | None
    household_size: int
    opened_on: date


@dataclass(frozen=True, slots=True)
class NewInstallation:
    """A meter to be hung."""

    service_point_id: ServicePointId
    meter_id: MeterId
    from_at_ms: int
    opening_micro: int
    multiplier: Decimal


@dataclass(frozen=True, slots=True)
class NewReading:
    """A reading by hand to be recorded."""

    installation_id: InstallationId
    at_ms: int
    value_micro: int
    reason: str


# In the order in which they may be removed: what refers to others goes first.
_REMOVABLE: Mapping[str, sa.Table] = MappingProxyType(
    {
        "former_charge": former_charge,
        "nearby_service": nearby_service,
        "opening_usage": opening_usage,
        "vehicle": vehicle,
        "occupancy": occupancy,
        "person": person,
        "supply": supply,
        "installation": installation,
        "meter": meter,
        "service_point": service_point,
        "account": account,
        "equipment": equipment,
        "space": space,
        "building": building,
    }
)


def insert_spaces(tx: Tx, added: Sequence[NewSpace], recorded_by: UserId | None) -> list[str]:
    """Add spaces and what they are like; return their ids in order."""
    ids = _insert(
        tx,
        space,
        [
            {
                "building_id": one.building_id,
                "code": one.code,
                "unit_code": one.unit_code,
                "floor": one.floor,
                "kind": one.kind,
                "built_area_dm2": one.facts.built_area_dm2,
            }
            for one in added
        ],
    )
    versions = [
        NewVersion(SpaceId(space_id), 1, BEGINNING, one.facts, "")
        for space_id, one in zip(ids, added, strict=True)
    ]
    insert_versions(tx, versions, recorded_by)
    return ids


def insert_accounts(tx: Tx, site_id: SiteId, added: Sequence[NewAccount]) -> list[str]:
    """Add accounts; return their ids in order."""
    return _insert(
        tx,
        account,
        [
            {
                "site_id": site_id,
                "number": one.number,
                "holder_name": one.holder_name,
                "space_id": one.space_id,
                "household_size": one.household_size,
                "opened_on": one.opened_on,
            }
            for one in added
        ],
    )


def insert_service_points(
    tx: Tx, site_id: SiteId, added: Sequence[tuple[SpaceId, str, Commodity]]
) -> list[str]:
    """Add the flats' own service points; return their ids in order."""
    return _insert(
        tx,
        service_point,
        [
            {
                "site_id": site_id,
                "space_id": space_id,
                "code": code,
                "commodity": commodity.value,
                "kind": ServicePointKind.FLAT.value,
            }
            for space_id, code, commodity in added
        ],
    )


def insert_meters(tx: Tx, added: Sequence[tuple[str, Commodity, str, int, int | None]]) -> list[str]:
    """Add meters (serial, commodity, model, modulus, most a day); return their ids in order."""
    return _insert(
        tx,
        meter,
        [
            {
                "serial": serial,
                "commodity": commodity.value,
                "model": model,
                "register_modulus_micro": modulus_micro,
                "max_per_day_micro": most_micro,
            }
            for serial, commodity, model, modulus_micro, most_micro in added
        ],
    )


def insert_installations(
    tx: Tx, added: Sequence[NewInstallation], reason: str, recorded_by: UserId | None
) -> list[str]:
    """Hang meters; return the installations in order."""
    return _insert(
        tx,
        installation,
        [
            {
                "service_point_id": one.service_point_id,
                "meter_id": one.meter_id,
                "series_id": None,
                "from_at_ms": one.from_at_ms,
                "opening_value_micro": one.opening_micro,
                "multiplier": one.multiplier,
                "reason": reason,
                "recorded_by": recorded_by,
            }
            for one in added
        ],
    )


def insert_supplies(tx: Tx, added: Sequence[tuple[AccountId, ServicePointId, str, date]]) -> list[str]:
    """Let accounts pay for service points by tariffs from a day on; return the ids in order."""
    return _insert(
        tx,
        supply,
        [
            {
                "account_id": account_id,
                "service_point_id": point_id,
                "tariff_code": tariff_code,
                "from_on": from_on,
            }
            for account_id, point_id, tariff_code, from_on in added
        ],
    )


def insert_readings(tx: Tx, added: Sequence[NewReading], recorded_by: UserId | None) -> list[str]:
    """Record readings by hand; return the records in order."""
    return _insert(
        tx,
        manual_reading,
        [
            {
                "installation_id": one.installation_id,
                "at_ms": one.at_ms,
                "value_micro": one.value_micro,
                "kind": "manual",
                "reason": one.reason,
                "recorded_by": recorded_by,
                "recorded_at_ms": tx.now_ms,
            }
            for one in added
        ],
    )


def update_spaces(tx: Tx, changed: Mapping[SpaceId, Mapping[str, Any]]) -> None:
    """Correct where spaces lie: unit_code, floor."""
    for space_id, values in changed.items():
        # Change one space.
        tx.conn.execute(
            sa.update(space).where(space.c.tenant_id == tx.tenant_id, space.c.id == space_id).values(**values)
        )


def update_accounts(tx: Tx, changed: Mapping[AccountId, Mapping[str, Any]]) -> None:
    """Change what may be changed of accounts: holder_name, household_size."""
    for account_id, values in changed.items():
        # Change one account.
        tx.conn.execute(
            sa.update(account)
            .where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
            .values(**values)
        )


def remove(tx: Tx, made: Mapping[str, Sequence[str]]) -> None:
    """Remove what an import made; Conflict where something refers to it since."""
    spaces = made.get("space", ())
    for start in range(0, len(spaces), _AT_ONCE):
        remove_versions(tx, spaces[start : start + _AT_ONCE])
    for noun, table in _REMOVABLE.items():
        ids = made.get(noun, ())
        for start in range(0, len(ids), _AT_ONCE):
            try:
                # Remove some rows.
                tx.conn.execute(
                    sa.delete(table).where(
                        table.c.tenant_id == tx.tenant_id, table.c.id.in_(ids[start : start + _AT_ONCE])
                    )
                )
            except sa.exc.IntegrityError as error:
                what = noun.replace("_", " ")
                raise Conflict(f"something refers to a {what} of this import: it cannot be undone") from error


def withdraw_readings(tx: Tx, record_ids: Sequence[str], reason: str, withdrawn_by: UserId | None) -> None:
    """Let readings by hand hold no more; what was billed by them stays as it was billed."""
    if not record_ids:
        return
    # Take some readings back.
    tx.conn.execute(
        sa.insert(withdrawn_reading),
        [
            {
                "tenant_id": tx.tenant_id,
                "record_id": record_id,
                "reason": reason,
                "withdrawn_by": withdrawn_by,
                "withdrawn_at_ms": tx.now_ms,
            }
            for record_id in record_ids
        ],
    )


def _insert(tx: Tx, table: sa.Table, rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    ids = [tx.new_id() for _ in rows]
    # Add many rows of one table.
    insert_rows(
        tx,
        table,
        [{"tenant_id": tx.tenant_id, "id": one, **row} for one, row in zip(ids, rows, strict=True)],
    )
    return ids
