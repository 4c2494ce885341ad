"""Whether a command may be carried out: plain decisions, in one fixed order, without waiting.

The invariant: `Desk.admit` lets a command pass at most once in the life of the box. The order is
signature, addressee, repetition, counter, nonce, age, policy, interlock, rate; the first that fails
gives the reason. Age is measured on the monotonic clock from when this box handed out the nonce the
command carries: a wall clock at 1970 or a message queued for an hour changes nothing.

After `admit` the caller must have the intent on disk before it acts (`edge.intents`).
"""

import fnmatch
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.command import ACTION_RULES, Action, Command, CommandState, decode_signed
from protocol.errors import EnvelopeError
from provisioning.config import CommandAllowance
from provisioning.signing import SignatureRefused, TrustedKey, verified

# A nonce is handed out every few seconds; older ones than any lifetime are of no use to anybody.
NONCE_LIFE_MS = max(rule.ttl_ms_max for rule in ACTION_RULES.values())
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Interlock:
    """While `is_held` says so, these actions are refused, whoever asks."""

    reason: str
    actions: frozenset[Action]
    is_held: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Admitted:
    """Carry it out now, once; `deadline_mono_ms` is when even the device may no longer be asked."""

    command: Command
    deadline_mono_ms: int


@dataclass(frozen=True, slots=True)
class Turned:
    """Not carried out. `command_id` is empty where the message could not be trusted to name one."""

    command_id: str
    state: CommandState
    reason: str


@dataclass(slots=True)
class Desk:
    """What decides: who we are, whom we trust, what is allowed, and what we have seen."""

    gateway_id: str
    trusted: Mapping[str, TrustedKey]
    policy: Sequence[CommandAllowance]
    interlocks: Sequence[Interlock]
    # Of the intents on disk: the highest counter ever admitted, and whether an id was.
    last_counter: Callable[[], int]
    has_seen: Callable[[str], bool]
    _nonces: dict[str, int] = field(default_factory=dict)
    _recent: dict[tuple[str, Action], deque[int]] = field(default_factory=dict)

    def hand_out(self, nonce: str, now_mono_ms: int) -> None:
        """Remember a nonce now given to the cloud, and forget those too old for any command."""
        self._nonces = {n: at for n, at in self._nonces.items() if now_mono_ms - at <= NONCE_LIFE_MS}
        self._nonces[nonce] = now_mono_ms

    def withdraw_nonces(self) -> None:
        """Forget every nonce: the connection they were given on is gone."""
        self._nonces.clear()

    def admit(self, message: bytes, now_mono_ms: int) -> Admitted | Turned:
        """Decide about one message from the cloud. Never raises for what the message holds."""
        try:
            command = verified(decode_signed(message), self.trusted)
        except (EnvelopeError, SignatureRefused) as error:
            return Turned("", CommandState.REFUSED, str(error))
        return self._judged(command, now_mono_ms)

    def _judged(self, command: Command, now_mono_ms: int) -> Admitted | Turned:
        if command.gateway_id != self.gateway_id:
            # Not ours to answer for: naming its id in a result would let one gateway settle another's.
            return Turned("", CommandState.REFUSED, f"command for gateway {command.gateway_id}, not for us")
        refusal = self._repetition(command) or self._policy_refusal(command.action, command.device_id)
        if refusal:
            return Turned(command.command_id, CommandState.REFUSED, refusal)
        handed_out_at = self._nonces.get(command.nonce)
        if handed_out_at is None:
            return self._expired(command, "its nonce is not one handed out on this connection")
        age_ms = now_mono_ms - handed_out_at
        if age_ms > command.ttl_ms:
            return self._expired(command, f"up to {age_ms} ms old, it was good for {command.ttl_ms} ms")
        if held := self._interlock_refusal(command.action):
            return Turned(command.command_id, CommandState.REFUSED, held)
        if not self._within_rate(command, now_mono_ms):
            most = ACTION_RULES[command.action].per_device_per_minute_max
            reason = f"more than {most} {command.action.value} a minute for {command.device_id}"
            return Turned(command.command_id, CommandState.REFUSED, reason)
        return Admitted(command, handed_out_at + command.ttl_ms)

    def _repetition(self, command: Command) -> str:
        if self.has_seen(command.command_id):
            return "this command was received before; it is not carried out twice"
        if command.counter <= self.last_counter():
            return f"counter {command.counter} is not above {self.last_counter()}: out of order or replayed"
        return ""

    def own_refusal(self, action: Action, device_id: str) -> str:
        """Return why not even the box itself may do something now; "" where it may.

        How often is for the reader to say: at eight in the morning a door opens for one after another.
        """
        return self._policy_refusal(action, device_id) or self._interlock_refusal(action)

    def _policy_refusal(self, action: Action, device_id: str) -> str:
        for line in self.policy:
            if action in line.actions and fnmatch.fnmatchcase(device_id, line.devices):
                return ""
        return f"the local policy does not allow {action.value} for {device_id}"

    def _interlock_refusal(self, action: Action) -> str:
        held = (one.reason for one in self.interlocks if action in one.actions and one.is_held())
        return next(held, "")

    def _expired(self, command: Command, why: str) -> Turned:
        return Turned(command.command_id, CommandState.EXPIRED, f"too late: {why}")

    def _within_rate(self, command: Command, now_mono_ms: int) -> bool:
        most = ACTION_RULES[command.action].per_device_per_minute_max
        recent = self._recent.setdefault((command.device_id, command.action), deque(maxlen=most))
        if len(recent) == most and now_mono_ms - recent[0] < _MINUTE_MS:
            return False
        recent.append(now_mono_ms)
        return True
