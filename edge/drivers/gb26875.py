"""GB/T 26875.3 fire-alarm transmission devices: what their packets say, and the centre's side of it.

Components, the system and the transmitter each send snapshots of status bits: a fire bit raises,
the same place without it clears. A reset of the panel ends everything it held. The invariant: every
packet with a valid checksum of a known device is confirmed once it is on disk, understood or not;
what is not understood is told as an event rather than swallowed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from edge.clock import Clock
from edge.panel import Condition, Panel, RecentMessages, Report
from protocol.errors import FrameError
from protocol.event import Event, EventState, Severity
from protocol.fieldbus import gb26875
from protocol.fieldbus.gb26875 import UnitType
from provisioning.config import DeviceConfig

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
_FIRST_YEAR = 2000  # the wire has two digits
_HEARTBEAT_UNIT_MAX = 1  # some vendors send a heartbeat with one byte of unit


class FirePanels:
    """The devices of one line, by the six bytes of their source address."""

    def __init__(self, devices: Iterable[DeviceConfig], line: str, clock: Clock, zone: ZoneInfo) -> None:
        self._clock = clock
        self._zone = zone
        self._line = line
        self._panels = {device.address.lower(): Panel(device, line, PROTOCOL) for device in devices}
        self._recent = {address: RecentMessages() for address in self._panels}
        self._strangers: set[str] = set()

    @property
    def panels(self) -> Sequence[Panel]:
        """Return what is remembered of each device."""
        return tuple(self._panels.values())

    def conversation(self) -> "_Conversation":
        """Return a new connection's conversation."""
        return _Conversation(self)

    def report(self, packet: gb26875.Packet) -> Report | None:
        """Return what a packet says; None where nothing is to be said or answered."""
        if packet.command != gb26875.Command.SEND:
            return None  # confirmations and responses to us; we send no requests
        address = packet.source.hex()
        panel = self._panels.get(address)
        if panel is None:
            return self._stranger(address)
        recent, key = self._recent[address], (packet.serial, packet.sent, packet.unit)
        answer = gb26875.encode_packet(gb26875.confirmation_of(packet, self._local_time()))
        before = panel.state()
        conditions = [] if key in recent else conditions_of(packet, panel)
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

    def _stranger(self, address: str) -> Report | None:
        """Tell once that a device calls that nobody configured; it is not confirmed."""
        if address in self._strangers:
            return None
        self._strangers.add(address)
        event = Event(
            "unknown_panel",
            EventState.OCCURRED,
            Severity.MAJOR,
            f"{self._line}/unknown_panel",
            self._clock.wall_ms(),
            f"a fire-alarm transmitter with source address {address} calls and is not configured",
            attributes={"address": address},
        )
        return Report("", "", (), (event,), b"", lambda: None, lambda: self._strangers.discard(address))

    def _local_time(self) -> bytes:
        local = datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._zone)
        if local.year < _FIRST_YEAR:
            return bytes(6)  # a box without a battery begins in 1970: confirm without a time
        return gb26875.encode_time(local.replace(tzinfo=None))


class _Conversation:
    def __init__(self, station: FirePanels) -> None:
        self._station = station
        self._reader = gb26875.PacketReader()

    def feed(self, data: bytes) -> Sequence[Report]:
        """Take what arrived; damaged packets are passed over and so sent again by the device."""
        reports = (self._station.report(packet) for packet in self._reader.feed(data))
        return [report for report in reports if report is not None]


def conditions_of(packet: gb26875.Packet, panel: Panel) -> list[Condition]:
    """Return what a packet's application unit says, place by place; a heartbeat says nothing."""
    if len(packet.unit) <= _HEARTBEAT_UNIT_MAX:
        return []
    try:
        kind, items = gb26875.split_unit(packet.unit)
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
    match kind:
        case UnitType.COMPONENT_STATUS:
            return _component(gb26875.decode_component_status(item))
        case UnitType.SYSTEM_STATUS:
            names = gb26875.bits_named(int.from_bytes(item[2:4], "little"), gb26875.SYSTEM_STATUS)
            attributes = {"system_type": str(item[0]), "system_address": str(item[1])}
            attributes |= _panel_time(item[4:])
            place = f"system-{item[0]}-{item[1]}"
            ends = panel.clear_all("the panel was reset") if "reset" in names else []
            return ends + _statuses(names, place, f"system {item[1]}", attributes)
        case UnitType.TRANSMITTER_STATUS:
            names = gb26875.bits_named(item[0], gb26875.TRANSMITTER_STATUS)
            return _statuses(names, "transmitter", "transmitter", _panel_time(item[1:]))
        case UnitType.SYSTEM_OPERATION:
            attributes = {"system_type": str(item[0]), "system_address": str(item[1])}
            return _operations(item[2], item[3], attributes | _panel_time(item[4:]), panel)
        case UnitType.TRANSMITTER_OPERATION:
            return _operations(item[0], item[1], _panel_time(item[2:]), None)
        case UnitType.COMPONENT_ANALOG:
            return []  # a measured value of a detector: no condition


def _component(component: gb26875.ComponentStatus) -> list[Condition]:
    names = gb26875.bits_named(component.status, gb26875.COMPONENT_STATUS)
    address = component.component_address
    zone, position = (int.from_bytes(address[at : at + 2], "little") for at in (0, 2))
    attributes = {
        "system_type": str(component.system_type),
        "system_address": str(component.system_address),
        "component_type": str(component.component_type),
        "zone": str(zone),
        "position": str(position),
        "status": ", ".join(names),
    }
    if component.measured is not None:
        attributes["panel_time"] = component.measured.isoformat()
    place = f"component-{component.system_address}-{zone}-{position}"
    title = component.text.strip() or f"component {zone}-{position} of system {component.system_address}"
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
    for name in gb26875.bits_named(flags, gb26875.OPERATIONS):
        kind, severity = _OPERATION_KINDS.get(name, ("panel_operation", Severity.INFO))
        where = "transmitter" if panel is None else "system"
        if name == "reset" and panel is not None:
            found += panel.clear_all("the panel was reset")
        told = attributes | {"operator": str(operator), "operation": name}
        found.append(Condition(kind, severity, where, None, f"{where}: {name} by operator {operator}", told))
    return found


def _panel_time(wire: bytes) -> dict[str, str]:
    time = gb26875.decode_time(wire)
    return {} if time is None else {"panel_time": time.isoformat()}
