"""A ready-made configuration for an edge that is to read this building.

The invariant: every device of `building.py` is in it once, on the line where it answers.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from simulator.building import (
    ALARM_CALLS,
    BUS_1,
    BUS_2,
    CAMERAS,
    DEMO_CAMERA_USER,
    DEVICES,
    DOORS,
    DTU_1,
    DTU_HEARTBEAT,
    DTU_REGISTRATION,
    ELECTRICITY_ROLES,
    FIRE_CALLS,
    FIRE_TCP,
    GARAGE_UDP,
    LIFT_TCP,
    MBUS_1,
    METERS_TCP,
    MQTT,
    OPERATORS_ROLES,
    WATER_ROLES,
    Device,
    Role,
)
from simulator.simulation import Places
from simulator.site_document import GATEWAY_CODE, TIME_ZONE
from simulator.wireless import BASE_TOPIC

# Meters are asked as often as their bus allows in good company; what may cost lives, every second.
_INTERVALS_S = {
    **dict.fromkeys(ELECTRICITY_ROLES, 60),
    **dict.fromkeys(OPERATORS_ROLES, 60),
    **dict.fromkeys(WATER_ROLES, 300),
    Role.HEAT_STATION: 300,
    Role.RELAY_BOARD: 10,
    Role.FIRE_PANEL: 1,
    Role.LIFT: 2,
    Role.CAMERA: 60,
}


# Written beside the configuration: six digits, which never leave the box.
RELAY_PASSWORD_FILE = "em-charger.password"  # noqa: S105
_RELAY = f'''[devices.relay]
password_file = "{RELAY_PASSWORD_FILE}"
closing = "direct"
'''

READER_KEY_FILE, CARD_KEY_FILE = "readers.key", "cards.key"
CAMERA_PASSWORD_FILE = "cameras.password"  # noqa: S105

_COMMANDS = """
[commands]

[[commands.allow]]
devices = "lock-*"
actions = ["door_unlock"]

[[commands.allow]]
devices = "door-*"
actions = ["door_unlock"]

[[commands.allow]]
devices = "cam-*"
actions = ["show_live", "take_picture"]

[[commands.allow]]
devices = "wm-*"
actions = ["valve_close", "valve_open"]

[[commands.allow]]
devices = "plug-*"
actions = ["relay_close", "relay_open"]

[[commands.allow]]
devices = "siren-*"
actions = ["relay_open"]

[[commands.allow]]
devices = "em-charger"
actions = ["broadcast_time", "freeze_totals", "relay_close", "relay_open"]

[[commands.allow]]
devices = "out-1"
actions = ["relay_close", "relay_open", "set_point"]

[[commands.allow]]
devices = "*"
actions = ["raw_read"]

