"""Sites, buildings, spaces and service points."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import BuildingId, ServicePointId, SiteId, SpaceId, UserId
from cloud.domain.premises import (
    Building,
    Commodity,
    ServicePoint,
    ServicePointKind,
    Site,
    Space,
    SpaceKind,
)
from cloud.domain.space_history import BEGINNING, SpaceFacts, first_use
from cloud.store.db import Tx
from cloud.store.schema import building, service_point, site, space
from cloud.store.space_versions import NewVersion, insert_versions


def find_site(tx: Tx, site_id: SiteId) -> Site | None:
    """Return one site, or None."""
    found = _sites(tx, site.c.id == site_id)
    return found[0] if found else None


def find_site_by_code(tx: Tx, code: str) -> Site | None:
    """Return the site of that code, or None."""
    found = _sites(tx, site.c.code == code)
    return found[0] if found else None


def list_sites(tx: Tx) -> list[Site]:
    """Return the tenant's sites by code."""
    return _sites(tx, sa.true())


def insert_site(tx: Tx, code: str, name: str, time_zone: str, address: str) -> SiteId:
    """Add a site."""
    site_id = SiteId(tx.new_id())
    # Add one site.
    tx.conn.execute(
        sa.insert(site).values(
            tenant_id=tx.tenant_id, id=site_id, code=code, name=name, time_zone=time_zone, address=address
        )
    )
    return site_id


def list_buildings(tx: Tx, site_id: SiteId) -> list[Building]:
    """Return a site's buildings by code."""
    # Which buildings has this site?
    return _buildings(tx, building.c.site_id == site_id)


def find_building(tx: Tx, building_id: BuildingId) -> Building | None:
    """Return one building, or None."""
    # Which building is this?
    found = _buildings(tx, building.c.id == building_id)
    return found[0] if found else None


def insert_building(tx: Tx, site_id: SiteId, code: str, name: str, floors: int) -> BuildingId:
    """Add a building."""
    building_id = BuildingId(tx.new_id())
    # Add one building.
    tx.conn.execute(
        sa.insert(building).values(
            tenant_id=tx.tenant_id, id=building_id, site_id=site_id, code=code, name=name, floors=floors
        )
    )
    return building_id


def list_spaces(tx: Tx, site_id: SiteId, building_id: BuildingId | None = None) -> list[Space]:
    """Return the spaces of a site, or of one of its buildings, by building, floor and code."""
    conditions = [space.c.tenant_id == tx.tenant_id, building.c.site_id == site_id]
    if building_id is not None:
        conditions.append(space.c.building_id == building_id)
    # Which spaces are there?
    rows = tx.conn.execute(
        _spaces().where(*conditions).order_by(building.c.code, space.c.floor, space.c.code)
    )
    return [_space_from_row(row) for row in rows]


def building_names(tx: Tx, site_id: SiteId) -> dict[SpaceId, str]:
    """Return the name of the building each space of a site is in."""
    # Which building is each space in?
    rows = tx.conn.execute(
        sa.select(space.c.id, building.c.name)
        .join(
            building, sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id)
        )
        .where(space.c.tenant_id == tx.tenant_id, building.c.site_id == site_id)
    )
    return {SpaceId(row.id): row.name for row in rows}


def list_common_parts(tx: Tx, site_id: SiteId) -> list[Space]:
    """Return the spaces of a site that belong to everybody, by building, floor and code."""
    # Which stairs, halls and machine rooms are there?
    rows = tx.conn.execute(
        _spaces()
        .where(
            space.c.tenant_id == tx.tenant_id,
            building.c.site_id == site_id,
            space.c.kind == SpaceKind.PUBLIC.value,
        )
        .order_by(building.c.code, space.c.floor, space.c.code)
    )
    return [_space_from_row(row) for row in rows]


def find_space(tx: Tx, space_id: SpaceId) -> Space | None:
    """Return one space, or None."""
    return find_spaces(tx, [space_id]).get(space_id)


