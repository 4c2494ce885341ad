"""Commands to devices: asking, sending once, hearing what became of it, giving up in time.

The invariants: a command is written down with who and why before anything is sent; it is handed to a
connection at most once; and what is not known to have been done or refused ends as unknown, so that
somebody looks. Nothing here reads money, and nothing that reads money comes here.
"""

import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from cloud.domain.access import Action as Permission
from cloud.domain.access import require, require_recent
from cloud.domain.change import CommandChanged
from cloud.domain.command import (
    ANSWER_MS,
    COMMAND_POLICIES,
    REASON_LENGTH_MAX,
    REASON_LENGTH_MIN,
    WITHOUT_STEP_UP,
    CommandStep,
    IssuedCommand,
    Purpose,
    ttl_ms_of,
)
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from cloud.domain.gateway import GatewayIdentity, GatewayState
from cloud.domain.ids import CommandId, GatewayId, SiteId, is_uuid
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.user import User
from cloud.services import passages
from cloud.store import audit, commands, enrolments, gateways, points
from cloud.store.db import Tx
from protocol.command import (
    ACTION_RULES,
    COMMAND_VERSION,
    FINAL_STATES,
    RESULT_KEY,
    RESULT_SIGNATURE,
    RESULT_STATEMENT,
    Action,
    Command,
    CommandResult,
    CommandState,
    SignedResult,
)
from protocol.errors import EnvelopeError
from protocol.event import Event
from provisioning.authority import public_key_of
from provisioning.signing import SignatureRefused, verified_result

log = logging.getLogger(__name__)

_PENDING = frozenset({CommandState.REQUESTED, CommandState.SENT, CommandState.ACCEPTED})


def request(
    tx: Tx,
    actor: User,
    gateway_id: GatewayId,
    device_code: str,
    action: Action,
    purpose: Purpose,
    reason: str,
    parameters: Mapping[str, str] | None = None,
) -> IssuedCommand:
    """Ask for an act; Conflict while the gateway is not there, for a command is never kept for later."""
    policy = COMMAND_POLICIES[action]
    require(actor, policy.allowed_by)
    if policy.allowed_by not in WITHOUT_STEP_UP:
        require_recent(actor, tx.now_ms)
    if actor.person_id is None:
        raise Forbidden("only a person can ask a device to act")
    if purpose not in policy.purposes:
        listed = ", ".join(sorted(one.value for one in policy.purposes))
        message = f"{action.value} is not asked for {purpose.value}; its purposes are {listed}"
        raise Invalid(message, [Problem("/purpose", message)])
    reason = reason.strip()
    if not REASON_LENGTH_MIN <= len(reason) <= REASON_LENGTH_MAX:
        message = (
            f"say why in {REASON_LENGTH_MIN} to {REASON_LENGTH_MAX} characters; it is kept with the command"
        )
        raise Invalid(message, [Problem("/reason", message)])
    expected = ACTION_RULES[action].parameters
    if frozenset(parameters or {}) != expected:
        message = f"{action.value} takes the parameters: {', '.join(sorted(expected)) or 'none'}"
        raise Invalid(message, [Problem("/parameters", message)])
    box = gateways.find_gateway(tx, gateway_id)
    if box is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    if not points.has_device(tx, gateway_id, device_code):
        raise NotFound(f"gateway {box.code} has no device {device_code!r}")
    if box.state is not GatewayState.ONLINE:
        raise Conflict(
            f"gateway {box.code} is {box.state.value}: nothing was sent, and nothing is kept for later"
        )
    commands.lock_gateway(tx, gateway_id)
    command_id = commands.insert_command(
        tx,
        box.site_id,
        gateway_id,
        device_code,
        action,
        parameters or {},
        purpose,
        reason,
        actor.person_id,
    )
    detail = {"action": action.value, "device": device_code, "purpose": purpose.value, "reason": reason}
    audit.record(tx, actor.user_id, "request_command", "command", command_id, detail)
    return _told(tx, command_id)


def take_to_send(tx: Tx, gateway: GatewayIdentity, nonce: str) -> list[Command]:
    """Return what waits to be sent to a gateway, each marked as sent: once handed out, never again.

    What has waited longer than it is good for is ended instead.
    """
    found: list[Command] = []
    for waiting in commands.in_states(tx, {CommandState.REQUESTED}, gateway.gateway_id):
        left_ms = waiting.requested_at_ms + ttl_ms_of(waiting.action) - tx.now_ms
        if left_ms <= 0:
            _move(tx, waiting, CommandState.EXPIRED, "the gateway had no connection for it in time")
            continue
        if not commands.move(tx, waiting.command_id, CommandState.SENT, ""):
            continue
        _told(tx, waiting.command_id)
        found.append(
            Command(
                COMMAND_VERSION,
                waiting.command_id,
                gateway.gateway_id,
                waiting.device_code,
                waiting.action,
                dict(waiting.parameters),
                waiting.counter,
                nonce,
                left_ms,
                waiting.actor_id,
                waiting.reason,
            )
        )
    return found


