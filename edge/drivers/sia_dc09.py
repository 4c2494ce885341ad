"""SIA DC-09 alarm panels (Contact ID and SIA events over TCP): what they report, and the receiver's answers.

    event or poll, sound, in time       ACK with the same sequence, once it is on disk
    time of sending too far from ours   NAK with our time: the panel sets its clock and sends again
    sealed with the account's key       the same, and the answer is sealed
    sealed and we have no key, sealed
    with another, in the clear though
    we have one, or no event we know    DUH with the same sequence: the panel must not repeat it for ever
    damaged                             no answer: the panel repeats it

The invariants: an event with qualifier "restore" ends what its zone raised and is never a new alarm;
of an account with a key only what was sealed with it is believed, and only in time.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from edge.clock import Clock
from edge.errors import LineDown
from edge.panel import Condition, Panel, RecentMessages, Report, Round, Strangers
from protocol.errors import FrameError
from protocol.event import Event, EventState, Severity
from protocol.fieldbus import contact_id, sia_dc09
from protocol.fieldbus.sia_dc09_cipher import FILLING_LENGTH, KEY_LENGTHS, sealed, unsealed
from protocol.reading import ClockQuality
from provisioning.config import DeviceConfig

PROTOCOL = "sia-dc09"
ANY_ACCOUNT = "*"

# DC-09 §5.5.1.9: a message sent more than 20 s from now or 40 s ago is refused.
_AHEAD_MAX_S, _BEHIND_MAX_S = 20, 40
_PENDING_MAX = 2 * sia_dc09.BODY_MAX
_TIME_FORM = "%H:%M:%S,%m-%d-%Y"
_POLL = "NULL"

_CRITICAL, _MAJOR, _MINOR, _INFO = Severity.CRITICAL, Severity.MAJOR, Severity.MINOR, Severity.INFO
# Contact ID event by its longest known beginning -> kind, severity, whether it lasts.
_KINDS: Mapping[str, tuple[str, Severity, bool]] = MappingProxyType(
    {
        "1": ("panel_alarm", _CRITICAL, True),
        "10": ("medical_alarm", _CRITICAL, True),
        "11": ("fire_alarm", _CRITICAL, True),
        "12": ("panic_alarm", _CRITICAL, True),
        "13": ("intrusion_alarm", _CRITICAL, True),
        "137": ("tamper", _MAJOR, True),
        "144": ("tamper", _MAJOR, True),
        "151": ("gas_alarm", _CRITICAL, True),
        "154": ("water_leak", _CRITICAL, True),
        "158": ("temperature_alarm", _MAJOR, True),
        "159": ("temperature_alarm", _MAJOR, True),
        "162": ("gas_alarm", _CRITICAL, True),
        "2": ("fire_supervisory", _MAJOR, True),
        "3": ("system_fault", _MAJOR, True),
        "302": ("battery_low", _MINOR, True),
        "305": ("panel_operation", _INFO, False),
        "383": ("tamper", _MAJOR, True),
        "384": ("battery_low", _MINOR, True),
        "4": ("panel_operation", _INFO, False),
        "57": ("zone_bypassed", _MINOR, True),
        "60": ("panel_test", _INFO, False),
    }
)


class AlarmPanels:
    """The panels of one line, by account."""

    def __init__(
        self,
        devices: Iterable[DeviceConfig],
        line: str,
        clock: Clock,
        key_file: Path | None = None,
    ) -> None:
        self._clock = clock
        self._key_file = key_file
        self._keys: Mapping[str, bytes] = {}
        self._doubted: set[str] = set()
        self._line = line
        self._panels = {device.address.upper(): Panel(device, line, PROTOCOL) for device in devices}
        self._recent = {account: RecentMessages() for account in self._panels}
        self._strangers = Strangers()

    @property
    def panels(self) -> Sequence[Panel]:
        """Return what is remembered of each panel."""
        return tuple(self._panels.values())

    def conversation(self) -> "_Conversation":
        """Return a new connection's conversation."""
        return _Conversation(self)

    def report(self, message: sia_dc09.Message) -> Report | None:
        """Return what a message says and how it is answered; None for what is not a panel's to send."""
        if message.id in ("ACK", "NAK", "DUH"):
            return None
        account = (message.account or "").upper()
        panel = self._panels.get(account)
        if panel is None:
            return self._stranger(account)
        key = self._keys.get(account, self._keys.get(ANY_ACCOUNT))
        try:
            message = _opened(message, key)
        except FrameError as error:
            return self._doubt(panel, message, str(error))
        self._doubted.discard(account)
        if not self._is_in_time(message.timestamp):
            return self._plain(panel, sia_dc09.encode_nak(self._now().strftime(_TIME_FORM)))
        answer = sia_dc09.acknowledgement_of(message)
        if key is not None:
            answer = replace(answer, timestamp=self._now().strftime(_TIME_FORM))
            answer = sealed(answer, key, secrets.token_bytes(FILLING_LENGTH))
        wire = sia_dc09.encode_message(answer)
        if message.id == _POLL:
            return self._plain(panel, wire)
        return self._event(panel, account, message, wire)

    def rounds(self, connected: Collection[str]) -> Sequence[Round]:
        """Ask nothing: these panels call when they want."""
        del connected
        return ()

    def prepare(self) -> None:
        """Read the keys of the accounts."""
        self._keys = {} if self._key_file is None else read_keys(self._key_file)

    def _doubt(self, panel: Panel, message: sia_dc09.Message, reason: str) -> Report:
        """Answer so that it is not repeated for ever, and tell once why nothing is believed."""
        answer, account = sia_dc09.encode_message(_duh(message)), panel.device.address.upper()
        if account in self._doubted:
            return Report("", "", (), (), answer, lambda: None, lambda: None)
        self._doubted.add(account)
        event = Event(
            "panel_message",
            EventState.OCCURRED,
            Severity.MAJOR,
            f"{panel.device.device_id}/panel",
            self._clock.wall_ms(),
            f"a message that is not believed: {reason}",
        )
        return Report("", "", (), (event,), answer, lambda: None, lambda: self._doubted.discard(account))

    def _event(self, panel: Panel, account: str, message: sia_dc09.Message, answer: bytes) -> Report:
        recent, key = self._recent[account], (message.sequence, message.data, message.timestamp)
        if key in recent:
            return self._plain(panel, answer)
        try:
            condition = condition_of(message)
        except FrameError as error:
            answer = sia_dc09.encode_message(_duh(message))
            told = f"a message that is not understood: {error}"
            attributes = {"id": message.id, "data": message.data[:100]}
            condition = Condition("panel_message", _MINOR, "panel", None, told, attributes)
        before = panel.state()
        readings, events = panel.take(
            [condition], sia_dc09.encode_message(message), self._clock.wall_ms(), self._clock.quality
        )
        return Report(
            panel.device.device_id,
            panel.rule_id,
            readings,
            events,
            answer,
            stored=lambda: recent.add(key),
            undo=lambda: panel.restore(before),
        )

    def _plain(self, panel: Panel, answer: bytes) -> Report:
        """Return an answer without news; that the panel spoke is heeded all the same."""
        return Report(panel.device.device_id, "", (), (), answer, lambda: None, lambda: None)

    def _stranger(self, account: str) -> Report | None:
        """Tell once that a panel calls that nobody configured; it is not acknowledged."""
        if not self._strangers.is_to_be_told(account):
            return None
        event = Event(
            "unknown_panel",
            EventState.OCCURRED,
            Severity.MAJOR,
            f"{self._line}/unknown_panel",
            self._clock.wall_ms(),
            f"an alarm panel with account {account or 'none'} calls and is not configured",
            attributes={"account": account},
        )
        return Report("", "", (), (event,), b"", lambda: None, lambda: self._strangers.forget(account))

    def _is_in_time(self, timestamp: str | None) -> bool:
        """Tell whether a message is of now; one without a time, or while we do not know ours, is."""
        if timestamp is None or self._clock.quality is not ClockQuality.SYNCED:
            return True
        try:
            sent = datetime.strptime(timestamp, _TIME_FORM).replace(tzinfo=UTC)
        except ValueError:
            return False
        ahead_s = (sent - self._now()).total_seconds()
        return -_BEHIND_MAX_S <= ahead_s <= _AHEAD_MAX_S

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)


