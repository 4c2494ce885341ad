"""The key of each company, opened with the keys in a file, and what AES-256-GCM does with it.

The invariant: what is sealed about one thing opens about no other; a company's key is wrapped with the
file's first key alone, as the file is at that moment.
"""

import secrets
from collections.abc import Callable
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cloud.domain.ids import TenantId

_NONCE_BYTES = 12


class Damaged(Exception):
    """A sealed field that does not open: changed, moved from another row, or of another key."""


class Keyring:
    """Opens companies' keys with the master keys they are wrapped with: the current one, then former ones."""

    def __init__(self, *master_keys: bytes, read_anew: Callable[[], tuple[bytes, ...]] | None = None) -> None:
        """Keep the keys, the current one first; `read_anew` tells those of now, changed while this runs."""
        self._master_keys = master_keys
        self._read_anew = read_anew or (lambda: master_keys)
        self._lock = Lock()
        # By what is stored, not by company: what a transaction wrote and did not commit never comes back.
        self._opened: dict[bytes, bytes] = {}

    def open(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        """Return the company's key that `wrapped` is."""
        with self._lock:
            key = self._opened.get(wrapped)
            if key is None:
                try:
                    key = self._unwrap(tenant_id, wrapped)
                except Damaged:
                    self._master_keys = self._read_anew()
                    key = self._unwrap(tenant_id, wrapped)
                self._opened[wrapped] = key
            return key

    def wrap(self, tenant_id: TenantId, key: bytes) -> bytes:
        """Return a company's key as it is stored."""
        return seal_about(self._current(), key, _about_key(tenant_id))

    def is_current(self, tenant_id: TenantId, wrapped: bytes) -> bool:
        """Tell whether a company's key is wrapped with the current master key."""
        try:
            open_sealed(self._current(), wrapped, _about_key(tenant_id))
        except Damaged:
            return False
        return True

    def _current(self) -> bytes:
        with self._lock:
            self._master_keys = self._read_anew()
            return self._master_keys[0]

    def _unwrap(self, tenant_id: TenantId, wrapped: bytes) -> bytes:
        about = _about_key(tenant_id)
        for master_key in self._master_keys[:-1]:
            try:
                return open_sealed(master_key, wrapped, about)
            except Damaged:
                continue
        return open_sealed(self._master_keys[-1], wrapped, about)


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
