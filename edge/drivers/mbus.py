"""M-Bus meters (EN 13757-2, -3) of heat, water, gas and electricity: one readout, many points.

A poll reads the meter out once, telegram by telegram, only as far as its points need. A point is
found by what a record measures, its function, storage, tariff and subunit; the meter decides unit
and power of ten. The invariant: a record in a unit that is not exactly the quantity's is refused,
not converted by guess; what the meter did not send is absent, never an old value.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from edge.driver import (
    Bus,
    EvidenceKeeper,
    Heard,
    PlannedRequest,
    evidence_of,
    failed_readings,
    point_key,
    points_of,
    priority_of,
)
from edge.drivers.joined import joined
from edge.drivers.mbus_exchange import REPLY_LENGTH, MeterTalk, Readout, meter_address
from edge.errors import EXCHANGE_FAILURES, quality_of
from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus import mbus
from protocol.fieldbus.mbus_names import fixed_unit
from protocol.fieldbus.mbus_records import Record
from protocol.quantity import micro_from_decimal
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import MbusSource, PointProfile

PROTOCOL = "mbus"

# Unit on the wire, unit of the quantity: what a number is multiplied by. Joules are no kWh: 1 kWh is
# 3.6 MJ and the quotient has no end, so meters in joules have a quantity in GJ.
_FACTORS: Mapping[tuple[str, str], Decimal] = MappingProxyType(
    {
        ("A", "A"): Decimal(1),
        ("J", "GJ"): Decimal("0.000000001"),
        ("V", "V"): Decimal(1),
        ("W", "kW"): Decimal("0.001"),
        ("Wh", "kWh"): Decimal("0.001"),
        ("bar", "kPa"): Decimal(100),
        ("m^3", "m3"): Decimal(1),
        ("m^3/h", "m3/h"): Decimal(1),
        ("°C", "°C"): Decimal(1),
        ("", ""): Decimal(1),
    }
)
# The units of old fixed-length replies, by the same.
_FIXED: Mapping[str, tuple[str, Decimal]] = MappingProxyType(
    {
        "GJ": ("J", Decimal(10) ** 9),
        "MJ": ("J", Decimal(10) ** 6),
        "MWh": ("Wh", Decimal(10) ** 6),
        "Wh": ("Wh", Decimal(1)),
        "kJ": ("J", Decimal(10) ** 3),
        "kWh": ("Wh", Decimal(10) ** 3),
        "l": ("m^3", Decimal("0.001")),
        "l/h": ("m^3/h", Decimal("0.001")),
        "m^3": ("m^3", Decimal(1)),
        "m^3/h": ("m^3/h", Decimal(1)),
        "ml": ("m^3", Decimal("0.000001")),
    }
)
# VIFs that only open another table, and the extensions that only scale (EN 13757-3 table 15).
_VIF_TABLES = (b"\xfb", b"\xfd")
_SCALING = frozenset({*range(0x70, 0x7C), 0x7D})
_SECONDS_A_UNIT = {"h": 3600}


class MbusDriver:
    """One meter on a bus."""

    def __init__(self, device: DeviceConfig, bus: Bus, evidence: EvidenceKeeper) -> None:
        self.device = device
        self._bus = bus
        self._evidence = evidence
        self._evidence_hour = -1
        self._address = meter_address(device.address)
        self._talk = MeterTalk(device.address, self._address, bus)

    def plan(self, group: str) -> Sequence[PlannedRequest]:
        """Return the opening and the first telegram; how many follow only the meter knows."""
        names = tuple(point.name for point in points_of(self.device, group))
        opening = mbus.encode_frame(self._address.opening)
        request = mbus.encode_frame(mbus.data_request(self._address.primary, frame_count_bit=True))
        what = "selection" if self._address.selection else "reset"
        return [
            PlannedRequest(what, (), len(opening), len(mbus.ACK)),
            PlannedRequest("first telegram", names, len(request), REPLY_LENGTH),
        ]

    async def poll(self, group: str) -> list[Reading]:
        """Read the meter out for the group's points."""
        points = points_of(self.device, group)
        missing = {_source(point) for point in points}

        def is_enough(telegram: mbus.Telegram) -> bool:
            missing.difference_update(
                {s for s in missing if s.status_bit is not None or _record(telegram.records, s)}
            )
            return not missing

        try:
            readout = await self._talk.read_out(priority_of(self.device, group), is_enough)
        except EXCHANGE_FAILURES as failure:
            return failed_readings(self.device, points, failure, self._bus.clock)
        return self._readings(points, readout)

    async def probe(self) -> None:
        """Reset or select the meter, which it acknowledges."""
        group = next(iter(self.device.intervals_s))
        try:
            await self._talk.open(priority_of(self.device, group))
        except Refused:
            return

    async def read_raw(self, frame: bytes) -> Heard:
        """Send a person's own request for data to this meter, selected first if need be."""
        try:
            request = mbus.decode_frame(frame)
        except FrameError as error:
            raise Refused(f"no frame of M-Bus: {error}") from error
        if request.control & ~mbus.FCB != mbus.REQ_UD2:
            raise Refused(f"control {request.control:02x} asks for no data; nothing else is sent this way")
        if request.address != self._address.primary:
            raise Refused(f"the frame asks address {request.address}, this is {self._address.primary}")
        return await self._talk.read_raw(request)

    def _readings(self, points: Sequence[PointProfile], readout: Readout) -> list[Reading]:
        heard, evidence = joined(readout.exchanges), None
        at_ms, clock_quality = heard.measured_at_ms, self._bus.clock.quality
        is_billed = any(point.is_billing for point in points)
        if is_billed and (hour := self._evidence.hour_of(at_ms)) != self._evidence_hour:
            self._evidence_hour = hour
            evidence = evidence_of(heard, PROTOCOL, self._bus.settings.line_id)
        readings: list[Reading] = []
        for point in points:
            value_micro, quality, reason = None, Quality.ABSENT, "the meter sends no such record"
            if readout.failure is not None:
                quality, reason = quality_of(readout.failure), f"not read to its end: {readout.failure}"
            try:
                value = _value(point, readout)
                if value is not None:
                    value_micro, quality, reason = micro_from_decimal(value), Quality.GOOD, ""
            except ProtocolError as error:
                quality, reason = Quality.BAD_FRAME, str(error)
            key, shown = point_key(self.device, point), evidence if point.is_billing else None
            readings.append(Reading(key, at_ms, value_micro, quality, reason, clock_quality, shown))
        return readings


