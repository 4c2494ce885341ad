"""What an OSDP frame says, as facts and field by field.

Card data and keypad digits are credentials: facts hold them because a decoder must, explanations
that may reach a page say only how many there are.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.osdp import Frame, decode_frame, derive_session_keys

_COMMANDS: Mapping[int, str] = {
    0x60: "POLL",
    0x61: "ID",
    0x62: "CAP",
    0x63: "DIAG",
    0x64: "LSTAT",
    0x65: "ISTAT",
    0x66: "OSTAT",
    0x67: "RSTAT",
    0x68: "OUT",
    0x69: "LED",
    0x6A: "BUZ",
    0x6B: "TEXT",
    0x6C: "RMODE",
    0x6D: "TDSET",
    0x6E: "COMSET",
    0x6F: "DATA",
    0x70: "XMIT",
    0x71: "PROMPT",
    0x72: "SPE",
    0x73: "BIOREAD",
    0x74: "BIOMATCH",
    0x75: "KEYSET",
    0x76: "CHLNG",
    0x77: "SCRYPT",
    0x79: "CONT",
    0x7A: "ABORT",
    0x7B: "ACURXSIZE",
    0x7C: "FILETRANSFER",
    0x80: "MFG",
    0xA0: "SCDONE",
    0xA1: "XWR",
    0xA2: "ABORT",
    0xA3: "PIVDATA",
    0xA4: "GENAUTH",
    0xA5: "CRAUTH",
    0xA7: "KEEPACTIVE",
}
_REPLIES: Mapping[int, str] = {
    0x40: "ACK",
    0x41: "NAK",
    0x45: "PDID",
    0x46: "PDCAP",
    0x48: "LSTATR",
    0x49: "ISTATR",
    0x4A: "OSTATR",
    0x4B: "RSTATR",
    0x50: "RAW",
    0x51: "FMT",
    0x52: "PRES",
    0x53: "KEYPAD",
    0x54: "COM",
    0x57: "BIOREADR",
    0x58: "BIOMATCHR",
    0x76: "CCRYPT",
    0x78: "RMAC_I",
    0x79: "BUSY",
    0x7A: "FTSTAT",
    0x80: "PIVDATAR",
    0x81: "GENAUTHR",
    0x82: "CRAUTHR",
    0x83: "MFGSTATR",
    0x84: "MFGERRR",
    0x90: "MFGREP",
    0xB1: "XRD",
}
_LED_FIELDS = (
    "reader",
    "led",
    "temp_mode",
    "temp_on",
    "temp_off",
    "temp_on_color",
    "temp_off_color",
)
_LED_PERMANENT_FIELDS = ("perm_mode", "perm_on", "perm_off", "perm_on_color", "perm_off_color")


class _Osdp:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the frame says; without a frame, the keys that follow from the given ones."""
        if not message.data and message.given:
            return _derived_facts(message.given)
        frame = decode_frame(message.data)
        facts: Facts = {
            "mark_byte": frame.has_mark,
            "address": frame.address,
            "reply": frame.is_reply,
            "length": len(message.data) - frame.has_mark,
            "sequence": frame.sequence,
            "crc": frame.uses_crc,
            "scb": bool(frame.security),
            "code": f"{frame.code:02x}",
            "name": _name(frame),
        }
        if frame.security:
            facts |= {"scb_type": f"{frame.security[0]:02x}", "scb_data": frame.security[1:].hex()}
        if frame.mac:
            facts["mac"] = frame.mac.hex()
        if frame.is_encrypted:
            return facts | ({"encrypted_payload": frame.payload.hex()} if frame.payload else {})
        if frame.payload:
            facts["payload"] = frame.payload.hex()
        return facts | _payload_facts(frame)

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the frame; credentials are counted, not shown."""
        frame = decode_frame(message.data)
        cursor = Cursor()
        sender = "reply" if frame.is_reply else "command"
        cursor.take(int(frame.has_mark), Role.PREAMBLE, "mark")
        cursor.take(1, Role.START, "start")
        cursor.take(1, Role.ADDRESS, f"address {frame.address}, {sender}")
        length = len(message.data) - frame.has_mark
        cursor.take(2, Role.LENGTH, f"{length} bytes from start to check, low byte first")
        check = "CRC" if frame.uses_crc else "checksum"
        block = ", security block follows" if frame.security else ""
        cursor.take(1, Role.CONTROL, f"sequence {frame.sequence}, {check}{block}")
        if frame.security:
            cursor.take(len(frame.security) + 1, Role.CONTROL, f"security block type {frame.security[0]:02x}")
        cursor.take(1, Role.FUNCTION_CODE, f"{sender} {frame.code:02x}: {_name(frame)}")
        cursor.take(len(frame.payload), Role.PAYLOAD, _payload_text(frame))
        cursor.take(len(frame.mac), Role.CHECKSUM, "message authentication code")
        cursor.take(2 if frame.uses_crc else 1, Role.CHECKSUM, f"{check}, correct")
        return cursor.fields


OSDP = _Osdp()


def _name(frame: Frame) -> str:
    names = _REPLIES if frame.is_reply else _COMMANDS
    return names.get(frame.code, f"unknown {frame.code:02x}")


def _derived_facts(given: Mapping[str, Fact]) -> Facts:
    try:
        base_key, panel_random, device_random = (
            bytes.fromhex(str(given[name])) for name in ("scbk", "rnd_a_acu", "rnd_b_pd")
        )
        keys = derive_session_keys(base_key, panel_random, device_random)
    except (KeyError, ValueError, ProtocolError) as error:
        raise FrameError(f"no frame, and no keys to derive others from: {error}") from None
    return {
        "scbk": base_key.hex(),
        "rnd_a_acu": panel_random.hex(),
        "rnd_b_pd": device_random.hex(),
        "s_enc": keys.encryption.hex(),
        "s_mac1": keys.mac_first.hex(),
        "s_mac2": keys.mac_second.hex(),
        "client_cryptogram": keys.client_cryptogram.hex(),
        "server_cryptogram": keys.server_cryptogram.hex(),
        "rmac_i": keys.initial_reply_mac.hex(),
    }


# What plain payloads say: (is reply, code) -> the least length, the reader


def _payload_facts(frame: Frame) -> Facts:
    least, read = _READERS.get((frame.is_reply, frame.code), (0, None))
    if read is None or len(frame.payload) < least:
        return {}
    return read(frame.payload)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _outputs(data: bytes) -> Facts:
    return {
        "outputs": [
            {"output": data[at], "control_code": data[at + 1], "timer_100ms": _word(data, at + 2)}
            for at in range(0, len(data) - 3, 4)
        ]
    }


def _leds(data: bytes) -> Facts:
    leds: list[Fact] = []
    for at in range(0, len(data) - 13, 14):
        led: dict[str, Fact] = dict(zip(_LED_FIELDS, data[at : at + 7], strict=True))
        led["temp_timer"] = _word(data, at + 7)
        led |= dict(zip(_LED_PERMANENT_FIELDS, data[at + 9 : at + 14], strict=True))
        leds.append(led)
    return {"leds": leds}


def _buzzer(data: bytes) -> Facts:
    return dict(zip(("reader", "tone", "on", "off", "count"), data[:5], strict=True))


def _text(data: bytes) -> Facts:
    names = ("reader", "command", "temp_time", "row", "column", "text_length")
    shown = data[6 : 6 + data[5]].decode("ascii", "replace")
    return dict(zip(names, data[:6], strict=True)) | {"text": shown}


def _time(data: bytes) -> Facts:
    try:
        # A reader's clock has no zone: it is whatever the panel sets.
        time = datetime(_word(data, 0), *data[2:7])  # noqa: DTZ001
    except ValueError:
        return {"time": None}
    return {"time": time.strftime("%Y-%m-%d %H:%M:%S")}


def _communication(data: bytes) -> Facts:
    return {"new_address": data[0], "baud": int.from_bytes(data[1:5], "little")}


def _key(data: bytes) -> Facts:
    return {"key_type": data[0], "key_len": data[1], "key": data[2 : 2 + data[1]].hex()}


def _maker(data: bytes) -> Facts:
    return {"vendor": data[:3].hex(), "data": data[3:].hex()}


def _identification(data: bytes) -> Facts:
    return {
        "vendor": data[:3].hex(),
        "model": data[3],
        "version": data[4],
        "serial": int.from_bytes(data[5:9], "little"),
        "firmware": ".".join(str(part) for part in data[9:12]),
    }


def _capabilities(data: bytes) -> Facts:
    return {
        "caps": [
            {"function": data[at], "compliance": data[at + 1], "num": data[at + 2]}
            for at in range(0, len(data) - 2, 3)
        ]
    }


def _card(data: bytes) -> Facts:
    return {"reader": data[0], "format": data[1], "bit_count": _word(data, 2), "data": data[4:].hex()}


def _formatted_card(data: bytes) -> Facts:
    return {"reader": data[0], "direction": data[1], "count": data[2], "data": data[3:].hex()}


def _keypad(data: bytes) -> Facts:
    # * and # travel as 7F and 0D.
    keys = data[2 : 2 + data[1]].decode("latin-1").replace("\x7f", "*").replace("\r", "#")
    return {"reader": data[0], "count": data[1], "keys": keys}


def _challenge(data: bytes) -> Facts:
    return {"rnd_a": data[:8].hex()}


def _challenge_reply(data: bytes) -> Facts:
    return {"client_uid": data[:8].hex(), "rnd_b": data[8:16].hex(), "client_cryptogram": data[16:32].hex()}


_READERS: Mapping[tuple[bool, int], tuple[int, Callable[[bytes], Facts]]] = {
    (False, 0x68): (4, _outputs),
    (False, 0x69): (14, _leds),
    (False, 0x6A): (5, _buzzer),
    (False, 0x6B): (6, _text),
    (False, 0x6D): (7, _time),
    (False, 0x6E): (5, _communication),
    (False, 0x75): (2, _key),
    (False, 0x76): (8, _challenge),
    (False, 0x77): (16, lambda data: {"server_cryptogram": data[:16].hex()}),
    (False, 0x7B): (2, lambda data: {"max_size": _word(data, 0)}),
    (False, 0x80): (3, _maker),
    (False, 0xA7): (2, lambda data: {"keep_active_ms": _word(data, 0)}),
    (True, 0x41): (1, lambda data: {"nak_code": data[0]}),
    (True, 0x45): (12, _identification),
    (True, 0x46): (3, _capabilities),
    (True, 0x48): (2, lambda data: {"tamper": data[0], "power": data[1]}),
    (True, 0x49): (1, lambda data: {"inputs": list(data)}),
    (True, 0x4A): (1, lambda data: {"outputs": list(data)}),
    (True, 0x4B): (1, lambda data: {"readers": list(data)}),
    (True, 0x50): (4, _card),
    (True, 0x51): (3, _formatted_card),
    (True, 0x53): (2, _keypad),
    (True, 0x54): (5, _communication),
    (True, 0x76): (32, _challenge_reply),
    (True, 0x78): (16, lambda data: {"rmac_i": data[:16].hex()}),
    (True, 0x90): (3, _maker),
}
_CREDENTIALS = frozenset({(True, 0x50), (True, 0x51), (True, 0x53), (False, 0x75)})


def _payload_text(frame: Frame) -> str:
    if frame.is_encrypted:
        return f"{len(frame.payload)} bytes, encrypted"
    facts = _payload_facts(frame)
    if (frame.is_reply, frame.code) in _CREDENTIALS:
        facts = {name: fact for name, fact in facts.items() if name not in ("data", "keys", "key")}
        text = ", ".join(f"{name.replace('_', ' ')} {fact}" for name, fact in facts.items())
        return f"{text}, credential not shown"
    if not facts:
        return f"data {frame.payload.hex()}"
    return ", ".join(f"{name.replace('_', ' ')} {fact}" for name, fact in facts.items())
