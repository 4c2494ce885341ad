"""Commands from the cloud: admit, write down, act, read back, tell. The decisions are in `edge.admission`.

The invariants: a command is on our disk before its device is asked; a device is asked twice only where
the action's rule says that twice is the same as once; an outcome that is not known is `unknown`.
Nothing here depends on the wall clock. Outcomes travel on the channel at once and, so that none is
lost, as events through the buffer.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.actuator import Actuator
from edge.admission import Admitted, Desk, Turned
from edge.clock import Clock
from edge.errors import EXCHANGE_FAILURES, CloudFault, LineDown, Offline, StorageFault, Unconfirmed
from edge.identity import Identity
from edge.intake import Intake
from edge.intents import Intents
from edge.interlocks import interlocks_of
from edge.read_back import ReadBack
from protocol.command import (
    ACTION_RULES,
    COMMAND_RESULT,
    RESULT_KEY,
    RESULT_SIGNATURE,
    RESULT_STATEMENT,
    Action,
    CommandResult,
    CommandState,
    Nonce,
    Report,
    SignedResult,
    encode_message,
)
from protocol.errors import Refused
from protocol.event import Event, EventState, Severity
from protocol.sync import COMMANDS_PATH, CONNECT_TIMEOUT_S
from provisioning.config import CommandSettings, DeviceId
from provisioning.signing import TrustedKey, key_id_of

log = logging.getLogger(__name__)

# A fresh nonce this often: a command can be older than it says by at most this much.
NONCE_EVERY_S = 5.0
HEARTBEAT_S = 10.0
_REPEAT_PAUSE_S = 1.0
# What is signed must arrive uncut, in one text of an event and in one message of the channel.
_SIGNED_DETAIL_MAX = 800
_RECONNECT_S = (1.0, 30.0)

# Failures by which a device surely has not acted.
_NOT_DONE = (Refused, LineDown, Offline)
# Those by which it may have.
_IN_DOUBT: tuple[type[Exception], ...] = (Unconfirmed, *EXCHANGE_FAILURES)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    state: CommandState
    detail: str


class Downlink:
    """The end of the command channel on the box."""

    def __init__(
        self,
        identity: Identity,
        desk: Desk,
        intents: Intents,
        actuators: Mapping[DeviceId, Actuator],
        intake: Intake,
        clock: Clock,
    ) -> None:
        self.is_connected = False
        self.fault = ""
        self._identity = identity
        self._desk = desk
        self._intents = intents
        self._actuators = actuators
        self._intake = intake
        self._clock = clock
        self._admission = asyncio.Lock()
        self._devices: dict[str, asyncio.Lock] = {}

    async def run(self) -> None:
        """Say what became of commands that a power cut interrupted; then listen for ever."""
        for left in await asyncio.to_thread(self._intents.left_open):
            outcome = Outcome(CommandState.UNKNOWN, "the box stopped while it was being carried out")
            await self._settle(left.command_id, left.device_id, outcome)
        pause_s = _RECONNECT_S[0]
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                try:
                    await self._connected(session)
                    pause_s = _RECONNECT_S[0]
                except* (aiohttp.ClientError, OSError, TimeoutError, CloudFault) as away:
                    self._fall(str(away.exceptions[0]))
                await asyncio.sleep(secrets.SystemRandom().uniform(pause_s / 2, pause_s))
                pause_s = min(_RECONNECT_S[1], pause_s * 2)

    async def _connected(self, session: aiohttp.ClientSession) -> None:
        url = self._identity.credential.cloud_url.rstrip("/") + COMMANDS_PATH
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            channel = await session.ws_connect(url, ssl=self._identity.tls, heartbeat=HEARTBEAT_S)
        async with channel, asyncio.TaskGroup() as group:
            self.is_connected, self.fault = True, ""
            nonces = group.create_task(self._hand_out_nonces(channel))
            try:
                async for message in channel:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        group.create_task(self.take(message.data, channel))
            finally:
                self.is_connected = False
                self._desk.withdraw_nonces()
                nonces.cancel()
        raise CloudFault(f"the command channel was closed ({channel.close_code})")

    async def _hand_out_nonces(self, channel: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            nonce = secrets.token_hex(16)
            # Counted from before it leaves: a command can only seem older than it is, never younger.
            self._desk.hand_out(nonce, self._clock.monotonic_ms())
            await channel.send_str(encode_message(Nonce(nonce)))
            await asyncio.sleep(NONCE_EVERY_S)

    async def take(self, message: bytes, channel: aiohttp.ClientWebSocketResponse | None = None) -> None:
        """Deal with one message from the cloud, to its end."""
        async with self._admission:  # one at a time, or two copies could both find no trace of the other
            verdict = self._desk.admit(message, self._clock.monotonic_ms())
            if isinstance(verdict, Admitted):
                verdict = await self._written_down(verdict)
        if isinstance(verdict, Turned):
            log.warning("command turned away", extra={"command": verdict.command_id, "why": verdict.reason})
            if verdict.command_id:
                outcome = Outcome(verdict.state, verdict.reason)
                await self._tell(verdict.command_id, "", outcome, channel)
            return
        command = verdict.command
        await self._report(command.command_id, Outcome(CommandState.ACCEPTED, ""), channel)
        async with self._devices.setdefault(command.device_id, asyncio.Lock()):
            outcome = await self._carried_out(verdict)
        await self._settle(command.command_id, command.device_id, outcome, channel)

    async def _written_down(self, admitted: Admitted) -> Admitted | Turned:
        command = admitted.command
        actuator = self._actuators.get(DeviceId(command.device_id))
        if actuator is None or command.action not in actuator.actions:
            reason = f"{command.device_id} cannot {command.action.value}"
            return Turned(command.command_id, CommandState.REFUSED, reason)
        try:
            await asyncio.to_thread(self._intents.accept, command, self._clock.wall_ms())
        except StorageFault as error:
            reason = f"it could not be written down, so it was not done: {error}"
            return Turned(command.command_id, CommandState.REFUSED, reason)
        return admitted

    async def _carried_out(self, admitted: Admitted) -> Outcome:
        command = admitted.command
        rule = ACTION_RULES[command.action]
        actuator = self._actuators[DeviceId(command.device_id)]
        began_at_ms = self._clock.monotonic_ms()
        back = ReadBack(self._intake, self._clock, actuator, command.device_id, command.action)
        while True:
            if self._clock.monotonic_ms() > admitted.deadline_mono_ms:
                return Outcome(CommandState.EXPIRED, "too late: the device was busy with another command")
            try:
                said = await actuator.act(command.action, command.parameters)
            except _NOT_DONE as error:
                return Outcome(CommandState.REFUSED, str(error))
            except Unconfirmed as error:
                return Outcome(CommandState.UNKNOWN, str(error))
            except EXCHANGE_FAILURES as error:
                if not rule.may_repeat:
                    return await self._doubted(back, str(error))
                if self._clock.monotonic_ms() + _REPEAT_PAUSE_S * 1000 > admitted.deadline_mono_ms:
                    return await self._doubted(back, str(error))
                await asyncio.sleep(_REPEAT_PAUSE_S)
                continue
            took_ms = self._clock.monotonic_ms() - began_at_ms
            log.info("command carried out", extra={"command": command.command_id, "took_ms": took_ms})
            return await self._doubted(back, "", said)

    async def _doubted(self, back: ReadBack, error: str, said: str = "") -> Outcome:
        """Read back what the device shows: only that decides between done and unknown."""
        if not back.point:
            state = CommandState.UNKNOWN if error else CommandState.DONE
            return Outcome(state, error or said)
        shown = await back.shown()
        if shown == back.expected:
            return Outcome(CommandState.DONE, f"{back.point} reads {shown}")
        still = f"{back.point} still reads {shown or 'nothing'}"
        return Outcome(CommandState.UNKNOWN, error or (f"{still}; {said}" if said else still))

    def has_opened(self, badge_id: str) -> bool:
        """Tell whether a badge that lets in once has done so."""
        return self._intents.has_opened(badge_id)

    def own_refusal(self, device_id: str) -> str:
        """Return why the box may not open a door for a badge now; "" where it may."""
        actuator = self._actuators.get(DeviceId(device_id))
        if actuator is None or Action.DOOR_UNLOCK not in actuator.actions:
            return f"{device_id} cannot {Action.DOOR_UNLOCK.value}"
        return self._desk.own_refusal(Action.DOOR_UNLOCK, device_id)

    async def open_door(self, device_id: str, badge_id: str, *, is_once: bool) -> Outcome:
        """Open a door once because the box itself has decided so, and read back; written down before.

        What cannot be written down is not done where it may be done only once; otherwise a full disk
        keeps nobody out of their home.
        """
        number = None
        try:
            number = await asyncio.to_thread(
                self._intents.accept_opening, badge_id, device_id, self._clock.wall_ms(), is_once=is_once
            )
        except StorageFault as error:
            if is_once:
                return Outcome(CommandState.REFUSED, f"it could not be written down: {error}")
            log.warning("an opening is not written down", extra={"device": device_id, "reason": str(error)})
        async with self._devices.setdefault(device_id, asyncio.Lock()):
            actuator = self._actuators[DeviceId(device_id)]
            back = ReadBack(self._intake, self._clock, actuator, device_id, Action.DOOR_UNLOCK)
            try:
                said = await actuator.act(Action.DOOR_UNLOCK, {})
            except _NOT_DONE as error:
                outcome = Outcome(CommandState.REFUSED, str(error))
            except _IN_DOUBT as error:
                outcome = await self._doubted(back, str(error))
            else:
                outcome = await self._doubted(back, "", said)
        if number is not None:
            await asyncio.to_thread(self._intents.settle_opening, number, outcome.state)
        return outcome

    async def _settle(
        self,
        command_id: str,
        device_id: str,
        outcome: Outcome,
        channel: aiohttp.ClientWebSocketResponse | None = None,
    ) -> None:
        """Write the outcome down and tell it; the event goes first, so a cut between the two repeats it."""
        await self._tell(command_id, device_id, outcome, channel)
        await asyncio.to_thread(self._intents.settle, command_id, outcome.state, outcome.detail)

    async def _tell(
        self,
        command_id: str,
        device_id: str,
        outcome: Outcome,
        channel: aiohttp.ClientWebSocketResponse | None,
    ) -> None:
        severity = Severity.MAJOR if outcome.state is CommandState.UNKNOWN else Severity.INFO
        told = {"command_id": command_id, "state": outcome.state.value}
        at_ms, detail = self._clock.wall_ms(), outcome.detail[:_SIGNED_DETAIL_MAX]
        gateway_id = self._identity.credential.gateway.gateway_id
        result = CommandResult(command_id, gateway_id, device_id, outcome.state, detail, at_ms)
        # Signed before it is stored: the key may be another one by the time it is sent.
        signed = self._identity.sign(result)
        if signed is not None:
            told[RESULT_STATEMENT], told[RESULT_SIGNATURE] = signed.statement, signed.signature
            told[RESULT_KEY] = signed.key_hash
        event = Event(
            COMMAND_RESULT, EventState.OCCURRED, severity, device_id, at_ms, detail, attributes=told
        )
        await asyncio.shield(self._intake.accept((), [event]))
        await self._report(command_id, outcome, channel, signed)

    async def _report(
        self,
        command_id: str,
        outcome: Outcome,
        channel: aiohttp.ClientWebSocketResponse | None,
        signed: SignedResult | None = None,
    ) -> None:
        if channel is None or channel.closed:
            return
        report = Report(command_id, outcome.state, outcome.detail, self._clock.wall_ms(), signed)
        try:
            await channel.send_str(encode_message(report))
        except (ConnectionError, aiohttp.ClientError):
            # The event says the same, on another connection.
            log.info("command channel lost before its report", extra={"command": command_id})

    def _fall(self, reason: str) -> None:
        if reason != self.fault:
            log.warning("command channel is down", extra={"reason": reason})
        self.fault = reason


@contextlib.asynccontextmanager
async def open_downlink(
    settings: CommandSettings,
    identity: Identity,
    actuators: Mapping[DeviceId, Actuator],
    intake: Intake,
    clock: Clock,
) -> AsyncIterator[Downlink]:
    """Open the book of commands and make the downlink; close the book at the end."""
    intents = await asyncio.to_thread(Intents, settings.path)
    public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity.credential.command_key))
    # The cloud's key may ask for anything; what this box does for it is the local policy's word.
    trusted = {key_id_of(public_key): TrustedKey(public_key, frozenset(Action))}
    desk = Desk(
        identity.credential.gateway.gateway_id,
        trusted,
        settings.allowances,
        interlocks_of(settings, intake),
        intents.last_counter,
        intents.has_seen,
    )
    try:
        yield Downlink(identity, desk, intents, actuators, intake, clock)
    finally:
        await asyncio.to_thread(intents.close)
