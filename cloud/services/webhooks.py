"""Receivers of webhooks, and the messages written down for them.

The invariant: `enqueue` runs in the transaction in which something happened, so a message exists exactly
if it did; whether it is heard is the outbox's work, for a week.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from cloud.domain.access import Action, require, require_recent
from cloud.domain.change import AlarmChanged, GatewayChanged, InvoiceIssued
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import DeliveryId, SiteId, WebhookId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.user import User
from cloud.domain.webhook import (
    REPLY_LENGTH_MAX,
    SECRET_OVERLAP_MS,
    Delivery,
    DeliveryState,
    DueDelivery,
    Webhook,
    WebhookEvent,
    checked_url,
    next_attempt_ms,
)
from cloud.services.premises import site_of
from cloud.store import audit, webhooks
from cloud.store.db import Tx

# A receiver more than these is a loop or a mistake; every alarm is written once for each.
WEBHOOKS_MAX = 50
# Long enough for an attempt and its answer to be noted.
LEASE_MS = 60_000
CLAIMED_AT_ONCE = 20
KEPT_FOR_MS = 30 * 24 * 3600 * 1000

_Told = AlarmChanged | GatewayChanged | InvoiceIssued
_EVENTS: dict[type[_Told], WebhookEvent] = {
    AlarmChanged: WebhookEvent.ALARM,
    GatewayChanged: WebhookEvent.GATEWAY,
    InvoiceIssued: WebhookEvent.INVOICE,
}


def create(
    tx: Tx,
    actor: User,
    url: str,
    events: Iterable[WebhookEvent],
    site_id: SiteId | None,
    *,
    may_be_private: bool,
) -> tuple[WebhookId, str]:
    """Add a receiver; return its secret, told this once."""
    require(actor, Action.MANAGE_WEBHOOKS)
    wanted = frozenset(events) - {WebhookEvent.PING}
    if not wanted:
        raise Invalid("a webhook that hears of nothing is none: name at least one event")
    checked_url(url, may_be_private=may_be_private)
    if site_id is not None:
        site_of(tx, site_id)
    if len(webhooks.list_webhooks(tx)) >= WEBHOOKS_MAX:
        raise Conflict(f"there are {WEBHOOKS_MAX} webhooks already: remove one that is not used")
    secret = _new_secret()
    webhook_id = webhooks.insert_webhook(tx, url, wanted, site_id, secret)
    audit.record(tx, actor.user_id, "create_webhook", "webhook", webhook_id, {"url": url})
    return webhook_id, secret


def list_webhooks(tx: Tx, actor: User) -> list[Webhook]:
    """Return the receivers."""
    require(actor, Action.MANAGE_WEBHOOKS)
    return webhooks.list_webhooks(tx)


def exchange_secret(tx: Tx, actor: User, webhook_id: WebhookId) -> str:
    """Make a new secret; for a day messages are signed with the one before as well."""
    require(actor, Action.MANAGE_WEBHOOKS)
    require_recent(actor, tx.now_ms)
    _found(tx, webhook_id)
    secret = _new_secret()
    webhooks.replace_secret(tx, webhook_id, secret, tx.now_ms + SECRET_OVERLAP_MS)
    audit.record(tx, actor.user_id, "exchange_webhook_secret", "webhook", webhook_id)
    return secret


def remove(tx: Tx, actor: User, webhook_id: WebhookId) -> None:
    """Tell a receiver nothing more, not even what waits for it."""
    require(actor, Action.MANAGE_WEBHOOKS)
    _found(tx, webhook_id)
    webhooks.disable_webhook(tx, webhook_id)
    audit.record(tx, actor.user_id, "remove_webhook", "webhook", webhook_id)


def ping(tx: Tx, actor: User, webhook_id: WebhookId) -> DeliveryId:
    """Send a receiver a message that says nothing, to see whether it is heard."""
    require(actor, Action.MANAGE_WEBHOOKS)
    _found(tx, webhook_id)
    delivery_id = DeliveryId(tx.new_id())
    body = _body(delivery_id, WebhookEvent.PING, tx.now_ms, {})
    webhooks.insert_deliveries(tx, [(delivery_id, webhook_id, WebhookEvent.PING, body)])
    return delivery_id


def list_deliveries(
    tx: Tx, actor: User, webhook_id: WebhookId, cursor: str | None = None, limit: int = 50
) -> Page[Delivery]:
    """Return what a receiver was told, the newest first, with what it answered."""
    require(actor, Action.MANAGE_WEBHOOKS)
    checked_limit(limit)
    _found(tx, webhook_id)
    before = DeliveryId(str(key_from_cursor(cursor, UUID)[0])) if cursor else None
    found = webhooks.list_deliveries(tx, webhook_id, before, limit + 1)
    return page_of(found, limit, lambda last: (last.delivery_id,))


def retry(tx: Tx, actor: User, delivery_id: DeliveryId) -> None:
    """Send a message that was not heard once more, at once."""
    require(actor, Action.MANAGE_WEBHOOKS)
    if not webhooks.retry(tx, delivery_id):
        raise NotFound(f"there is no message {delivery_id} that was not heard")
    audit.record(tx, actor.user_id, "retry_webhook", "webhook_delivery", delivery_id)


def enqueue(tx: Tx, announced: Sequence[object]) -> None:
    """Write down, before the commit, what receivers are to hear of it."""
    told = [change for change in announced if isinstance(change, _Told)]
    if not told:
        return
    receivers = webhooks.list_webhooks(tx)
    messages = []
    for change in told:
        event = _EVENTS[type(change)]
        for receiver in receivers:
            if event in receiver.events and receiver.site_id in (None, change.site_id):
                delivery_id = DeliveryId(tx.new_id())
                body = _body(delivery_id, event, tx.now_ms, _document(change))
                messages.append((delivery_id, receiver.webhook_id, event, body))
    webhooks.insert_deliveries(tx, messages)


def is_told(change: object) -> bool:
    """Tell whether a change is one that receivers may hear of."""
    return isinstance(change, _Told)


def has_due(tx: Tx) -> bool:
    """Tell whether a message is due, without taking it."""
    return webhooks.has_due(tx)


def claim_due(tx: Tx) -> list[DueDelivery]:
    """Take some messages that are due, for the outbox."""
    return webhooks.claim_due(tx, LEASE_MS, CLAIMED_AT_ONCE)


def report(tx: Tx, due: DueDelivery, status: int | None, reply: str) -> DeliveryState:
    """Note how an attempt went; a status of 200 to 299 means heard, None that nobody answered."""
    heard = status is not None and 200 <= status < 300
    again_ms = None if heard else next_attempt_ms(due.attempts + 1, due.created_at_ms, tx.now_ms)
    if heard:
        state = DeliveryState.DELIVERED
    else:
        state = DeliveryState.GIVEN_UP if again_ms is None else DeliveryState.PENDING
    webhooks.finish_attempt(
        tx, due.delivery_id, state, status, reply[:REPLY_LENGTH_MAX], again_ms or tx.now_ms
    )
    return state


def forget_old(tx: Tx) -> int:
    """Drop messages finished a month ago; return how many."""
    return webhooks.delete_finished(tx, tx.now_ms - KEPT_FOR_MS)


def _found(tx: Tx, webhook_id: WebhookId) -> Webhook:
    found = webhooks.find_webhook(tx, webhook_id)
    if found is None or found.disabled_at_ms is not None:
        raise NotFound(f"there is no webhook {webhook_id}")
    return found


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def _document(change: _Told) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(change)
    del document["tenant_id"]
    if isinstance(change, AlarmChanged):
        document["severity"] = change.severity.name.lower()
    return document


def _body(delivery_id: DeliveryId, event: WebhookEvent, at_ms: int, data: dict[str, Any]) -> bytes:
    message = {"id": delivery_id, "event": event.value, "happened_at_ms": at_ms, "data": data}
    return msgspec.json.encode(message)
