"""GB/T 26875.3 fire-alarm transmission devices: what their packets say, and the centre's side of it.

Components, the system and the transmitter each send snapshots of status bits: a fire bit raises,
the same place without it clears. A reset of the panel ends everything it held. The invariant: every
packet with a valid checksum of a known device is confirmed once it is on disk, understood or not;
what is not understood is told as an event rather than swallowed.

The centre asks of a device that is connected, if the configuration says so: on its first word to set its
clock and say what it shows then, and how it stands; how each system behind it stands, once that is heard of
and whenever the device has been away; and at certain hours whether the guard is there (a roll-call, 查岗).
What a device does not confirm is asked three times more; a guard who does not press the button in
time is told as missing until a later roll-call is answered.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from edge.clock import Clock
from edge.drivers.gb26875_asking import Asking
from edge.panel import Condition, Panel, RecentMessages, Report, Round, Strangers
from protocol.errors import FrameError
from protocol.event import Event, EventState, Severity
from protocol.fieldbus import gb26875
from protocol.fieldbus.gb26875 import Wish
from protocol.fieldbus.gb26875_table import COMPONENT_TYPES, SYSTEM_TYPES, type_named
from protocol.fieldbus.gb26875_units import (
    COMPONENT_STATUS,
    DESCRIBES,
    OPERATIONS,
    SYSTEM_STATUS,
    TRANSMITTER_STATUS,
    ComponentStatus,
    UnitType,
    bits_named,
    decode_component_status,
    decode_time,
    encode_time,
    split_unit,
)
from provisioning.config import DeviceConfig

log = logging.getLogger(__name__)

PROTOCOL = "gb26875.3"

_FIRE, _FAULT, _SHIELDED = "fire_alarm", "system_fault", "shielded"
_SEVERITIES = {_FIRE: Severity.CRITICAL, _FAULT: Severity.MAJOR, _SHIELDED: Severity.MINOR}
# Names of status bits by the condition they mean; the others are normal working.
_BITS = {
    _FIRE: frozenset({"fire"}),
    _FAULT: frozenset(
        {
            "backup fault",
            "bus fault",
            "fault",
            "link to centre fault",
            "mains fault",
            "monitoring-line fault",
            "power fault",
        }
    ),
    _SHIELDED: frozenset({"shielded"}),
}
# An operation is a matter of record; these two are more.
_OPERATION_KINDS = {
    "manual alarm": ("manual_alarm", Severity.CRITICAL),
    "reset": ("panel_reset", Severity.INFO),
}
_GUARD_MISSING = "guard_missing"
_ROLL_CALL_ANSWER = "roll-call answer"
_FIRST_YEAR = 2000  # the wire has two digits
# Whole seconds, and an answer over a slow link.
_CLOCK_RIGHT_WITHIN = timedelta(seconds=30)
_HEARTBEAT_UNIT_MAX = 1  # some vendors send a heartbeat with one byte of unit


class FirePanels:
    """The devices of one line, by the six bytes of their source address."""

    def __init__(
        self,
        devices: Iterable[DeviceConfig],
        line: str,
        clock: Clock,
        zone: ZoneInfo,
        roll_calls: Sequence[int] = (),
        roll_call_answer_min: int = 10,
        *,
        greets: bool = False,
    ) -> None:
        self._clock = clock
        self._greets = greets
        self._roll_calls = frozenset(roll_calls)
        self._answer_min = roll_call_answer_min
        self._zone = zone
        self._line = line
        self._panels = {device.address.lower(): Panel(device, line, PROTOCOL) for device in devices}
        self._recent = {address: RecentMessages() for address in self._panels}
        self._strangers = Strangers()
        self._askings = {address: Asking() for address in self._panels}

    def prepare(self) -> None:
        """Do nothing: these devices have no keys."""

    @property
    def panels(self) -> Sequence[Panel]:
        """Return what is remembered of each device."""
        return tuple(self._panels.values())

    def conversation(self) -> "_Conversation":
        """Return a new connection's conversation."""
        return _Conversation(self)

    def report(self, packet: gb26875.Packet) -> Report | None:
        """Return what a packet says; None where nothing is to be said or answered."""
        address = packet.source.hex()
        panel = self._panels.get(address)
        if panel is None:
            return self._stranger(address)
        if packet.command != gb26875.Command.SEND:
            return self._answered(packet, panel)
        for system in systems_of(packet):
            self._askings[address].heard_of(system)
        recent, key = self._recent[address], (packet.serial, packet.sent, packet.unit)
        answer = gb26875.encode_packet(gb26875.confirmation_of(packet, self._local_time()))
        before = panel.state()
        conditions = [] if key in recent else conditions_of(packet, panel)
        if _is_roll_call_answer(packet):
            conditions += self._guard_answers(address)
        readings, events = panel.take(
            conditions, gb26875.encode_packet(packet), self._clock.wall_ms(), self._clock.quality
        )
        return Report(
            panel.device.device_id,
            panel.rule_id,
            readings if conditions else (),
            events,
            answer,
            stored=lambda: recent.add(key),
            undo=lambda: panel.restore(before),
        )

    def _answered(self, packet: gb26875.Packet, panel: Panel) -> Report | None:
        """Take what a device says to what we asked: that it heard, or how it stands. Nothing is answered."""
        if packet.command not in (gb26875.Command.CONFIRM, gb26875.Command.RESPONSE, gb26875.Command.DENY):
            return None
        self._askings[packet.source.hex()].open.pop(packet.serial, None)
        if packet.command != gb26875.Command.RESPONSE:
            return Report(panel.device.device_id, "", (), (), b"", lambda: None, lambda: None)
        before = panel.state()
        self._note_clock(packet, panel)
        wire, at_ms = gb26875.encode_packet(packet), self._clock.wall_ms()
        readings, events = panel.take(conditions_of(packet, panel), wire, at_ms, self._clock.quality)
        return Report(
            panel.device.device_id,
            panel.rule_id,
            readings,
            events,
            b"",
            stored=lambda: None,
            undo=lambda: panel.restore(before),
        )

    def _note_clock(self, packet: gb26875.Packet, panel: Panel) -> None:
        """Tell in the log of a device whose clock is wrong although it was set."""
        shown = gb26875.time_told(packet)
        ours = decode_time(self._local_time())
        if shown is None or ours is None or abs(shown - ours) <= _CLOCK_RIGHT_WITHIN:
            return
        seconds = round((shown - ours).total_seconds())
        log.warning("a panel's clock is off", extra={"panel": panel.device.device_id, "seconds": seconds})

    def rounds(self, connected: Collection[str]) -> Sequence[Round]:
        """Return what is due: questions to devices that are there, and guards who did not answer."""
        found: list[Round] = []
        for address, panel in self._panels.items():
            asking, device_id = self._askings[address], panel.device.device_id
            if device_id in connected:
                wires = asking.due(
                    self._clock, self._zone, self._roll_calls, self._wish(address), greets=self._greets
                )
                found += [Round(device_id, "", wire) for wire in wires]
            else:
                asking.gone()
            if asking.is_guard_late(self._clock.monotonic_ms()):
                told = f"the guard did not answer a roll-call within {self._answer_min} minutes"
                late = Condition(_GUARD_MISSING, Severity.MAJOR, "guard", is_active=True, message=told)
                _, events = panel.take([late], b"", self._clock.wall_ms(), self._clock.quality)
                found.append(Round(device_id, panel.rule_id, b"", events))
        return found

    def _wish(self, address: str) -> Callable[[Wish, int, tuple[int, int]], bytes]:
        def wish(what: Wish, serial: int, system: tuple[int, int]) -> bytes:
            sent, destination = self._local_time(), bytes.fromhex(address)
            packet = gb26875.wish_of(
                what, serial, sent, destination, system=system, answer_min=self._answer_min
            )
            return gb26875.encode_packet(packet)

        return wish

    def _guard_answers(self, address: str) -> list[Condition]:
        asking = self._askings[address]
        asking.guard_until_ms = None
        told = "the guard answered the roll-call"
        return [
            Condition(_GUARD_MISSING, Severity.MAJOR, "guard", is_active=False, message=told),
            Condition("roll_call", Severity.INFO, "guard", None, told),
        ]

    def _stranger(self, address: str) -> Report | None:
        """Tell once that a device calls that nobody configured; it is not confirmed."""
        if not self._strangers.is_to_be_told(address):
            return None
        event = Event(
            "unknown_panel",
            EventState.OCCURRED,
            Severity.MAJOR,
            f"{self._line}/unknown_panel",
            self._clock.wall_ms(),
            f"a fire-alarm transmitter with source address {address} calls and is not configured",
            attributes={"address": address},
        )
        return Report("", "", (), (event,), b"", lambda: None, lambda: self._strangers.forget(address))

    def _local_time(self) -> bytes:
        local = datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._zone)
        if local.year < _FIRST_YEAR:
            return bytes(6)  # a box without a battery begins in 1970: confirm without a time
        return encode_time(local.replace(tzinfo=None))


