"""Personal data sealed: AES-256-GCM under a key of each company, itself wrapped by the key in a file.

The invariant: a sealed field opens only in the row and column it was sealed for; deleting a company's
row of `tenant_key` makes every sealed field of that company unreadable for ever, in backups too.
A blind index (HMAC-SHA256 of the normal form) finds an exact number without storing it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from cloud.domain.errors import Unavailable
from cloud.store.keyring import Damaged as Damaged
from cloud.store.keyring import Keyring, open_sealed, seal_about
from cloud.store.schema import tenant_key
from cloud.store.transaction import Tx

_KEY_BYTES = 32
# 128 bits of the hash: two different numbers of one company never meet by accident.
_BLIND_HEX_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Sealer:
    """One company's key at work: looked up once, for as many fields as a transaction has."""

    key: bytes = field(repr=False)

    def seal(self, table: str, row_id: str, column: str, text: str) -> bytes:
        """Return text sealed for one field."""
        return self.seal_content(table, row_id, column, text.encode())

    def seal_content(self, table: str, row_id: str, column: str, content: bytes) -> bytes:
        """Return bytes sealed for one field."""
        return seal_about(self.key, content, f"{table}|{row_id}|{column}")

    def unseal(self, table: str, row_id: str, column: str, sealed: bytes | None) -> str:
        """Return what was sealed for one field; nothing for nothing. Damaged if it is not that field's."""
        return "" if sealed is None else self.unseal_content(table, row_id, column, sealed).decode()

    def unseal_content(self, table: str, row_id: str, column: str, sealed: bytes) -> bytes:
        """Return the bytes sealed for one field; Damaged if they are not that field's."""
        return open_sealed(self.key, sealed, f"{table}|{row_id}|{column}")

    def blind(self, kind: str, text: str) -> str:
        """Return what an exact text of a kind is found by."""
        own = hmac.new(self.key, b"blind index", hashlib.sha256).digest()
        return hmac.new(own, f"{kind}|{text}".encode(), hashlib.sha256).hexdigest()[:_BLIND_HEX_DIGITS]

    def seal_findable(
        self, table: str, row_id: str, column: str, kind: str, text: str
    ) -> tuple[bytes | None, str | None]:
        """Return text sealed for one field and what it is found by; nothing and nothing for an empty one."""
        return (self.seal(table, row_id, column, text), self.blind(kind, text)) if text else (None, None)


def sealer(tx: Tx) -> Sealer:
    """Return what seals for the company, with a new key if it has none."""
    return Sealer(_key_of(tx) or _new_key(tx))


def opener(tx: Tx) -> Sealer | None:
    """Return what opens what the company sealed; None if it has sealed nothing, or its key was destroyed."""
    key = _key_of(tx)
    return None if key is None else Sealer(key)


def opener_of(tx: Tx, fields: Iterable[bytes | None]) -> Sealer | None:
    """Return what opens these fields; None, without asking for a key, if none of them is sealed."""
    return opener(tx) if any(one is not None for one in fields) else None


def seal(tx: Tx, table: str, row_id: str, column: str, text: str) -> bytes:
    """Return text sealed for one field."""
    return sealer(tx).seal(table, row_id, column, text)


def unseal(tx: Tx, table: str, row_id: str, column: str, sealed: bytes | None) -> str:
    """Return what was sealed for one field; nothing for nothing. Damaged if it is not that field's."""
    return unseal_with(None if sealed is None else opener(tx), table, row_id, column, sealed)


def unseal_with(own: Sealer | None, table: str, row_id: str, column: str, sealed: bytes | None) -> str:
    """Return what was sealed for one field, opened by `own`; Damaged if the key it needs is no more."""
    if sealed is None:
        return ""
    if own is None:
        raise Damaged(f"{table}.{column} is sealed with a key that was destroyed")
    return own.unseal(table, row_id, column, sealed)


def blind(tx: Tx, kind: str, text: str) -> str:
    """Return what an exact text of a kind is found by; nothing if the company has sealed nothing yet."""
    own = opener(tx)
    return "" if own is None else own.blind(kind, text)


def seal_findable(
    tx: Tx, table: str, row_id: str, column: str, kind: str, text: str
) -> tuple[bytes | None, str | None]:
    """Return text sealed for one field and what it is found by; nothing and nothing for an empty one."""
    return sealer(tx).seal_findable(table, row_id, column, kind, text) if text else (None, None)


def destroy_key(tx: Tx) -> bool:
    """Make everything the company has sealed unreadable for ever; tell whether there was a key."""
    # Forget the company's key.
    return bool(tx.conn.execute(sa.delete(tenant_key).where(tenant_key.c.tenant_id == tx.tenant_id)).rowcount)


def is_key_current(tx: Tx) -> bool:
    """Tell whether the company needs no former master key; one that has sealed nothing needs none."""
    wrapped = _wrapped_key(tx)
    return wrapped is None or _keyring(tx).is_current(tx.tenant_id, wrapped)


def rewrap_key(tx: Tx) -> None:
    """Wrap the company's key, which stays the same, with the current master key."""
    wrapped = _wrapped_key(tx)
    if wrapped is None:
        return
    keyring = _keyring(tx)
    anew = keyring.wrap(tx.tenant_id, keyring.open(tx.tenant_id, wrapped))
    # Change the wrapping of the key that was looked at, unless it was destroyed meanwhile.
    tx.conn.execute(
        sa.update(tenant_key)
        .where(tenant_key.c.tenant_id == tx.tenant_id, tenant_key.c.wrapped == wrapped)
        .values(wrapped=anew)
    )


def _key_of(tx: Tx) -> bytes | None:
    keyring, wrapped = _keyring(tx), _wrapped_key(tx)
    return None if wrapped is None else keyring.open(tx.tenant_id, wrapped)


def _keyring(tx: Tx) -> Keyring:
    if tx.keyring is None:
        raise Unavailable("no privacy key is configured: personal data can be neither kept nor shown", 60)
    return tx.keyring


def _wrapped_key(tx: Tx) -> bytes | None:
    # What is this company's key?
    wrapped = tx.conn.execute(
        sa.select(tenant_key.c.wrapped).where(tenant_key.c.tenant_id == tx.tenant_id)
    ).scalar_one_or_none()
    return None if wrapped is None else bytes(wrapped)


def _new_key(tx: Tx) -> bytes:
    wrapped = _keyring(tx).wrap(tx.tenant_id, secrets.token_bytes(_KEY_BYTES))
    # Give the company a key, unless another transaction just has.
    tx.conn.execute(
        tx.insert(tenant_key)
        .values(tenant_id=tx.tenant_id, wrapped=wrapped, created_at_ms=tx.now_ms)
        .on_conflict_do_nothing(index_elements=["tenant_id"])
    )
    key = _key_of(tx)
    assert key is not None, "it is there now, whosever it was"
    return key
