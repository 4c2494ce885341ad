"""Who may tell a gateway what to do: Ed25519 keys, signatures, and which key may ask for what.

The command key is not the TLS key: whoever takes over a connection still cannot open a door. The
invariant: `verified` returns a command only if a key the gateway was given at enrolment signed
exactly those bytes and may ask for that action.

What became of it the box signs with the key of its own certificate, so that its word can be shown to
others than the cloud that heard it.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocol.command import (
    Action,
    Command,
    CommandResult,
    SignedCommand,
    SignedResult,
    decode_command,
    decode_result,
    encode_command,
    encode_result,
)
from provisioning.authority import key_fingerprint

# Signatures of other things by the same key must never pass for a command's.
_DOMAIN = b"gatehouse command v1\x00"


class SignatureRefused(Exception):
    """A signature that does not hold, or of a key that may not ask for this."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key and what it may ask for."""

    public_key: Ed25519PublicKey
    actions: frozenset[Action]


def key_id_of(public_key: Ed25519PublicKey) -> str:
    """Return the first 16 hex digits of the SHA-256 of the raw key: enough to pick one of a few."""
    raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def signed(command: Command, key: Ed25519PrivateKey) -> SignedCommand:
    """Return `command` signed by `key`."""
    payload = encode_command(command)
    return SignedCommand(payload, key.sign(_DOMAIN + payload), key_id_of(key.public_key()))


def verified(message: SignedCommand, trusted: Mapping[str, TrustedKey]) -> Command:
    """Return the command if a trusted key signed it; SignatureRefused or EnvelopeError otherwise.

    `trusted` is by key id. Nothing inside the payload is looked at before the signature has held.
    """
    known = trusted.get(message.key_id)
    if known is None:
        raise SignatureRefused(f"command: signed by key {message.key_id!r}, not trusted here")
    try:
        known.public_key.verify(message.signature, _DOMAIN + message.payload)
    except InvalidSignature as error:
        raise SignatureRefused(f"command: the signature of key {message.key_id!r} does not hold") from error
    command = decode_command(message.payload)
    if command.action not in known.actions:
        raise SignatureRefused(f"command: key {message.key_id!r} may not ask for {command.action.value}")
    return command


def signed_result(result: CommandResult, key: ec.EllipticCurvePrivateKey) -> SignedResult:
    """Return a command's result signed with the key of the box's certificate."""
    statement = encode_result(result)
    signature = base64.b64encode(key.sign(statement.encode(), ec.ECDSA(hashes.SHA256()))).decode()
    return SignedResult(statement, signature, key_fingerprint(key.public_key()))


def verified_result(signed: SignedResult, public_key: ec.EllipticCurvePublicKey) -> CommandResult:
    """Return the result if that key signed it; SignatureRefused or EnvelopeError otherwise."""
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        public_key.verify(signature, signed.statement.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error) as error:
        raise SignatureRefused(f"the signature of key {signed.key_hash[:16]} does not hold") from error
    return decode_result(signed.statement)
