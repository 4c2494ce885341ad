"""A table of premises: buildings come into being with their first space."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cloud.domain.access import Action
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds import SPACES
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import bulk, premises
from cloud.store.bulk import NewSpace
from cloud.store.db import Tx

_DM2_A_M2 = 100


def look(tx: Tx, site: Site) -> Look:
    """Return the site's spaces as the table has them."""
    buildings = {one.building_id: one for one in premises.list_buildings(tx, site.site_id)}
    present: dict[Key, Values] = {
        (one.code,): {
            "code": one.code,
            "building": buildings[one.building_id].code,
            "building_name": buildings[one.building_id].name,
            "unit": one.unit_code,
            "floor": one.floor,
            "kind": one.kind.value,
            "area_m2": Decimal(one.built_area_dm2) / _DM2_A_M2,
        }
        for one in premises.list_spaces(tx, site.site_id)
    }
    return Look(present, _nothing_more)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Add spaces, and the buildings nobody has yet."""
    del actor
    buildings = {one.code: one.building_id for one in premises.list_buildings(tx, site.site_id)}
    made = []
    for code in dict.fromkeys(str(row.values["building"]) for row in rows):
        if code in buildings:
            continue
        own = [row.values for row in rows if row.values["building"] == code]
        name = next((str(one["building_name"]) for one in own if one["building_name"]), code)
        floors = max(max(_whole(one["floor"]) for one in own), 1)
        buildings[code] = premises.insert_building(tx, site.site_id, code, name, floors)
        made.append(buildings[code])
    added = [
        NewSpace(
            buildings[str(row.values["building"])],
            str(row.values["code"]),
            str(row.values["unit"] or ""),
            _whole(row.values["floor"]),
            str(row.values["kind"]),
            _dm2(row.values["area_m2"]),
        )
        for row in rows
    ]
    return {"building": made, "space": bulk.insert_spaces(tx, added)}


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Change units, floors and areas."""
    del actor
    ids = {one.code: one.space_id for one in premises.list_spaces(tx, site.site_id)}
    bulk.update_spaces(tx, {ids[str(key[0])]: _columns(values) for key, values in changed.items()})


def _columns(values: Values) -> Mapping[str, Any]:
    columns: dict[str, Any] = {}
    if "unit" in values:
        columns["unit_code"] = values["unit"] or ""
    if "floor" in values:
        columns["floor"] = _whole(values["floor"])
    if "area_m2" in values:
        columns["built_area_dm2"] = _dm2(values["area_m2"])
    return columns


def _nothing_more(_values: Values, _there: Values | None) -> Sequence[Fault]:
    return ()


def _whole(value: object) -> int:
    return int(str(value))


def _dm2(value: object) -> int:
    return int(Decimal(str(value)) * _DM2_A_M2)


IMPORTER = Importer(SPACES, Action.MANAGE_PREMISES, look, add, change)
