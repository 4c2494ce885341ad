"""The audit log: who did what, and what was refused to whom."""

from typing import Annotated, Any

from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Route, View, page_of
from cloud.domain.access import Action
from cloud.services import audit
from cloud.store.audit import AuditEntry


class AuditQuery(PageQuery, frozen=True):
    """Which acts, e.g. `sign_in_failed`; all without it."""

    action: Annotated[str, Meta(max_length=64)] | None = None


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


async def list_audit_entries(call: Call[AuditQuery, Nothing]) -> Page[AuditEntryView]:
    """List acts, the last first."""
    query = call.query
    return page_of(await call.read(audit.list_entries, query.action, query.cursor, query.limit), _entry_view)


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
        "/api/v1/audit_entries",
        "List what was done and refused",
        Action.READ_AUDIT,
        list_audit_entries,
        Page[AuditEntryView],
        query=AuditQuery,
    ),
)
