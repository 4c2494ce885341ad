"""What just changed, in a few words: told after commit to whoever is looking (`cloud.live`).

The invariant: a change is a hint to look again, never the only carrier of a fact; whoever misses one
finds the same state by reading.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import (
    AccountId,
    AlarmId,
    CommandId,
    GatewayId,
    InvoiceId,
    RepairId,
    SeriesId,
    SiteId,
    TenantId,
)
from protocol.event import Severity


@dataclass(frozen=True, slots=True)
class PointChange:
    """One point's newest reading, as `point_current` holds it now."""

    series_id: SeriesId
    key: str
    measured_at_ms: int
    value_micro: int | None
    quality: int


@dataclass(frozen=True, slots=True)
class ReadingsChanged:
    """Some points of one gateway say something new; one message a batch."""

    tenant_id: TenantId
    site_id: SiteId
    gateway_id: GatewayId
    received_at_ms: int
    points: tuple[PointChange, ...]


class AlarmAct(Enum):
    """What happened to an alarm."""

    RAISED = "raised"
    REPEATED = "repeated"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    HANDLED = "handled"  # given to somebody, noted upon, put aside, escalated


@dataclass(frozen=True, slots=True)
class AlarmChanged:
    """An alarm was raised, acknowledged or cleared."""

    tenant_id: TenantId
    site_id: SiteId
    alarm_id: AlarmId
    act: AlarmAct
    kind: str
    severity: Severity
    point_key: str
    message: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class EventRecorded:
    """An event came in; `is_historical` ones are for the record and make no noise."""

    tenant_id: TenantId
    site_id: SiteId
    gateway_id: GatewayId
    event_id: str
    kind: str
    state: str
    severity: Severity
    point_key: str
    message: str
    occurred_at_ms: int
    is_historical: bool


@dataclass(frozen=True, slots=True)
class GatewayChanged:
    """A gateway came, went, or said hello."""

    tenant_id: TenantId
    site_id: SiteId
    gateway_id: GatewayId
    state: str


@dataclass(frozen=True, slots=True)
class CommandChanged:
    """A command to a device was asked for, or came a step further."""

    tenant_id: TenantId
    site_id: SiteId
    gateway_id: GatewayId
    command_id: CommandId
    device_code: str
    action: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class InvoiceIssued:
    """An invoice was issued to an account."""

    tenant_id: TenantId
    site_id: SiteId
    invoice_id: InvoiceId
    account_id: AccountId
    total_fen: int


@dataclass(frozen=True, slots=True)
class RunningChargeChanged:
    """An account's charge so far in the running period."""

    tenant_id: TenantId
    site_id: SiteId
    account_id: AccountId
    period_code: str
    total_fen: int
    as_of_ms: int


@dataclass(frozen=True, slots=True)
class NoticeWritten:
    """A notice to somebody was written down; the outbox looks, nobody else is told whose it is."""

    tenant_id: TenantId
    site_id: SiteId


@dataclass(frozen=True, slots=True)
class RepairChanged:
    """A repair was told of or came a step further; `account_id` is whose home it is in."""

    tenant_id: TenantId
    site_id: SiteId
    repair_id: RepairId
    account_id: AccountId | None
    number: str
    state: str


Change = (
    ReadingsChanged
    | AlarmChanged
    | EventRecorded
    | GatewayChanged
    | CommandChanged
    | InvoiceIssued
    | RepairChanged
    | RunningChargeChanged
    | NoticeWritten
)