def find_spaces(tx: Tx, space_ids: Collection[SpaceId]) -> dict[SpaceId, Space]:
    """Return spaces by id; unknown ids are left out."""
    # Which spaces are these?
    rows = tx.conn.execute(
        _spaces().where(space.c.tenant_id == tx.tenant_id, space.c.id.in_(sorted(space_ids)))
    )
    return {SpaceId(row.id): _space_from_row(row) for row in rows}


def count_homes(tx: Tx, site_id: SiteId) -> int:
    """Return how many flats and shops a site has."""
    # How large is this site?
    found = tx.conn.scalar(
        sa.select(sa.func.count())
        .select_from(
            space.join(
                building,
                sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id),
            )
        )
        .where(
            space.c.tenant_id == tx.tenant_id,
            building.c.site_id == site_id,
            space.c.kind.in_((SpaceKind.FLAT.value, SpaceKind.SHOP.value)),
        )
    )
    return int(found or 0)


def site_of_space(tx: Tx, space_id: SpaceId) -> SiteId | None:
    """Return the site a space is on, or None if there is no such space."""
    # Where is this space?
    found = tx.conn.scalar(
        sa.select(building.c.site_id)
        .join(space, sa.and_(space.c.tenant_id == building.c.tenant_id, space.c.building_id == building.c.id))
        .where(space.c.tenant_id == tx.tenant_id, space.c.id == space_id)
    )
    return None if found is None else SiteId(found)


def space_codes(tx: Tx, site_id: SiteId, limit: int) -> list[str]:
    """Return what a site's spaces are called, the first `limit` by building, floor and code."""
    # What may somebody choose from?
    rows = tx.conn.execute(
        _spaces()
        .where(space.c.tenant_id == tx.tenant_id, building.c.site_id == site_id)
        .order_by(building.c.code, space.c.floor, space.c.code)
        .limit(limit)
    )
    return [row.code for row in rows]


def spaces_called(tx: Tx, site_id: SiteId, code: str) -> list[SpaceId]:
    """Return the spaces of a site that people call so: at most one, unless a document said otherwise."""
    # Which spaces are called so?
    rows = tx.conn.execute(
        _spaces()
        .where(space.c.tenant_id == tx.tenant_id, building.c.site_id == site_id, space.c.code == code)
        .order_by(building.c.code)
    )
    return [SpaceId(row.id) for row in rows]


def insert_space(
    tx: Tx,
    building_id: BuildingId,
    code: str,
    unit_code: str,
    floor: int,
    kind: SpaceKind,
    area_dm2: int,
    facts: SpaceFacts | None = None,
    recorded_by: UserId | None = None,
) -> SpaceId:
    """Add a space; without `facts` no more is said of it than its area."""
    space_id = SpaceId(tx.new_id())
    # Add one space.
    tx.conn.execute(
        sa.insert(space).values(
            tenant_id=tx.tenant_id,
            id=space_id,
            building_id=building_id,
            code=code,
            unit_code=unit_code,
            floor=floor,
            kind=kind.value,
            built_area_dm2=area_dm2,
        )
    )
    known = facts or SpaceFacts(area_dm2, use=first_use(kind))
    insert_versions(tx, [NewVersion(space_id, 1, BEGINNING, known, "")], recorded_by)
    return space_id


def rename_space(tx: Tx, space_id: SpaceId, code: str, unit_code: str, floor: int) -> None:
    """Correct what a space is called and where it lies."""
    # Correct one space.
    tx.conn.execute(
        sa.update(space)
        .where(space.c.tenant_id == tx.tenant_id, space.c.id == space_id)
        .values(code=code, unit_code=unit_code, floor=floor)
    )


