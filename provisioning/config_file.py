"""Reading the configuration file: text in, a consistent `Config` or `Malformed` out.

The invariant: everything wrong in the whole-file checks is reported at once, each by its key, so
that a technician on a ladder edits the file once. Shape errors stop earlier, at the first.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from protocol.command import Action
from protocol.errors import ProtocolError
from protocol.quantity import micro_from_decimal
from provisioning.addressing import ADDRESS_FORMS, SPOKEN_ON
from provisioning.config import (
    BufferSettings,
    CommandAllowance,
    CommandInterlock,
    CommandSettings,
    Config,
    DeviceConfig,
    DeviceId,
    HomeAssistantSettings,
    RelaySettings,
    RuleEntry,
)
from provisioning.document import Document
from provisioning.line_tables import Id, LineTable, Preamble, callers_confused, line_from_table
from provisioning.lines import BusLine, LineConfig, LineId, ListenLine, MqttLine
from provisioning.profile import Profile
from provisioning.profile_modbus import SWITCHED_STATES, value_to_write
from provisioning.profiles import load_profile, parse_profile
from provisioning.reaction_tables import ReactionTable, reactions_from_tables, state_points
from provisioning.strict import Malformed, parse_toml

# By which a relay's switching is confirmed, and in which protocols it is switched.
RELAY_STATE = "relay_state"
_SWITCHING = frozenset({"dlt645", "dlt645-2007"})

# Protocols whose devices are woken by FE bytes before a request.
_WOKEN = frozenset({"cjt188", "dlt645", "dlt645-1997", "dlt645-2007"})

_Interval = Annotated[float, msgspec.Meta(ge=0.1, le=86_400)]


# A date, a day of every year, or a span of either.
_SPAN = r"^(\d{4}-)?\d\d-\d\d(\.\.(\d{4}-)?\d\d-\d\d)?$"


class _Gateway(msgspec.Struct, forbid_unknown_fields=True):
    code: Id
    time_zone: str


class _Cloud(msgspec.Struct, forbid_unknown_fields=True):
    credential_file: str


class _Buffer(msgspec.Struct, forbid_unknown_fields=True):
    path: str = "buffer.sqlite"
    commit_interval_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    size_max_mib: Annotated[int, msgspec.Meta(ge=8, le=1_000_000)] = 512


class _Page(msgspec.Struct, forbid_unknown_fields=True):
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8070


class _Allowance(msgspec.Struct, forbid_unknown_fields=True):
    devices: str
    actions: list[Action]


class _Interlock(msgspec.Struct, forbid_unknown_fields=True):
    point: str
    when: list[str]
    actions: list[Action]
    reason: str


class _Commands(msgspec.Struct, forbid_unknown_fields=True):
    path: str = "commands.sqlite"
    allow: list[_Allowance] = []
    interlocks: list[_Interlock] = []


class _Relay(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    password_file: str
    password_level: Annotated[int, msgspec.Meta(ge=0, le=9)] = 2
    operator: Annotated[str, msgspec.Meta(pattern=r"^\d{8}$")] = "00000000"
    closing: Literal["button", "direct"] = "button"


class _Device(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: Id
    line: str
    profile: str
    address: str | int
    interval_s: _Interval = 60
    intervals_s: dict[str, _Interval] = {}
    max_per_h: dict[str, str] = {}
    relay: _Relay | None = None
    settings: dict[str, str] = {}
    preamble: Preamble | None = None


class _Calendar(msgspec.Struct, forbid_unknown_fields=True):
    days_off: list[Annotated[str, msgspec.Meta(pattern=_SPAN)]] = []
    worked: list[Annotated[str, msgspec.Meta(pattern=_SPAN)]] = []


class _HomeAssistant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    line: str
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[^+#\s]{1,128}$")] = "homeassistant"


class _Document(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    gateway: _Gateway
    cloud: _Cloud | None = None
    buffer: _Buffer = msgspec.field(default_factory=_Buffer)
    page: _Page = msgspec.field(default_factory=_Page)
    commands: _Commands | None = None
    lines: list[LineTable]
    devices: list[_Device] = []  # none: to look at a bus before describing it
    rules: list[dict[str, object]] = []
    reactions: list[ReactionTable] = []
    calendar: _Calendar = msgspec.field(default_factory=_Calendar)
    home_assistant: _HomeAssistant | None = None


def load_config(path: Path) -> Config:
    """Return the configuration in the file; Malformed says what is wrong, key by key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed(str(path), [f"cannot be read: {error}"]) from error
    return parse_config(text, path)


def parse_config(text: str, path: Path, profiles: Mapping[str, str] | None = None) -> Config:
    """Return the configuration written in `text`; `path` names it and anchors relative paths.

    Profiles of its own are read beside `path`, or taken from `profiles` where these are given.
    """
    document = parse_toml(text, _Document, str(path))
    reader = _Reader(path.parent, profiles)
    config = reader.config(document, text, path)
    if reader.problems:
        raise Malformed(str(path), reader.problems)
    return config


