"""Personal data sealed: AES-256-GCM under a key of each company, itself wrapped by the key in a file.

The invariant: a sealed field opens only in the row and column it was sealed for; deleting a company's
row of `tenant_key` makes every sealed field of that company unreadable for ever, in backups too.
A blind index (HMAC-SHA256 of the normal form) finds an exact number without storing it.
"""

import hashlib
import hmac
import secrets

import sqlalchemy as sa

from cloud.domain.errors import Unavailable
from cloud.store.keyring import Damaged as Damaged
from cloud.store.keyring import open_sealed, seal_about
from cloud.store.schema import tenant_key
from cloud.store.transaction import Tx

_KEY_BYTES = 32
# 128 bits of the hash: two different numbers of one company never meet by accident.
_BLIND_HEX_DIGITS = 32


def seal(tx: Tx, table: str, row_id: str, column: str, text: str) -> bytes:
    """Return text sealed for one field."""
    key = _key_of(tx) or _new_key(tx)
    return seal_about(key, text.encode(), f"{table}|{row_id}|{column}")


def unseal(tx: Tx, table: str, row_id: str, column: str, sealed: bytes | None) -> str:
    """Return what was sealed for one field; nothing for nothing. Damaged if it is not that field's."""
    if sealed is None:
        return ""
    key = _key_of(tx)
    if key is None:
        raise Damaged(f"{table}.{column} is sealed with a key that was destroyed")
    return open_sealed(key, sealed, f"{table}|{row_id}|{column}").decode()


def blind(tx: Tx, kind: str, text: str) -> str:
    """Return what an exact text of a kind is found by; nothing if the company has sealed nothing yet."""
    key = _key_of(tx)
    return "" if key is None else _blind(key, kind, text)


def seal_findable(
    tx: Tx, table: str, row_id: str, column: str, kind: str, text: str
) -> tuple[bytes | None, str | None]:
    """Return text sealed for one field and what it is found by; nothing and nothing for an empty one."""
    if not text:
        return None, None
    sealed = seal(tx, table, row_id, column, text)
    return sealed, blind(tx, kind, text)


def destroy_key(tx: Tx) -> bool:
    """Make everything the company has sealed unreadable for ever; tell whether there was a key."""
    # Forget the company's key.
    return bool(tx.conn.execute(sa.delete(tenant_key).where(tenant_key.c.tenant_id == tx.tenant_id)).rowcount)


def _key_of(tx: Tx) -> bytes | None:
    if tx.keyring is None:
        raise Unavailable("no privacy key is configured: personal data can be neither kept nor shown", 60)
    # What is this company's key?
    wrapped = tx.conn.execute(
        sa.select(tenant_key.c.wrapped).where(tenant_key.c.tenant_id == tx.tenant_id)
    ).scalar_one_or_none()
    return None if wrapped is None else tx.keyring.open(tx.tenant_id, bytes(wrapped))


def _new_key(tx: Tx) -> bytes:
    assert tx.keyring is not None, "whoever seals has looked for a key"
    wrapped = tx.keyring.wrap(tx.tenant_id, secrets.token_bytes(_KEY_BYTES))
    # Give the company a key, unless another transaction just has.
    tx.conn.execute(
        tx.insert(tenant_key)
        .values(tenant_id=tx.tenant_id, wrapped=wrapped, created_at_ms=tx.now_ms)
        .on_conflict_do_nothing(index_elements=["tenant_id"])
    )
    key = _key_of(tx)
    assert key is not None, "it is there now, whosever it was"
    return key


def _blind(key: bytes, kind: str, text: str) -> str:
    own = hmac.new(key, b"blind index", hashlib.sha256).digest()
    return hmac.new(own, f"{kind}|{text}".encode(), hashlib.sha256).hexdigest()[:_BLIND_HEX_DIGITS]
