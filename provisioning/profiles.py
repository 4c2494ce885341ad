"""Device profiles: what a model of meter, controller or sensor offers and how each point is read.

A profile is one TOML file in `provisioning/profiles/`, named by its stem. The invariant: a profile
that loads is complete: every point has a known quantity, a way to read it that fits its protocol,
and no two points share a name. Adding a model is adding a file.

    title = "Eastron SDM630 three-phase meter"
    source = "where the map was taken from, so that it can be checked"
    protocol = "modbus"            # "cjt188" | "dlt645" | "dlt645-1997" | "dlt645-2007" | "modbus" | …

    partial = ""                   # what is not known of the model, and what to do about it

    [modbus]                       # limits and defaults of the model, per protocol
    word_order = "ABCD"            # ABCD | CDAB | BADC | DCBA
    registers_per_read_max = 125

    [[points]]
    name = "active_energy_import"  # unique in the device; the key is "<device id>/<name>"
    quantity = "active_energy_import"  # default: the name
    billing = true                 # its raw frames are kept, its counting is watched; default false
    modulus = "1000000"            # where the register begins at zero again, if that is known
    max_per_h = "30"               # the most it can count in an hour, if that is known
    group = "energy"               # points of a group share a polling interval; default "all"
    ...                            # and how to read it, which depends on the protocol:

    modbus            table = "holding_register" | "input_register" | "coil" | "discrete_input"
                      address = 72 (zero-based), encoding = "float32", word_order = "CDAB", bit = 3,
                      scale = "0.001" (raw times scale is in the quantity's unit), absent = [0xFFFF]
                      fraction = { address = 4, scale = "0.000001" } where it is a number of its own,
                      exponent = { address = 35, byte = "high", offset = -4 } where the device tells the
                      power of ten, is_places = true where it tells decimal places instead;
                      write = { min = "5", max = "30" } where it may be set (a state: write = {})
    dlt645-2007       data_identifier = "00010000"; block = "0001FF00", block_item = 0 if a block holds it;
                      bit = 4 of a status word
    dlt645-1997       the same with four digits: data_identifier = "9010"; block = "901F"
    dlt645            both: data_identifier = "00010000", data_identifier_1997 = "9010"; the driver finds out
    mbus              measures = "Energy" and, where need be, function = "Maximum value", storage, tariff,
                      subunit, as `gatehouse decode frame` names them; or status_bit = 2; or counter = 1
    cjt188            data_identifier = "901F", field = "current_volume"; under [cjt188] the meter_type and,
                      where a maker has its own, valve_open, valve_close, valve_control and preamble
    onvif             condition = "online" | "no_picture" | "wrong_clock"
    osdp              condition = "online" | "secure_channel" | "tamper" | "power" | "input_1" … | "output_1"
    gb26875.3         condition = "fire_alarm": true while the panel holds one raised; so for sia-dc09
    mqtt-tasmota, mqtt-shelly, mqtt-json
                      path = ["switch:0", "energy_wh"], scale = "0.001": a path in what `gatehouse decode
                      frame --topic … --json` shows, by component for Shelly; in the JSON itself for mqtt-json
    sparkplug-b       metric = "Energy/Total", scale = "1"
    mqtt-zigbee2mqtt  key = "lock_state", scale = "1"

A state quantity may name its raw values, `codes = { locked = "locked", "2" = "alarm" }` (raw on the
left, the quantity's code on the right); without it raw numbers are the codes. `alarm` raises an
event while a state point has one of the codes in `when`, by the device's own word:

    alarm = { when = ["alarm"], kind = "fire_alarm", severity = "critical", message = "…" }

A passing message that is an event (a key turned) is listed by its values, each with an event kind:

    [[events]]
    key = "action"
    point = "lock_state"           # where it is told
    values = { manual_unlock = "door_unlocked" }

`[[golden]]` holds real exchanges (`request`, `reply` in hex; MQTT: `topic`, `payload`) and the
`values` they must give, by point name; tests run them through the drivers.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import assert_never

from protocol.errors import ProtocolError
from protocol.event import Severity
from protocol.quantity import MICRO, Kind, Quantity, quantity_named
from provisioning.profile import (
    BITS_PER_READ_MAX,
    REGISTERS_PER_READ_MAX,
    AlarmWhen,
    Cjt188Model,
    Cjt188Source,
    Dlt645Source,
    Golden,
    MbusSource,
    MessageEvent,
    MetricSource,
    ModbusSource,
    PanelSource,
    PathSource,
    PointProfile,
    PointSource,
    Profile,
    Zigbee2mqttSource,
)
from provisioning.profile_modbus import modbus_source, refuse_writing, write_limits
from provisioning.profile_numbers import decimal_from_text
from provisioning.profile_tables import (
    AnyProfile,
    Cjt188Point,
    Cjt188Profile,
    Cjt188Settings,
    Dlt645Point,
    Dlt645Point1997,
    Dlt645PointEither,
    Dlt645Profile,
    Dlt645Profile1997,
    Dlt645ProfileEither,
    EventTable,
    Gb26875Profile,
    GoldenFrames,
    GoldenMessage,
    JsonProfile,
    MbusPoint,
    MbusProfile,
    MetricPoint,
    ModbusPoint,
    ModbusProfile,
    OnvifProfile,
    OsdpProfile,
    PanelPoint,
    PathPoint,
    PointTable,
    ShellyProfile,
    SiaDc09Profile,
    SparkplugProfile,
    TasmotaProfile,
    Zigbee2mqttPoint,
    Zigbee2mqttProfile,
)
from provisioning.strict import Malformed, parse_toml

PROFILES_DIR = Path(__file__).with_suffix("")


@cache
def load_profile(name: str) -> Profile:
    """Return the shipped profile of that name; Malformed says what is wrong or which names exist."""
    path = PROFILES_DIR / f"{name}.toml"
    if name not in profile_names():
        raise Malformed("profile", [f"there is no profile {name!r}; known are: {', '.join(profile_names())}"])
    return parse_profile(path.read_text(encoding="utf-8"), name)


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the shipped profiles in alphabetical order."""
    return tuple(sorted(path.stem for path in PROFILES_DIR.glob("*.toml")))