def report(
    tx: Tx,
    gateway: GatewayIdentity,
    command_id: CommandId,
    state: CommandState,
    detail: str,
    at_ms: int,
    signed: SignedResult | None = None,
) -> str:
    """Take a gateway's word on one of its own commands; repetitions and others' commands change nothing.

    What it has signed counts, not what stands beside it; where the signature does not hold, or is under
    the end of another command, the command is unknown until somebody has looked, the word is kept in the
    audit log as it came, and why is returned. "" in every other case.
    """
    found = commands.find_command(tx, command_id)
    if found is None or found.gateway_id != gateway.gateway_id:
        return ""
    if signed is None:
        _move(tx, found, state, detail, at_ms)
        return ""
    try:
        said = _checked(tx, found, signed)
    except (SignatureRefused, EnvelopeError) as error:
        log.warning("a command's result is not taken", extra={"command": command_id, "why": str(error)})
        aside = {"why": str(error), **msgspec.structs.asdict(signed)}
        audit.record(tx, None, "refuse_command_result", "command", command_id, aside)
        _move(tx, found, CommandState.UNKNOWN, f"the box's word is not taken: {error}", at_ms)
        return str(error)
    _move(tx, found, said.state, said.detail, said.at_ms, signed)
    return ""


def _checked(tx: Tx, found: IssuedCommand, signed: SignedResult) -> CommandResult:
    """Return what the box has signed of this command; SignatureRefused or EnvelopeError if it has not.

    Any key the gateway ever had will do: what was signed before a renewal may come after it. One given
    after the backup we were restored from is known since the box has shown its certificate.
    """
    pem = enrolments.certificate_for_key(tx, found.gateway_id, signed.key_hash, 0)
    if pem is None:
        raise SignatureRefused(f"key {signed.key_hash[:16]} was never given to this gateway")
    said = verified_result(signed, public_key_of(pem))
    if (said.command_id, said.gateway_id) != (found.command_id, found.gateway_id):
        raise SignatureRefused(f"it is signed for command {said.command_id} of gateway {said.gateway_id}")
    if said.state not in FINAL_STATES:
        raise SignatureRefused(f"{said.state.value} is no end of a command")
    return said


def take_result(tx: Tx, gateway: GatewayIdentity, happened: Event) -> str:
    """Take the outcome of a command from the event that carries it, however late it comes; as `report`."""
    try:
        state = CommandState(happened.attributes.get("state", ""))
    except ValueError:
        return ""  # a newer box's word; the event itself is kept
    command_id = happened.attributes.get("command_id", "")
    if is_uuid(command_id):
        word = (happened.message, happened.occurred_at_ms, _signed_in(happened.attributes))
        return report(tx, gateway, CommandId(command_id), state, *word)
    return ""


def _signed_in(attributes: Mapping[str, str]) -> SignedResult | None:
    """Return the signature that an event carries; None from a box that does not sign yet."""
    if RESULT_STATEMENT not in attributes:
        return None
    names = (RESULT_STATEMENT, RESULT_SIGNATURE, RESULT_KEY)
    return SignedResult(*(attributes.get(name, "") for name in names))


def give_up(tx: Tx) -> int:
    """End every command that can no longer come to a good end; return how many."""
    ended = 0
    for found in commands.in_states(tx, _PENDING):
        expired_at_ms = found.requested_at_ms + ttl_ms_of(found.action)
        if found.state is CommandState.REQUESTED:
            if tx.now_ms > expired_at_ms:
                _move(tx, found, CommandState.EXPIRED, "the gateway had no connection for it in time")
                ended += 1
        elif tx.now_ms > expired_at_ms + ANSWER_MS:
            # It may have been carried out; the box will say so when it can be heard again.
            _move(tx, found, CommandState.UNKNOWN, "no answer: it may or may not have been done")
            ended += 1
    return ended


def get_command(tx: Tx, actor: User, command_id: CommandId) -> tuple[IssuedCommand, list[CommandStep]]:
    """Return one command and its steps, oldest first."""
    require(actor, Permission.READ_COMMANDS)
    found = commands.find_command(tx, command_id)
    if found is None:
        raise NotFound(f"there is no command {command_id}")
    return found, commands.steps_of(tx, command_id)


def gateway_code_of(tx: Tx, actor: User, command: IssuedCommand) -> str:
    """Return the code of the gateway a command was for."""
    require(actor, Permission.READ_COMMANDS)
    box = gateways.find_gateway(tx, command.gateway_id)
    return "" if box is None else box.code


def list_commands(
    tx: Tx,
    actor: User,
    site_id: SiteId | None = None,
    cursor: str | None = None,
    limit: int = 50,
    device_code: str | None = None,
) -> Page[IssuedCommand]:
    """Return commands, the last asked for first."""
    require(actor, Permission.READ_COMMANDS)
    checked_limit(limit)
    before = None
    if cursor:
        at_ms, command_id = key_from_cursor(cursor, int, UUID)
        before = (int(at_ms), str(command_id))
    found: Sequence[IssuedCommand] = commands.list_commands(tx, site_id, before, limit + 1, device_code)
    return page_of(found, limit, lambda last: (last.requested_at_ms, last.command_id))


def _move(
    tx: Tx,
    found: IssuedCommand,
    state: CommandState,
    detail: str,
    by_edge_at_ms: int | None = None,
    signed: SignedResult | None = None,
) -> None:
    if not commands.move(tx, found.command_id, state, detail, by_edge_at_ms, signed):
        return
    if state is not CommandState.ACCEPTED:
        outcome = {"state": state.value, "detail": detail}
        audit.record(tx, None, "command_outcome", "command", found.command_id, outcome)
        passages.take_command(tx, found, state)
    _told(tx, found.command_id)


def _told(tx: Tx, command_id: CommandId) -> IssuedCommand:
    found = commands.find_command(tx, command_id)
    assert found is not None, "a command is never deleted"
    tx.announce(
        CommandChanged(
            tx.tenant_id,
            found.site_id,
            found.gateway_id,
            found.command_id,
            found.device_code,
            found.action.value,
            found.state.value,
            found.detail,
        )
    )
    return found
