"""A command: one act that the cloud asks one gateway to do, once, soon, or not at all.

What is signed is the encoded bytes, and those bytes travel, so nothing has to be written the same way
twice. The invariants: the set of actions is closed and has no way to lock or hold a door; a
command that comes late is refused, never done late; and a door is asked to open at most once.

The life of a command, `TRANSITIONS`:

    requested → sent → accepted → done
        │         │        └────→ unknown     the device did not answer, or power failed in between
        └─────────┴──→ refused | expired      said why
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from protocol.errors import UNREADABLE, EnvelopeError

COMMAND_VERSION = 1

# The kind of event by which a box tells the outcome: `attributes` hold command_id, state and detail.
COMMAND_RESULT = "command_result"

# Under these names the same event's `attributes` hold what a `SignedResult` does.
RESULT_STATEMENT, RESULT_SIGNATURE, RESULT_KEY = "statement", "signature", "key_hash"

# The longest command has a few short texts in it; anything larger is not one.
COMMAND_BYTES_MAX = 4_096


class CommandState(Enum):
    """Where a command stands. The last four are final."""

    REQUESTED = "requested"  # written down by the cloud, with who and why
    SENT = "sent"  # handed to the gateway's connection
    ACCEPTED = "accepted"  # admitted by the edge, intent on its disk, about to act
    DONE = "done"  # acted, and read back as asked
    REFUSED = "refused"  # not done: signature, audience, policy, rate, interlock, or the device said no
    EXPIRED = "expired"  # not done: too late
    UNKNOWN = "unknown"  # it may or may not have been done: somebody must look


_S = CommandState
FINAL_STATES = frozenset({_S.DONE, _S.REFUSED, _S.EXPIRED, _S.UNKNOWN})
TRANSITIONS: Mapping[CommandState, frozenset[CommandState]] = MappingProxyType(
    {
        _S.REQUESTED: frozenset({_S.SENT, _S.REFUSED, _S.EXPIRED}),
        # A lost connection leaves it open whether a sent command arrived: unknown, unless it says so itself.
        _S.SENT: frozenset({_S.ACCEPTED, _S.DONE, _S.REFUSED, _S.EXPIRED, _S.UNKNOWN}),
        _S.ACCEPTED: frozenset({_S.DONE, _S.REFUSED, _S.UNKNOWN}),
        _S.DONE: frozenset(),
        _S.REFUSED: frozenset(),
        _S.EXPIRED: frozenset(),
        # The edge's own word, arriving after we gave up waiting, settles the doubt.
        _S.UNKNOWN: frozenset({_S.DONE, _S.REFUSED, _S.EXPIRED}),
    }
)


class Action(Enum):
    """Everything that may be asked of a device. What is not here cannot be asked."""

    BROADCAST_TIME = "broadcast_time"
    DOOR_UNLOCK = "door_unlock"
    FREEZE_TOTALS = "freeze_totals"
    RAW_READ = "raw_read"
    RELAY_CLOSE = "relay_close"
    RELAY_OPEN = "relay_open"
    SET_POINT = "set_point"
    SHOW_LIVE = "show_live"
    TAKE_PICTURE = "take_picture"
    VALVE_CLOSE = "valve_close"
    VALVE_OPEN = "valve_open"


class LocalAction(Enum):
    """What only the box itself decides, because of what its own devices say.

    It is no `Action`, so no command can carry it: a door is released by a fire and returned to its
    reader when the fire is over, and nobody far away can do, or undo, either. A picture of an alarm is
    taken by the box as well, since the cloud may hear of the alarm a day later.
    """

    ALARM_PICTURE = "alarm_picture"  # what a camera sees as something is raised
    DOOR_RELEASE = "door_release"  # open, and held open
    DOOR_RETURN = "door_return"  # under its reader or its own latch again


Act: TypeAlias = Action | LocalAction


@dataclass(frozen=True, slots=True)
class ActionRule:
    """What holds for every command of an action, whatever the cloud says.

    `confirmed_by` is the quantity read back and the code it must show; None where there is nothing to
    read back. `may_repeat` allows the edge to send it to the device again after no reply: only where
    doing it twice is the same as doing it once. `parameters` are the names it must carry.
    """

    ttl_ms_max: int
    may_repeat: bool
    per_device_per_minute_max: int
    confirmed_by: tuple[str, str] | None = None
    parameters: frozenset[str] = frozenset()


# Lifetimes and rates: a person stands at the door, so seconds; a valve may take a minute to turn.
ACTION_RULES: Mapping[Action, ActionRule] = MappingProxyType(
    {
        Action.BROADCAST_TIME: ActionRule(10_000, may_repeat=False, per_device_per_minute_max=1),
        Action.DOOR_UNLOCK: ActionRule(
            15_000, may_repeat=False, per_device_per_minute_max=6, confirmed_by=("lock_state", "unlocked")
        ),
        # Twice would be another instant.
        Action.FREEZE_TOTALS: ActionRule(10_000, may_repeat=False, per_device_per_minute_max=1),
        Action.RAW_READ: ActionRule(
            60_000, may_repeat=True, per_device_per_minute_max=60, parameters=frozenset({"frame"})
        ),
        Action.RELAY_CLOSE: ActionRule(
            60_000, may_repeat=False, per_device_per_minute_max=2, confirmed_by=("relay_state", "closed")
        ),
        Action.RELAY_OPEN: ActionRule(
            60_000, may_repeat=False, per_device_per_minute_max=2, confirmed_by=("relay_state", "open")
        ),
        Action.SET_POINT: ActionRule(
            60_000,
            may_repeat=True,
            per_device_per_minute_max=10,
            parameters=frozenset({"point", "value"}),
        ),
        Action.SHOW_LIVE: ActionRule(
            15_000, may_repeat=False, per_device_per_minute_max=4, parameters=frozenset({"seconds", "view"})
        ),
        # Sent twice it is taken twice under one id: the cloud keeps the first.
        Action.TAKE_PICTURE: ActionRule(
            30_000, may_repeat=True, per_device_per_minute_max=12, parameters=frozenset({"picture"})
        ),
        Action.VALVE_CLOSE: ActionRule(
            60_000, may_repeat=True, per_device_per_minute_max=4, confirmed_by=("valve_state", "closed")
        ),
        Action.VALVE_OPEN: ActionRule(
            60_000, may_repeat=True, per_device_per_minute_max=4, confirmed_by=("valve_state", "open")
        ),
    }
)


def confirmed_by(act: Act) -> tuple[str, str] | None:
    """Return the point by which an act is read back and the code it must show; None if nothing shows it."""
    if isinstance(act, Action):
        return ACTION_RULES[act].confirmed_by
    return ("lock_state", "unlocked") if act is LocalAction.DOOR_RELEASE else None


class Command(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One act asked of one device of one gateway.

    `counter` rises with every command to that gateway. `nonce` is one the edge handed out on the
    connection now open; the edge counts `ttl_ms` on its own monotonic clock from when it handed that
    nonce out, so no wall clock, right or wrong, can make an old command young.
    """

    version: int
    command_id: str  # UUID, made by the cloud before sending
    gateway_id: str
    device_id: str  # the device's id in the gateway's configuration
    action: Action
    parameters: dict[str, str]
    counter: int
    nonce: str
    ttl_ms: int
    actor_id: str  # who asked; an id, never a name
    reason: str