def _source(point: PointProfile) -> MbusSource:
    assert isinstance(point.source, MbusSource)
    return point.source


def _value(point: PointProfile, readout: Readout) -> Decimal | None:
    """Return the point's value in its quantity's unit; None where the meter does not send it."""
    source = _source(point)
    if source.status_bit is not None:
        status = readout.fixed.status if readout.fixed else readout.telegrams[0].header.status
        return Decimal(status >> source.status_bit & 1)
    if source.counter:
        return _fixed_value(point, source.counter, readout.fixed)
    for telegram in readout.telegrams:
        record = _record(telegram.records, source)
        if record is not None:
            return _in_unit_of(point, record.value, record.unit.symbol)
    return None


def _is_plain(record: Record) -> bool:
    """Tell whether the VIF is only scaled: an extension may as well say "backward flow only"."""
    extensions = record.vif[2 if record.vif[:1] in _VIF_TABLES else 1 :]
    return all((code & 0x7F) in _SCALING for code in extensions)


def _record(records: Sequence[Record], source: MbusSource) -> Record | None:
    return next(
        (
            record
            for record in records
            if record.unit.quantity == source.measures
            and _is_plain(record)
            and record.function == source.function
            and record.storage == source.storage
            and (record.tariff or 0) == source.tariff
            and (record.subunit or 0) == source.subunit
        ),
        None,
    )


def _fixed_value(point: PointProfile, number: int, fixed: mbus.FixedTelegram | None) -> Decimal | None:
    if fixed is None:
        return None
    if fixed.is_stored:
        raise FrameError("the counters are those of the meter's fixed date, not the present ones")
    counter = fixed.counters[number - 1]
    tens, _, name = fixed_unit(counter.unit_code).rpartition(" ")
    symbol, factor = _FIXED.get(name, (name, Decimal(1)))
    return _in_unit_of(point, counter.value * factor * Decimal(tens or 1), symbol)


def _in_unit_of(point: PointProfile, value: Decimal | str | None, symbol: str) -> Decimal | None:
    """Return the number in the quantity's unit, to the sixth decimal; FrameError in another unit."""
    unit = point.quantity.unit
    if value is None:
        return None
    if isinstance(value, str):
        raise FrameError(f"{value[:40]!r} is not a number")
    if symbol == "s" and unit in _SECONDS_A_UNIT:
        return round(value / _SECONDS_A_UNIT[unit], 6)
    factor = _FACTORS.get((symbol, unit))
    if factor is None:
        raise FrameError(f"the meter counts in {symbol or 'no unit'}, {point.quantity.name} is in {unit}")
    return round(value * factor, 6)
