"""The building as the document a cloud sets a property up from: premises, people, meters, equipment.

The same building that speaks on the wires, told to the office; `gatehouse db load` reads it. The
invariant: every point, meter and address in it is one that `building.py` has, and an opening value is
what the meter showed at that instant.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from protocol.quantity import QUANTITIES, decimal_from_micro
from simulator.building import (
    DEVICES,
    ELECTRICITY_ROLES,
    FLATS,
    WATER_ROLES,
    Device,
    Flat,
    Role,
)
from simulator.curves import DAY_MS, ZONE_OFFSET_MS, day_start_ms, local_day
from simulator.inventory import bought
from simulator.maps import TOLD_BY_THE_BOX, shown_values
from simulator.models import Building

SITE_CODE, SITE_NAME, SITE_ADDRESS = "DG", "示范小区", "北京市朝阳区示范路 1 号"
TIME_ZONE = "Asia/Shanghai"
GATEWAY_CODE, GATEWAY_NAME = "gw-1", "1 号楼网关"
BUILDING_CODE = "1"

ELECTRICITY_TARIFF, WATER_TARIFF = "cn-beijing-elec-res", "cn-beijing-water-res"

# What a flat cannot use in a day: 63 A at 230 V round the clock, and a tap left open.
_FLAT_KWH_PER_DAY_MAX, _FLAT_M3_PER_DAY_MAX = "350", "30"
_BUILDING_KWH_PER_DAY_MAX, _BUILDING_M3_PER_DAY_MAX = "8000", "600"

_MODELS = {
    Role.FLAT_ELECTRICITY: "DDZY (DL/T 645-2007)",
    Role.FLAT_WATER: "LXSY-20 (CJ/T 188)",
    Role.MASTER_ELECTRICITY: "Eastron SDM630",
    Role.MASTER_WATER: "LXSY-80 (CJ/T 188)",
    Role.PUBLIC_ELECTRICITY: "Acrel DDSY1352",
    Role.PUMP_ELECTRICITY: "Carlo Gavazzi EM24",
}
_REGISTER_MODULUS = {Role.PUMP_ELECTRICITY: "10000000"}  # all others have six digits before the point
_KINDS = {
    Role.FLAT_ELECTRICITY: "flat",
    Role.FLAT_WATER: "flat",
    Role.MASTER_ELECTRICITY: "master",
    Role.MASTER_WATER: "master",
    Role.PUBLIC_ELECTRICITY: "public",
    Role.PUMP_ELECTRICITY: "public",
}

_EIGHT, _TWENTY = 8 * 60, 20 * 60
# Who repairs: name, skills, buildings (none: all), shift in minutes of the day.
TECHNICIANS = {
    "liu": ("刘志强", ("plumbing", "public", "appliance"), (BUILDING_CODE,), _EIGHT, _TWENTY),
    "sun": ("孙伟", ("electrical", "door", "fire"), (), _EIGHT, _TWENTY),
    "zhao": ("赵磊", ("plumbing", "electrical", "door", "lift"), (), _TWENTY, _EIGHT),
}
# Who else works here: name and role.
RESIDENTS_WITH_LOGIN = 4
_GIVEN_NAMES = ("晓雯", "子轩", "秀英", "梓涵", "志远", "雨桐", "建华")
STAFF = {"manager": ("物业经理", "manager"), "he": ("何队长", "guard"), "lin": ("林会计", "finance")}


@dataclass(frozen=True, slots=True)
class Occasion:
    """When the property is set up: bills count from `opened_on`, upkeep is told as of `now_ms`."""

    opened_on: date
    now_ms: int
    password: str  # of every demonstration user

    @property
    def opened_at_ms(self) -> int:
        """Return the beginning of `opened_on` at the site."""
        return day_start_ms(self.opened_on.toordinal())


def site_document(building: Building, occasion: Occasion) -> dict[str, object]:
    """Return the document, format 1, without tariffs: those have a library of their own."""
    metered = [device for device in DEVICES if device.role in ELECTRICITY_ROLES | WATER_ROLES]
    return {
        "format": 1,
        "site": {"code": SITE_CODE, "name": SITE_NAME, "time_zone": TIME_ZONE, "address": SITE_ADDRESS},
        "buildings": [_building()],
        "gateways": [{"code": GATEWAY_CODE, "name": GATEWAY_NAME, "devices": [_device(d) for d in DEVICES]}],
        "service_points": [_service_point(device) for device in metered],
        "meters": [_meter(device) for device in metered],
        "installations": [_installation(building, device, occasion) for device in metered],
        "accounts": [_account(flat, occasion) for flat in FLATS],
        "supplies": [supply for flat in FLATS for supply in _supplies(flat, occasion)],
        "equipment": _equipment(occasion),
        "users": _users(occasion),
        "people": [person for flat in FLATS for person in _people(flat)],
        "technicians": [
            {
                "user": login,
                "skills": list(skills),
                "buildings": list(buildings),
                "from_minute": from_minute,
                "to_minute": to_minute,
            }
            for login, (_, skills, buildings, from_minute, to_minute) in TECHNICIANS.items()
        ],
    }


def write_site_document(building: Building, occasion: Occasion) -> bytes:
    """Return the document as JSON that a person can read."""
    return json.dumps(site_document(building, occasion), ensure_ascii=False, indent=1).encode()


def service_point_code(device: Device) -> str:
    """Return the code of the place a meter hangs at: E-101, W-101, E-MAIN, E-PUBLIC."""
    letter = "W" if device.role in WATER_ROLES else "E"
    return f"{letter}-{device.device_id.partition('-')[2].upper()}"


def account_number(flat: Flat) -> str:
    """Return the number of a flat's account."""
    return f"A-{flat.number:05d}"


