"""OSDP (IEC 60839-11-5, SIA OSDP 2.2), the bus of card readers: frames and secure-channel keys.

    [FF]  53  ADDR  LEN_L LEN_H  CTRL  [SCB]  CODE  data ...  [MAC 4]  CRC16 | checksum

    ADDR  7 bits, 7F is whoever hears it; bit 7 marks a reply
    LEN   from 53 to the last check byte; the mark FF before 53 is not counted
    CTRL  bits 0-1 sequence (0 restarts the link), bit 2 CRC instead of checksum, bit 3 SCB present
    SCB   its length, type, data: 11-14 set the secure channel up, 15 and 16 add a MAC to plain
          data, 17 and 18 a MAC to encrypted data
    CRC   CRC-16, polynomial 1021, initial 1D0F, low byte first; checksum: two's complement of the sum

A live reader is driven by libosdp; this codec explains frames, simulates readers and derives keys.
The invariant: payloads of a secure channel are never taken for plain ones.
"""

import struct
from binascii import crc_hqx
from dataclasses import dataclass

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME, FrameStream

START = 0x53
ANY_ADDRESS = 0x7F
_REPLY = 0x80
_SEQUENCE, _USES_CRC, _HAS_SCB = 0x03, 0x04, 0x08
_CRC_INITIAL = 0x1D0F
# START, ADDR, LEN, CTRL, CODE and the shorter check, one byte.
_LENGTH_MIN = 7
# OSDP 2.2 §5.6: no device need take more; file transfers of big panels reach this.
LENGTH_MAX = 1440
_MAC_LENGTH = 4
_MAC_TYPES = frozenset({0x15, 0x16, 0x17, 0x18})
_ENCRYPTED_TYPES = frozenset({0x17, 0x18})


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `security` is the SCB after its length byte: type and data; empty without one.

    `payload` is encrypted where `is_encrypted` says so; `mac` is empty unless the type brings one.
    """

    address: int
    is_reply: bool
    sequence: int
    code: int
    payload: bytes = b""
    security: bytes = b""
    mac: bytes = b""
    uses_crc: bool = True
    has_mark: bool = False

    @property
    def security_type(self) -> int | None:
        """Return the type of the security block, None without one."""
        return self.security[0] if self.security else None

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the payload can only be read with the session's key."""
        return self.security_type in _ENCRYPTED_TYPES


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes to send."""
    if not 0 <= frame.address <= ANY_ADDRESS or not 0 <= frame.sequence <= _SEQUENCE:
        raise ProtocolError(f"address {frame.address} or sequence {frame.sequence} is out of range")
    has_mac = frame.security_type in _MAC_TYPES
    if len(frame.mac) != (_MAC_LENGTH if has_mac else 0):
        raise ProtocolError(f"{len(frame.mac)} bytes of MAC do not fit security type {frame.security_type}")
    control = frame.sequence | (_USES_CRC if frame.uses_crc else 0) | (_HAS_SCB if frame.security else 0)
    block = bytes((len(frame.security) + 1,)) + frame.security if frame.security else b""
    content = block + bytes((frame.code,)) + frame.payload + frame.mac
    length = 5 + len(content) + (2 if frame.uses_crc else 1)
    if length > LENGTH_MAX:
        raise ProtocolError(f"length {length} is above {LENGTH_MAX}")
    address = frame.address | (_REPLY if frame.is_reply else 0)
    covered = struct.pack("<BBHB", START, address, length, control) + content
    return (b"\xff" if frame.has_mark else b"") + covered + _check(covered, uses_crc=frame.uses_crc)


def decode_frame(wire: bytes) -> Frame:
    """Return the one frame these bytes are, with or without its mark; FrameError names what is wrong."""
    has_mark = wire[:1] == b"\xff"
    body = wire[1:] if has_mark else wire
    if len(body) < _LENGTH_MIN:
        raise FrameError(f"{len(body)} bytes are too few for a frame, the shortest has {_LENGTH_MIN}")
    if body[0] != START:
        raise FrameError(f"start is {body[0]:02x}, expected 53")
    length, control = int.from_bytes(body[2:4], "little"), body[4]
    if length != len(body):
        raise FrameError(f"length says {length} bytes, the frame has {len(body)}")
    uses_crc = bool(control & _USES_CRC)
    covered = body[: -2 if uses_crc else -1]
    given, computed = body[len(covered) :], _check(covered, uses_crc=uses_crc)
    if given != computed:
        name = "crc" if uses_crc else "checksum"
        raise FrameError(f"{name} is {given.hex()}, computed {computed.hex()}")
    security, rest = _split_security(covered[5:], has_block=bool(control & _HAS_SCB))
    mac = b""
    if security and security[0] in _MAC_TYPES:
        if len(rest) < 1 + _MAC_LENGTH:
            raise FrameError(f"security type {security[0]:02x} without its MAC of {_MAC_LENGTH} bytes")
        rest, mac = rest[:-_MAC_LENGTH], rest[-_MAC_LENGTH:]
    if not rest:
        raise FrameError("the frame ends before its code")
    return Frame(
        body[1] & ANY_ADDRESS,
        bool(body[1] & _REPLY),
        control & _SEQUENCE,
        rest[0],
        rest[1:],
        security,
        mac,
        uses_crc,
        has_mark,
    )


def _split_security(content: bytes, *, has_block: bool) -> tuple[bytes, bytes]:
    if not has_block:
        return b"", content
    length = content[0] if content else 0
    if not 2 <= length <= len(content):
        raise FrameError(f"security block of {length} bytes in {len(content)}")
    return content[1:length], content[length:]


def _check(covered: bytes, *, uses_crc: bool) -> bytes:
    if uses_crc:
        return crc_hqx(covered, _CRC_INITIAL).to_bytes(2, "little")
    return bytes((-sum(covered) & 0xFF,))


def _measure(buffer: bytes, at: int) -> int:
    if len(buffer) - at < 4:
        return MORE_NEEDED
    length = int.from_bytes(buffer[at + 2 : at + 4], "little")
    return length if _LENGTH_MIN <= length <= LENGTH_MAX else NOT_A_FRAME


class FrameReader:
    """Finds frames in what a bus delivers."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = FrameStream(b"\x53", _measure, _decode_marked, b"\xff")

    def feed(self, data: bytes) -> list[Frame]:
        """Take more bytes and return the frames that are now complete, in order."""
        return self._stream.feed(data)

    def flush(self) -> list[Frame]:
        """Return frames found behind an unfinished start, when the bus has gone quiet."""
        return self._stream.flush()


