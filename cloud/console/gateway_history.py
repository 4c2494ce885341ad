"""A gateway's history: configurations, commands, certificates, losses and its own words, in one list."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.audit_words import ACT_WORDS
from cloud.console.desk import Desk
from cloud.console.gateways import find_gateway
from cloud.domain.gateway import Gateway
from cloud.domain.gateway_history import Happening, Subject
from cloud.domain.ids import SiteId
from cloud.domain.user import User
from cloud.services import gateway_history
from cloud.store.db import Tx

_ROWS = 50


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Some lines, the last first, of one subject or of all (`of` is then empty)."""

    gateway: Gateway
    happenings: tuple[Happening, ...]
    of: str
    next_cursor: str | None
    words: Mapping[str, str] = field(default_factory=lambda: ACT_WORDS)


async def show(desk: Desk) -> web.StreamResponse:
    """Show what happened to a gateway."""
    query = desk.request.query
    of = query.get("of", "")
    subject = Subject(of) if of in {one.value for one in Subject} else None
    code = desk.request.match_info["code"]
    view = await desk.read(_view, desk.site.site_id, code, subject, query.get("after") or None)
    return await desk.page("gateways/history.html", view=view)


def _view(
    tx: Tx, actor: User, site_id: SiteId, code: str, subject: Subject | None, cursor: str | None
) -> HistoryView:
    gateway = find_gateway(tx, actor, site_id, code)
    page = gateway_history.history(tx, actor, gateway.gateway_id, subject, cursor, _ROWS)
    return HistoryView(gateway, page.items, subject.value if subject else "", page.next_cursor)