def _building() -> dict[str, object]:
    flats = [
        {
            "code": flat.space_code,
            "unit_code": "1",
            "floor": flat.floor,
            "kind": "flat",
            "built_area_dm2": flat.built_area_dm2,
        }
        for flat in FLATS
    ]
    public = [
        {"code": "1-hall", "unit_code": "1", "floor": 1, "kind": "public"},
        {"code": "1-pump-room", "unit_code": "1", "floor": -1, "kind": "public"},
    ]
    return {"code": BUILDING_CODE, "name": "1 号楼", "floors": 6, "spaces": [*flats, *public]}


def _device(device: Device) -> dict[str, object]:
    points = shown_values(device.profile, _Anything())
    return {
        "code": device.device_id,
        "profile": device.profile,
        "title": device.title,
        "points": [_point(name, TOLD_BY_THE_BOX.get(device.profile, {})) for name in points],
    }


class _Anything(dict[str, int]):
    """Values of which only the names matter."""

    def __missing__(self, key: str) -> int:
        return 0


def _point(name: str, quantities: Mapping[str, str]) -> dict[str, object]:
    if name in QUANTITIES:
        return {"name": name}
    # fire_alarm_1 is a fire_alarm
    return {"name": name, "quantity": quantities.get(name) or name.rpartition("_")[0]}


def _service_point(device: Device) -> dict[str, object]:
    place: dict[str, object] = {
        "code": service_point_code(device),
        "commodity": _commodity(device),
        "kind": _KINDS[device.role],
    }
    if device.flat is not None:
        place["space"] = device.flat.space_code
    return place


def _meter(device: Device) -> dict[str, object]:
    is_water = device.role in WATER_ROLES
    if device.flat is None:
        max_per_day = _BUILDING_M3_PER_DAY_MAX if is_water else _BUILDING_KWH_PER_DAY_MAX
    else:
        max_per_day = _FLAT_M3_PER_DAY_MAX if is_water else _FLAT_KWH_PER_DAY_MAX
    return {
        "serial": _serial(device),
        "commodity": _commodity(device),
        "model": _MODELS[device.role],
        "register_modulus": _REGISTER_MODULUS.get(device.role, "1000000"),
        "max_per_day": max_per_day,
    }


def _installation(building: Building, device: Device, occasion: Occasion) -> dict[str, object]:
    point = "water_volume" if device.role in WATER_ROLES else "active_energy_import"
    shown = shown_values(device.profile, building.values_micro(device.device_id, occasion.opened_at_ms))
    return {
        "service_point": service_point_code(device),
        "meter": _serial(device),
        "point": f"{GATEWAY_CODE}/{device.device_id}/{point}",
        "from_at_ms": occasion.opened_at_ms,
        "opening_value": f"{decimal_from_micro(shown[point]):f}",
    }


def _account(flat: Flat, occasion: Occasion) -> dict[str, object]:
    return {
        "number": account_number(flat),
        "holder_name": flat.holder_name,
        "space": flat.space_code,
        "household_size": max(1, flat.household_size),
        "opened_on": occasion.opened_on.isoformat(),
    }


def _people(flat: Flat) -> list[dict[str, object]]:
    """Return who lives in a flat: its holder since some year, and in larger households one of the family."""
    order = FLATS.index(flat)
    home = {"space": flat.space_code, "from_on": f"{2014 + order % 11}-{1 + order % 12:02d}-15"}
    is_tenant = order % 7 == 5
    holder: dict[str, object] = {
        "name": flat.holder_name,
        "phone": f"1380010{flat.number:04d}",
        "homes": [{**home, "relation": "tenant" if is_tenant else "owner"}],
    }
    if order < RESIDENTS_WITH_LOGIN:
        holder["user"] = str(flat.number)
    if order % 3 == 0:
        holder["plates"] = [f"京N{flat.number}K{order % 10}"]
    family: list[dict[str, object]] = []
    if flat.household_size > 2:
        name = flat.holder_name[:1] + _GIVEN_NAMES[order % len(_GIVEN_NAMES)]
        family.append({"name": name, "homes": [{**home, "relation": "family"}]})
    return [holder, *family]