def _decode_marked(wire: bytes) -> Frame:
    body = wire.lstrip(b"\xff")
    return decode_frame(b"\xff" + body if len(body) < len(wire) else body)


# Secure channel (annex D): keys of one session


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What both ends derive from the base key and two random numbers; never logged, never stored."""

    encryption: bytes
    mac_first: bytes
    mac_second: bytes
    client_cryptogram: bytes
    server_cryptogram: bytes
    initial_reply_mac: bytes


# SCBK-D, published: good for nothing but bringing a fresh key to a new reader.
DEFAULT_BASE_KEY = bytes(range(0x30, 0x40))


def derive_session_keys(base_key: bytes, panel_random: bytes, device_random: bytes) -> SessionKeys:
    """Return the keys of a session: AES-128 under the base key of constants and the panel's random."""
    if len(base_key) != 16 or len(panel_random) != 8 or len(device_random) != 8:
        raise ProtocolError("a base key has 16 bytes, each random number 8")
    seed = panel_random[:6] + bytes(8)
    encryption = _aes(base_key, b"\x01\x82" + seed)
    mac_first = _aes(base_key, b"\x01\x01" + seed)
    mac_second = _aes(base_key, b"\x01\x02" + seed)
    server_cryptogram = _aes(encryption, device_random + panel_random)
    return SessionKeys(
        encryption,
        mac_first,
        mac_second,
        _aes(encryption, panel_random + device_random),
        server_cryptogram,
        _aes(mac_second, _aes(mac_first, server_cryptogram)),
    )


def _aes(key: bytes, block: bytes) -> bytes:
    # One block of ECB is how the standard derives keys; nothing is transported by it.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()
