"""The key of each company, opened with the key in a file, and what AES-256-GCM does with it.

The invariant: what is sealed about one thing opens about no other.
"""

import secrets
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cloud.domain.ids import TenantId

_NONCE_BYTES = 12


class Damaged(Exception):
    """A sealed field that does not open: changed, moved from another row, or of another key."""


class Keyring:
    """Opens companies' keys with the 32 bytes they are wrapped with."""

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key
        self._lock = Lock()
        # By what is stored, not by company: what a transaction wrote and did not commit never comes back.
        self._opened: dict[bytes, bytes] = {}

    def open(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        """Return the company's key that `wrapped` is."""
        with self._lock:
            key = self._opened.get(wrapped)
            if key is None:
                key = open_sealed(self._master_key, wrapped, _about_key(tenant_id))
                self._opened[wrapped] = key
            return key

    def wrap(self, tenant_id: TenantId, key: bytes) -> bytes:
        """Return a company's key as it is stored."""
        return seal_about(self._master_key, key, _about_key(tenant_id))


def seal_about(key: bytes, content: bytes, about: str) -> bytes:
    """Return content sealed, to be opened only by who says the same of what it is about."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, about.encode())


def open_sealed(key: bytes, sealed: bytes, about: str) -> bytes:
    """Return what was sealed; Damaged if it is not whole, not about this, or of another key."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError) as error:
        raise Damaged(f"a sealed {about.partition('|')[0]} does not open with this key") from error


def _about_key(tenant_id: TenantId) -> str:
    return f"tenant_key|{tenant_id}"