class _Conversation:
    def __init__(self, station: FirePanels) -> None:
        self._station = station
        self._reader = gb26875.PacketReader()

    def feed(self, data: bytes) -> Sequence[Report]:
        """Take what arrived; damaged packets are passed over and so sent again by the device."""
        reports = (self._station.report(packet) for packet in self._reader.feed(data))
        return [report for report in reports if report is not None]


def systems_of(packet: gb26875.Packet) -> set[tuple[int, int]]:
    """Return type and address of the systems a packet is about."""
    try:
        kind, items = split_unit(packet.unit)
    except FrameError:
        return set()
    of_systems = (UnitType.SYSTEM_STATUS, UnitType.COMPONENT_STATUS, UnitType.SYSTEM_OPERATION)
    return {(item[0], item[1]) for item in items} if kind in of_systems else set()


def conditions_of(packet: gb26875.Packet, panel: Panel) -> list[Condition]:
    """Return what a packet's application unit says, place by place; a heartbeat says nothing."""
    if len(packet.unit) <= _HEARTBEAT_UNIT_MAX:
        return []
    try:
        kind, items = split_unit(packet.unit)
    except FrameError as error:
        return [
            Condition(
                "panel_message",
                Severity.MINOR,
                "transmitter",
                None,
                f"a message that is not understood: {error}",
                {"unit": packet.unit[:64].hex()},
            )
        ]
    found: list[Condition] = []
    for item in items:
        found += _item_conditions(kind, item, panel)
    return found