def set_area(tx: Tx, space_id: SpaceId, area_dm2: int) -> None:
    """Keep beside a space the area it has today."""
    # Keep one space's area of today.
    tx.conn.execute(
        sa.update(space)
        .where(space.c.tenant_id == tx.tenant_id, space.c.id == space_id)
        .values(built_area_dm2=area_dm2)
    )


def list_service_points(tx: Tx, site_id: SiteId, space_id: SpaceId | None = None) -> list[ServicePoint]:
    """Return a site's service points by code, or those of one of its spaces."""
    conditions = [service_point.c.tenant_id == tx.tenant_id, service_point.c.site_id == site_id]
    if space_id is not None:
        conditions.append(service_point.c.space_id == space_id)
    # Where is something measured for billing?
    rows = tx.conn.execute(
        sa.select(
            service_point.c.id,
            service_point.c.site_id,
            service_point.c.space_id,
            service_point.c.code,
            service_point.c.commodity,
            service_point.c.kind,
        )
        .where(*conditions)
        .order_by(service_point.c.code)
    )
    return [_service_point_from_row(row) for row in rows]


def fed_commodities(tx: Tx, site_id: SiteId) -> set[Commodity]:
    """Return what comes into a site through a master meter."""
    # Of what is there a master meter?
    rows = tx.conn.execute(
        sa.select(service_point.c.commodity)
        .where(
            service_point.c.tenant_id == tx.tenant_id,
            service_point.c.site_id == site_id,
            service_point.c.kind == ServicePointKind.MASTER.value,
        )
        .distinct()
    )
    return {Commodity(code) for code in rows.scalars()}


def insert_service_point(
    tx: Tx, site_id: SiteId, space_id: SpaceId | None, code: str, commodity: Commodity, kind: ServicePointKind
) -> ServicePointId:
    """Add a service point."""
    service_point_id = ServicePointId(tx.new_id())
    # Add one service point.
    tx.conn.execute(
        sa.insert(service_point).values(
            tenant_id=tx.tenant_id,
            id=service_point_id,
            site_id=site_id,
            space_id=space_id,
            code=code,
            commodity=commodity.value,
            kind=kind.value,
        )
    )
    return service_point_id


def _sites(tx: Tx, which: sa.ColumnElement[bool]) -> list[Site]:
    # Which sites are there?
    rows = tx.conn.execute(
        sa.select(site.c.id, site.c.code, site.c.name, site.c.time_zone, site.c.address)
        .where(site.c.tenant_id == tx.tenant_id, which)
        .order_by(site.c.code)
    )
    return [Site(SiteId(row.id), row.code, row.name, row.time_zone, row.address) for row in rows]


def _buildings(tx: Tx, which: sa.ColumnElement[bool]) -> list[Building]:
    rows = tx.conn.execute(
        sa.select(building.c.id, building.c.site_id, building.c.code, building.c.name, building.c.floors)
        .where(building.c.tenant_id == tx.tenant_id, which)
        .order_by(building.c.code)
    )
    return [Building(BuildingId(row.id), SiteId(row.site_id), row.code, row.name, row.floors) for row in rows]


def _spaces() -> sa.Select[Any]:
    return sa.select(
        space.c.id,
        space.c.building_id,
        space.c.code,
        space.c.unit_code,
        space.c.floor,
        space.c.kind,
        space.c.built_area_dm2,
    ).select_from(
        space.join(
            building,
            sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id),
        )
    )


def _space_from_row(row: Any) -> Space:
    return Space(
        SpaceId(row.id),
        BuildingId(row.building_id),
        row.code,
        row.unit_code,
        row.floor,
        SpaceKind(row.kind),
        row.built_area_dm2,
    )


def _service_point_from_row(row: Any) -> ServicePoint:
    return ServicePoint(
        ServicePointId(row.id),
        SiteId(row.site_id),
        None if row.space_id is None else SpaceId(row.space_id),
        row.code,
        Commodity(row.commodity),
        ServicePointKind(row.kind),
    )