class _Reader:
    def __init__(self, folder: Path, profiles: Mapping[str, str] | None) -> None:
        self.problems: list[str] = []
        self._folder = folder
        self._given = profiles
        self._used: dict[str, str] = {}

    def config(self, document: _Document, text: str, path: Path) -> Config:
        lines = [line_from_table(line, self._folder, self.problems) for line in document.lines]
        line_ids = [line.id for line in document.lines]
        self._unique("lines", "id", line_ids)
        by_id: dict[LineId, LineConfig] = dict(zip(map(LineId, line_ids), lines, strict=True))
        self.problems += callers_confused(lines)
        self._unique("devices", "id", [device.id for device in document.devices])
        found = [self._device(d, by_id, f"devices[{i}] ({d.id})") for i, d in enumerate(document.devices)]
        devices = tuple(device for device in found if device is not None)
        self._addresses(devices)
        rules = tuple(self._rule(rule, f"rules[{i}]") for i, rule in enumerate(document.rules))
        self._unique("rules", "id", [rule.rule_id for rule in rules])
        self._unique("reactions", "id", [reaction.id for reaction in document.reactions])
        buffer, cloud = document.buffer, document.cloud
        written = Document(text, self._used)
        return Config(
            origin=path,
            version=written.digest(),
            document=written,
            gateway_code=document.gateway.code,
            time_zone=self._time_zone(document.gateway.time_zone),
            credential_file=None if cloud is None else self._folder / cloud.credential_file,
            buffer=BufferSettings(
                self._folder / buffer.path, buffer.commit_interval_ms, buffer.size_max_mib * 1024 * 1024
            ),
            commands=self._commands(document.commands, devices),
            page_port=document.page.port,
            lines=by_id,
            devices=devices,
            rules=rules,
            reactions=reactions_from_tables(document.reactions, devices, self.problems),
            days_off=tuple(document.calendar.days_off),
            worked=tuple(document.calendar.worked),
            home_assistant=self._home_assistant(document.home_assistant, by_id),
        )

    def _home_assistant(
        self, table: _HomeAssistant | None, lines: Mapping[LineId, LineConfig]
    ) -> HomeAssistantSettings | None:
        if table is None:
            return None
        if not isinstance(lines.get(LineId(table.line)), MqttLine):
            known = _listed(name for name, line in lines.items() if isinstance(line, MqttLine))
            self.problems.append(f"home_assistant.line: expected an MQTT line ({known}), got {table.line!r}")
        return HomeAssistantSettings(LineId(table.line), table.prefix)

    def _device(self, device: _Device, lines: Mapping[LineId, LineConfig], at: str) -> DeviceConfig | None:
        profile = self._profile(device.profile, at)
        line = lines.get(LineId(device.line))
        if line is None:
            self.problems.append(f"{at}.line: there is no line {device.line!r}; known are {_listed(lines)}")
        if profile is None or line is None:
            return None
        if not profile.points:
            self.problems.append(f"{at}.profile: {profile.name} has no points yet: {profile.partial}")
        if type(line) not in SPOKEN_ON[profile.protocol]:
            self.problems.append(
                f"{at}.line: {profile.protocol} of profile {profile.name} is not spoken on line "
                f"{device.line!r}, which is a {type(line).__name__}"
            )
        if isinstance(line, ListenLine) and line.protocol != profile.protocol:
            self.problems.append(
                f"{at}.line: line {device.line!r} listens for {line.protocol}, profile {profile.name} "
                f"speaks {profile.protocol}"
            )
        pattern, expected = ADDRESS_FORMS[profile.protocol]
        written = device.address
        if isinstance(written, int) and profile.protocol != "modbus":
            self.problems.append(f"{at}.address: expected {expected}, got the number {written}")
        elif not re.fullmatch(pattern, str(written)):
            self.problems.append(f"{at}.address: expected {expected}, got {written!r}")
        groups = dict.fromkeys((point.group for point in profile.points), device.interval_s)
        for group, interval_s in device.intervals_s.items():
            if group not in groups:
                self.problems.append(
                    f"{at}.intervals_s.{group}: profile {profile.name} has no such group; "
                    f"it has {_listed(groups)}"
                )
            groups[group] = interval_s
        limits = self._max_per_h(device, profile, at)
        relay = self._relay(device.relay, profile, at)
        return DeviceConfig(
            DeviceId(device.id),
            LineId(device.line),
            profile,
            str(written),
            groups,
            limits,
            relay,
            self._settings(device.settings, profile, at),
            self._preamble(device.preamble, line, profile, at),
        )

    def _preamble(self, count: int | None, line: LineConfig, profile: Profile, at: str) -> int | None:
        if count is not None and profile.protocol not in _WOKEN:
            self.problems.append(f"{at}.preamble: {profile.protocol} of profile {profile.name} knows none")
        if count is None and isinstance(line, BusLine):
            return line.bus.preamble_count
        return count

    def _settings(self, table: Mapping[str, str], profile: Profile, at: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, text in table.items():
            if name in SWITCHED_STATES:
                # A fire may want it otherwise, and a setting would fight it at every return.
                self.problems.append(f"{at}.settings.{name}: is switched by commands and reactions, not set")
                continue
            try:
                found[name] = value_to_write(profile, name, text)
            except Malformed as error:
                self.problems += [f"{at}.settings.{name}: {problem}" for problem in error.problems]
        return found

    def _relay(self, table: _Relay | None, profile: Profile, at: str) -> RelaySettings | None:
        if table is None:
            return None
        if profile.point_named(RELAY_STATE) is None or profile.protocol not in _SWITCHING:
            self.problems.append(
                f"{at}.relay: profile {profile.name} has no point {RELAY_STATE} of DL/T 645-2007, by which "
                "switching is confirmed; what cannot be confirmed is not switched"
            )
        return RelaySettings(
            self._folder / table.password_file,
            table.password_level,
            table.operator,
            closes_directly=table.closing == "direct",
        )

    def _max_per_h(self, device: _Device, profile: Profile, at: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, text in device.max_per_h.items():
            point = profile.point_named(name)
            if point is None or not point.is_billing:
                billed = _listed(point.name for point in profile.points if point.is_billing)
                self.problems.append(
                    f"{at}.max_per_h.{name}: is no billed point of {profile.name}; billed are {billed}"
                )
            try:
                found[name] = micro_from_decimal(Decimal(text))
            except (InvalidOperation, ProtocolError):
                self.problems.append(
                    f"{at}.max_per_h.{name}: {text!r} is not a number with at most six decimals"
                )
        return found

    def _profile(self, name: str, at: str) -> Profile | None:
        try:
            if not name.endswith(".toml"):
                return load_profile(name)
            text = self._used[name] = self._own_profile(name)
            return parse_profile(text, Path(name).stem)
        except Malformed as error:
            self.problems.extend(f"{at}.profile: {problem}" for problem in error.problems)
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{at}.profile: {error}")
        return None

    def _own_profile(self, name: str) -> str:
        if name in self._used:
            return self._used[name]
        if self._given is None:
            return (self._folder / name).read_text(encoding="utf-8")
        if name not in self._given:
            raise Malformed(name, [f"{name!r} does not come with it; with it come {_listed(self._given)}"])
        return self._given[name]

    def _commands(self, table: _Commands | None, devices: Iterable[DeviceConfig]) -> CommandSettings | None:
        if table is None:
            return None
        quantities = state_points(devices)
        interlocks = []
        for i, entry in enumerate(table.interlocks):
            at = f"commands.interlocks[{i}]"
            quantity = quantities.get(entry.point)
            if quantity is None:
                self.problems.append(f"{at}.point: {entry.point!r} is no state point of this gateway")
                continue
            names = {name: code for code, name in quantity.codes.items()}
            for name in entry.when:
                if name not in names:
                    self.problems.append(f"{at}.when: {name!r} is none of {', '.join(names)}")
            codes = frozenset(names[name] for name in entry.when if name in names)
            interlocks.append(CommandInterlock(entry.point, codes, frozenset(entry.actions), entry.reason))
        allowances = tuple(CommandAllowance(one.devices, frozenset(one.actions)) for one in table.allow)
        return CommandSettings(self._folder / table.path, allowances, tuple(interlocks))

    def _rule(self, rule: Mapping[str, object], at: str) -> RuleEntry:
        settings = dict(rule)
        rule_id, kind = settings.pop("id", None), settings.pop("kind", None)
        for key, value in (("id", rule_id), ("kind", kind)):
            if not isinstance(value, str) or not value:
                self.problems.append(f"{at}.{key}: missing, and it is required (text)")
        return RuleEntry(str(rule_id), str(kind), settings)

    def _time_zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            self.problems.append(
                f"gateway.time_zone: no time zone is called {name!r}; expected one like 'Asia/Shanghai'"
            )
            return ZoneInfo("UTC")

    def _addresses(self, devices: Iterable[DeviceConfig]) -> None:
        owners: dict[tuple[str, str, str], DeviceId] = {}
        for device in devices:
            key = (device.line_id, device.profile.protocol, device.address)
            owner = owners.setdefault(key, device.device_id)
            if owner != device.device_id:
                self.problems.append(
                    f"devices: {device.device_id!r} and {owner!r} have the same address "
                    f"{device.address!r} on line {device.line_id!r}"
                )

    def _unique(self, table: str, key: str, values: list[str]) -> None:
        for value in sorted({v for v in values if values.count(v) > 1}):
            self.problems.append(f"{table}: the {key} {value!r} is used more than once")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"
