"""Passages: the door log, from what boxes decided and from what people opened from afar.

The invariants: a box's word is taken down as it says it, whoever it was is looked up here; a visitor a
door let in has arrived, and the host hears of it at once.
"""

from uuid import UUID

from cloud.domain.access import Action, require
from cloud.domain.command import IssuedCommand
from cloud.domain.entry import Passage, PassageOutcome, reason_of
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import BadgeId, EntranceId, EventId, SiteId, VisitId, is_uuid
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.user import User
from cloud.services import visits
from cloud.services.premises import site_of
from cloud.store import badges, passages
from cloud.store import visits as visit_store
from cloud.store.db import Tx
from cloud.store.passages import NewPassage
from protocol.access import ACCESS_DENIED, ACCESS_FAILED, ACCESS_GRANTED, AccessReason
from protocol.command import Action as Act
from protocol.command import CommandState
from protocol.event import Event

_OUTCOMES = {
    ACCESS_DENIED: PassageOutcome.DENIED,
    ACCESS_FAILED: PassageOutcome.FAILED,
    ACCESS_GRANTED: PassageOutcome.GRANTED,
}
_OUTCOMES_OF_COMMANDS = {
    CommandState.DONE: PassageOutcome.GRANTED,
    CommandState.EXPIRED: PassageOutcome.DENIED,
    CommandState.REFUSED: PassageOutcome.DENIED,
    CommandState.UNKNOWN: PassageOutcome.FAILED,
}
REMOTE = "remote"


def take_event(tx: Tx, gateway: GatewayIdentity, event_id: EventId, happened: Event) -> None:
    """Take down what a box decided at a door; other events, and what an older box tells, are left alone."""
    outcome, told = _OUTCOMES.get(happened.kind), happened.attributes
    if outcome is None or "reason" not in told or "door" not in told:
        return
    reason, token = reason_of(told["reason"]), told.get("token", "")[:64]
    badge_id, visit_id = _whose(tx, told.get("badge", ""))
    if token and (holder := badges.find_by_token(tx, gateway.site_id, token)) is not None:
        # Somebody's, of doors elsewhere: this box does not know that.
        badge_id, reason, token = holder, AccessReason.OTHER_DOOR.value, ""
    passages.insert_passage(
        tx,
        NewPassage(
            gateway.site_id,
            gateway.gateway_id,
            told["door"],
            happened.occurred_at_ms,
            outcome,
            reason,
            told.get("kind", "")[:20],
            told.get("ends", "")[:4],
            token,
            event_id=event_id,
            badge_id=badge_id,
            visit_id=visit_id,
        ),
    )
    if visit_id is not None and outcome is PassageOutcome.GRANTED:
        visits.let_in_by_door(tx, visit_id)


def take_command(tx: Tx, command: IssuedCommand, state: CommandState) -> None:
    """Take down that somebody opened a door from afar, or tried to."""
    outcome = _OUTCOMES_OF_COMMANDS.get(state)
    if command.action is not Act.DOOR_UNLOCK or outcome is None:
        return
    passages.insert_passage(
        tx,
        NewPassage(
            command.site_id,
            command.gateway_id,
            command.device_code,
            tx.now_ms,
            outcome,
            REMOTE,
            REMOTE,
            command_id=command.command_id,
            user_id=command.actor_id,
        ),
    )


def list_passages(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    cursor: str | None = None,
    limit: int = 50,
    entrance_id: EntranceId | None = None,
) -> Page[Passage]:
    """Return what happened at a site's entrances, the last first."""
    require(actor, Action.READ_PASSAGES)
    checked_limit(limit)
    before = None
    if cursor:
        at_ms, passage_id = key_from_cursor(cursor, int, UUID)
        before = (int(at_ms), str(passage_id))
    found = passages.list_passages(tx, site_of(tx, site_id).site_id, before, limit + 1, entrance_id)
    return page_of(found, limit, lambda last: (last.occurred_at_ms, last.passage_id))


def _whose(tx: Tx, told: str) -> tuple[BadgeId | None, VisitId | None]:
    """Return the badge or the visit a box named; neither where we know of none."""
    if not is_uuid(told):
        return None, None
    if badges.find_badge(tx, BadgeId(told)) is not None:
        return BadgeId(told), None
    return None, (None if visit_store.find_visit(tx, VisitId(told)) is None else VisitId(told))
