"""The edge's configuration as values, and the file it is written in; `config_file.py` reads it.

The invariant: a `Config` that exists is consistent: ids are unique, every device names a known line
and profile that speak the same protocol, its address has the protocol's form, and no two devices of
a line share an address. Unknown keys are refused. Relative paths are relative to the file.

    [gateway]
    code = "gw-1"                       # for people and logs; the credential decides who we are
    time_zone = "Asia/Shanghai"         # local hours of rules and of evidence

    [cloud]
    credential_file = "credential.json" # made by `gatehouse provision`; leave [cloud] out to run alone

    [buffer]
    path = "buffer.sqlite"
    commit_interval_ms = 1000           # readings wait at most this long for their commit
    size_max_mib = 512

    [page]
    port = 8070                         # local status page on 127.0.0.1; 0 turns it off

    [commands]                          # what the cloud may ask; leave it out and nothing is done for it
    path = "commands.sqlite"            # the book of what was asked; a file of its own
    [[commands.allow]]
    devices = "lock-*"                  # a pattern of device ids
    actions = ["door_unlock"]
    [[commands.interlocks]]             # while the point has one of the codes, or none: refused
    point = "fire-1/fire_alarm"
    when = ["alarm"]
    actions = ["valve_close"]
    reason = "the fire panel needs the water"

    [[reactions]]                       # what the box does by itself, with or without a cloud
    id = "fire-release"
    on = ["fire_alarm", "manual_alarm"] # kinds of event: while one is raised
    at = ["fire-*/*"]                   # at these points; left out: anywhere
    devices = ["lock-1"]
    act = "door_release"                # or alarm_picture, valve_close, valve_open, relay_close, relay_open
    [[reactions]]
    id = "siren"
    on = ["water_leak"]
    devices = ["siren-1"]
    act = "relay_close"
    at_most_s = 180                     # of relay_close: opened again after so long, or when it is over
    unless = { point = "fire-1/fire_alarm", when = ["alarm"], reason = "the fire bells ring" }

    [home_assistant]                    # show all points in Home Assistant; leave it out not to
    line = "broker"                     # an MQTT line
    prefix = "homeassistant"

    [[lines]]                           # one physical bus; keys not given have the defaults shown
    id = "bus-1"
    transport = "serial"  # and below: "tcp" "udp" "dial-in" "modbus-tcp" "mqtt" "listen" "onvif" "osdp"
    path = "/dev/serial/by-id/…"
    baud = 9600
    parity = "none"                     # "none" | "even" | "odd"; DL/T 645 and CJ/T 188 want "even"
    stop_bits = 1
    timeout_ms = 1000                   # a device must have begun its answer by then
    gap_ms = …                          # silence before a request; default 3.5 characters at this baud
    preamble = …                        # FE bytes that wake DL/T 645 and CJ/T 188 meters; default 4
    clocks_at = "03:10"                 # local time at which DL/T 645 meters are told the time, daily
    freezes_at = "00:00"                # … and those of 2007 to freeze their totals; left out: never

    [[lines]]
    id = "bus-2"
    transport = "tcp"                   # a serial server in transparent mode
    host = "192.0.2.10"
    port = 4001
    baud = 9600                         # of the line behind the server, for planning and gaps

    [[lines]]
    id = "bus-3"
    transport = "udp"                   # frames as datagrams, no Modbus TCP header; keys as for "tcp"
    host = "192.0.2.12"
    port = 8899

    [[lines]]
    id = "bus-4"
    transport = "dial-in"               # a 4G serial server (DTU) that calls us
    host = "0.0.0.0"                    # of ours, where it calls; several may call one port
    port = 9000
    registration = "DTU-0007"           # its first bytes, "hex:0102" for others; "" if it is alone there
    heartbeat = ""                      # what it sends to keep the connection, left out
    baud = 9600

    [[lines]]
    id = "plant"
    transport = "modbus-tcp"            # Modbus TCP; several unit ids may share the connection
    host = "192.0.2.11"
    port = 502

    [[lines]]
    id = "broker"
    transport = "mqtt"
    host = "127.0.0.1"
    port = 1883
    base_topic = "zigbee2mqtt"
    username = ""
    password_file = ""

    [[lines]]
    id = "fire-panels"
    transport = "listen"                # panels call us; every message is confirmed once it is on disk
    protocol = "gb26875.3"              # "gb26875.3" (fire-alarm transmitters) | "sia-dc09" (alarm panels)
    host = "0.0.0.0"
    port = 9100
    silence_s = 600                     # a panel silent for longer is told as offline
    takes_datagrams = false             # UDP on the same port besides TCP
    greets = false                      # gb26875.3: set the clock of who calls and ask how it stands
    roll_calls = ["02:00", "04:30"]     # gb26875.3: the guard must press a button, local time
    roll_call_answer_min = 10           # … within so many minutes
    key_file = ""                       # sia-dc09: lines "account key", 32, 48 or 64 hex digits, "*" for all

    [[lines]]
    id = "doors"
    transport = "osdp"                  # door readers; address is 0 to 126
    path = "/dev/serial/by-id/…"
    baud = 9600
    key_file = "osdp.key"               # 32 hex digits, secure channel key; without: in the clear
    card_key_file = "cards.key"         # at least 32 hex digits; cards are told as hashes under this key

    [[lines]]
    id = "cameras"
    transport = "onvif"                 # cameras on the network; address is host or host:port
    username = "gatehouse"
    password_file = "cameras.password"  # stays in the box; cameras are told digests of it only

    [[devices]]
    id = "em-101"                       # points are "<id>/<point name>"
    line = "bus-1"
    profile = "dlt645_single_phase"     # a file in provisioning/profiles, or a path ending in .toml
    address = "202607000101"            # 12 digits; CJ/T 188: 14 digits; Modbus: unit id 0-255; MQTT: name
    interval_s = 60
    intervals_s = { energy = 900 }      # per group of the profile, where it differs
    max_per_h = { water_volume = "5" }  # the most a counter can count in an hour, where it differs
    preamble = 30                       # where it differs from the line's
    settings = { setpoint = "21.5" }    # what points that can be written are to hold, after every return too
    [devices.relay]                     # only where its relay is to be switched (DL/T 645-2007)
    password_file = "em-101.password"   # six digits, readable by us alone
    password_level = 2                  # 0 to 9, as the meter was set up
    operator = "00000000"
    closing = "button"                  # somebody presses the meter's; "direct": power is back at once

    [calendar]                          # for rules that ask for "workday" or "day_off"
    days_off = ["2026-10-01..2026-10-08"]   # dates, spans, or days of every year: "05-01"
    worked = ["2026-10-10"]             # weekends that are worked

    [[rules]]
    id = "pump-overload"
    kind = "threshold"                  # the other keys depend on the kind: see edge/rules
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NewType
from zoneinfo import ZoneInfo

from protocol.command import Act, Action
from provisioning.document import Document
from provisioning.lines import LineConfig, LineId
from provisioning.profile import Profile

DeviceId = NewType("DeviceId", str)


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """What a meter wants to hear before it switches its relay. The password itself stays in its file."""

    password_file: Path
    password_level: int
    operator: str
    closes_directly: bool


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """A device on a line. `intervals_s` has every group of its profile, `max_per_h_micro` only what
    differs from it. `relay` None: its relay is not switched from here. `settings_micro` is
    what its points are to hold, written again whenever it comes back. `preamble_count` None: as
    protocol or profile have it."""

    device_id: DeviceId
    line_id: LineId
    profile: Profile
    address: str
    intervals_s: Mapping[str, float]
    max_per_h_micro: Mapping[str, int] = field(default_factory=dict)
    relay: RelaySettings | None = None
    settings_micro: Mapping[str, int] = field(default_factory=dict)
    preamble_count: int | None = None


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """A rule as written; `edge.rules` turns `settings` into the rule of that kind."""

    rule_id: str
    kind: str
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BufferSettings:
    """Where rows wait for the cloud, and for how long they may wait for their commit."""

    path: Path
    commit_interval_ms: int
    size_max_bytes: int


@dataclass(frozen=True, slots=True)
class CommandAllowance:
    """Actions the cloud may ask of the devices whose id matches a pattern."""

    devices: str
    actions: frozenset[Action]


@dataclass(frozen=True, slots=True)
class CommandInterlock:
    """Actions refused while a state point has one of some codes, or no value to go by."""

    point_key: str
    codes: frozenset[int]
    actions: frozenset[Action]
    reason: str


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """What the cloud may ask this box to do: the local word, which no message changes."""

    path: Path
    allowances: tuple[CommandAllowance, ...]
    interlocks: tuple[CommandInterlock, ...]


@dataclass(frozen=True, slots=True)
class StateHeld:
    """A state point has one of some codes, or no value to go by."""

    point_key: str
    codes: frozenset[int]
    reason: str


@dataclass(frozen=True, slots=True)
class Reaction:
    """What devices of ours do while an event of one of the kinds is raised at one of the points.

    `ends` is what they do when it is over, None where that is a person's to decide. `unless` holds it
    back; what is done because of fire has none.
    """

    reaction_id: str
    kinds: frozenset[str]
    at: tuple[str, ...]  # patterns of point keys
    devices: tuple[DeviceId, ...]
    act: Act
    ends: Act | None = None
    at_most_s: float | None = None
    unless: StateHeld | None = None


@dataclass(frozen=True, slots=True)
class HomeAssistantSettings:
    """Where the building's points are shown; `line_id` is an MQTT line."""

    line_id: LineId
    prefix: str


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the edge is told. `credential_file` None: run without a cloud."""

    origin: Path
    version: str  # the document's digest, so that the cloud can see which one runs
    document: Document
    gateway_code: str
    time_zone: ZoneInfo
    credential_file: Path | None
    buffer: BufferSettings
    commands: CommandSettings | None
    page_port: int
    lines: Mapping[LineId, LineConfig]
    devices: tuple[DeviceConfig, ...]
    rules: tuple[RuleEntry, ...]
    reactions: tuple[Reaction, ...] = ()
    days_off: tuple[str, ...] = ()  # dates and spans as written; those told to be worked
    worked: tuple[str, ...] = ()
    home_assistant: HomeAssistantSettings | None = None
