"""Entrances, access groups, and each site's key and revision of who may pass."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.entry import AccessGroup, Covers, Entrance
from cloud.domain.ids import AccessGroupId, BuildingId, EntranceId, GatewayId, SiteId
from cloud.store.db import Tx
from cloud.store.schema import access_group, access_group_entrance, entrance, site_access
from cloud.store.sealing import seal, unseal
from protocol.access import Window


def revision(tx: Tx, site_id: SiteId) -> int:
    """Return the number of the last change of who may pass at a site; 0 before the first."""
    # How often has who may pass been changed?
    found = tx.conn.execute(
        sa.select(site_access.c.revision).where(
            site_access.c.tenant_id == tx.tenant_id, site_access.c.site_id == site_id
        )
    ).scalar_one_or_none()
    return int(found or 0)


def change(tx: Tx, site_id: SiteId, fresh_key: bytes, at_least: int = 0) -> None:
    """Count a change of who may pass; `fresh_key` becomes the site's key where it has none."""
    sealed = seal(tx, "site_access", site_id, "key", fresh_key.hex())
    values = {"revision": max(1, at_least), "changed_at_ms": tx.now_ms}
    raised = sa.case((site_access.c.revision < at_least, at_least), else_=site_access.c.revision + 1)
    # Count the change, the first one with the key.
    tx.conn.execute(
        tx.insert(site_access)
        .values(tenant_id=tx.tenant_id, site_id=site_id, key_sealed=sealed, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "site_id"], set_={"revision": raised, "changed_at_ms": tx.now_ms}
        )
    )


def token_key(tx: Tx, site_id: SiteId) -> bytes:
    """Return the key of a site's tokens; empty before the first change."""
    # By what are badges of this site known?
    sealed = tx.conn.execute(
        sa.select(site_access.c.key_sealed).where(
            site_access.c.tenant_id == tx.tenant_id, site_access.c.site_id == site_id
        )
    ).scalar_one_or_none()
    return bytes.fromhex(unseal(tx, "site_access", site_id, "key", sealed))


def insert_entrance(
    tx: Tx, site_id: SiteId, gateway_id: GatewayId, name: str, device_code: str, readers: Sequence[str]
) -> EntranceId | None:
    """Add an entrance; None if another has its lock."""
    entrance_id = EntranceId(tx.new_id())
    # Add one entrance, unless its lock is another's.
    count = tx.conn.execute(
        tx.insert(entrance)
        .values(
            tenant_id=tx.tenant_id,
            id=entrance_id,
            site_id=site_id,
            gateway_id=gateway_id,
            name=name,
            device_code=device_code,
            readers=list(readers),
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing()
    ).rowcount
    return entrance_id if count else None


def remove_entrance(tx: Tx, entrance_id: EntranceId) -> bool:
    """Take an entrance away; tell whether it was there."""
    return _removed(tx, entrance, entrance_id)


def find_entrance(tx: Tx, entrance_id: EntranceId) -> Entrance | None:
    """Return one entrance that is there, or None."""
    found = _entrances(tx, entrance.c.id == entrance_id)
    return found[0] if found else None


def entrances_of_site(tx: Tx, site_id: SiteId) -> list[Entrance]:
    """Return a site's entrances, by name."""
    return _entrances(tx, entrance.c.site_id == site_id)


def entrances_of_gateway(tx: Tx, gateway_id: GatewayId) -> list[Entrance]:
    """Return the entrances whose lock hangs on a gateway, by name."""
    return _entrances(tx, entrance.c.gateway_id == gateway_id)


def insert_group(
    tx: Tx,
    site_id: SiteId,
    name: str,
    covers: Covers,
    building_id: BuildingId | None,
    windows: Collection[Window],
    entrance_ids: Collection[EntranceId],
) -> AccessGroupId:
    """Add an access group and its entrances."""
    group_id = AccessGroupId(tx.new_id())
    # Add one group.
    tx.conn.execute(
        sa.insert(access_group).values(
            tenant_id=tx.tenant_id,
            id=group_id,
            site_id=site_id,
            name=name,
            covers=covers.value,
            building_id=building_id,
            windows=[[one.days, one.from_min, one.until_min] for one in windows],
            created_at_ms=tx.now_ms,
        )
    )
    if entrance_ids:
        # Add its entrances.
        tx.conn.execute(
            sa.insert(access_group_entrance),
            [
                {"tenant_id": tx.tenant_id, "group_id": group_id, "entrance_id": one}
                for one in sorted(set(entrance_ids))
            ],
        )
    return group_id


def remove_group(tx: Tx, group_id: AccessGroupId) -> bool:
    """Take a group away; tell whether it was there."""
    return _removed(tx, access_group, group_id)


def find_group(tx: Tx, group_id: AccessGroupId) -> AccessGroup | None:
    """Return one group that is there, or None."""
    found = _groups(tx, access_group.c.id == group_id)
    return found[0] if found else None


def groups_of_site(tx: Tx, site_id: SiteId) -> list[AccessGroup]:
    """Return a site's access groups, by name."""
    return _groups(tx, access_group.c.site_id == site_id)


def _removed(tx: Tx, table: sa.Table, thing_id: str) -> bool:
    # Take one entrance, or one group, away.
    return bool(
        tx.conn.execute(
            sa.update(table)
            .where(
                table.c.tenant_id == tx.tenant_id,
                table.c.id == thing_id,
                table.c.removed_at_ms.is_(None),
            )
            .values(removed_at_ms=tx.now_ms)
        ).rowcount
    )


def _entrances(tx: Tx, which: sa.ColumnElement[bool]) -> list[Entrance]:
    # Which entrances are there?
    rows = tx.conn.execute(
        sa.select(
            entrance.c.id,
            entrance.c.site_id,
            entrance.c.gateway_id,
            entrance.c.name,
            entrance.c.device_code,
            entrance.c.readers,
        )
        .where(entrance.c.tenant_id == tx.tenant_id, entrance.c.removed_at_ms.is_(None), which)
        .order_by(entrance.c.name, entrance.c.id)
    )
    return [
        Entrance(
            EntranceId(row.id),
            SiteId(row.site_id),
            GatewayId(row.gateway_id),
            row.name,
            row.device_code,
            tuple(row.readers),
        )
        for row in rows
    ]


def _groups(tx: Tx, which: sa.ColumnElement[bool]) -> list[AccessGroup]:
    # Which groups are there?
    rows: Sequence[Any] = tx.conn.execute(
        sa.select(
            access_group.c.id,
            access_group.c.site_id,
            access_group.c.name,
            access_group.c.covers,
            access_group.c.building_id,
            access_group.c.windows,
        )
        .where(access_group.c.tenant_id == tx.tenant_id, access_group.c.removed_at_ms.is_(None), which)
        .order_by(access_group.c.name, access_group.c.id)
    ).all()
    doors: dict[str, list[EntranceId]] = {row.id: [] for row in rows}
    # Which entrances are theirs?
    for pair in tx.conn.execute(
        sa.select(access_group_entrance.c.group_id, access_group_entrance.c.entrance_id).where(
            access_group_entrance.c.tenant_id == tx.tenant_id,
            access_group_entrance.c.group_id.in_(list(doors)),
        )
    ):
        doors[pair.group_id].append(EntranceId(pair.entrance_id))
    return [
        AccessGroup(
            AccessGroupId(row.id),
            SiteId(row.site_id),
            row.name,
            Covers(row.covers),
            None if row.building_id is None else BuildingId(row.building_id),
            tuple(Window(*one) for one in row.windows),
            tuple(sorted(doors[row.id])),
        )
        for row in rows
    ]
