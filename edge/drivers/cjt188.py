"""CJ/T 188 water, gas and heat meters: one request gives all a meter shows, one each a past month.

The two bytes of the data identifier go out high first in some makers' meters and low first in
others'; a meter hears only its own order. The driver tries both until one is answered and keeps to
it; after some silence it tries the other again, since a meter may have been exchanged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from edge.driver import (
    Ask,
    Bus,
    EvidenceKeeper,
    Heard,
    PlannedRequest,
    Priority,
    evidence_of,
    failed_readings,
    point_key,
    points_of,
    priority_of,
)
from edge.drivers.frame_receiver import FrameReceiver
from edge.errors import EXCHANGE_FAILURES, BadFrame, NoReply
from protocol.errors import FrameError, Refused
from protocol.evidence import Evidence
from protocol.fieldbus import cjt188
from protocol.fieldbus.cjt188_data import (
    HEAT_REPLY_LENGTH,
    WATER_REPLY_LENGTH,
    Amount,
    HeatData,
    WaterData,
    decode_heat,
    decode_history,
    decode_water,
    is_heat,
)
from protocol.quantity import micro_from_decimal
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import Cjt188Source, PointProfile
from provisioning.strict import Malformed

PROTOCOL = "cjt188"

# A meter that kept silent this often in its known order may have been exchanged for one of the other.
_SILENCES_TO_DOUBT_ORDER = 3
_VALVE_REPLY_LENGTH = 4 + 11 + 3 + 2 + 2  # as below, with two status bytes
_REPLY_OVERHEAD = 4 + 11 + 3 + 2  # preamble, head, identifier and serial, checksum and end

_Data: TypeAlias = WaterData | HeatData
_Value: TypeAlias = Amount | Decimal | int | None

# What the status's valve bits mean in the vocabulary's codes; "reserved" is no state.
_VALVE_CODES: Mapping[str, int] = MappingProxyType({"open": 0, "closed": 1, "abnormal": 3})

_COMMON: Mapping[str, Callable[[_Data], _Value]] = MappingProxyType(
    {
        "battery_low": lambda data: int(data.status.is_battery_low),
        "valve": lambda data: _VALVE_CODES.get(data.status.valve),
    }
)
_WATER_FIELDS: Mapping[str, Callable[[WaterData], _Value]] = MappingProxyType(
    {
        **_COMMON,
        "current_volume": lambda data: data.current,
        "settlement_volume": lambda data: data.settlement,
    }
)
_HEAT_FIELDS: Mapping[str, Callable[[HeatData], _Value]] = MappingProxyType(
    {
        **_COMMON,
        "current_heat": lambda data: data.current_heat,
        "flow": lambda data: data.flow,
        "power": lambda data: data.power,
        "return_temperature": lambda data: data.return_temperature,
        "settlement_heat": lambda data: data.settlement_heat,
        "supply_temperature": lambda data: data.supply_temperature,
        "volume": lambda data: data.volume,
        "working_hours": lambda data: data.working_hours,
    }
)
# What a past month's answer holds: the total at its settlement.
_MONTH_FIELD = "month_total"
# Units on the wire, by what times they are in the vocabulary's unit. GJ: 1 kWh is 3.6 MJ, so energies
# in joules are not offered as kWh; a heat meter in joules has a quantity of its own.
_FACTORS: Mapping[tuple[str, str], Decimal] = MappingProxyType(
    {
        ("GJ", "GJ"): Decimal(1),
        ("GJ x100", "GJ"): Decimal(100),
        ("L", "m3"): Decimal("0.001"),
        ("L/h", "m3/h"): Decimal("0.001"),
        ("MJ", "GJ"): Decimal("0.001"),
        ("MW", "kW"): Decimal(1000),
        ("MWh", "kWh"): Decimal(1000),
        ("MWh x100", "kWh"): Decimal(100_000),
        ("W", "kW"): Decimal("0.001"),
        ("Wh", "kWh"): Decimal("0.001"),
        ("kJ", "GJ"): Decimal("0.000001"),
        ("kW", "kW"): Decimal(1),
        ("kWh", "kWh"): Decimal(1),
        ("m3", "m3"): Decimal(1),
        ("m3/h", "m3/h"): Decimal(1),
    }
)


@dataclass(slots=True)
class _Item:
    data_identifier: str
    points: tuple[PointProfile, ...]
    priority: Priority
    evidence_hour: int = -1


class Cjt188Driver:
    """One meter on a bus."""

    def __init__(self, device: DeviceConfig, bus: Bus, evidence: EvidenceKeeper) -> None:
        self.device = device
        self._bus = bus
        self._evidence = evidence
        self._meter_type = int(device.profile.meter_type, 16)
        self._is_heat = is_heat(self._meter_type)
        self._is_low_first = False
        self._silences = 0
        self._has_answered = False
        self._items = {group: self._items_of(group) for group in device.intervals_s}

    def plan(self, group: str) -> Sequence[PlannedRequest]:
        """Return the identifiers asked for."""
        return [
            PlannedRequest(
                f"{item.data_identifier} of meter type {self._meter_type:02X}",
                tuple(point.name for point in item.points),
                len(cjt188.encode_frame(self._request(item, 0))),
                self._reply_length,
            )
            for item in self._items[group]
        ]

    async def poll(self, group: str) -> list[Reading]:
        """Ask for the group's data."""
        readings: list[Reading] = []
        for item in self._items[group]:
            try:
                readings += await self._read(item)
            except EXCHANGE_FAILURES as failure:
                readings += failed_readings(self.device, item.points, failure, self._bus.clock)
        return readings

    async def probe(self) -> None:
        """Ask for the current data; a refusal is an answer too."""
        item = next(item for items in self._items.values() for item in items)
        try:
            await self._exchange(item)
        except Refused:
            return

    async def read_raw(self, frame: bytes) -> Heard:
        """Send a person's own read to this meter."""
        try:
            request = cjt188.decode_frame(frame)
        except FrameError as error:
            raise Refused(f"no frame of CJ/T 188: {error}") from error
        if request.is_reply or request.function not in cjt188.READS:
            raise Refused(f"function {request.function:02x} does not read; nothing else is sent this way")
        if request.address != self.device.address:
            raise Refused(f"the frame asks meter {request.address}, this is {self.device.address}")
        heard, _ = await self._ask(request, request.data_identifier, _REPLY_OVERHEAD + 100, Priority.COMMAND)
        return heard

    @property
    def _reply_length(self) -> int:
        return _REPLY_OVERHEAD + (HEAT_REPLY_LENGTH if self._is_heat else WATER_REPLY_LENGTH)

    def _items_of(self, group: str) -> tuple[_Item, ...]:
        by_identifier: dict[str, list[PointProfile]] = {}
        for point in points_of(self.device, group):
            source = _source(point)
            known = self._fields(source.data_identifier)
            if source.field not in known:
                problem = f"point {point.name}: {source.data_identifier} has no field {source.field!r}; "
                offered = f"{source.data_identifier} has {', '.join(sorted(known)) or 'none that is known'}"
                raise Malformed(f"profile {self.device.profile.name}", [problem + offered])
            by_identifier.setdefault(source.data_identifier, []).append(point)
        priority = priority_of(self.device, group)
        return tuple(_Item(di, tuple(points), priority) for di, points in by_identifier.items())

    def _fields(self, data_identifier: str) -> frozenset[str]:
        """Return the fields of an identifier's answer."""
        if data_identifier in cjt188.HISTORY:
            return frozenset({_MONTH_FIELD})
        if data_identifier != cjt188.CURRENT_DATA:
            return frozenset()
        return frozenset(_HEAT_FIELDS if self._is_heat else _WATER_FIELDS)

    def _request(self, item: _Item, serial: int) -> cjt188.Frame:
        return cjt188.read_request(
            self._meter_type,
            self.device.address,
            item.data_identifier,
            serial=serial,
            di_low_first=self._is_low_first,
            preamble_count=self._preamble_count,
        )

    @property
    def _preamble_count(self) -> int:
        of_device = self.device.preamble_count
        return self.device.profile.cjt188.preamble_count if of_device is None else of_device

    async def turn_valve(self, *, is_open: bool) -> None:
        """Send a valve command once; Refused where the meter says no, NoReply where it says nothing."""
        model = self.device.profile.cjt188
        request = cjt188.valve_request(
            self._meter_type,
            self.device.address,
            model.valve_open if is_open else model.valve_close,
            control_code=model.valve_control,
            preamble_count=self._preamble_count,
            serial=self._serial(),
            di_low_first=self._is_low_first,
        )
        await self._ask(request, cjt188.VALVE, _VALVE_REPLY_LENGTH, Priority.COMMAND)

    def _serial(self) -> int:
        # Serial 0 is what some meters always answer, so it must not be what we ask with.
        return self._bus.next_number() % 255 + 1

    async def _exchange(self, item: _Item) -> tuple[Heard, bytes]:
        request = self._request(item, self._serial())
        try:
            heard = await self._ask(request, item.data_identifier, self._reply_length, item.priority)
        except (NoReply, BadFrame):
            self._silences += 1
            if not self._has_answered or self._silences % _SILENCES_TO_DOUBT_ORDER == 0:
                self._is_low_first = not self._is_low_first
            raise
        self._has_answered, self._silences = True, 0
        return heard

    async def _ask(
        self, request: cjt188.Frame, subject: str, reply_length: int, priority: Priority
    ) -> tuple[Heard, bytes]:
        receiver: FrameReceiver[cjt188.Frame] = FrameReceiver(
            cjt188.FrameReader(),
            lambda frame: cjt188.check_reply(request, frame),
            cjt188.encode_frame,
            lambda frame: not frame.is_reply,
        )
        identity = (PROTOCOL, self.device.address, subject)
        wire = cjt188.encode_frame(request)
        ask = Ask(self.device.address, wire, reply_length, receiver, identity, subject)
        heard = await self._bus.exchange(ask, priority)
        return heard, receiver.payload

    async def _read(self, item: _Item) -> list[Reading]:
        heard, payload = await self._exchange(item)
        fields = self._decoded(item.data_identifier, payload)
        at_ms, evidence = heard.measured_at_ms, None
        is_billed = any(point.is_billing for point in item.points)
        if is_billed and (hour := self._evidence.hour_of(at_ms)) != item.evidence_hour:
            item.evidence_hour = hour
            evidence = evidence_of(heard, PROTOCOL, self._bus.settings.line_id)
        return [
            self._reading(point, fields[_source(point).field], at_ms, evidence if point.is_billing else None)
            for point in item.points
        ]

    def _decoded(self, data_identifier: str, payload: bytes) -> dict[str, _Value]:
        if data_identifier in cjt188.HISTORY:
            return {_MONTH_FIELD: decode_history(payload)}
        if self._is_heat:
            heat = decode_heat(payload)
            return {name: take(heat) for name, take in _HEAT_FIELDS.items()}
        water = decode_water(payload)
        return {name: take(water) for name, take in _WATER_FIELDS.items()}

    def _reading(self, point: PointProfile, value: _Value, at_ms: int, evidence: Evidence | None) -> Reading:
        key, clock_quality = point_key(self.device, point), self._bus.clock.quality
        try:
            number = _in_unit_of(point, value)
        except FrameError as error:
            return Reading(key, at_ms, None, Quality.BAD_FRAME, str(error), clock_quality, evidence)
        if number is None:
            reason = "the meter says: not available"
            return Reading(key, at_ms, None, Quality.ABSENT, reason, clock_quality, evidence)
        return Reading(key, at_ms, micro_from_decimal(number), Quality.GOOD, "", clock_quality, evidence)


def _source(point: PointProfile) -> Cjt188Source:
    assert isinstance(point.source, Cjt188Source)
    return point.source


def _in_unit_of(point: PointProfile, value: _Value) -> Decimal | None:
    """Return the number in the quantity's unit; FrameError where the meter's unit is another."""
    if not isinstance(value, Amount):
        return None if value is None else Decimal(value)
    if value.value is None:
        return None
    factor = _FACTORS.get((value.unit, point.quantity.unit))
    if factor is None:
        raise FrameError(
            f"the meter counts in {value.unit}, {point.quantity.name} is in {point.quantity.unit}"
        )
    # A flow in L/h has seven decimals in m3/h; the vocabulary keeps six.
    return round(value.value * factor, 6)
