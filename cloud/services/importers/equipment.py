"""A table of equipment: the register, many entries at once, each change kept as one made by hand."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cloud.domain.access import Action
from cloud.domain.equipment import Equipment, EquipmentKind, Purchase
from cloud.domain.ids import EquipmentId
from cloud.domain.imports.cell import Value
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values, shown
from cloud.domain.imports.kinds.equipment import EQUIPMENT
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services import equipment
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import equipment as equipment_store
from cloud.store import premises
from cloud.store.db import Tx

_FEN_A_YUAN = 100
_TEXTS = ("name", "brand", "model", "serial_number", "place")
_BOUGHT = ("purchased_on", "price", "supplier", "warranty_until_on")


def look(tx: Tx, site: Site) -> Look:
    """Return the site's register as the table has it; buildings and spaces that are named must be there."""
    buildings = {one.building_id: one.code for one in premises.list_buildings(tx, site.site_id)}
    listed = premises.list_spaces(tx, site.site_id)
    spaces = {one.space_id: one.code for one in listed}
    where = {one.code: buildings[one.building_id] for one in listed}
    present: dict[Key, Values] = {}
    for one in equipment_store.list_equipment(tx, site.site_id):
        bought = one.purchase
        present[(one.code,)] = {
            "code": one.code,
            "kind": one.kind.value,
            **{name: getattr(one, name) or None for name in _TEXTS},
            "building": None if one.building_id is None else buildings.get(one.building_id),
            "space": None if one.space_id is None else spaces.get(one.space_id),
            "supplier": bought.supplier or None,
            "purchased_on": bought.purchased_on,
            "price": None if bought.price_fen is None else Decimal(bought.price_fen) / _FEN_A_YUAN,
            "warranty_until_on": bought.warranty_until_on,
            "retired_on": one.retired_on,
        }
    known = frozenset(buildings.values())

    def check(values: Values, _there: Values | None) -> Sequence[Fault]:
        building, space = values["building"], values["space"]
        if building is not None and building not in known:
            return (Fault("no_building", (str(building),), "building"),)
        # A space is in one building; a row that names another names none of them.
        if space is not None and (space not in where or building not in (None, where[str(space)])):
            return (Fault("no_space", (str(space),), "space"),)
        bought, until = values["purchased_on"], values["warranty_until_on"]
        if isinstance(bought, date) and isinstance(until, date) and until < bought:
            return (Fault("warranty", (shown(until), shown(bought)), "warranty_until_on"),)
        return ()

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Add equipment to the register."""
    del actor
    made = []
    for row in rows:
        equipment_id = EquipmentId(tx.new_id())
        facts = _facts(tx, site, row.values, None)
        equipment_store.insert_equipment(
            tx, Equipment(equipment_id, site.site_id, code=str(row.values["code"]), **facts)
        )
        made.append(equipment_id)
    return {"equipment": made}


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Let the register say something else, as if each entry had been changed by hand."""
    for key, values in changed.items():
        now = equipment_store.find_by_code(tx, site.site_id, str(key[0]))
        assert now is not None, "what is changed was there when the table was looked at"
        equipment.change_equipment(tx, actor, now.equipment_id, _facts(tx, site, values, now))


def _facts(tx: Tx, site: Site, values: Values, now: Equipment | None) -> dict[str, Any]:
    """Return what a row says, by the names the register's fields have; what it leaves out stays as it is."""
    facts: dict[str, Any] = {}
    if now is None:
        facts = {"building_id": None, "space_id": None, "device_id": None}
        facts |= dict.fromkeys(_TEXTS, "")
    facts |= {name: str(values[name] or "") for name in _TEXTS if name in values}
    if "kind" in values:
        facts["kind"] = EquipmentKind(str(values["kind"]))
    if "retired_on" in values:
        facts["retired_on"] = values["retired_on"]
    if "building" in values or "space" in values:
        facts |= _place(tx, site, values, now)
    if any(name in values for name in _BOUGHT):
        facts["purchase"] = _purchase(values, Purchase() if now is None else now.purchase)
    return facts


def _place(tx: Tx, site: Site, values: Values, now: Equipment | None) -> dict[str, Any]:
    """Return the building and space a row names; a space says which building it is in."""
    if values.get("space") is not None:
        found = next(s for s in premises.list_spaces(tx, site.site_id) if s.code == values["space"])
        return {"building_id": found.building_id, "space_id": found.space_id}
    building = next(
        (b for b in premises.list_buildings(tx, site.site_id) if b.code == values.get("building")), None
    )
    if now is not None and "building" not in values:
        return {"space_id": None}
    return {"building_id": None if building is None else building.building_id, "space_id": None}


def _purchase(values: Values, now: Purchase) -> Purchase:
    def said(name: str, otherwise: Any) -> Any:
        return values.get(name, otherwise)

    return Purchase(
        said("purchased_on", now.purchased_on),
        _fen(values["price"]) if "price" in values else now.price_fen,
        str(said("supplier", now.supplier) or ""),
        said("warranty_until_on", now.warranty_until_on),
    )


def _fen(price: Value) -> int | None:
    return None if price is None else int(Decimal(str(price)) * _FEN_A_YUAN)


IMPORTER = Importer(EQUIPMENT, Action.MANAGE_EQUIPMENT, look, add, change)
