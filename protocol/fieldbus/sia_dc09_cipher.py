"""SIA DC-09 encryption: what stands behind the bracket, sealed with AES in CBC mode.

    "*ADM-CID"0002R1L1#1234[ 5A3F…            hexadecimal, a multiple of sixteen bytes, no closing bracket
                              plain:  …filling…|#1234|1110 01 007]_08:05:00,03-01-2026

The filling makes the length fit and makes equal events look different; it holds no bar and no
bracket. The initial vector is zero (DC-09 §5.4). The invariant: what `unsealed` returns was sealed
with this key, or is refused: it has an event's form and the time of sending, without which an old
message could be sent again.
"""

import re
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.sia_dc09 import Message

KEY_LENGTHS = (16, 24, 32)
_BLOCK = 16
FILLING_LENGTH = _BLOCK - 1
_ZERO_VECTOR = bytes(_BLOCK)
_FILLING = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Panels differ in whether a bar ends the filling; an event begins with its account or its bar.
_PLAIN = re.compile(
    r"(?P<filling>[^|\[\]#]*)\|?(?P<data>(?:#[0-9A-Fa-f]{0,16})?(?:\|[^\[\]]*)?|)\]"
    r"(?P<extra>(?:\[[^\[\]]*\])*)_(?P<timestamp>[0-9:,-]{1,20})"
)


def sealed(message: Message, key: bytes, filling: bytes) -> Message:
    """Return a message with its data, more data and time sealed; `filling` is FILLING_LENGTH random bytes."""
    if message.timestamp is None:
        raise ProtocolError("an encrypted message needs the time of sending")
    extra = f"[{message.extra}]" if message.extra is not None else ""
    plain = f"|{message.data}]{extra}_{message.timestamp}"
    letters = "".join(_FILLING[byte % len(_FILLING)] for byte in filling[: -len(plain) % _BLOCK])
    encryptor = _cipher(key).encryptor()
    hidden = encryptor.update((letters + plain).encode("ascii")) + encryptor.finalize()
    return replace(message, id=f"*{message.id}", data=hidden.hex().upper(), extra=None, timestamp=None)


def unsealed(message: Message, key: bytes) -> Message:
    """Return a sealed message in the clear; FrameError where it was not sealed with this key."""
    hidden = bytes.fromhex(message.data)
    decryptor = _cipher(key).decryptor()
    plain = decryptor.update(hidden) + decryptor.finalize()
    found = _PLAIN.fullmatch(plain.decode("ascii")) if plain.isascii() else None
    if found is None:
        raise FrameError("what is sealed is no event: another key, or damaged")
    extra = found["extra"]
    data = found["data"]
    return replace(
        message,
        id=message.id.removeprefix("*"),
        data=data,
        extra=extra[1:-1] if extra else None,
        timestamp=found["timestamp"],
    )


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    if len(key) not in KEY_LENGTHS:
        raise ProtocolError(f"a key of {len(key)} bytes; AES takes 16, 24 or 32")
    return Cipher(algorithms.AES(key), modes.CBC(_ZERO_VECTOR))
