"""Which commands a box carries out: the good one, once, in time; and nothing else, whoever sent it."""

import os
import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.admission import Admitted, Desk, Interlock, Turned
from edge.intents import Intents
from protocol.command import (
    COMMAND_VERSION,
    Action,
    Command,
    CommandState,
    decode_command,
    encode_command,
    encode_signed,
)
from protocol.errors import EnvelopeError
from provisioning.config import CommandAllowance
from provisioning.signing import TrustedKey, key_id_of, signed

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
GATEWAY = "0199a000-0000-7000-8000-000000000001"
NONCE_AT_MS = 1_000_000
FORGERIES = int(os.environ.get("GATEHOUSE_FORGERIES", "3000"))


def command(**changed: object) -> Command:
    values: dict[str, object] = {
        "version": COMMAND_VERSION,
        "command_id": str(uuid.UUID(int=7)),
        "gateway_id": GATEWAY,
        "device_id": "lock-1",
        "action": Action.DOOR_UNLOCK,
        "parameters": {},
        "counter": 5,
        "nonce": "n1",
        "ttl_ms": 15_000,
        "actor_id": "user-1",
        "reason": "delivery at the gate",
        **changed,
    }
    return Command(**values)  # type: ignore[arg-type]


def message(key: Ed25519PrivateKey = KEY, **changed: object) -> bytes:
    return encode_signed(signed(command(**changed), key))


@pytest.fixture
def intents(tmp_path: Path):
    book = Intents(tmp_path / "commands.sqlite")
    yield book
    book.close()


def desk_with(intents: Intents, interlocks: tuple[Interlock, ...] = ()) -> Desk:
    trusted = {key_id_of(KEY.public_key()): TrustedKey(KEY.public_key(), frozenset(Action))}
    policy = (
        CommandAllowance("lock-*", frozenset({Action.DOOR_UNLOCK})),
        CommandAllowance("wm-*", frozenset({Action.VALVE_CLOSE, Action.VALVE_OPEN})),
    )
    desk = Desk(GATEWAY, trusted, policy, interlocks, intents.last_counter, intents.has_seen)
    desk.hand_out("n1", NONCE_AT_MS)
    return desk


def test_a_good_command_in_time_is_admitted_with_its_deadline(intents: Intents):
    desk = desk_with(intents)

    verdict = desk.admit(message(), NONCE_AT_MS + 15_000)

    assert verdict == Admitted(command(), NONCE_AT_MS + 15_000)


