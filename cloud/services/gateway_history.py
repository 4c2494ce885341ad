"""What happened to a gateway, all in one list: for whoever asks why the box was not there on Tuesday."""

from cloud.domain.access import Action, may, require
from cloud.domain.gateway_history import Happening, Subject
from cloud.domain.ids import GatewayId
from cloud.domain.page import Page, checked_limit, cursor_from_key, key_from_cursor
from cloud.domain.user import User
from cloud.services import gateways
from cloud.store import gateway_history
from cloud.store.db import Tx

_NEVER_MS = 2**62


def history(
    tx: Tx,
    actor: User,
    gateway_id: GatewayId,
    subject: Subject | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Happening]:
    """Return what happened, of one subject or of all, newest first; commands only for who may read them.

    A page goes on after the last line of the one before, also where many have the same moment.
    """
    require(actor, Action.READ_GATEWAYS)
    checked_limit(limit)
    gateways.get_gateway(tx, actor, gateway_id)
    until_ms, seen = (int(part) for part in key_from_cursor(cursor, int, int)) if cursor else (_NEVER_MS, 0)
    found = [
        happening
        for one in ([subject] if subject else Subject)
        if one is not Subject.COMMAND or may(actor, Action.READ_COMMANDS)
        for happening in gateway_history.happenings(tx, gateway_id, one, until_ms, seen + limit + 1)
    ]
    found.sort(key=lambda happening: happening.at_ms, reverse=True)  # stable: each subject keeps its order
    shown = found[seen : seen + limit]
    if len(found) <= seen + limit:
        return Page(tuple(shown), None)
    last_ms = shown[-1].at_ms
    seen_then = sum(happening.at_ms == last_ms for happening in found[: seen + limit])
    return Page(tuple(shown), cursor_from_key(last_ms, seen_then))