class _Conversation:
    def __init__(self, station: AlarmPanels) -> None:
        self._station = station
        self._pending = b""

    def feed(self, data: bytes) -> Sequence[Report]:
        """Take what arrived; a message ends with CR, and what is damaged is passed over."""
        *lines, self._pending = (self._pending + data).split(b"\r")
        self._pending = self._pending[-_PENDING_MAX:]
        reports: list[Report] = []
        for line in lines:
            begin = line.rfind(b"\n")
            try:
                message = sia_dc09.decode_message(line[max(begin, 0) :] + b"\r")
            except FrameError:
                continue
            report = self._station.report(message)
            if report is not None:
                reports.append(report)
        return reports


def _opened(message: sia_dc09.Message, key: bytes | None) -> sia_dc09.Message:
    """Return a message in the clear; FrameError where it is not sealed as its account's must be."""
    if not message.is_encrypted:
        if key is not None:
            raise FrameError("it came in the clear, and the account has a key")
        return message
    if key is None:
        raise FrameError("it is sealed, and the account has no key in key_file")
    return unsealed(message, key)


def read_keys(path: Path) -> dict[str, bytes]:
    """Return the keys in a file by account; LineDown says which line is wrong, never the key."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LineDown(f"{path}: {type(error).__name__}") from None
    keys: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            account, digits = words
            key = bytes.fromhex(digits)
        except ValueError:
            raise LineDown(f"{path}:{number}: expected an account and hex digits") from None
        if len(key) not in KEY_LENGTHS:
            raise LineDown(f"{path}:{number}: {len(key)} bytes, expected 16, 24 or 32")
        keys[account.upper()] = key
    return keys


def condition_of(message: sia_dc09.Message) -> Condition:
    """Return what an event message says; FrameError where it is no event we know."""
    event = message.contact_id()
    if event is not None:
        code, qualifier = event.event, event.qualifier
        zone, partition, text = event.zone, event.group, contact_id.EVENTS.get(code, "")
    else:
        sia = message.sia()
        if sia is None:
            raise FrameError(f"id {message.id!r} is neither Contact ID nor SIA")
        known = sia_dc09.contact_id_of(sia.code)
        if known is None:
            raise FrameError(f"SIA code {sia.code} is not in our table")
        code, qualifier = known
        zone, partition, text = sia.zone or "0", sia.partition or "0", sia.text or ""
    kind, severity, is_lasting = _kind(code)
    is_end = qualifier == "3"
    attributes = {"event": code, "qualifier": qualifier, "partition": partition, "zone": zone}
    what = text or contact_id.EVENTS.get(code, f"event {code}")
    ended = " restored" if is_lasting else " closed"
    said = f"{what}{ended if is_end else ''}, partition {partition}, zone or user {zone}"
    place = f"zone-{int(partition, 16)}-{int(zone, 16):x}"
    is_active = None if not is_lasting or qualifier == "6" else not is_end
    return Condition(kind, severity, place, is_active, said, attributes)


def _kind(code: str) -> tuple[str, Severity, bool]:
    for length in (3, 2, 1):
        if code[:length] in _KINDS:
            return _KINDS[code[:length]]
    return ("panel_message", _MINOR, False)


def _duh(message: sia_dc09.Message) -> sia_dc09.Message:
    return sia_dc09.Message("DUH", message.sequence, message.receiver, message.line, message.account, "")
