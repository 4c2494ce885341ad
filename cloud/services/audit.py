"""Who did what, and what was refused to whom.

What is done is recorded by the service that does it, in its transaction. Here is the rest: what was
refused, which by its nature changes nothing else, and reading it all. The invariant: an entry holds ids
and values, never a secret and never a person's data.
"""

import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from cloud.domain.access import Action, require
from cloud.domain.audit_chain import BEGINNING, ChainFault, ChainVerdict, FaultKind, Head
from cloud.domain.errors import Invalid, TooMany
from cloud.domain.ids import UserId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.rate_limit import DENIALS_AUDITED
from cloud.domain.user import User
from cloud.services.rate_limits import take_attempt
from cloud.store import audit, audit_chain, audit_subjects, users
from cloud.store.audit import AuditEntry, AuditSearch
from cloud.store.db import Tx

EVERYTHING = AuditSearch()


def list_entries(
    tx: Tx, actor: User, search: AuditSearch = EVERYTHING, cursor: str | None = None, limit: int = 50
) -> Page[AuditEntry]:
    """Return what was done and refused, the last first."""
    require(actor, Action.READ_AUDIT)
    checked_limit(limit)
    before = str(key_from_cursor(cursor, UUID)[0]) if cursor else None
    found = audit.list_entries(tx, search, before, limit + 1)
    return page_of(found, limit, lambda last: (last.entry_id,))


def subject_names(tx: Tx, actor: User, entries: Sequence[AuditEntry]) -> Mapping[tuple[str, str], str]:
    """Return what the things of some entries are called today, by kind and id; those that have a name."""
    require(actor, Action.READ_AUDIT)
    return audit_subjects.names_of(tx, entries)


def people(tx: Tx, actor: User) -> list[tuple[UserId, str]]:
    """Return everybody whose acts may be in the log, by name."""
    require(actor, Action.READ_AUDIT)
    return audit_subjects.people(tx)


def verify_chain(tx: Tx, actor: User, since: Head | None = None) -> ChainVerdict:
    """Walk along the whole log and return the first place where it is not what was written.

    `since`, a head kept elsewhere, must still be part of it: else its end was cut off, or all of it remade.
    """
    require(actor, Action.READ_AUDIT)
    verdict = audit_chain.verify(tx)
    if verdict.fault is None and since is not None and since.position > 0:
        found = audit_chain.digest_at(tx, since.position)
        if found is None:
            fault = ChainFault(FaultKind.GAP, verdict.head.position + 1, "")
            return ChainVerdict(verdict.head, fault)
        if found != since.digest:
            return ChainVerdict(verdict.head, ChainFault(FaultKind.CHANGED, since.position, ""))
    return verdict


def chain_head(tx: Tx) -> Head:
    """Return how far the log goes, to be kept where nobody who could change the log can change it."""
    return audit_chain.head_of(tx)


def head_from_text(text: str) -> Head:
    """Return a head as it is written, `position:digest`."""
    position, colon, digest = text.strip().partition(":")
    if not (colon and position.isascii() and position.isdecimal() and len(position) < 19):
        raise Invalid(f"a head of the audit log is written POSITION:DIGEST, not {text!r}")
    if len(digest) != len(BEGINNING) or set(digest) - set("0123456789abcdef"):
        raise Invalid(f"the digest of a head has 64 hexadecimal digits, not {digest!r}")
    return Head(int(position), digest)


def record_denial(tx: Tx, actor: User, action: Action, route: str) -> None:
    """Note that somebody tried what their role may not; a flood of it is noted in part."""
    try:
        take_attempt(tx, [(DENIALS_AUDITED, actor.user_id)])
    except TooMany:
        return
    detail = {"action": action.value, "role": actor.role.value}
    audit.record(tx, actor.user_id, "denied", "route", route, detail)


def record_failed_sign_in(tx: Tx, login: str, address: str) -> None:
    """Note a wrong sign-in; of a login nobody has only the hash, which may be a telephone number."""
    credential = users.find_credential(tx, login)
    if credential is None:
        subject = ("login", hashlib.sha256(login.encode()).hexdigest())
    else:
        subject = ("user", credential.user_id)
    audit.record(tx, None, "sign_in_failed", *subject, {"address": address})
