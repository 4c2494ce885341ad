"""Modbus devices: planned block reads over RTU or TCP, holes learned, failures kept apart.

A block the device refuses twice running with an illegal address is divided at its widest unasked
gap and the place remembered, until what is left reads or is a single point, which then counts as
refused and is tried again only now and then. A write is one request, and is read back.
"""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

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
from edge.drivers.modbus_plan import TURNAROUND_S, Block, Cut, plan_blocks, source_of
from edge.drivers.modbus_values import Converter, Doubtful, converter, told_value
from edge.drivers.modbus_write import write_request
from edge.errors import EXCHANGE_FAILURES, BadFrame, EdgeError, NoReply, Unconfirmed
from protocol.errors import FrameError, Refused
from protocol.fieldbus import modbus
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import ModbusTable, PointProfile

log = logging.getLogger(__name__)

FUNCTION_CODES = {
    ModbusTable.COIL: modbus.FunctionCode.READ_COILS,
    ModbusTable.DISCRETE_INPUT: modbus.FunctionCode.READ_DISCRETE_INPUTS,
    ModbusTable.HOLDING_REGISTER: modbus.FunctionCode.READ_HOLDING_REGISTERS,
    ModbusTable.INPUT_REGISTER: modbus.FunctionCode.READ_INPUT_REGISTERS,
}
# Illegal function, address or value: asking the same again will not help.
_LASTING_EXCEPTIONS = frozenset({1, 2, 3})
_REFUSALS_BELIEVED = 2
# A device this much off what was planned for, by time and by share, is planned for anew.
_TURNAROUND_OFF_S = 0.004
_TURNAROUND_OFF = 0.3
# A point refused by itself is asked again this often: firmware gets updated, modules get plugged in.
_REFUSED_RETRY_MS = 3_600_000


@dataclass(slots=True)
class _Reader:
    """A block with everything prepared that its polls repeat."""

    block: Block
    request: modbus.Request
    wire: bytes  # as asked with transaction id 0
    reply_length: int
    takers: tuple[tuple[str, Converter, bool], ...]  # point key, converter, is billed
    has_billing: bool
    priority: Priority
    refused_running: int = 0
    refused_until_ms: int = 0  # monotonic; 0: not given up
    evidence_hour: int = -1


