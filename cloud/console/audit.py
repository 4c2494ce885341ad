"""The audit log: who did what, what was refused to whom, and whether the log is what was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.audit_words import ACT_WORDS
from cloud.console.desk import Desk
from cloud.domain.audit_chain import ChainVerdict
from cloud.services import audit
from cloud.store.audit import AuditEntry

_ROWS = 50


@dataclass(frozen=True, slots=True)
class AuditView:
    """Some entries, the last first; `verdict` only if somebody asked for it."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None
    action: str
    verdict: ChainVerdict | None
    words: Mapping[str, str] = field(default_factory=lambda: ACT_WORDS)


async def show(desk: Desk) -> web.StreamResponse:
    """Show what was done and refused."""
    query = desk.request.query
    action = query.get("action", "").strip()[:64]
    page = await desk.read(audit.list_entries, action or None, query.get("after") or None, _ROWS)
    verdict = await desk.read(audit.verify_chain) if "verify" in query else None
    view = AuditView(page.items, page.next_cursor, action, verdict)
    return await desk.page("audit.html", view=view)