def _item_conditions(kind: UnitType, item: bytes, panel: Panel) -> list[Condition]:
    if kind in DESCRIBES:
        return []  # a version, a description or a clock: no condition
    match kind:
        case UnitType.COMPONENT_STATUS:
            return _component(decode_component_status(item))
        case UnitType.SYSTEM_STATUS:
            names = bits_named(int.from_bytes(item[2:4], "little"), SYSTEM_STATUS)
            attributes = {"system_type": str(item[0]), "system_address": str(item[1])}
            attributes |= _panel_time(item[4:])
            place = f"system-{item[0]}-{item[1]}"
            ends = panel.clear_all("the panel was reset") if "reset" in names else []
            title = f"{type_named(item[0], SYSTEM_TYPES)} {item[1]}"
            return ends + _statuses(names, place, title, attributes)
        case UnitType.TRANSMITTER_STATUS:
            names = bits_named(item[0], TRANSMITTER_STATUS)
            return _statuses(names, "transmitter", "transmitter", _panel_time(item[1:]))
        case UnitType.SYSTEM_OPERATION:
            attributes = {"system_type": str(item[0]), "system_address": str(item[1])}
            return _operations(item[2], item[3], attributes | _panel_time(item[4:]), panel)
        case UnitType.TRANSMITTER_OPERATION:
            return _operations(item[0], item[1], _panel_time(item[2:]), None)
        case _:
            return []  # a measured value of a detector: no condition


def _component(component: ComponentStatus) -> list[Condition]:
    names = bits_named(component.status, COMPONENT_STATUS)
    address = component.component_address
    zone, position = (int.from_bytes(address[at : at + 2], "little") for at in (0, 2))
    attributes = {
        "system_type": str(component.system_type),
        "system_address": str(component.system_address),
        "component_type": str(component.component_type),
        "component": type_named(component.component_type, COMPONENT_TYPES),
        "zone": str(zone),
        "position": str(position),
        "status": ", ".join(names),
    }
    if component.measured is not None:
        attributes["panel_time"] = component.measured.isoformat()
    place = f"component-{component.system_address}-{zone}-{position}"
    what = type_named(component.component_type, COMPONENT_TYPES)
    title = component.text.strip() or f"{what}, {zone}-{position} of system {component.system_address}"
    return _statuses(names, place, title, attributes)


def _statuses(names: Sequence[str], place: str, title: str, attributes: dict[str, str]) -> list[Condition]:
    """Return each condition of a place, active or not."""
    found: list[Condition] = []
    for kind, bits in _BITS.items():
        active = [name for name in names if name in bits]
        message = f"{title}: {', '.join(active) if active else 'normal again'}"
        found.append(Condition(kind, _SEVERITIES[kind], place, bool(active), message, attributes))
    return found


def _operations(
    flags: int, operator: int, attributes: dict[str, str], panel: Panel | None
) -> list[Condition]:
    found: list[Condition] = []
    for name in bits_named(flags, OPERATIONS):
        kind, severity = _OPERATION_KINDS.get(name, ("panel_operation", Severity.INFO))
        where = "transmitter" if panel is None else "system"
        if name == "reset" and panel is not None:
            found += panel.clear_all("the panel was reset")
        told = attributes | {"operator": str(operator), "operation": name}
        found.append(Condition(kind, severity, where, None, f"{where}: {name} by operator {operator}", told))
    return found


def _is_roll_call_answer(packet: gb26875.Packet) -> bool:
    """Tell whether the guard has pressed the button: an operation of the transmitter or the panel."""
    if len(packet.unit) <= _HEARTBEAT_UNIT_MAX:
        return False
    try:
        kind, items = split_unit(packet.unit)
    except FrameError:
        return False
    at = {UnitType.TRANSMITTER_OPERATION: 0, UnitType.SYSTEM_OPERATION: 2}.get(kind)
    return at is not None and any(_ROLL_CALL_ANSWER in bits_named(item[at], OPERATIONS) for item in items)


def _panel_time(wire: bytes) -> dict[str, str]:
    time = decode_time(wire)
    return {} if time is None else {"panel_time": time.isoformat()}
