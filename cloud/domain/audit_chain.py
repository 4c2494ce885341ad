"""The chain the audit log hangs on: each entry's link holds the digest of everything before it.

The invariant: a link is SHA-256 over the digest before it and its entry in one agreed writing (RFC 8785:
JSON with sorted keys, no spaces, nothing escaped that need not be), so an entry that is changed, taken
out, put in or moved breaks every digest from there on. Cutting off the end alone leaves a whole, shorter
chain: against that one keeps a digest elsewhere and asks whether it is still part of the chain.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

BEGINNING = "0" * 64  # what stands before the first link


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What of an entry is chained: all of it."""

    entry_id: str
    at_ms: int
    user_id: str | None
    action: str
    subject_kind: str
    subject_id: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """One place in the chain; counted from 1, without a gap."""

    position: int
    entry_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far the chain goes: what one keeps elsewhere, written `position:digest`."""

    position: int = 0
    digest: str = BEGINNING

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"


class FaultKind(Enum):
    """What is wrong at a place."""

    CHANGED = "changed"  # the entry, its link, or their order is not what it was
    REMOVED = "removed"  # the link is there, the entry is not
    GAP = "gap"  # a link is not there
    UNCHAINED = "unchained"  # the entry was put in past the chain


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first place at which the log is not what was written."""

    kind: FaultKind
    position: int
    entry_id: str


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What a walk along the whole chain found."""

    head: Head
    fault: ChainFault | None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was changed, removed or put in."""
        return self.fault is None


def digest_of(before: str, record: AuditRecord) -> str:
    """Return the digest of an entry that follows what has the digest `before`."""
    written = json.dumps(
        [
            record.entry_id,
            record.at_ms,
            record.user_id,
            record.action,
            record.subject_kind,
            record.subject_id,
            dict(record.detail),
        ],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(f"{before}\n{written}".encode()).hexdigest()


def linked(head: Head, records: Iterable[AuditRecord]) -> list[Link]:
    """Return the links that hang these entries behind the head, in their order."""
    links = []
    for record in records:
        head = Head(head.position + 1, digest_of(head.digest, record))
        links.append(Link(head.position, record.entry_id, head.digest))
    return links


def walk(head: Head, found: Iterable[tuple[Link, AuditRecord | None]]) -> ChainVerdict:
    """Go on from a head along links with their entries, in order; stop at the first that is wrong."""
    for link, record in found:
        position = head.position + 1
        if link.position != position:
            return ChainVerdict(head, ChainFault(FaultKind.GAP, position, ""))
        if record is None:
            return ChainVerdict(head, ChainFault(FaultKind.REMOVED, position, link.entry_id))
        if digest_of(head.digest, record) != link.digest:
            return ChainVerdict(head, ChainFault(FaultKind.CHANGED, position, link.entry_id))
        head = Head(position, link.digest)
    return ChainVerdict(head, None)