[[commands.interlocks]]
point = "fire-1/fire_alarm"
when = ["alarm"]
actions = ["relay_close", "valve_close"]
reason = "the fire panel is in alarm: water stays on, and no power is switched on"
"""


def edge_config(
    places: Places,
    *,
    credential_file: Path | None = None,
    buffer_path: str = "buffer.sqlite",
    page_port: int = 0,
) -> str:
    """Return the TOML text; without a credential file the edge runs alone."""
    lines = _lines(places)
    parts = [
        f'[gateway]\ncode = "{GATEWAY_CODE}"\ntime_zone = "{TIME_ZONE}"\n',
        "" if credential_file is None else f'[cloud]\ncredential_file = "{credential_file}"\n',
        f'[buffer]\npath = "{buffer_path}"\n',
        f"[page]\nport = {page_port}\n",
        _COMMANDS,
        *lines.values(),
        *(_device(device, places) for device in DEVICES if device.line_id in lines),
        _RULES,
        _reactions(lines),
    ]
    return "\n".join(part for part in parts if part)


# What the electricity meters of a line are told every day.
_METER_ROUNDS = 'clocks_at = "03:10"\nfreezes_at = "00:00"\n'


def _lines(places: Places) -> dict[str, str]:
    """Return the tables of the lines there are, by id."""
    lines = {
        # A pseudo-terminal refuses parity and needs no silence between frames; on a real line these
        # meters want "even", and the silence is left to its default.
        BUS_1: f'[[lines]]\nid = "{BUS_1}"\ntransport = "serial"\npath = "{places.bus_1_path}"\n'
        f'baud = 9600\nparity = "none"\ngap_ms = 0\n{_METER_ROUNDS}',
        BUS_2: f'[[lines]]\nid = "{BUS_2}"\ntransport = "tcp"\nhost = "{places.host}"\n'
        f"port = {places.bus_2_port}\nbaud = 9600\ngap_ms = 0\n{_METER_ROUNDS}",
    }
    ports = {METERS_TCP: places.meters_port, LIFT_TCP: places.lift_port, FIRE_TCP: places.fire_port}
    for line_id, port in ports.items():
        lines[line_id] = (
            f'[[lines]]\nid = "{line_id}"\ntransport = "modbus-tcp"\nhost = "{places.host}"\nport = {port}\n'
        )
    lines |= {
        GARAGE_UDP: f'[[lines]]\nid = "{GARAGE_UDP}"\ntransport = "udp"\nhost = "{places.host}"\n'
        f"port = {places.garage_port}\nbaud = 9600\ngap_ms = 0\n",
        MBUS_1: f'[[lines]]\nid = "{MBUS_1}"\ntransport = "tcp"\nhost = "{places.host}"\n'
        f"port = {places.mbus_port}\nbaud = 9600\ngap_ms = 0\n",
        DTU_1: f'[[lines]]\nid = "{DTU_1}"\ntransport = "dial-in"\nhost = "{places.host}"\n'
        f'port = {places.dtu_port}\nregistration = "{DTU_REGISTRATION}"\nheartbeat = "{DTU_HEARTBEAT}"\n'
        f"baud = 9600\ngap_ms = 0\n{_METER_ROUNDS}",
    }
    if places.mqtt_port is not None:
        lines[MQTT] = (
            f'[[lines]]\nid = "{MQTT}"\ntransport = "mqtt"\nhost = "{places.mqtt_host}"\n'
            f'port = {places.mqtt_port}\nbase_topic = "{BASE_TOPIC}"\n'
        )
    if places.doors_path is not None:
        lines[DOORS] = (
            f'[[lines]]\nid = "{DOORS}"\ntransport = "osdp"\npath = "{places.doors_path}"\n'
            f'baud = 9600\nkey_file = "{READER_KEY_FILE}"\ncard_key_file = "{CARD_KEY_FILE}"\n'
        )
    if places.cameras:
        lines[CAMERAS] = (
            f'[[lines]]\nid = "{CAMERAS}"\ntransport = "onvif"\nusername = "{DEMO_CAMERA_USER}"\n'
            f'password_file = "{CAMERA_PASSWORD_FILE}"\n'
        )
    calls = {
        FIRE_CALLS: ("gb26875.3", places.fire_calls_port),
        ALARM_CALLS: ("sia-dc09", places.alarm_calls_port),
    }
    for line_id, (protocol, called) in calls.items():
        if called is not None:
            lines[line_id] = (
                f'[[lines]]\nid = "{line_id}"\ntransport = "listen"\nprotocol = "{protocol}"\n'
                f'host = "{places.host}"\nport = {called}\nsilence_s = 120\n'
            )
    return lines


def _device(device: Device, places: Places) -> str:
    address = places.cameras.get(device.device_id, device.address)
    text = (
        f'[[devices]]\nid = "{device.device_id}"\nline = "{device.line_id}"\n'
        f'profile = "{device.profile}"\naddress = "{address}"\n'
    )
    interval_s = _INTERVALS_S.get(device.role)
    if interval_s is not None:
        text += f"interval_s = {interval_s}\n"
    return text + (_RELAY if device.role is Role.CHARGER_ELECTRICITY else "")


# What a manager wants to be told of without asking. A stopped lift's code from 50 on means a loaded car.
_RULES = """\
[[rules]]
id = "night-leak"
kind = "leak"
points = ["wm-[1-6]*/water_volume"]

[[rules]]
id = "silent-meter"
kind = "stale"
points = ["em-*/active_energy_import", "wm-*/water_volume"]
after_s = 7200

[[rules]]
id = "pump-overload"
kind = "threshold"
points = ["em-pump/active_power"]
above = "15"
hysteresis = "1"
for_s = 120
message = "the pumps draw more than they should: a burst pipe or a stuck valve"

[[rules]]
id = "trapped"
kind = "threshold"
points = ["lift-1/fault_code"]
above = "49"
severity = "critical"
event = "trapped_person"
message = "somebody is trapped in the lift"
"""

# What the box does by itself: a fire opens the doors and keeps them open until the panel is quiet; water in
# the pump room sounds a siren; and a camera sees what was raised in its view.
_FIRE_RELEASE = """\
[[reactions]]
id = "fire-release"
on = ["fire_alarm", "manual_alarm"]
at = ["fire-*/*"]
devices = {doors}
act = "door_release"
"""
_SIREN = """\
[[reactions]]
id = "pump-room-siren"
on = ["water_leak"]
at = ["leak-1/*"]
devices = ["siren-1"]
act = "relay_close"
at_most_s = 120
unless = { point = "fire-1/fire_alarm", when = ["alarm"], reason = "the fire bells ring" }
"""
_SEEN = """\
[[reactions]]
id = "lobby-seen"
on = ["fire_alarm", "manual_alarm"]
devices = ["cam-1"]
act = "alarm_picture"

[[reactions]]
id = "pump-room-seen"
on = ["water_leak"]
at = ["leak-1/*"]
devices = ["cam-2"]
act = "alarm_picture"

[[reactions]]
id = "garage-seen"
on = ["door_forced", "fire_alarm", "intrusion", "manual_alarm"]
devices = ["cam-3"]
act = "alarm_picture"
"""


def _reactions(lines: Mapping[str, str]) -> str:
    roles = {Role.LOCK, Role.DOOR_READER}
    doors = [device.device_id for device in DEVICES if device.role in roles and device.line_id in lines]
    release = _FIRE_RELEASE.format(doors=json.dumps(doors)) if doors else ""
    siren, seen = _SIREN if MQTT in lines else "", _SEEN if CAMERAS in lines else ""
    return "\n".join(filter(None, (release, siren, seen)))
