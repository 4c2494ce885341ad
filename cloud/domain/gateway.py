"""A gateway as the cloud sees it: a slot somebody made, and the box that speaks for it.

The invariant: who a gateway is comes from its credential alone; what it says of itself is health.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import GatewayId, SiteId, TenantId

# Boxes say hello every 10 s and post whenever something was read: a second hello may be late. With the
# interval at which somebody looks, a lost box is seen within 30 s.
OFFLINE_AFTER_MS = 25 * 1000
# A radio link that drops out for half a minute is seen, and wakes nobody.
ALARMED_AFTER_MS = 60 * 1000


class GatewayState(Enum):
    """Whether anybody speaks for the slot."""

    WAITING = "waiting"  # nobody yet
    ONLINE = "online"
    OFFLINE = "offline"
    REVOKED = "revoked"


class BlockState(Enum):
    """What became of a range of row numbers; every state counts as received."""

    TAKEN = "taken"
    ASIDE = "aside"  # malformed or contradicting: its bytes are kept among the problems
    LOST = "lost"  # the gateway's quota forced the rows out before they could be sent


@dataclass(frozen=True, slots=True)
class GatewayIdentity:
    """Who a request is from, proven by its credential; the actor of everything ingest does."""

    tenant_id: TenantId
    gateway_id: GatewayId
    site_id: SiteId
    code: str


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What a verified certificate says: whose it is, and since and until when it is valid."""

    tenant_id: TenantId
    gateway_id: GatewayId
    serial: str  # hexadecimal
    not_before_ms: int
    expires_at_ms: int


class Doubt(Enum):
    """Why we are no longer sure that only one box speaks for the slot."""

    DOUBLED = "doubled"  # two boxes take turns
    ROLLED_BACK = "rolled_back"  # a box runs on an old copy of itself


@dataclass(frozen=True, slots=True)
class GatewayPaper:
    """A slot's certificate as the cloud knows it, and whether anything about it is in doubt."""

    serial: str
    valid_from_ms: int
    expires_at_ms: int
    doubt: Doubt | None
    doubted_at_ms: int | None


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """What the box last said of itself."""

    at_ms: int
    agent_version: str
    config_version: str
    clock_quality: int
    backlog_rows: dict[str, int]
    oldest_row_at_ms: int | None
    devices_online: int
    devices_offline: int
    configuration: int = 0  # the number of the one that runs, 0 for the box's own file
    configuration_highest: int = 0
    clock_skew_ms: int | None = None  # the box's clock less ours when it greeted; None from an older agent
    storage_fault: str = ""  # why its disk takes nothing, "" while all is well


@dataclass(frozen=True, slots=True)
class Gateway:
    """One slot and its state at the time it was asked for."""

    gateway_id: GatewayId
    site_id: SiteId
    code: str
    name: str
    state: GatewayState
    last_seen_at_ms: int | None
    health: GatewayHealth | None
    device_count: int
    point_count: int
    problem_count: int
    paper: GatewayPaper | None = None  # None until a box has enrolled


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """How far one stream of a gateway has come: rows up to `acked_through` are all here.

    `gaps` are the closed ranges above it that are missing, lowest first; `lost_rows` counts what the
    gateway had to give up unsent.
    """

    stream: str
    epoch: int
    acked_through: int
    gaps: tuple[tuple[int, int], ...]
    lost_rows: int
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class IngestProblem:
    """A block that could not be taken, kept with its bytes until a person has settled it."""

    problem_id: str
    gateway_code: str
    stream: str
    epoch: int
    first_seq: int
    last_seq: int
    code: str
    detail: str
    payload_bytes: int
    received_at_ms: int
    settled_at_ms: int | None


def state_at(now_ms: int, *, enabled: bool, last_seen_at_ms: int | None) -> GatewayState:
    """Return the state of a slot last heard of at `last_seen_at_ms`."""
    if not enabled:
        return GatewayState.REVOKED
    if last_seen_at_ms is None:
        return GatewayState.WAITING
    return GatewayState.ONLINE if now_ms - last_seen_at_ms <= OFFLINE_AFTER_MS else GatewayState.OFFLINE
