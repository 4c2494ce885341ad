"""A command as the cloud keeps it: who asked what of which device, why, and what became of it.

What may be asked, for how long it is good and which states follow each other is in
`protocol.command`, which both sides share. Here is who must say what for: acts on a supply need
one of a closed list of purposes, and money is not among them. No law lets a property company cut water
or power to collect a debt (Civil Code art. 944(3)), so there is no such purpose to choose, and
nothing that knows of arrears can make a command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cloud.domain import access
from cloud.domain.ids import CommandId, GatewayId, SiteId, UserId
from protocol.command import ACTION_RULES, Action, CommandState

REASON_LENGTH_MIN, REASON_LENGTH_MAX = 2, 200
# After its lifetime a command that was sent may still be at work: the device's answer, the reading back.
ANSWER_MS = 15_000


class Purpose(Enum):
    """What a command is for."""

    ACCESS = "access"  # somebody has a right to come in
    EMERGENCY = "emergency"  # water is running, people are in danger
    MAINTENANCE = "maintenance"  # work on the device or the pipe
    OWNER_REQUEST = "owner_request"  # whose supply it is has asked for it
    TEST = "test"
    WATCH = "watch"  # to see what goes on


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """Who may ask for an action, and what for."""

    allowed_by: access.Action
    purposes: frozenset[Purpose]


_SUPPLY = CommandPolicy(
    access.Action.COMMAND_SUPPLY,
    frozenset({Purpose.EMERGENCY, Purpose.MAINTENANCE, Purpose.OWNER_REQUEST, Purpose.TEST}),
)
_DEVICES = CommandPolicy(access.Action.COMMAND_DEVICES, frozenset({Purpose.MAINTENANCE, Purpose.TEST}))
_DOORS = CommandPolicy(
    access.Action.COMMAND_DOORS,
    frozenset({Purpose.ACCESS, Purpose.EMERGENCY, Purpose.MAINTENANCE, Purpose.TEST}),
)

_CAMERAS = CommandPolicy(
    access.Action.LOOK_AT_CAMERAS,
    frozenset({Purpose.EMERGENCY, Purpose.MAINTENANCE, Purpose.TEST, Purpose.WATCH}),
)

# What is asked without showing anew who one is: nothing moves, and an alarm leaves no time for it.
WITHOUT_STEP_UP = frozenset({access.Action.COMMAND_DEVICES, access.Action.LOOK_AT_CAMERAS})

COMMAND_POLICIES: Mapping[Action, CommandPolicy] = MappingProxyType(
    {
        Action.BROADCAST_TIME: _DEVICES,
        Action.DOOR_UNLOCK: _DOORS,
        Action.FREEZE_TOTALS: _DEVICES,
        Action.RAW_READ: _DEVICES,
        Action.RELAY_CLOSE: _SUPPLY,
        Action.RELAY_OPEN: _SUPPLY,
        Action.SET_POINT: _DEVICES,
        Action.SHOW_LIVE: _CAMERAS,
        Action.TAKE_PICTURE: _CAMERAS,
        Action.VALVE_CLOSE: _SUPPLY,
        Action.VALVE_OPEN: _SUPPLY,
    }
)


@dataclass(frozen=True, slots=True)
class IssuedCommand:
    """One command and where it stands."""

    command_id: CommandId
    site_id: SiteId
    gateway_id: GatewayId
    device_code: str
    device_title: str
    action: Action
    parameters: Mapping[str, str]
    purpose: Purpose
    reason: str
    actor_id: UserId
    actor_name: str
    counter: int
    state: CommandState
    detail: str
    requested_at_ms: int
    sent_at_ms: int | None
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True)
class BoxSignature:
    """The box's signature under the end of a command, and what it takes to check it without us."""

    statement: str  # what was signed, as it came
    signature: str  # base64 of ECDSA, P-256 with SHA-256, in DER
    key_hash: str
    certificate_pem: str | None  # given for that key; None for what was taken before such keys were refused


@dataclass(frozen=True, slots=True)
class CommandStep:
    """One change of a command's state; `by_edge_at_ms` is the box's own time of it, if it was the box's."""

    at_ms: int
    state: CommandState
    detail: str
    by_edge_at_ms: int | None
    signature: BoxSignature | None = None


def ttl_ms_of(action: Action) -> int:
    """Return how long a command for the action is good: as long as it may be."""
    return ACTION_RULES[action].ttl_ms_max
