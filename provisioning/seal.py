"""Bytes under the cloud's seal: a payload, the Ed25519 signature over it, and whose key that is.

The invariants: a payload is returned only if the key the gateway was given at enrolment has signed
exactly those bytes for that purpose; a signature made for one purpose never passes for another's.
"""

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import UNREADABLE
from provisioning.signing import key_id_of


class SealBroken(Exception):
    """Bytes that are not sealed, or not by whom they should be; the message says which."""


class _Sealed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    payload: bytes
    signature: bytes  # 64 bytes, RFC 8032
    key_id: str


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(_Sealed)


def seal(value: msgspec.Struct, purpose: str, key: Ed25519PrivateKey) -> bytes:
    """Return a value as it travels and as it lies on disk."""
    payload = _encoder.encode(value)
    signature = key.sign(_domain(purpose) + payload)
    return _encoder.encode(_Sealed(payload, signature, key_id_of(key.public_key())))


def unseal(content: bytes, purpose: str, key: Ed25519PublicKey, bytes_max: int) -> bytes:
    """Return the payload, unread before the signature has held; SealBroken says what is wrong."""
    if len(content) > bytes_max:
        raise SealBroken(f"{len(content)} bytes, a {purpose} has at most {bytes_max}")
    try:
        letter = _decoder.decode(content)
    except UNREADABLE as error:
        raise SealBroken(f"these are not the bytes of a {purpose}: {error}") from error
    if letter.key_id != key_id_of(key):
        raise SealBroken(f"signed by key {letter.key_id!r}, this gateway trusts {key_id_of(key)!r}")
    try:
        key.verify(letter.signature, _domain(purpose) + letter.payload)
    except InvalidSignature as error:
        raise SealBroken(f"the signature of key {letter.key_id!r} does not hold") from error
    return letter.payload


def _domain(purpose: str) -> bytes:
    return f"gatehouse {purpose} v1\x00".encode()