def parse_profile(text: str, name: str) -> Profile:
    """Return the profile written in `text`; Malformed lists everything that is wrong with it."""
    origin = f"profile {name}"
    table: AnyProfile = parse_toml(text, AnyProfile, origin)  # type: ignore[arg-type]  # a union is a shape
    reader = _Reader()
    profile = reader.profile(table, name)
    if reader.problems:
        raise Malformed(origin, reader.problems)
    return profile


class _Reader:
    """Turns the tables into values and collects what is wrong instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def profile(self, table: AnyProfile, name: str) -> Profile:
        points = tuple(self._point(point, table, f"points[{i}]") for i, point in enumerate(table.points))
        names = [point.name for point in points]
        if not names and not table.partial:
            self.problems.append("points: a profile needs at least one, or `partial` to say why not")
        for repeated in sorted({n for n in names if names.count(n) > 1}):
            self.problems.append(f"points: the name {repeated!r} is used more than once")
        exchanges: Sequence[GoldenFrames | GoldenMessage] = table.golden
        golden = tuple(self._golden(g, names, f"golden[{i}]") for i, g in enumerate(exchanges))
        events: tuple[MessageEvent, ...] = ()
        limits = (REGISTERS_PER_READ_MAX, BITS_PER_READ_MAX)
        meter_type, cjt188, writes_multiple = "", Cjt188Model(), False
        match table:
            case ModbusProfile():
                settings = table.modbus
                limits = (settings.registers_per_read_max, settings.bits_per_read_max)
                writes_multiple = settings.writes_multiple
                refuse_writing(points, self.problems)
            case Cjt188Profile():
                meter_type, cjt188 = table.cjt188.meter_type, _cjt188_model(table.cjt188)
            case Zigbee2mqttProfile():
                events = tuple(self._event(e, names, f"events[{i}]") for i, e in enumerate(table.events))
            case (
                Dlt645Profile()
                | Dlt645Profile1997()
                | Dlt645ProfileEither()
                | Gb26875Profile()
                | JsonProfile()
                | MbusProfile()
                | OnvifProfile()
                | OsdpProfile()
                | ShellyProfile()
                | SiaDc09Profile()
                | SparkplugProfile()
                | TasmotaProfile()
            ):
                pass
        return Profile(
            name,
            table.title,
            table.source,
            str(type(table).__struct_config__.tag),
            points,
            events,
            golden,
            *limits,
            writes_multiple,
            meter_type,
            cjt188,
            table.partial,
        )

    def _point(self, point: PointTable, profile: AnyProfile, at: str) -> PointProfile:
        quantity = self._quantity(point.quantity or point.name, at)
        codes = {raw: self._code(quantity, name, f"{at}.codes.{raw}") for raw, name in point.codes.items()}
        alarm = None
        if point.alarm is not None:
            alarm = AlarmWhen(
                frozenset(self._code(quantity, name, f"{at}.alarm.when") for name in point.alarm.when),
                point.alarm.kind,
                self._severity(point.alarm.severity, f"{at}.alarm.severity"),
                point.alarm.message,
            )
        if point.billing and quantity.kind is not Kind.CUMULATIVE:
            self.problems.append(f"{at}.billing: {quantity.name} is not cumulative and cannot be billed")
        source = self._source(point, profile, at)
        modulus_micro, max_per_h_micro = (
            self._counter(text, quantity, f"{at}.{key}")
            for key, text in (("modulus", point.modulus), ("max_per_h", point.max_per_h))
        )
        write = None
        if isinstance(point, ModbusPoint) and isinstance(source, ModbusSource):
            write = write_limits(point.write, source, quantity, at, self.problems)
        return PointProfile(
            point.name,
            quantity,
            source,
            point.billing,
            point.group,
            codes,
            alarm,
            modulus_micro,
            max_per_h_micro,
            write,
        )

    def _source(self, point: PointTable, profile: AnyProfile, at: str) -> PointSource:
        match point:
            case Dlt645PointEither():
                return Dlt645Source(
                    point.data_identifier,
                    point.block,
                    point.block_item,
                    point.data_identifier_1997,
                    point.bit,
                )
            case Dlt645Point() | Dlt645Point1997():
                return Dlt645Source(point.data_identifier, point.block, point.block_item, bit=point.bit)
            case Cjt188Point():
                return Cjt188Source(point.data_identifier, point.field)
            case MbusPoint():
                return self._mbus_source(point, at)
            case PanelPoint():
                return PanelSource(point.condition)
            case PathPoint():
                return PathSource(tuple(point.path), self._decimal(point.scale, f"{at}.scale"))
            case MetricPoint():
                return MetricSource(point.metric, self._decimal(point.scale, f"{at}.scale"))
            case Zigbee2mqttPoint():
                return Zigbee2mqttSource(point.key, self._decimal(point.scale, f"{at}.scale"))
            case ModbusPoint():
                assert isinstance(profile, ModbusProfile)
                settings = profile.modbus
                return modbus_source(
                    point, settings.word_order, settings.registers_per_read_max, at, self.problems
                )
            case _:
                raise AssertionError(f"a point of {type(point).__name__} has no source")

    def _mbus_source(self, point: MbusPoint, at: str) -> MbusSource:
        ways = [bool(point.measures), point.status_bit is not None, point.counter != 0]
        if sum(ways) != 1:
            self.problems.append(f"{at}: expected exactly one of measures, status_bit and counter")
        return MbusSource(
            point.measures,
            point.function,
            point.storage,
            point.tariff,
            point.subunit,
            point.status_bit,
            point.counter,
        )

    def _event(self, table: EventTable, names: list[str], at: str) -> MessageEvent:
        if table.point not in names:
            self.problems.append(f"{at}.point: the profile has no point {table.point!r}")
        return MessageEvent(
            table.key, table.point, table.values, self._severity(table.severity, f"{at}.severity")
        )

    def _golden(self, table: GoldenFrames | GoldenMessage, names: list[str], at: str) -> Golden:
        if not table.values:
            self.problems.append(f"{at}.values: a golden exchange says at least one value")
        for name in table.values:
            if name not in names:
                self.problems.append(f"{at}.values.{name}: the profile has no such point")
        values = {
            name: None if text == "absent" else self._decimal(text, f"{at}.values.{name}")
            for name, text in table.values.items()
        }
        match table:
            case GoldenMessage():
                payload = self._hex(table.payload_hex, at) or table.payload.encode()
                return Golden(table.topic.encode(), payload, values)
            case GoldenFrames():
                return Golden(self._hex(table.request, at), self._hex(table.reply, at), values)
            case _:
                assert_never(table)

    def _quantity(self, name: str, at: str) -> Quantity:
        try:
            return quantity_named(name)
        except ProtocolError as error:
            self.problems.append(f"{at}.quantity: {error}")
            return quantity_named("analog")

    def _code(self, quantity: Quantity, name: str, at: str) -> int:
        for code, known in quantity.codes.items():
            if known == name:
                return code
        expected = ", ".join(quantity.codes.values()) or "no codes: it is not a state"
        self.problems.append(f"{at}: {name!r} is no code of {quantity.name}, which has {expected}")
        return 0

    def _severity(self, text: str, at: str) -> Severity:
        try:
            return Severity[text.upper()]
        except KeyError:
            self.problems.append(f"{at}: {text!r} is none of {_lower_names(Severity)}")
            return Severity.INFO

    def _decimal(self, text: str, at: str) -> Decimal:
        return decimal_from_text(text, at, self.problems)

    def _counter(self, text: str, quantity: Quantity, at: str) -> int:
        number = self._decimal(text, at) * MICRO
        if number < 0 or number != int(number):
            self.problems.append(f"{at}: {text!r} is not a positive number with at most six decimals")
        if number and quantity.kind is not Kind.CUMULATIVE:
            self.problems.append(f"{at}: {quantity.name} is not cumulative and has no such limit")
        return int(number)

    def _hex(self, text: str, at: str) -> bytes:
        try:
            return bytes.fromhex(text)
        except ValueError:
            self.problems.append(f"{at}: {text!r} is not hexadecimal")
            return b""


def _cjt188_model(settings: Cjt188Settings) -> Cjt188Model:
    open_code, close_code = int(settings.valve_open, 16), int(settings.valve_close, 16)
    return Cjt188Model(open_code, close_code, int(settings.valve_control, 16), settings.preamble)


def _lower_names(members: Iterable[Severity]) -> str:
    return ", ".join(member.name.lower() for member in members)