def _supplies(flat: Flat, occasion: Occasion) -> list[dict[str, object]]:
    return [
        {
            "account": account_number(flat),
            "service_point": f"{letter}-{flat.number}",
            "tariff": tariff,
            "from_on": occasion.opened_on.isoformat(),
        }
        for letter, tariff in (("E", ELECTRICITY_TARIFF), ("W", WATER_TARIFF))
    ]


def _equipment(occasion: Occasion) -> list[dict[str, object]]:
    """Return what the law and the makers want looked after, with the last two signed visits."""
    half_monthly = _plan(
        occasion, "half-month", "半月维护保养", "TSG T5002-2017 附件 A", 15, 3, last_days_ago=13
    )
    by_trips = _plan(occasion, "ropes", "曳引绳与制动器检查", "产品说明书 5.3", 180, 7, last_days_ago=70)
    by_trips["trigger"] = {"kind": "usage", "point": f"{GATEWAY_CODE}/lift-1/trip_count", "limit": "60000"}
    return [
        _item(occasion, "lift-1", "lift", "1 号电梯", "lift-1", "LEHY-III", [half_monthly, by_trips]),
        _item(
            occasion,
            "fire-1",
            "fire_panel",
            "火灾自动报警系统",
            "fire-1",
            "JB-QB-GST200",
            [_plan(occasion, "month", "月度检查", "GB 25201-2010 6.2", 30, 5, last_days_ago=9)],
        ),
        _item(
            occasion,
            "pump-1",
            "pump",
            "生活给水泵组",
            "em-pump",
            "CDM10-8",
            [_plan(occasion, "quarter", "季度保养", "GB/T 30948-2021", 91, 7, last_days_ago=60)],
        ),
        _item(
            occasion,
            "lock-1",
            "access_control",
            "单元门锁",
            "lock-1",
            "Zigbee 门锁",
            [_plan(occasion, "half-year", "电池与机械检查", "产品说明书", 182, 14, last_days_ago=30)],
        ),
        _item(occasion, "leak-1", "sensor", "水泵房水浸探测器", "leak-1", "Zigbee 水浸", []),
    ]


def _item(
    occasion: Occasion,
    code: str,
    kind: str,
    name: str,
    device_id: str,
    model: str,
    plans: list[dict[str, object]],
) -> dict[str, object]:
    return {
        "code": code,
        "kind": kind,
        "name": name,
        "building": BUILDING_CODE,
        "device": f"{GATEWAY_CODE}/{device_id}",
        "model": model,
        "serial_number": f"SN-{code}-2023",
        **bought(code, date.fromordinal(local_day(occasion.now_ms))),
        "plans": plans,
    }


def _plan(
    occasion: Occasion, code: str, title: str, basis: str, interval: int, lead: int, *, last_days_ago: int
) -> dict[str, object]:
    today = local_day(occasion.now_ms)
    visits = [today - last_days_ago - interval, today - last_days_ago]
    return {
        "code": code,
        "title": title,
        "basis": basis,
        "interval_days": interval,
        "lead_days": lead,
        "starts_on": date.fromordinal(visits[0] - interval).isoformat(),
        "completions": [
            {"completed_at_ms": day_start_ms(day) + 10 * DAY_MS // 24, "signed_by": "李工"} for day in visits
        ],
    }


def _users(occasion: Occasion) -> list[dict[str, object]]:
    staff = {**STAFF, **{login: (told[0], "maintenance") for login, told in TECHNICIANS.items()}}
    workers: list[dict[str, object]] = [
        {"login": login, "password": occasion.password, "display_name": name, "role": role}
        for login, (name, role) in staff.items()
    ]
    residents: list[dict[str, object]] = [
        {
            "login": str(flat.number),
            "password": occasion.password,
            "display_name": flat.holder_name,
            "role": "resident",
            "accounts": [account_number(flat)],
        }
        for flat in FLATS[:RESIDENTS_WITH_LOGIN]
    ]
    return [*workers, *residents]


def _commodity(device: Device) -> str:
    return "water" if device.role in WATER_ROLES else "electricity"


def _serial(device: Device) -> str:
    """Return the number on the meter's plate: its bus address where that is unique in the world."""
    return device.address if len(device.address) > 3 else f"{device.device_id}-2023001"


def year_start(at_ms: int) -> date:
    """Return the first day of that instant's year at the site."""
    local = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms + ZONE_OFFSET_MS)
    return date(local.year, 1, 1)
