"""Receivers, and messages until they are heard."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import DeliveryId, SiteId, WebhookId
from cloud.domain.webhook import Delivery, DeliveryState, DueDelivery, Webhook, WebhookEvent
from cloud.store.db import Tx
from cloud.store.schema import webhook, webhook_delivery

_W, _D = webhook.c, webhook_delivery.c

_SELECT = sa.select(_W.id, _W.url, _W.events, _W.site_id, _W.created_at_ms, _W.disabled_at_ms)
# Who is to be told? Asked with everything announced, so built once.
_TOLD = _SELECT.where(_W.tenant_id == sa.bindparam("of_tenant"), _W.disabled_at_ms.is_(None)).order_by(_W.id)


def insert_webhook(
    tx: Tx, url: str, events: Iterable[WebhookEvent], site_id: SiteId | None, secret: str
) -> WebhookId:
    """Add a receiver."""
    webhook_id = WebhookId(tx.new_id())
    # Add one receiver.
    tx.conn.execute(
        tx.insert(webhook).values(
            tenant_id=tx.tenant_id,
            id=webhook_id,
            site_id=site_id,
            url=url,
            events=sorted(event.value for event in events),
            secret=secret,
            created_at_ms=tx.now_ms,
        )
    )
    return webhook_id


def list_webhooks(tx: Tx) -> list[Webhook]:
    """Return the receivers, oldest first; those that are no longer told anything are not among them."""
    return [_webhook_from_row(row) for row in tx.conn.execute(_TOLD, {"of_tenant": tx.tenant_id})]


def find_webhook(tx: Tx, webhook_id: WebhookId) -> Webhook | None:
    """Return one receiver, or None."""
    # Which receiver is this?
    row = tx.conn.execute(_SELECT.where(_W.tenant_id == tx.tenant_id, _W.id == webhook_id)).one_or_none()
    return None if row is None else _webhook_from_row(row)


def replace_secret(tx: Tx, webhook_id: WebhookId, secret: str, previous_until_ms: int) -> None:
    """Sign with a new secret, and beside it with the one before for a while."""
    # Exchange one receiver's secret.
    tx.conn.execute(
        sa.update(webhook)
        .where(_W.tenant_id == tx.tenant_id, _W.id == webhook_id)
        .values(secret=secret, previous_secret=_W.secret, previous_until_ms=previous_until_ms)
    )


def disable_webhook(tx: Tx, webhook_id: WebhookId) -> bool:
    """Tell a receiver nothing more; False if it was told nothing already."""
    # Stop telling one receiver.
    stopped = tx.conn.execute(
        sa.update(webhook)
        .where(_W.tenant_id == tx.tenant_id, _W.id == webhook_id, _W.disabled_at_ms.is_(None))
        .values(disabled_at_ms=tx.now_ms)
    ).rowcount
    # What still waits for it waits no longer.
    tx.conn.execute(
        sa.update(webhook_delivery)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.webhook_id == webhook_id,
            _D.state == DeliveryState.PENDING.value,
        )
        .values(state=DeliveryState.GIVEN_UP.value, finished_at_ms=tx.now_ms)
    )
    return stopped == 1


def insert_deliveries(tx: Tx, messages: Sequence[tuple[DeliveryId, WebhookId, WebhookEvent, bytes]]) -> None:
    """Write messages down, to be sent at once."""
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "id": delivery_id,
            "webhook_id": webhook_id,
            "event": event.value,
            "state": DeliveryState.PENDING.value,
            "body": body,
            "attempts": 0,
            "created_at_ms": tx.now_ms,
            "next_attempt_at_ms": tx.now_ms,
            "last_reply": "",
        }
        for delivery_id, webhook_id, event, body in messages
    ]
    if rows:
        # Add what is to be told.
        tx.conn.execute(tx.insert(webhook_delivery), rows)


def has_due(tx: Tx) -> bool:
    """Tell whether a message should be sent now."""
    # Is there anything to send?
    query = (
        sa.select(_D.id)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.state == DeliveryState.PENDING.value,
            _D.next_attempt_at_ms <= tx.now_ms,
        )
        .limit(1)
    )
    return tx.conn.execute(query).first() is not None


def claim_due(tx: Tx, lease_ms: int, limit: int) -> list[DueDelivery]:
    """Take messages that are due; nobody else takes them before the lease is over."""
    # Which messages should be sent now? Rows somebody else is taking are passed over.
    due = (
        sa.select(_D.id, _W.url, _W.secret, _W.previous_secret, _W.previous_until_ms)
        .add_columns(_D.body, _D.attempts, _D.created_at_ms)
        .join_from(webhook_delivery, webhook, sa.and_(_W.tenant_id == _D.tenant_id, _W.id == _D.webhook_id))
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.state == DeliveryState.PENDING.value,
            _D.next_attempt_at_ms <= tx.now_ms,
        )
        .order_by(_D.next_attempt_at_ms, _D.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=webhook_delivery)
    )
    rows = tx.conn.execute(due).all()
    # Hold them for the time an attempt may take; a process that dies in it loses nothing.
    tx.conn.execute(
        sa.update(webhook_delivery)
        .where(_D.tenant_id == tx.tenant_id, _D.id.in_([row.id for row in rows]))
        .values(next_attempt_at_ms=tx.now_ms + lease_ms)
    )
    return [_due_from_row(row, tx.now_ms) for row in rows]


def finish_attempt(
    tx: Tx,
    delivery_id: DeliveryId,
    state: DeliveryState,
    status: int | None,
    reply: str,
    next_attempt_at_ms: int,
) -> None:
    """Note how an attempt went."""
    # What became of this attempt? A message that was finished meanwhile stays finished.
    tx.conn.execute(
        sa.update(webhook_delivery)
        .where(_D.tenant_id == tx.tenant_id, _D.id == delivery_id, _D.state == DeliveryState.PENDING.value)
        .values(
            state=state.value,
            attempts=_D.attempts + 1,
            last_status=status,
            last_reply=reply,
            next_attempt_at_ms=next_attempt_at_ms,
            finished_at_ms=None if state is DeliveryState.PENDING else tx.now_ms,
        )
    )


def retry(tx: Tx, delivery_id: DeliveryId) -> bool:
    """Send a message that was given up, or is waiting, once more at once; False if there is none such."""
    # Begin anew with one message.
    statement = (
        sa.update(webhook_delivery)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.id == delivery_id,
            _D.state != DeliveryState.DELIVERED.value,
        )
        .values(
            state=DeliveryState.PENDING.value,
            attempts=0,
            created_at_ms=tx.now_ms,
            next_attempt_at_ms=tx.now_ms,
            finished_at_ms=None,
        )
    )
    return tx.conn.execute(statement).rowcount == 1


def list_deliveries(
    tx: Tx, webhook_id: WebhookId, before_id: DeliveryId | None, limit: int
) -> list[Delivery]:
    """Return a receiver's messages, the newest first, those before `before_id`."""
    # What was this receiver told?
    query = (
        sa.select(*(column for column in _D if column.name not in ("tenant_id", "body")))
        .where(_D.tenant_id == tx.tenant_id, _D.webhook_id == webhook_id)
        .order_by(_D.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(_D.id < before_id)
    return [_delivery_from_row(row) for row in tx.conn.execute(query)]


def delete_finished(tx: Tx, before_ms: int) -> int:
    """Forget messages that were finished before then; return how many."""
    # Whose outcome has nobody reason to look up?
    statement = sa.delete(webhook_delivery).where(
        _D.tenant_id == tx.tenant_id, _D.finished_at_ms.is_not(None), _D.finished_at_ms < before_ms
    )
    return tx.conn.execute(statement).rowcount


def _webhook_from_row(row: Any) -> Webhook:
    return Webhook(
        WebhookId(row.id),
        row.url,
        frozenset(WebhookEvent(event) for event in row.events),
        None if row.site_id is None else SiteId(row.site_id),
        row.created_at_ms,
        row.disabled_at_ms,
    )


def _due_from_row(row: Any, now_ms: int) -> DueDelivery:
    has_previous = row.previous_secret is not None and row.previous_until_ms > now_ms
    secrets = (row.secret, row.previous_secret) if has_previous else (row.secret,)
    return DueDelivery(DeliveryId(row.id), row.url, secrets, bytes(row.body), row.attempts, row.created_at_ms)


def _delivery_from_row(row: Any) -> Delivery:
    return Delivery(
        DeliveryId(row.id),
        WebhookId(row.webhook_id),
        WebhookEvent(row.event),
        DeliveryState(row.state),
        row.attempts,
        row.created_at_ms,
        row.next_attempt_at_ms,
        row.finished_at_ms,
        row.last_status,
        row.last_reply,
    )
