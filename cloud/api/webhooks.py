"""Webhooks: which systems are told of what, and what they answered."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.ids import DeliveryId, SiteId, WebhookId
from cloud.domain.webhook import URL_LENGTH_MAX, Delivery, DeliveryState, Webhook, WebhookEvent
from cloud.keys import CONFIG
from cloud.services import webhooks


class NewWebhook(Request, frozen=True, kw_only=True):
    """Where to, of what (`alarm`, `gateway`, `invoice`), and of which site; without one of all."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_LENGTH_MAX)]
    events: Annotated[tuple[WebhookEvent, ...], Meta(min_length=1, max_length=10)]
    site_id: Id | None = None


class WebhookSecretView(View, frozen=True):
    """The secret messages are signed with, told this once."""

    webhook_id: str
    secret: str


class WebhookView(View, frozen=True):
    """A receiver and what it hears of."""

    webhook_id: str
    url: str
    events: tuple[WebhookEvent, ...]
    site_id: str | None
    created_at_ms: int


class WebhooksView(View, frozen=True):
    """The receivers, oldest first."""

    items: tuple[WebhookView, ...]


class PingView(View, frozen=True):
    """The message that was written down; look for it among the deliveries."""

    delivery_id: str


class DeliveryView(View, frozen=True):
    """One message and what became of it; `last_status` None: nobody answered."""

    delivery_id: str
    webhook_id: str
    event: WebhookEvent
    state: DeliveryState
    attempts: int
    created_at_ms: int
    next_attempt_at_ms: int
    finished_at_ms: int | None
    last_status: int | None
    last_reply: str


async def list_webhooks(call: Call[Nothing, Nothing]) -> WebhooksView:
    """List the receivers."""
    found = await call.read(webhooks.list_webhooks)
    return WebhooksView(items=tuple(_webhook_view(webhook) for webhook in found))


async def create_webhook(call: Call[Nothing, NewWebhook]) -> WebhookSecretView:
    """Tell another system what happens."""
    body = call.body
    webhook_id, secret = await call.write(
        webhooks.create,
        body.url,
        body.events,
        None if body.site_id is None else SiteId(body.site_id),
        may_be_private=call.request.app[CONFIG].webhooks.allow_private,
    )
    return WebhookSecretView(webhook_id=webhook_id, secret=secret)


async def remove_webhook(call: Call[Nothing, Nothing]) -> None:
    """Tell a receiver nothing more."""
    await call.write(webhooks.remove, WebhookId(call.id("webhook_id")))


async def exchange_webhook_secret(call: Call[Nothing, Nothing]) -> WebhookSecretView:
    """Make a new secret; the one before signs beside it for a day."""
    webhook_id = WebhookId(call.id("webhook_id"))
    secret = await call.write(webhooks.exchange_secret, webhook_id)
    return WebhookSecretView(webhook_id=webhook_id, secret=secret)


async def ping_webhook(call: Call[Nothing, Nothing]) -> PingView:
    """Send a message that says nothing."""
    delivery_id = await call.write(webhooks.ping, WebhookId(call.id("webhook_id")))
    return PingView(delivery_id=delivery_id)


async def list_webhook_deliveries(call: Call[PageQuery, Nothing]) -> Page[DeliveryView]:
    """List what a receiver was told, the newest first."""
    query, webhook_id = call.query, WebhookId(call.id("webhook_id"))
    found = await call.read(webhooks.list_deliveries, webhook_id, query.cursor, query.limit)
    return page_of(found, _delivery_view)


async def retry_webhook_delivery(call: Call[Nothing, Nothing]) -> None:
    """Send a message that was not heard once more."""
    await call.write(webhooks.retry, DeliveryId(call.id("delivery_id")))


def _webhook_view(webhook: Webhook) -> WebhookView:
    events = tuple(sorted(webhook.events, key=lambda event: event.value))
    return view_of(webhook, WebhookView, events=events)


def _delivery_view(delivery: Delivery) -> DeliveryView:
    return view_of(delivery, DeliveryView)


_ALL, _ONE = "/api/v1/webhooks", "/api/v1/webhooks/{webhook_id}"
_MANAGE = Action.MANAGE_WEBHOOKS

ROUTES = (
    Route("GET", _ALL, "List webhooks", _MANAGE, list_webhooks, WebhooksView),
    Route(
        "POST",
        _ALL,
        "Add a webhook",
        _MANAGE,
        create_webhook,
        WebhookSecretView,
        body=NewWebhook,
        status=201,
        description="The secret is told this once. How to check a signature: docs/howto/webhooks.md.",
    ),
    Route("DELETE", _ONE, "Remove a webhook", _MANAGE, remove_webhook, None),
    Route(
        "POST", _ONE + "/secret", "Exchange the secret", _MANAGE, exchange_webhook_secret, WebhookSecretView
    ),
    Route("POST", _ONE + "/ping", "Send a test message", _MANAGE, ping_webhook, PingView),
    Route(
        "GET",
        _ONE + "/deliveries",
        "List what a receiver was told",
        _MANAGE,
        list_webhook_deliveries,
        Page[DeliveryView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/webhook_deliveries/{delivery_id}/retry",
        "Send a message once more",
        _MANAGE,
        retry_webhook_delivery,
        None,
    ),
)
