"""Buildings 2 and 3 of the community: premises and people on paper, without a wire of their own.

Building 1 speaks on the lines; these two are what a property's books are full of besides: flats lived in,
let, empty or not yet handed over, shops on the ground floor, parking spaces below it, billed by floor area
and by the month. The invariant: nothing here has a meter, and no code of building 1 occurs again.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from simulator.inventory import bought, unwired

PROPERTY_FEE, PARKING_FEE = "demo-property-fee", "demo-parking-fee"

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗"
_GIVEN = ("晓明", "建平", "丽华", "国强", "静怡", "志伟", "玉兰", "子涵", "美玲", "文博", "海燕")
# By the flat's place on its floor: built area, inner area, layout, orientation.
_LAYOUTS = (
    (8960, 7230, "3室2厅1卫", "south_north"),
    (6740, 5480, "2室1厅1卫", "south"),
    (11820, 9560, "3室2厅2卫", "south_north"),
    (4850, 3940, "1室1厅1卫", "east"),
)


@dataclass(frozen=True, slots=True)
class _House:
    """One building: `parking` spaces below it, `shops` on its ground floor, where no flat is."""

    code: str
    name: str
    floors: int
    units: int
    shops: int
    parking: int
    handed_over_on: date


_HOUSES = (
    _House("2", "2 号楼", 11, 1, 0, 6, date(2019, 6, 28)),
    _House("3", "3 号楼", 9, 1, 4, 10, date(2023, 9, 30)),
)


@dataclass(frozen=True, slots=True)
class _Home:
    """One flat, shop or parking space: who holds it since when, "" for nobody."""

    space: dict[str, Any]
    holder: str
    size: int
    since_on: date

    @property
    def code(self) -> str:
        return str(self.space["code"])


def add_neighbours(document: dict[str, Any], opened_on: str, today: date) -> dict[str, Any]:
    """Return a site document with the two buildings added, charged from `opened_on`, as upkept `today`."""
    added = dict(document)
    for house in _HOUSES:
        homes = _homes(house)
        public = [_public(house, "大厅", 1), _public(house, "设备间", -1)]
        building = {"code": house.code, "name": house.name, "floors": house.floors}
        held = [home for home in homes if home.holder]
        _extend(added, "buildings", [{**building, "spaces": [*(home.space for home in homes), *public]}])
        _extend(added, "accounts", [_account(home, opened_on) for home in held])
        _extend(added, "subscriptions", [_subscription(home, opened_on) for home in held])
        _extend(added, "equipment", [_lift(house, today)])
        _extend(added, "people", [_person(number, home) for number, home in enumerate(held)])
    _extend(added, "equipment", unwired(today))
    _extend(added, "tariffs", [_area_tariff(), _parking_tariff()])
    return added


def _extend(document: dict[str, Any], key: str, more: list[dict[str, Any]]) -> None:
    document[key] = [*document.get(key, ()), *more]


def _homes(house: _House) -> list[_Home]:
    homes = []
    first = 2 if house.shops else 1
    for unit in range(1, house.units + 1):
        for floor in range(first, house.floors + 1):
            for place, layout in enumerate(_LAYOUTS, start=1):
                homes.append(_flat(house, unit, floor, place, layout))
    for number in range(1, house.shops + 1):
        space = _space(f"{house.code}-1{number:02d}", 1, "shop", 6200 + 450 * number, use="commercial")
        space["unit_code"] = "1"
        holder = "" if number == house.shops else f"{_name(house, 70 + number)}（商户）"
        homes.append(_Home(space | {"status": "let" if holder else "vacant"}, holder, 1, date(2024, 3, 1)))
    for number in range(1, house.parking + 1):
        space = _space(f"{house.code}-B{number:02d}", -1, "parking", 1270, use="parking")
        holder = "" if number % 4 == 0 else _name(house, 90 + number)
        homes.append(_Home(space, holder, 1, date(2024, 1, 1)))
    return homes


def _flat(house: _House, unit: int, floor: int, place: int, layout: tuple[int, int, str, str]) -> _Home:
    built, inner, rooms, orientation = layout
    order = (floor - 1) * len(_LAYOUTS) + place
    status = _status(house, order)
    is_empty = status in ("vacant", "not_handed_over")
    space = _space(f"{house.code}-{floor}{place:02d}", floor, "flat", built, use="residential")
    space |= {
        "unit_code": str(unit),
        "inner_area_dm2": inner,
        "layout": rooms,
        "orientation": orientation,
        "status": status,
    }
    if status != "not_handed_over":
        day = house.handed_over_on.replace(day=1 + order % 27)
        space["handed_over_on"] = day.isoformat()
        space["title_number"] = (
            f"京({day.year + 1})朝不动产权第{house.code}{floor:02d}{place:02d}{order:03d}号"
        )
    size = 0 if is_empty else 1 + order % 5
    holder = "" if status == "not_handed_over" or order % 13 == 0 else _name(house, order)
    since = house.handed_over_on.replace(year=house.handed_over_on.year + order % 4 // 2, day=1 + order % 27)
    return _Home(space, holder, size, since)


def _status(house: _House, order: int) -> str | None:
    """Return how a flat is used: most as their accounts show, some otherwise."""
    if house.code == "3" and order % 9 == 4:
        return "not_handed_over"
    if order % 7 == 3:
        return "let"
    if order % 11 == 5:
        return "renovating"
    return "vacant" if order % 8 == 6 else None


def _space(code: str, floor: int, kind: str, built_area_dm2: int, *, use: str) -> dict[str, Any]:
    return {"code": code, "floor": floor, "kind": kind, "built_area_dm2": built_area_dm2, "use": use}


def _lift(house: _House, today: date) -> dict[str, Any]:
    """Return a building's lift with its four cycles; building 3's half-monthly visit is overdue."""
    last_days_ago = 17 if house.code == "3" else 6
    return {
        "code": f"lift-b{house.code}",
        "kind": "lift",
        "name": f"{house.name}电梯",
        "building": house.code,
        "model": "MCA-1050-CO105",
        "serial_number": f"3110-{house.handed_over_on.year}-{house.code}07",
        **bought(f"lift-b{house.code}", today),
        "plans": [
            _plan("half-month", "半月维护保养", 15, "half_month", today - timedelta(days=last_days_ago)),
            _plan("quarter", "季度维护保养", 91, "quarter", today - timedelta(days=60)),
            _plan("half-year", "半年维护保养", 182, "half_year", today - timedelta(days=120)),
            _plan("year", "年度维护保养", 365, "year", today - timedelta(days=240)),
        ],
    }


def _plan(code: str, title: str, interval_days: int, cycle: str, last_on: date) -> dict[str, Any]:
    signed_at = datetime.combine(last_on, time(2), UTC)  # ten in the morning there
    return {
        "code": code,
        "title": title,
        "basis": "TSG T5002-2017 附件 A",
        "interval_days": interval_days,
        "lead_days": 3 if interval_days < 31 else 14,
        "starts_on": (last_on - timedelta(days=interval_days)).isoformat(),
        "checklist": "elevator-traction",
        "cycle": cycle,
        "completions": [
            {"completed_at_ms": int(signed_at.timestamp() * 1000), "signed_by": "恒安电梯 周工、吴工"}
        ],
    }


def _public(house: _House, name: str, floor: int) -> dict[str, Any]:
    return _space(f"{house.code}-{name}", floor, "public", 3200, use="other")


def _name(house: _House, order: int) -> str:
    shift = order * 7 + int(house.code) * 3
    return _SURNAMES[shift % len(_SURNAMES)] + _GIVEN[(order * 5 + int(house.code)) % len(_GIVEN)]


def _number(home: _Home) -> str:
    building, _, rest = home.code.partition("-")
    return f"A-{building}{rest.rjust(4, '0')}"


def _account(home: _Home, opened_on: str) -> dict[str, Any]:
    return {
        "number": _number(home),
        "holder_name": home.holder,
        "space": home.code,
        "household_size": home.size,
        "opened_on": opened_on,
    }


def _subscription(home: _Home, opened_on: str) -> dict[str, Any]:
    is_parking = home.space["kind"] == "parking"
    return {
        "account": _number(home),
        "tariff": PARKING_FEE if is_parking else PROPERTY_FEE,
        "label": f"车位 {home.code}" if is_parking else "物业费",
        "from_on": opened_on,
    }


def _person(number: int, home: _Home) -> dict[str, Any]:
    building, _, rest = home.code.partition("-")
    is_tenant = home.space.get("status") == "let"
    relation = {"space": home.code, "relation": "tenant" if is_tenant else "owner"}
    return {
        "name": home.holder,
        "phone": f"1390{building}{number:06d}",
        "homes": [{**relation, "from_on": home.since_on.isoformat()}],
        "note": "" if rest.isdecimal() else "车位或商铺",
    }


def _tariff(code: str, name_zh: str, name_en: str, commodity: str, charge: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": 1,
        "code": code,
        "name_zh": name_zh,
        "name_en": name_en,
        "region": "CN-BJ",
        "commodity": commodity,
        "customer_class": "residential",
        "currency": "CNY",
        "unit": "m2" if commodity == "property" else "space",
        "versions": [
            {
                "version": 1,
                "valid_from": "2019-01-01",
                "valid_to": None,
                "confidence": "high",
                "sources": [
                    {
                        "publisher": "示范小区",
                        "title": "前期物业服务合同（示例）",
                        "found_at": "demonstration",
                    }
                ],
                "charges": [charge],
            }
        ],
    }


def _area_tariff() -> dict[str, Any]:
    charge = {
        "kind": "area",
        "component": "fee",
        "price": "2.80",
        "name_zh": "物业费",
        "name_en": "Property fee",
    }
    return _tariff(PROPERTY_FEE, "物业服务费", "Property fee", "property", charge)


def _parking_tariff() -> dict[str, Any]:
    charge = {
        "kind": "fixed",
        "component": "space",
        "price": "80",
        "per": "month",
        "name_zh": "车位管理费",
        "name_en": "Parking",
    }
    return _tariff(PARKING_FEE, "车位管理费", "Parking fee", "parking", charge)
