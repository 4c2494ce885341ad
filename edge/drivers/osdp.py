"""OSDP door readers: what a card or a keypad says, without saying whose card or which digits.

A card becomes a token: a keyed hash of its bits, the same for the same card on the same gateway and
of no use elsewhere, and its last two digits for a guard to compare. Of a keypad only the number of
keys is told. The invariant: neither a card's number nor a PIN leaves this module.
"""

import hashlib
import hmac
from collections.abc import Mapping
from types import MappingProxyType

from edge.porter import Shown
from protocol.access import BadgeKind, card_number
from protocol.event import Event, EventState, Severity
from provisioning.config import DeviceConfig

PROTOCOL = "osdp"

ONLINE, SECURE = "online", "secure_channel"
OUTPUT_STATUS = "output_1"
# The places of a status report, by libosdp's number of its type: inputs, outputs, the reader itself.
STATUS_CONDITIONS: Mapping[object, tuple[str, ...]] = MappingProxyType(
    {
        0: ("input_1", "input_2", "input_3", "input_4"),
        1: (OUTPUT_STATUS, "output_2", "output_3", "output_4"),
        2: ("tamper", "power"),
    }
)
CARD_READ, KEYPAD_USED = "card_read", "keypad_used"

# 64 bits: two of a million cards never meet, and nothing can be turned back.
_TOKEN_DIGITS = 16
_SHOWN_DIGITS = 2


def card_token(key: bytes, bit_count: int, data: bytes) -> str:
    """Return what stands for a card: the same for the same card and key."""
    message = bit_count.to_bytes(2) + data
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:_TOKEN_DIGITS]


def card_event(device: DeviceConfig, key: bytes, card: Mapping[str, object], at_ms: int) -> Event:
    """Return the event of a card that was shown; `card` is as libosdp gives it."""
    data, bit_count = card.get("data"), card.get("length")
    bits = data if isinstance(data, bytes) else b""
    count = bit_count if isinstance(bit_count, int) else 8 * len(bits)
    masked = f"…{int.from_bytes(bits) % 10**_SHOWN_DIGITS:0{_SHOWN_DIGITS}d}"
    attributes = {"card": card_token(key, count, bits), "card_ends": masked, "bits": str(count)}
    if isinstance(card.get("reader_no"), int):
        attributes["reader"] = str(card["reader_no"])
    return _event(CARD_READ, device, at_ms, f"a card was shown, {masked}", attributes)


def shown_card(device: DeviceConfig, card: Mapping[str, object], *, is_text: bool) -> Shown:
    """Return what a card, or a QR code that a reader sends as text, says to whoever decides."""
    data, bit_count = card.get("data"), card.get("length")
    bits = data if isinstance(data, bytes) else b""
    if is_text:
        return Shown(device.device_id, BadgeKind.CODE, bits.decode("ascii", "replace").strip("\x00\r\n "))
    number = card_number(bit_count if isinstance(bit_count, int) else 8 * len(bits), bits)
    ends = f"{number % 10**_SHOWN_DIGITS:0{_SHOWN_DIGITS}d}"
    return Shown(device.device_id, BadgeKind.CARD, str(number), ends)


def keypad_event(device: DeviceConfig, keys: Mapping[str, object], at_ms: int) -> Event:
    """Return the event of a keypad's use; which keys is nobody's business."""
    data = keys.get("data")
    count = len(data) if isinstance(data, bytes) else 0
    return _event(KEYPAD_USED, device, at_ms, f"{count} keys were pressed", {"keys": str(count)})


def _event(kind: str, device: DeviceConfig, at_ms: int, message: str, attributes: Mapping[str, str]) -> Event:
    key = f"{device.device_id}/reader"
    return Event(kind, EventState.OCCURRED, Severity.INFO, key, at_ms, message, attributes=attributes)