@pytest.mark.parametrize(
    ("changed", "state", "reason"),
    [
        ({"gateway_id": "0199a000-0000-7000-8000-000000000002"}, CommandState.REFUSED, "not for us"),
        ({"device_id": "em-101"}, CommandState.REFUSED, "local policy does not allow door_unlock for em-101"),
        ({"action": Action.RELAY_OPEN}, CommandState.REFUSED, "local policy does not allow relay_open"),
        ({"counter": 4}, CommandState.REFUSED, "counter 4 is not above 4"),
        ({"nonce": "n0"}, CommandState.EXPIRED, "not one handed out on this connection"),
        ({"ttl_ms": 1_999}, CommandState.EXPIRED, "up to 2000 ms old, it was good for 1999 ms"),
        ({"ttl_ms": 15_001}, CommandState.REFUSED, "allowed are 1 to 15000"),
        ({"version": 2}, CommandState.REFUSED, "version 2, expected 1"),
        ({"parameters": {"hold": "open"}}, CommandState.REFUSED, "parameters must be: none"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_check_turns_a_command_away_with_its_reason(
    intents: Intents, changed: dict[str, object], state: CommandState, reason: str
):
    intents.accept(command(counter=4, command_id="earlier"), 0)
    desk = desk_with(intents)

    verdict = desk.admit(message(**changed), NONCE_AT_MS + 2_000)

    assert isinstance(verdict, Turned)
    assert verdict.state is state
    assert reason in verdict.reason


def test_a_key_that_may_not_ask_for_the_action_is_refused(intents: Intents):
    desk = desk_with(intents)
    limited = TrustedKey(OTHER_KEY.public_key(), frozenset({Action.RAW_READ}))
    desk.trusted = {**desk.trusted, key_id_of(OTHER_KEY.public_key()): limited}

    verdict = desk.admit(message(OTHER_KEY), NONCE_AT_MS)

    assert isinstance(verdict, Turned)
    assert "may not ask for door_unlock" in verdict.reason


def test_an_accepted_command_is_never_admitted_again_even_after_a_restart(tmp_path: Path):
    first = Intents(tmp_path / "commands.sqlite")
    admitted = desk_with(first).admit(message(), NONCE_AT_MS)
    assert isinstance(admitted, Admitted)
    first.accept(admitted.command, 1)
    first.close()

    second = Intents(tmp_path / "commands.sqlite")
    again = desk_with(second).admit(message(), NONCE_AT_MS)

    assert isinstance(again, Turned)
    assert "not carried out twice" in again.reason
    assert [intent.command_id for intent in second.left_open()] == [command().command_id]
    second.close()


def test_a_lost_connection_takes_its_nonces_along(intents: Intents):
    desk = desk_with(intents)
    desk.withdraw_nonces()

    verdict = desk.admit(message(), NONCE_AT_MS + 1)

    assert isinstance(verdict, Turned)
    assert verdict.state is CommandState.EXPIRED


def test_an_interlock_refuses_while_it_is_held(intents: Intents):
    is_burning = True
    fire = Interlock(
        "the fire panel has released the doors", frozenset({Action.DOOR_UNLOCK}), lambda: is_burning
    )
    desk = desk_with(intents, (fire,))

    during = desk.admit(message(), NONCE_AT_MS)
    is_burning = False
    after = desk.admit(message(), NONCE_AT_MS)

    assert isinstance(during, Turned)
    assert during.reason == "the fire panel has released the doors"
    assert isinstance(after, Admitted)


def test_more_unlocks_a_minute_than_the_rule_allows_are_refused(intents: Intents):
    desk = desk_with(intents)

    verdicts = []
    for number in range(1, 8):
        sent = message(command_id=f"c{number}", counter=number)
        verdict = desk.admit(sent, NONCE_AT_MS + number)
        verdicts.append(type(verdict))
        if isinstance(verdict, Admitted):
            intents.accept(verdict.command, 0)

    assert verdicts == [Admitted] * 6 + [Turned]


def test_the_outcome_of_a_command_is_written_once(intents: Intents):
    intents.accept(command(), 1)

    intents.settle(command().command_id, CommandState.UNKNOWN, "power failed")
    intents.settle(command().command_id, CommandState.DONE, "a late voice")

    assert intents.left_open() == []
    row = intents._db.execute("SELECT outcome, detail FROM intent").fetchone()
    assert row == ("unknown", "power failed")


def test_no_forged_replayed_redirected_or_late_copy_is_ever_carried_out(intents: Intents):
    desk = desk_with(intents)
    genuine = message()
    accepted = desk.admit(genuine, NONCE_AT_MS)
    assert isinstance(accepted, Admitted)
    intents.accept(accepted.command, 0)
    rng = random.Random(20260701)

    def flipped() -> tuple[bytes, int]:
        mutable = bytearray(message(command_id=str(rng.random()), counter=9))
        mutable[rng.randrange(len(mutable))] ^= 1 << rng.randrange(8)
        return bytes(mutable), NONCE_AT_MS

    def truncated() -> tuple[bytes, int]:
        whole = message(command_id=str(rng.random()), counter=9)
        return whole[: rng.randrange(len(whole))], NONCE_AT_MS

    def replayed() -> tuple[bytes, int]:
        return genuine, NONCE_AT_MS + rng.randrange(100_000)

    def redirected() -> tuple[bytes, int]:
        return message(gateway_id=str(uuid.UUID(int=rng.getrandbits(128))), counter=9), NONCE_AT_MS

    def by_another_key() -> tuple[bytes, int]:
        return message(OTHER_KEY, counter=9), NONCE_AT_MS

    def late() -> tuple[bytes, int]:
        sent = message(command_id=str(rng.random()), counter=9, ttl_ms=rng.randrange(1, 15_001))
        return sent, NONCE_AT_MS + 15_001 + rng.randrange(10**9)

    def noise() -> tuple[bytes, int]:
        return rng.randbytes(rng.randrange(5_000)), NONCE_AT_MS

    kinds: list[Callable[[], tuple[bytes, int]]] = [
        flipped, truncated, replayed, redirected, by_another_key, late, noise,
    ]  # fmt: skip

    admitted = [
        kind.__name__
        for kind in (rng.choice(kinds) for _ in range(FORGERIES))
        if isinstance(desk.admit(*kind()), Admitted)
    ]

    assert admitted == []


def test_the_closed_set_of_actions_has_no_way_to_lock():
    words = {action.value for action in Action}

    assert not any("lock" in word and "unlock" not in word for word in words)
    with pytest.raises(EnvelopeError, match="Invalid enum value"):
        decode_command(encode_command(command()).replace(b"door_unlock", b"door_relock"))
