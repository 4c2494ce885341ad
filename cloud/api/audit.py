"""The audit log: who did what, and what was refused to whom."""

from typing import Annotated, Any

from msgspec import Meta

from cloud.api.route import Call, Id, Instant, Nothing, Page, PageQuery, Route, View, page_of
from cloud.domain.access import Action
from cloud.domain.audit_chain import FaultKind
from cloud.domain.ids import UserId
from cloud.services import audit
from cloud.store.audit import AuditEntry, AuditSearch


class AuditQuery(PageQuery, frozen=True):
    """Which acts, e.g. `sign_in_failed`, by whom, on what, from when until before when; all without any."""

    action: Annotated[str, Meta(max_length=64)] | None = None
    user_id: Id | None = None
    subject_id: Annotated[str, Meta(max_length=200)] | None = None
    from_ms: Instant | None = None
    until_ms: Instant | None = None


class AuditEntryView(View, frozen=True):
    """One act; `user_id` is None for the service's own and for people not signed in."""

    entry_id: str
    at_ms: int
    user_id: str | None
    user_name: str
    action: str
    subject_kind: str
    subject_id: str
    detail: dict[str, Any]


class ChainView(View, frozen=True):
    """Whether the log is what was written; else the first place where it is not."""

    is_whole: bool
    entries: int
    head: str
    fault: FaultKind | None
    fault_position: int | None
    fault_entry_id: str | None


async def verify_audit_chain(call: Call[Nothing, Nothing]) -> ChainView:
    """Walk along the whole log."""
    verdict = await call.read(audit.verify_chain)
    fault = verdict.fault
    return ChainView(
        is_whole=verdict.is_whole,
        entries=verdict.head.position,
        head=str(verdict.head),
        fault=None if fault is None else fault.kind,
        fault_position=None if fault is None else fault.position,
        fault_entry_id=None if fault is None else fault.entry_id,
    )


async def list_audit_entries(call: Call[AuditQuery, Nothing]) -> Page[AuditEntryView]:
    """List acts, the last first."""
    query = call.query
    user_id = None if query.user_id is None else UserId(query.user_id)
    search = AuditSearch(query.action, user_id, query.subject_id, query.from_ms, query.until_ms)
    return page_of(await call.read(audit.list_entries, search, query.cursor, query.limit), _entry_view)


def _entry_view(entry: AuditEntry) -> AuditEntryView:
    return AuditEntryView(
        entry_id=entry.entry_id,
        at_ms=entry.at_ms,
        user_id=entry.user_id,
        user_name=entry.user_name,
        action=entry.action,
        subject_kind=entry.subject_kind,
        subject_id=entry.subject_id,
        detail=dict(entry.detail),
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/audit_chain",
        "Verify the audit log",
        Action.READ_AUDIT,
        verify_audit_chain,
        ChainView,
        description="Walks along every entry. Keep `head` elsewhere for `gatehouse db verify-audit --since`.",
    ),
    Route(
        "GET",
        "/api/v1/audit_entries",
        "List what was done and refused",
        Action.READ_AUDIT,
        list_audit_entries,
        Page[AuditEntryView],
        query=AuditQuery,
    ),
)
