"""The audit log: who did what, what was refused to whom, and whether the log is what was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

from aiohttp import web

from cloud.console.audit_words import ACT_WORDS, SUBJECT_WORDS
from cloud.console.desk import Desk
from cloud.console.typed import day_of
from cloud.domain.audit_chain import ChainVerdict
from cloud.domain.ids import UserId, is_uuid
from cloud.domain.periods import midnight_ms
from cloud.services import audit
from cloud.store.audit import AuditEntry, AuditSearch

_ROWS = 50
_ASKED = ("action", "by", "on", "from", "to")


@dataclass(frozen=True, slots=True)
class AuditView:
    """Some entries, the last first; `verdict` only if somebody asked for it."""

    entries: tuple[AuditEntry, ...]
    names: Mapping[tuple[str, str], str]
    people: Sequence[tuple[str, str]]
    next_cursor: str | None
    asked: Mapping[str, str]
    verdict: ChainVerdict | None
    words: Mapping[str, str] = field(default_factory=lambda: ACT_WORDS)
    subject_words: Mapping[str, str] = field(default_factory=lambda: SUBJECT_WORDS)

    @property
    def query_string(self) -> str:
        """Return what was asked for as it stands in an address."""
        return urlencode({name: text for name, text in self.asked.items() if text})


async def show(desk: Desk) -> web.StreamResponse:
    """Show what was done and refused, on a day, by somebody, on something."""
    query = desk.request.query
    asked = {name: query.get(name, "").strip()[:64] for name in _ASKED}
    search, people = _search(asked, desk), await desk.read(audit.people)
    page = await desk.read(audit.list_entries, search, query.get("after") or None, _ROWS)
    names = await desk.read(audit.subject_names, page.items)
    verdict = await desk.read(audit.verify_chain) if "verify" in query else None
    view = AuditView(page.items, names, people, page.next_cursor, asked, verdict)
    return await desk.page("audit.html", view=view)


def _search(asked: Mapping[str, str], desk: Desk) -> AuditSearch:
    zone = desk.format.zone
    start, end = (day_of(asked[name], desk.format) if asked[name] else None for name in ("from", "to"))
    return AuditSearch(
        asked["action"] or None,
        UserId(asked["by"]) if is_uuid(asked["by"]) else None,
        asked["on"] or None,
        None if start is None else midnight_ms(start, zone),
        None if end is None else midnight_ms(end + timedelta(days=1), zone),
    )