class SignedCommand(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A command as it travels: the bytes that were signed, the Ed25519 signature, and whose it is."""

    payload: bytes
    signature: bytes  # 64 bytes, RFC 8032
    key_id: str


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_command_decoder = msgspec.msgpack.Decoder(Command)
_signed_decoder = msgspec.msgpack.Decoder(SignedCommand)


def encode_command(command: Command) -> bytes:
    """Return the bytes to be signed."""
    return _encoder.encode(command)


def decode_command(payload: bytes) -> Command:
    """Return the command; EnvelopeError for an unknown action, field or version, or a missing parameter.

    Call it only on bytes whose signature has been verified.
    """
    try:
        command = _command_decoder.decode(payload)
    except UNREADABLE as error:
        raise EnvelopeError(f"command: {error}") from error
    if command.version != COMMAND_VERSION:
        raise EnvelopeError(f"command: version {command.version}, expected {COMMAND_VERSION}")
    rule = ACTION_RULES[command.action]
    if frozenset(command.parameters) != rule.parameters:
        expected = ", ".join(sorted(rule.parameters)) or "none"
        raise EnvelopeError(f"command {command.action.value}: parameters must be: {expected}")
    if not 0 < command.ttl_ms <= rule.ttl_ms_max:
        allowed = f"allowed are 1 to {rule.ttl_ms_max}"
        raise EnvelopeError(f"command {command.action.value}: lifetime {command.ttl_ms} ms, {allowed}")
    return command


def encode_signed(signed: SignedCommand) -> bytes:
    """Return a signed command for the wire."""
    return _encoder.encode(signed)


def decode_signed(message: bytes) -> SignedCommand:
    """Return a signed command whose signature nobody has looked at yet; EnvelopeError if it is none."""
    if len(message) > COMMAND_BYTES_MAX:
        raise EnvelopeError(f"command: {len(message)} bytes, at most {COMMAND_BYTES_MAX} are one")
    try:
        return _signed_decoder.decode(message)
    except UNREADABLE as error:
        raise EnvelopeError(f"command: {error}") from error


class CommandResult(
    msgspec.Struct,
    frozen=True,
    tag_field="statement",
    tag="gatehouse command result v1",
):
    """How a command ended, in the words the box signs: JSON, so that whoever checks it can also read it.

    It begins with what it is: no other thing signed by the same key can pass for it. Fields are added,
    never re-meant: what a newer box says more is kept in the text, and no reason to doubt the rest.
    """

    command_id: str
    gateway_id: str
    device_id: str  # empty where the box turned the command away before looking for the device
    state: CommandState
    detail: str
    at_ms: int  # the box's own clock


class SignedResult(msgspec.Struct, frozen=True):
    """A result as it travels and is kept: the text that was signed, and by which of the box's keys."""

    statement: str  # a CommandResult
    signature: str  # base64 of ECDSA, P-256 with SHA-256, in DER
    key_hash: str  # SHA-256 of the public key, 64 hex digits


_result_decoder = msgspec.json.Decoder(CommandResult)


def encode_result(result: CommandResult) -> str:
    """Return the text to be signed."""
    return msgspec.json.encode(result).decode()


def decode_result(statement: str) -> CommandResult:
    """Return what a statement says; EnvelopeError if it is no command's result."""
    try:
        return _result_decoder.decode(statement)
    except UNREADABLE as error:
        raise EnvelopeError(f"command result: {error}") from error


class Nonce(msgspec.Struct, frozen=True, tag="nonce"):
    """Edge to cloud: the next commands must carry this."""

    nonce: str


class Report(msgspec.Struct, frozen=True, tag="report"):
    """Edge to cloud: a command came a step further. The last step also travels as an event."""

    command_id: str
    state: CommandState
    detail: str
    at_ms: int
    signed: SignedResult | None = None  # under the last step


_uplink_decoder = msgspec.json.Decoder(Nonce | Report)


def encode_message(message: Nonce | Report) -> str:
    """Return a message from the edge as the text that travels."""
    return msgspec.json.encode(message).decode()


def decode_message(text: str) -> Nonce | Report:
    """Return a message from the edge; EnvelopeError if it is none."""
    if len(text) > COMMAND_BYTES_MAX:
        raise EnvelopeError(f"command channel: {len(text)} characters, at most {COMMAND_BYTES_MAX}")
    try:
        message: Nonce | Report = _uplink_decoder.decode(text)
    except UNREADABLE as error:
        raise EnvelopeError(f"command channel: {error}") from error
    return message
