"""Webhooks: telling another system what happened, until it says that it heard.

The invariant: what is told is written down in the transaction in which it happened, and its bytes never
change: a repetition is the same message under the same id. The signed text begins with the time of
sending, so an old message cannot be played again as a new one.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from cloud.domain.errors import Invalid
from cloud.domain.ids import DeliveryId, SiteId, WebhookId

_MINUTE_MS = 60_000
# At once, then after 1 min, 5 min, 30 min, 2 h, 6 h, 24 h: a lunch break, a night, a weekend's repair.
RETRY_AFTER_MS = tuple(minutes * _MINUTE_MS for minutes in (1, 5, 30, 120, 360, 1440))
# What could not be told for a week is given up; whoever wants it still reads it from the API.
GIVEN_UP_AFTER_MS = 7 * 24 * 60 * _MINUTE_MS
# While a secret is exchanged both are used, so the receiver can change over at any moment of a day.
SECRET_OVERLAP_MS = 24 * 60 * _MINUTE_MS
URL_LENGTH_MAX = 500
REPLY_LENGTH_MAX = 1_000


class WebhookEvent(Enum):
    """What can be subscribed to."""

    ALARM = "alarm"
    GATEWAY = "gateway"
    INVOICE = "invoice"
    PING = "ping"  # asked for by a person, to try a receiver


class DeliveryState(Enum):
    """Where a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver and what it hears of; `site_id` None: of all sites."""

    webhook_id: WebhookId
    url: str
    events: frozenset[WebhookEvent]
    site_id: SiteId | None
    created_at_ms: int
    disabled_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver, and what became of it."""

    delivery_id: DeliveryId
    webhook_id: WebhookId
    event: WebhookEvent
    state: DeliveryState
    attempts: int
    created_at_ms: int
    next_attempt_at_ms: int
    finished_at_ms: int | None
    last_status: int | None
    last_reply: str


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A message to be sent now: to where, signed with which secrets, and its bytes."""

    delivery_id: DeliveryId
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)
    attempts: int = 0
    created_at_ms: int = 0


def next_attempt_ms(attempts: int, created_at_ms: int, now_ms: int) -> int | None:
    """Return when to try again after `attempts` failures, or None to give up."""
    wait_ms = RETRY_AFTER_MS[min(attempts, len(RETRY_AFTER_MS)) - 1]
    at_ms = now_ms + wait_ms
    return at_ms if at_ms - created_at_ms <= GIVEN_UP_AFTER_MS else None


def signature(secrets: Sequence[str], at_ms: int, body: bytes) -> str:
    """Return the header: `t=<ms>,v1=<hex>`, one v1 a secret; HMAC-SHA256 of `<ms>.` and the body."""
    signed = f"{at_ms}.".encode() + body
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at_ms}", *(f"v1={digest}" for digest in digests)])


def checked_url(url: str, *, may_be_private: bool) -> str:
    """Return the address of a receiver if it is one: https to the outside.

    With `may_be_private` also http, and addresses of one's own network: a firm's own server.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid(f"webhook address {url!r}: {error}") from error
    schemes = ("https", "http") if may_be_private else ("https",)
    if len(url) > URL_LENGTH_MAX or parts.scheme not in schemes or not parts.hostname or parts.username:
        raise Invalid(f"webhook address {url!r}: expected {' or '.join(schemes)}://host[:port]/path")
    if not may_be_private and is_private_host(parts.hostname):
        raise Invalid(f"webhook address {url!r} is of this network; [webhooks] allow_private lets it in")
    return url


def is_private_host(host: str) -> bool:
    """Tell whether `host` is an address that is not of the open internet; a name is not an address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
