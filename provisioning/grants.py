"""The grants of one gateway, under the cloud's seal: whose badge opens which of its doors, and when.

The invariants: `opened_grants` returns only what the gateway's trusted key has signed for that gateway,
with every reference in it found; grants name no person and no number, only tokens and opaque ids; and
they end by themselves, so that a box nobody reaches any more opens to nobody for ever.
"""

from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.access import GRANTS_BYTES_MAX, KEY_BYTES, TOKEN_BYTES, BadgeKind, Window, is_window
from protocol.errors import UNREADABLE
from provisioning.seal import SealBroken, seal, unseal

GRANTS_VERSION = 1
_PURPOSE = "set of grants"


class GrantsRefused(Exception):
    """Bytes that are no grants, or not meant for us; the message says which."""


class GrantedDoor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A door: the device whose lock it is, and the devices a badge may be shown at for it."""

    device_id: str
    readers: list[str]


class Permission(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One door at some times; both by their place in the lists. Times of -1 are all hours."""

    door: int
    times: int


class Grant(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What one badge opens; an instant of 0 is no limit. `is_once` lets in a single time."""

    token: bytes
    badge_id: str
    kind: BadgeKind
    permissions: list[Permission]
    from_ms: int
    until_ms: int
    is_once: bool
    is_blocked: bool


class GrantSet(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """All grants of one gateway. A newer set has a higher number, or the same and was issued later."""

    version: int
    gateway_id: str
    number: int
    issued_at_ms: int
    expires_at_ms: int
    time_zone: str
    key: bytes
    doors: list[GrantedDoor]
    times: list[list[Window]]
    grants: list[Grant]

    @property
    def order(self) -> tuple[int, int]:
        """Return what rises from set to set."""
        return self.number, self.issued_at_ms

    @property
    def by_token(self) -> Mapping[bytes, Grant]:
        """Return the grants by what a reader's word is hashed to."""
        return MappingProxyType({grant.token: grant for grant in self.grants})


_decoder = msgspec.msgpack.Decoder(GrantSet)


def sealed_grants(grants: GrantSet, key: Ed25519PrivateKey) -> bytes:
    """Return the grants as they travel and as they lie on disk."""
    return seal(grants, _PURPOSE, key)


def opened_grants(content: bytes, key: Ed25519PublicKey, gateway_id: str) -> GrantSet:
    """Return the grants; GrantsRefused says what is wrong. Nothing is read before the signature has held."""
    try:
        grants = _decoder.decode(unseal(content, _PURPOSE, key, GRANTS_BYTES_MAX))
    except SealBroken as error:
        raise GrantsRefused(str(error)) from error
    except UNREADABLE as error:
        raise GrantsRefused(f"signed, and not readable: {error}") from error
    if grants.version != GRANTS_VERSION:
        raise GrantsRefused(f"version {grants.version}, this gateway reads {GRANTS_VERSION}")
    if grants.gateway_id != gateway_id:
        raise GrantsRefused(f"they are for gateway {grants.gateway_id}, this is {gateway_id}")
    if problem := _problem(grants):
        raise GrantsRefused(problem)
    return grants


def _problem(grants: GrantSet) -> str:
    """Say what cannot be in a set that was made as it should be; "" where all is well."""
    if grants.number < 1 or grants.expires_at_ms <= grants.issued_at_ms:
        return f"number {grants.number} from {grants.issued_at_ms} to {grants.expires_at_ms} cannot be"
    if len(grants.key) != KEY_BYTES or any(len(grant.token) != TOKEN_BYTES for grant in grants.grants):
        return f"a key has {KEY_BYTES} bytes and a token {TOKEN_BYTES}"
    if not all(is_window(window) for windows in grants.times for window in windows):
        return "a window of hours is none"
    doors, times = range(len(grants.doors)), range(-1, len(grants.times))
    for grant in grants.grants:
        if any(one.door not in doors or one.times not in times for one in grant.permissions):
            return f"badge {grant.badge_id} is for a door or hours that are not in the set"
    try:
        ZoneInfo(grants.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return f"{grants.time_zone!r} is no time zone"
    return ""