class ModbusReceiver:
    """Hears one Modbus reply; the codec decides what is ours."""

    __slots__ = ("_reader", "values")

    def __init__(self, request: modbus.Request, framing: modbus.Framing, number: int = 0) -> None:
        self._reader = modbus.ReplyReader(request, framing, number or request.transaction_id)
        self.values: tuple[int, ...] = ()

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived; return the reply frame once it is complete and ours."""
        values = self._reader.feed(data)
        if values is None:
            return None
        self.values = values
        return self._reader.frame

    def failure(self) -> EdgeError:
        """Say what was heard instead."""
        try:
            self._reader.conclude()
        except FrameError as error:
            return BadFrame(str(error))
        return NoReply("no reply")


class ModbusDriver:
    """One unit id on a bus."""

    def __init__(self, device: DeviceConfig, bus: Bus, evidence: EvidenceKeeper) -> None:
        self.device = device
        self._bus = bus
        self._evidence = evidence
        self._unit_id = int(device.address)
        self._framing = modbus.Framing.RTU if bus.settings.baud else modbus.Framing.TCP
        self._protocol = f"modbus-{self._framing.value}"
        self._cuts: set[Cut] = set()
        self._turnaround_s = TURNAROUND_S  # what the plan was made for
        self._readers: dict[str, list[_Reader]] = {}
        self._replan()

    def plan(self, group: str) -> Sequence[PlannedRequest]:
        """Return the blocks of the group."""
        return [
            PlannedRequest(
                f"{reader.block.table.value} {reader.block.start} x{reader.block.quantity}",
                tuple(point.name for point in reader.block.points),
                len(reader.wire),
                reader.reply_length,
            )
            for reader in self._readers[group]
        ]

    async def poll(self, group: str) -> list[Reading]:
        """Read the group's blocks one after the other; a block that fails fails alone."""
        readings: list[Reading] = []
        waiting = self._readers[group][::-1]
        while waiting:
            reader = waiting.pop()
            try:
                readings += await self._read(reader)
            except Refused as refusal:
                retries = self._learn(reader, refusal, group)
                waiting += retries[::-1]
                if not retries:
                    readings += self._failed(reader, refusal)
            except EXCHANGE_FAILURES as failure:
                readings += self._failed(reader, failure)
        self._heed_turnaround()
        return readings

    def _heed_turnaround(self) -> None:
        """Plan anew where the device is much quicker or slower than it was planned for."""
        measured_s = self._bus.turnaround_s(self.device.address)
        if measured_s is None:
            return
        off_s = abs(measured_s - self._turnaround_s)
        if off_s > max(_TURNAROUND_OFF_S, _TURNAROUND_OFF * self._turnaround_s):
            self._turnaround_s = measured_s
            self._replan()

    async def probe(self) -> None:
        """Read the shortest block; a refusal is an answer too."""
        readers = [reader for group in self._readers.values() for reader in group]
        try:
            await self._exchange(min(readers, key=lambda r: r.reply_length))
        except Refused:
            return

    async def read_raw(self, frame: bytes) -> Heard:
        """Send a person's own read to this unit; on TCP it gets a transaction id of ours."""
        try:
            request = modbus.decode_request(frame, self._framing)
        except FrameError as error:
            raise Refused(f"no Modbus request as it is framed here: {error}") from error
        if request.is_write:
            raise Refused(f"function {request.function_code} writes; nothing but reads is sent this way")
        if request.unit_id != self._unit_id:
            raise Refused(f"the frame asks unit {request.unit_id}, this is unit {self._unit_id}")
        return await self._sent(request, Priority.COMMAND)

    async def write(self, name: str, value_micro: int) -> Reading:
        """Set a point and return what it reads then; Unconfirmed where that is something else."""
        point = self.device.profile.point_named(name)
        if point is None:
            raise Refused(f"profile {self.device.profile.name} has no point {name!r}")
        await self._sent(
            write_request(self.device.profile, point, value_micro, self._unit_id), Priority.COMMAND
        )
        reading = await self.read_point(point, Priority.COMMAND)
        if reading.value_micro != value_micro:
            raise Unconfirmed(f"{name} was set and reads {told_value(point, reading)}")
        return reading

    async def read_point(self, point: PointProfile, priority: Priority) -> Reading:
        """Read one point by itself."""
        source = source_of(point)
        block = Block(source.table, source.first, source.end - source.first, (point,))
        (reading,) = await self._read(replace(self._prepare(block, point.group), priority=priority))
        return reading

    async def send_settings(self) -> None:
        """Write what the configuration wants the device to hold and it does not hold."""
        for name, wanted_micro in self.device.settings_micro.items():
            point = self.device.profile.point_named(name)
            assert point is not None, "the configuration names points of the profile"
            reading = await self.read_point(point, Priority.BILLING)
            if reading.value_micro != wanted_micro:
                await self.write(name, wanted_micro)
                log.info("setting sent", extra={"device": self.device.device_id, "point": name})

    async def _sent(self, request: modbus.Request, priority: Priority) -> Heard:
        identity: Hashable = None
        length = modbus.reply_length(request, self._framing)
        if self._framing is modbus.Framing.TCP:
            request = replace(request, transaction_id=self._bus.next_number())
        else:
            identity = (self._unit_id, request.function_code, length)
        receiver = ModbusReceiver(request, self._framing)
        wire = modbus.encode_request(request, self._framing)
        question = (request.start, request.values)
        ask = Ask(self.device.address, wire, length, receiver, identity, question)
        return await self._bus.exchange(ask, priority)

    def _replan(self) -> None:
        profile = self.device.profile
        known = {_identity(reader.block): reader for group in self._readers.values() for reader in group}
        plans = plan_blocks(
            {group: points_of(self.device, group) for group in self.device.intervals_s},
            self._bus.settings,
            registers_max=profile.registers_per_read_max,
            bits_max=profile.bits_per_read_max,
            cuts=self._cuts,
            turnaround_s=self._turnaround_s,
        )
        self._readers = {
            group: [known.get(_identity(block)) or self._prepare(block, group) for block in blocks]
            for group, blocks in plans.items()
        }

    def _prepare(self, block: Block, group: str) -> _Reader:
        code = FUNCTION_CODES[block.table]
        request = modbus.Request(self._unit_id, code, block.start, block.quantity)
        return _Reader(
            block,
            request,
            modbus.encode_request(request, self._framing),
            modbus.reply_length(request, self._framing),
            tuple(
                (
                    point_key(self.device, point),
                    converter(point, block.start),
                    point.is_billing,
                )
                for point in block.points
            ),
            any(point.is_billing for point in block.points),
            priority_of(self.device, group),
        )

    async def _exchange(self, reader: _Reader) -> tuple[Heard, tuple[int, ...]]:
        number, wire, identity = 0, reader.wire, None
        if self._framing is modbus.Framing.TCP:
            number = self._bus.next_number()
            wire = number.to_bytes(2) + wire[2:]  # the header's first two bytes; the rest is prepared
        else:
            identity = (self._unit_id, reader.request.function_code, reader.reply_length)
        receiver = ModbusReceiver(reader.request, self._framing, number)
        ask = Ask(self.device.address, wire, reader.reply_length, receiver, identity, reader.request.start)
        heard = await self._bus.exchange(ask, reader.priority)
        return heard, receiver.values

    async def _read(self, reader: _Reader) -> list[Reading]:
        clock = self._bus.clock
        if reader.refused_until_ms > clock.monotonic_ms():
            raise Refused("the device has no such address; asked again within the hour")
        heard, words = await self._exchange(reader)
        reader.refused_running = reader.refused_until_ms = 0
        at_ms, clock_quality = heard.measured_at_ms, clock.quality
        evidence = None
        if reader.has_billing and (hour := self._evidence.hour_of(at_ms)) != reader.evidence_hour:
            reader.evidence_hour = hour
            evidence = evidence_of(heard, self._protocol, self._bus.settings.line_id)
        readings: list[Reading] = []
        for key, convert, is_billing in reader.takers:
            quality, reason = Quality.GOOD, ""
            try:
                value_micro = convert(words)
            except FrameError as error:
                value_micro, quality, reason = None, Quality.BAD_FRAME, str(error)
            except Doubtful as doubt:
                value_micro, quality, reason = doubt.value_micro, Quality.SUSPECT, str(doubt)
            else:
                if value_micro is None:
                    quality, reason = Quality.ABSENT, "the device says: not available"
            shown = evidence if is_billing else None
            readings.append(Reading(key, at_ms, value_micro, quality, reason, clock_quality, shown))
        return readings

    def _learn(self, reader: _Reader, refusal: Refused, group: str) -> list[_Reader]:
        """Return what to ask instead of a refused block; nothing if the refusal stands.

        A late refusal of another block could be taken for this one's, so the block is asked once
        more before anything is concluded.
        """
        if refusal.code not in _LASTING_EXCEPTIONS:
            return []
        reader.refused_running += 1
        if reader.refused_running < _REFUSALS_BELIEVED:
            return [reader]
        cut = reader.block.cut()
        if cut is None:
            reader.refused_until_ms = self._bus.clock.monotonic_ms() + _REFUSED_RETRY_MS
            return []
        self._cuts.add(cut)
        self._replan()
        names = {point.name for point in reader.block.points}
        return [r for r in self._readers[group] if any(point.name in names for point in r.block.points)]

    def _failed(self, reader: _Reader, failure: Exception) -> list[Reading]:
        return failed_readings(self.device, reader.block.points, failure, self._bus.clock)


def _identity(block: Block) -> tuple[object, ...]:
    return (block.table, block.start, block.quantity, *(point.name for point in block.points))
