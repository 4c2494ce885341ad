"""DL/T 645 electricity meters, 2007 or 1997 as their profile says: blocks where the meter has them,
identifiers one by one elsewhere.

A block a meter refuses, or never answers while it answers its single identifiers, is not asked
again; its points are then read one by one. Answers longer than a frame are fetched to the end.
Absent values (FF..) and digits that are none become a quality, never a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from edge.driver import (
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
from edge.drivers.dlt645_edition import EDITIONS
from edge.drivers.dlt645_talk import REPLY_OVERHEAD, MeterTalk
from edge.errors import EXCHANGE_FAILURES, NoReply
from protocol.errors import ProtocolError, Refused
from protocol.fieldbus.dlt645_format import DataIdentifier, Value
from protocol.fieldbus.dlt645_frame import encode_frame
from protocol.quantity import micro_from_decimal
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import Dlt645Source, PointProfile
from provisioning.strict import Malformed

# A block that was silent this often while single identifiers were answered is one the meter ignores.
_SILENCES_BELIEVED = 2
_ERROR_NO_SUCH_DATA = 0x02


@dataclass(slots=True)
class _Item:
    """One request: an identifier and the points its answer yields, each with its place."""

    identifier: DataIdentifier
    points: tuple[tuple[PointProfile, int], ...]
    priority: Priority
    has_billing: bool
    is_block: bool = False
    silences: int = 0
    evidence_hour: int = -1


class Dlt645Driver:
    """One meter on a bus."""

    def __init__(self, device: DeviceConfig, bus: Bus, evidence: EvidenceKeeper) -> None:
        self.device = device
        self._bus = bus
        self._evidence = evidence
        self._protocol = device.profile.protocol
        self._edition = EDITIONS[self._protocol]
        self.talk = MeterTalk(device.address, bus, self._edition, device.preamble_count)
        self._unsupported: set[str] = set()
        self._items: dict[str, tuple[_Item, ...]] = {}
        self._singles = {
            point.name: self._single(point, priority_of(device, point.group))
            for point in device.profile.points
        }
        self._arrange()

    def plan(self, group: str) -> Sequence[PlannedRequest]:
        """Return the identifiers asked for."""
        planned: list[PlannedRequest] = []
        for item in self._items[group]:
            identifier = item.identifier
            request = encode_frame(self._edition.read_request(self.device.address, identifier.di))
            names = tuple(point.name for point, _ in item.points)
            title = f"{identifier.di} {identifier.title}"
            planned.append(PlannedRequest(title, names, len(request), _reply_length(item)))
        return planned

    async def poll(self, group: str) -> list[Reading]:
        """Ask for the group's identifiers one after the other; one that fails fails alone."""
        readings: list[Reading] = []
        ignored: list[_Item] = []
        has_answer = False
        waiting = list(self._items[group][::-1])
        while waiting:
            item = waiting.pop()
            try:
                readings += await self._read(item)
                has_answer = True
            except Refused as refusal:
                if item.is_block:
                    waiting += self._give_up_block(item)
                else:
                    readings += self._failed(item, refusal)
            except EXCHANGE_FAILURES as failure:
                if item.is_block and isinstance(failure, NoReply):
                    ignored.append(item)
                readings += self._failed(item, failure)
        for item in ignored if has_answer else ():
            item.silences += 1
            if item.silences >= _SILENCES_BELIEVED:
                self._give_up_block(item)
        return readings

    async def probe(self) -> None:
        """Ask for the shortest answer; a refusal is an answer too."""
        item = min(self._singles.values(), key=_reply_length)
        try:
            request = self._edition.read_request(self.device.address, item.identifier.di)
            await self.talk.ask(request, _reply_length(item), item.priority)
        except Refused:
            return

    async def read_raw(self, frame: bytes) -> Heard:
        """Send a person's own read to this meter."""
        return await self.talk.read_raw(frame)

    def _arrange(self) -> None:
        """Group the points into requests, blocks first, as far as the meter supports them."""
        for group in self.device.intervals_s:
            items: list[_Item] = []
            blocks: dict[str, list[PointProfile]] = {}
            for point in points_of(self.device, group):
                source = _source(point)
                if source.block and source.block not in self._unsupported:
                    blocks.setdefault(source.block, []).append(point)
                else:
                    items.append(self._singles[point.name])
            for di, points in blocks.items():
                if len(points) == 1:
                    items.append(self._singles[points[0].name])
                    continue
                identifier = self._identifier(di, points[0])
                places = tuple((point, _source(point).block_item) for point in points)
                billed = any(point.is_billing for point in points)
                items.insert(
                    0, _Item(identifier, places, priority_of(self.device, group), billed, is_block=True)
                )
            self._items[group] = tuple(items)

    def _single(self, point: PointProfile, priority: Priority) -> _Item:
        identifier = self._identifier(_source(point).data_identifier, point)
        if identifier.unit != point.quantity.unit:
            raise Malformed(
                f"profile of {self.device.device_id}",
                [
                    f"point {point.name}: {identifier.di} is in {identifier.unit or 'no unit'}, "
                    f"{point.quantity.name} in {point.quantity.unit or 'no unit'}"
                ],
            )
        return _Item(identifier, ((point, 0),), priority, point.is_billing)

    def _identifier(self, di: str, point: PointProfile) -> DataIdentifier:
        try:
            return self._edition.data_identifier(di)
        except ProtocolError as error:
            raise Malformed("profile", [f"point {point.name}: {error}"]) from error

    def _give_up_block(self, item: _Item) -> list[_Item]:
        self._unsupported.add(item.identifier.di)
        self._arrange()
        return [self._singles[point.name] for point, _ in item.points][::-1]

    async def _read(self, item: _Item) -> list[Reading]:
        values, heard = await self.talk.read(item.identifier, _reply_length(item), item.priority)
        item.silences = 0
        return self._readings(item, values, heard)

    def _readings(self, item: _Item, values: Sequence[Value], heard: Heard) -> list[Reading]:
        at_ms, clock_quality, evidence = heard.measured_at_ms, self._bus.clock.quality, None
        if item.has_billing and (hour := self._evidence.hour_of(at_ms)) != item.evidence_hour:
            item.evidence_hour = hour
            evidence = evidence_of(heard, self._protocol, self._bus.settings.line_id)
        readings: list[Reading] = []
        for point, place in item.points:
            value = _bit_of(point, values[place]) if place < len(values) else None
            value_micro, quality, reason = None, Quality.ABSENT, "the meter says: not available"
            if place >= len(values):
                reason = f"the block has only {len(values)} items"
            elif isinstance(value, Decimal):
                value_micro, quality, reason = micro_from_decimal(value), Quality.GOOD, ""
            elif value is not None:
                quality, reason = Quality.BAD_FRAME, f"{value!r} is not a number"
            shown = evidence if point.is_billing else None
            key = point_key(self.device, point)
            readings.append(Reading(key, at_ms, value_micro, quality, reason, clock_quality, shown))
        return readings

    def _failed(self, item: _Item, failure: Exception) -> list[Reading]:
        return failed_readings(self.device, [point for point, _ in item.points], failure, self._bus.clock)


def _bit_of(point: PointProfile, value: Value) -> Value:
    """Return the value, or of a status word the point's bit in the code of its quantity."""
    bit = _source(point).bit
    if bit is None or not isinstance(value, str):
        return value
    raw = int(value, 16) >> bit & 1
    return Decimal(point.codes.get(str(raw), raw))


def _source(point: PointProfile) -> Dlt645Source:
    assert isinstance(point.source, Dlt645Source)
    return point.source


def _reply_length(item: _Item) -> int:
    """Return the reply's length with a usual preamble: for planning and deadlines, not for matching."""
    identifier = item.identifier
    width = sum(form.width for form in identifier.formats) or 6
    count = max((place for _, place in item.points), default=0) + 1 if identifier.is_block else 1
    return REPLY_OVERHEAD + 4 + width * count
