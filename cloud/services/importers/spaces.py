"""A table of premises: buildings come into being with their first space."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cloud.domain.access import Action
from cloud.domain.imports.cell import Value
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values, shown
from cloud.domain.imports.kinds.spaces import SPACES
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.premises import Site, SpaceKind
from cloud.domain.space_history import (
    Orientation,
    SpaceFacts,
    SpaceSearch,
    SpaceStatus,
    SpaceUse,
    first_use,
)
from cloud.domain.user import User
from cloud.services import spaces
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import bulk, premises, space_versions
from cloud.store.bulk import NewSpace
from cloud.store.db import Tx

_DM2_A_M2 = 100


def look(tx: Tx, site: Site) -> Look:
    """Return the site's spaces as the table has them."""
    present: dict[Key, Values] = {
        (one.space.code,): {
            "code": one.space.code,
            "building": one.building_code,
            "building_name": one.building_name,
            "unit": one.space.unit_code,
            "floor": one.space.floor,
            "kind": one.space.kind.value,
            "area_m2": Decimal(one.facts.built_area_dm2) / _DM2_A_M2,
            "inner_area_m2": _m2(one.facts.inner_area_dm2),
            "layout": one.facts.layout or None,
            "orientation": None if one.facts.orientation is None else one.facts.orientation.value,
            "use": one.facts.use.value,
            "status": None if one.facts.status is None else one.facts.status.value,
            "title_number": one.facts.title_number or None,
            "handed_over_on": one.facts.handed_over_on,
        }
        for one in space_versions.search(tx, site.site_id, SpaceSearch(), spaces.today_at(tx, site))
    }
    return Look(present, _wrong_facts)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Add spaces, and the buildings nobody has yet."""
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
            _new_facts(row.values),
        )
        for row in rows
    ]
    return {"building": made, "space": bulk.insert_spaces(tx, added, actor.person_id)}


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Correct where spaces lie, and say from today on what they are like."""
    ids = {one.code: one.space_id for one in premises.list_spaces(tx, site.site_id)}
    places = {ids[str(key[0])]: _place(values) for key, values in changed.items()}
    bulk.update_spaces(tx, {space_id: columns for space_id, columns in places.items() if columns})
    facts = {ids[str(key[0])]: _facts(values) for key, values in changed.items()}
    told = {space_id: said for space_id, said in facts.items() if said}
    spaces.write_changes(tx, actor, told, spaces.today_at(tx, site), "")


def _place(values: Values) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "unit" in values:
        columns["unit_code"] = values["unit"] or ""
    if "floor" in values:
        columns["floor"] = _whole(values["floor"])
    return columns


def _facts(values: Values) -> dict[str, Any]:
    """Return what a row says a space is like, by the names facts have."""
    read: dict[str, tuple[str, Callable[[Value], object]]] = {
        "area_m2": ("built_area_dm2", lambda value: _dm2(value or 0)),
        "inner_area_m2": ("inner_area_dm2", lambda value: None if value is None else _dm2(value)),
        "layout": ("layout", lambda value: value or ""),
        "orientation": ("orientation", lambda value: None if value is None else Orientation(value)),
        "use": ("use", SpaceUse),
        "status": ("status", lambda value: None if value is None else SpaceStatus(value)),
        "title_number": ("title_number", lambda value: value or ""),
        "handed_over_on": ("handed_over_on", lambda value: value),
    }
    return {name: turn(values[key]) for key, (name, turn) in read.items() if key in values}


def _new_facts(values: Values) -> SpaceFacts:
    kind = SpaceKind(str(values["kind"]))
    said = {name: value for name, value in _facts(_only_said(values)).items() if value is not None}
    return SpaceFacts(**{"use": first_use(kind), **said})


def _only_said(values: Values) -> Values:
    """Return a new space's row without the empty cells; its area is a number even where nobody knows it."""
    return {key: value for key, value in values.items() if value is not None or key == "area_m2"}


def _wrong_facts(values: Values, _there: Values | None) -> Sequence[Fault]:
    inner, built = values.get("inner_area_m2"), values.get("area_m2")
    if isinstance(inner, Decimal) and isinstance(built, Decimal) and inner > built:
        return (Fault("inner_area", (shown(inner), shown(built)), "inner_area_m2"),)
    if values.get("handed_over_on") is not None and values.get("status") == "not_handed_over":
        return (Fault("handed_over", (shown(values["handed_over_on"]),), "handed_over_on"),)
    return ()


def _whole(value: object) -> int:
    return int(str(value))


def _m2(area_dm2: int | None) -> Decimal | None:
    return None if area_dm2 is None else Decimal(area_dm2) / _DM2_A_M2


def _dm2(value: object) -> int:
    return int(Decimal(str(value)) * _DM2_A_M2)


IMPORTER = Importer(SPACES, Action.MANAGE_PREMISES, look, add, change)
