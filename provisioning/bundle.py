"""A configuration in a sealed envelope: who it is for, its number, and the cloud's signature over all.

The invariants: `opened` returns a bundle only if the key the gateway was given at enrolment has signed
exactly those bytes, and if it is addressed to that gateway; a signature over anything else, a command
above all, never passes for one over a bundle.
"""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.configuration import CONFIGURATION_BYTES_MAX, WATCH_S_MAX, WATCH_S_MIN
from protocol.errors import UNREADABLE
from provisioning.document import Document
from provisioning.seal import SealBroken, seal, unseal

BUNDLE_VERSION = 1
_PURPOSE = "configuration"


class BundleRefused(Exception):
    """Bytes that are no bundle, or one that is not meant for us; the message says which."""


class Bundle(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One configuration for one gateway. `watch_s` is how long it is on trial."""

    version: int
    gateway_id: str
    number: int
    issued_at_ms: int
    watch_s: int
    text: str
    profiles: dict[str, str]

    @property
    def document(self) -> Document:
        """Return what it tells the gateway."""
        return Document(self.text, self.profiles)


_bundle_decoder = msgspec.msgpack.Decoder(Bundle)


def sealed(bundle: Bundle, key: Ed25519PrivateKey) -> bytes:
    """Return the bundle as it travels and as it lies on disk."""
    return seal(bundle, _PURPOSE, key)


def opened(content: bytes, key: Ed25519PublicKey, gateway_id: str) -> Bundle:
    """Return the bundle; BundleRefused says what is wrong. Nothing is read before the signature has held."""
    try:
        payload = unseal(content, _PURPOSE, key, CONFIGURATION_BYTES_MAX)
    except SealBroken as error:
        raise BundleRefused(str(error)) from error
    try:
        bundle = _bundle_decoder.decode(payload)
    except UNREADABLE as error:
        raise BundleRefused(f"signed, and not readable: {error}") from error
    if bundle.version != BUNDLE_VERSION:
        raise BundleRefused(f"version {bundle.version}, this gateway reads {BUNDLE_VERSION}")
    if bundle.gateway_id != gateway_id:
        raise BundleRefused(f"it is for gateway {bundle.gateway_id}, this is {gateway_id}")
    if bundle.number < 1 or not WATCH_S_MIN <= bundle.watch_s <= WATCH_S_MAX:
        raise BundleRefused(f"number {bundle.number} with a trial of {bundle.watch_s} s cannot be")
    return bundle
