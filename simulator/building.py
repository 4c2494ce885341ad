"""Demo Garden, building 1: twenty-four flats, their meters, and what the common parts need to live.

This is the one list of what exists; everything that answers, is billed or is drawn follows it. The
invariant: a device id, and an address on its line, occur once.
"""

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a device does in the building."""

    FLAT_ELECTRICITY = "flat electricity meter"
    FLAT_WATER = "flat water meter"
    PUBLIC_ELECTRICITY = "common-parts electricity meter"
    PUMP_ELECTRICITY = "pump room electricity meter"
    MASTER_ELECTRICITY = "master electricity meter"
    MASTER_WATER = "master water meter"
    CHARGER_ELECTRICITY = "charging post electricity meter"
    SHOP_ELECTRICITY = "shop electricity meter"
    GARAGE_ELECTRICITY = "garage electricity meter"
    HEAT_STATION = "heat station"
    RELAY_BOARD = "relay board"
    LIFT = "lift controller"
    FIRE_PANEL = "fire panel gateway"
    LOCK = "entrance door lock"
    DOOR_READER = "door reader"
    LEAK_SENSOR = "leak sensor"
    SIREN = "siren on a plug"
    PLUG = "metered plug"
    WIRELESS_METER = "electricity meter by radio"
    FIRE_CALLER = "fire-alarm transmission device"
    ALARM_CALLER = "alarm panel"
    CAMERA = "camera"


ELECTRICITY_ROLES = frozenset(
    {Role.FLAT_ELECTRICITY, Role.PUBLIC_ELECTRICITY, Role.PUMP_ELECTRICITY, Role.MASTER_ELECTRICITY}
)
# Fed by a transformer of their own, not behind the master meter, and let to an operator who bills himself.
OPERATORS_ROLES = frozenset({Role.CHARGER_ELECTRICITY, Role.GARAGE_ELECTRICITY, Role.SHOP_ELECTRICITY})
WATER_ROLES = frozenset({Role.FLAT_WATER, Role.MASTER_WATER})


@dataclass(frozen=True, slots=True)
class Flat:
    """A dwelling and the household in it; nobody lives where `household_size` is 0."""

    number: int  # 101: first floor, first door
    holder_name: str
    household_size: int
    built_area_dm2: int
    watt_hours_per_day: int
    litres_per_day: int

    @property
    def floor(self) -> int:
        """Return the storey, counted from 1 at the ground."""
        return self.number // 100

    @property
    def space_code(self) -> str:
        """Return the code of the space in building 1."""
        return f"1-{self.number}"

    @property
    def has_four_rates(self) -> bool:
        """Tell whether its electricity meter counts by time of use."""
        return self.number % 10 == 4


@dataclass(frozen=True, slots=True)
class Device:
    """Something with an address on a line. `flat` is None for the common parts."""

    device_id: str
    role: Role
    line_id: str
    address: str  # meter address, Modbus unit id in decimal, zigbee2mqtt friendly name, what a camera sees
    profile: str
    title: str
    flat: Flat | None = None


BUS_1, BUS_2 = "bus-1", "bus-2"  # RS-485: a pseudo-terminal, and a transparent TCP serial server
METERS_TCP, LIFT_TCP, FIRE_TCP = "meters-tcp", "lift-tcp", "fire-tcp"
# A 4G serial server (DTU) that calls the gateway, an RTU-over-UDP server, an M-Bus level converter on TCP.
DTU_1, GARAGE_UDP, MBUS_1 = "dtu-1", "garage-udp", "mbus-1"
MQTT = "mqtt"
DOORS = "doors"  # RS-485 with door readers
FIRE_CALLS, ALARM_CALLS = "fire-calls", "alarm-calls"  # ports of the gateway that panels call
CAMERAS = "cameras"  # ONVIF, each on a port of its own

# What the DTU says when it calls, and every so often.
DTU_REGISTRATION, DTU_HEARTBEAT = "DTU-0007", "PING"
# Of the charging post's relay: a simulated building has no secrets.
DEMO_RELAY_PASSWORD = "123456"  # noqa: S105
# Of the door readers' secure channel, and of what stands for a card in the edge's events: likewise.
DEMO_READER_KEY, DEMO_CARD_KEY = "7c" * 16, "5a" * 16
# Whom the cameras let ask: likewise.
DEMO_CAMERA_USER, DEMO_CAMERA_PASSWORD = "gatehouse", "demo-camera"
WATER_METER_TYPE = "10"  # CJ/T 188: cold water
VACANT_FLAT, HEAVY_FLAT = 203, 602

# Watt-hours a day at a Beijing household's mean of 2,600 kWh a year for three people; litres likewise
# at 110 l a head. The heavy household charges a car, heats its floor and waters a roof garden.
FLATS: tuple[Flat, ...] = (
    Flat(101, "王建国", 3, 8950, 7_400, 330),
    Flat(102, "李秀英", 2, 6720, 5_200, 215),
    Flat(103, "张伟", 4, 8950, 9_600, 430),
    Flat(104, "刘洋", 3, 10480, 8_300, 345),
    Flat(201, "陈静", 3, 8950, 6_900, 310),
    Flat(202, "杨帆", 1, 6720, 3_600, 120),
    Flat(203, "赵敏", 0, 8950, 260, 0),
    Flat(204, "黄志强", 5, 10480, 11_300, 520),
    Flat(301, "周丽", 3, 8950, 7_800, 325),
    Flat(302, "吴磊", 2, 6720, 5_700, 230),
    Flat(303, "徐芳", 4, 8950, 9_100, 410),
    Flat(304, "孙鹏", 3, 10480, 8_900, 350),
    Flat(401, "马超", 2, 8950, 6_100, 240),
    Flat(402, "朱琳", 1, 6720, 4_100, 135),
    Flat(403, "胡斌", 3, 8950, 7_100, 335),
    Flat(404, "郭婷", 4, 10480, 10_600, 445),
    Flat(501, "何军", 3, 8950, 8_100, 340),
    Flat(502, "高洁", 2, 6720, 4_900, 225),
    Flat(503, "林涛", 5, 8950, 10_900, 535),
    Flat(504, "罗雪", 3, 10480, 7_600, 320),
    Flat(601, "梁勇", 3, 8950, 8_600, 355),
    Flat(602, "宋佳", 5, 13260, 24_500, 1_150),
    Flat(603, "唐明", 2, 8950, 6_400, 250),
    Flat(604, "许晴", 4, 10480, 9_900, 420),
)

PUBLIC_WATT_HOURS_PER_DAY = 46_000
CHARGER_WATT_HOURS_PER_DAY, GARAGE_WATT_HOURS_PER_DAY, SHOP_WATT_HOURS_PER_DAY = 38_000, 30_000, 21_000
HEAT_WATT_HOURS_PER_DAY = 410_000
LIFT_TRIPS_PER_DAY = 240
# Neither is behind the master meter: one has its own supply, the other is lost in the common parts.
BASE_STATION_WATT_HOURS_PER_DAY, DISPENSER_WATT_HOURS_PER_DAY = 61_000, 2_900
PUMP_PERMILLE_WH_PER_LITRE = 700  # 0.7 kWh lifts a cubic metre through the pressure set
ELECTRICITY_LOSS_PERMILLE = 1_014  # what risers and the meters themselves take
WATER_LOSS_PERMILLE = 1_011


def _flat_devices(flat: Flat) -> tuple[Device, Device]:
    line_id = BUS_1 if flat.floor <= 3 else BUS_2
    electricity = "dlt645_four_rate" if flat.has_four_rates else "dlt645_single_phase"
    return (
        Device(
            f"em-{flat.number}",
            Role.FLAT_ELECTRICITY,
            line_id,
            f"202607000{flat.number}",
            electricity,
            f"{flat.number} 电表",
            flat,
        ),
        Device(
            f"wm-{flat.number}",
            Role.FLAT_WATER,
            line_id,
            f"20260700000{flat.number}",
            "cjt188_cold_water",
            f"{flat.number} 水表",
            flat,
        ),
    )


DEVICES: tuple[Device, ...] = (
    *(device for flat in FLATS for device in _flat_devices(flat)),
    Device("em-public", Role.PUBLIC_ELECTRICITY, BUS_1, "1", "acrel_ddsy1352", "公区电表"),
    Device("wm-main", Role.MASTER_WATER, BUS_1, "20260700000001", "cjt188_cold_water", "总水表"),
    Device("em-main", Role.MASTER_ELECTRICITY, METERS_TCP, "1", "eastron_sdm630", "总电表"),
    Device("em-pump", Role.PUMP_ELECTRICITY, METERS_TCP, "2", "carlo_gavazzi_em24", "水泵房电表"),
    Device("em-charger", Role.CHARGER_ELECTRICITY, DTU_1, "202607000901", "dlt645_relay_meter", "充电桩电表"),
    Device(
        "em-shop",
        Role.SHOP_ELECTRICITY,
        DTU_1,
        "199707000902",
        "dlt645_1997_single_phase",
        "底商旧电表",
    ),
    Device("em-garage", Role.GARAGE_ELECTRICITY, GARAGE_UDP, "1", "acrel_ddsy1352", "车库电表"),
    Device("out-1", Role.RELAY_BOARD, GARAGE_UDP, "2", "waveshare_relay_8", "车库警笛与风机继电器"),
    Device("hm-1", Role.HEAT_STATION, MBUS_1, "20260701", "mbus_heat_meter", "换热站热量表"),
    Device("lift-1", Role.LIFT, LIFT_TCP, "1", "lift_gateway", "1 号电梯"),
    Device("fire-1", Role.FIRE_PANEL, FIRE_TCP, "1", "fire_panel_gateway", "火灾报警主机"),
    Device("lock-1", Role.LOCK, MQTT, "lock-1", "zigbee2mqtt_lock", "单元门锁"),
    Device("door-1", Role.DOOR_READER, DOORS, "5", "osdp_door", "车库门禁"),
    Device("leak-1", Role.LEAK_SENSOR, MQTT, "leak-1", "zigbee2mqtt_leak_sensor", "水泵房水浸"),
    Device("siren-1", Role.SIREN, MQTT, "siren-1", "tasmota_energy_meter", "水泵房警号"),
    Device("plug-1", Role.PLUG, MQTT, "hall/plug-1", "shelly_plug", "大堂饮水机"),
    Device("em-5g", Role.WIRELESS_METER, MQTT, "Garden/gw-roof/em-5g", "sparkplug_meter", "屋顶基站电表"),
    Device("lift-2", Role.LIFT, MQTT, "lifts/lift-2/status", "lift_mqtt", "2 号电梯"),
    Device("fire-2", Role.FIRE_CALLER, FIRE_CALLS, "2c312c320000", "gb26875_fire_panel", "消防传输装置"),
    Device("alarm-1", Role.ALARM_CALLER, ALARM_CALLS, "1234", "sia_dc09_alarm_panel", "物业用房报警主机"),
    Device("cam-1", Role.CAMERA, CAMERAS, "lobby", "onvif_camera", "1 号楼大堂"),
    Device("cam-2", Role.CAMERA, CAMERAS, "pump_room", "onvif_camera", "水泵房"),
    Device("cam-3", Role.CAMERA, CAMERAS, "garage", "onvif_camera", "地下车库 A 区"),
)

DEVICE_BY_ID: dict[str, Device] = {device.device_id: device for device in DEVICES}


def devices_on(line_id: str) -> list[Device]:
    """Return the devices of a line, in the order of the list."""
    return [device for device in DEVICES if device.line_id == line_id]
