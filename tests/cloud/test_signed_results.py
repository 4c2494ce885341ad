"""What a box has signed of a command is taken; what it has not, under any name, is not."""

import base64
import datetime
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cloud.domain.command import CommandStep, IssuedCommand, Purpose
from cloud.domain.gateway import GatewayIdentity, ShownCertificate
from cloud.domain.ids import GatewayId
from cloud.domain.user import User
from cloud.services import alarms, commands, gateways
from cloud.store import audit, enrolments, points
from cloud.store.db import Database, Tx
from cloud.web.peer import says
from protocol.command import (
    COMMAND_RESULT,
    RESULT_KEY,
    RESULT_SIGNATURE,
    RESULT_STATEMENT,
    Action,
    CommandResult,
    CommandState,
    Report,
    SignedResult,
    encode_result,
)
from protocol.event import Event, EventState, Severity
from protocol.greeting import Hello
from protocol.sync import Stream
from provisioning.authority import (
    GatewayName,
    certificate_pem,
    gateway_certificate,
    key_fingerprint,
    new_key,
    new_root,
)
from provisioning.signing import signed_result
from tests.cloud.garden import add_gateway, add_manager, add_site, event_block, post
from tests.databases import START_MS, TENANT, FakeClock

AT_MS = START_MS + 700
NOW = datetime.datetime.fromtimestamp(START_MS / 1000, datetime.UTC)
ROOT = new_root("root", NOW)


class Door:
    """A box with a lock that was asked to open it, and the key it has a certificate for."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.manager: User = add_manager(database)
        self.gateway, _ = add_gateway(database, add_site(database))
        self.key = self.certified(self.gateway)

        def work(tx: Tx) -> None:
            points.ensure_devices(tx, self.gateway.gateway_id, {"lock-1"})
            gateways.hello(tx, self.gateway, Hello("1", "boot", 1, "c", 0, {}, None, 2, 0))

        database.write_now(TENANT, work)
        self.asked = self.ask()

    def ask(self) -> IssuedCommand:
        wish = ("lock-1", Action.DOOR_UNLOCK, Purpose.ACCESS, "送水师傅在门口")
        asked = self.database.write_now(
            TENANT, commands.request, self.manager, self.gateway.gateway_id, *wish
        )
        self.database.write_now(TENANT, commands.take_to_send, self.gateway, "nonce-1")
        return asked

    def certified(self, gateway: GatewayIdentity) -> ec.EllipticCurvePrivateKey:
        key = new_key()
        name = GatewayName(TENANT, gateway.gateway_id)
        pem = certificate_pem(gateway_certificate(ROOT, name, key.public_key(), NOW)).decode()
        serial = key_fingerprint(key.public_key())[:16]
        given = ShownCertificate(TENANT, GatewayId(gateway.gateway_id), serial, START_MS, START_MS + 1)
        self.database.write_now(
            TENANT, enrolments.insert_certificate, given, key_fingerprint(key.public_key()), pem
        )
        return key

    def word(self, **changed: str | CommandState) -> CommandResult:
        said = {
            "command_id": self.asked.command_id,
            "gateway_id": self.gateway.gateway_id,
            "device_id": "lock-1",
            "state": CommandState.DONE,
            "detail": "lock_state reads unlocked",
            **changed,
        }
        return CommandResult(**said, at_ms=AT_MS)  # type: ignore[arg-type]

    def tell(self, signed: SignedResult, state: CommandState = CommandState.DONE) -> CommandStep:
        """Tell it over the channel; return the last step of the command."""
        word = (self.gateway, self.asked.command_id, state, "beside it", AT_MS, signed)
        self.database.write_now(TENANT, commands.report, *word)
        return self.last()

    def last(self) -> CommandStep:
        _, steps = self.database.read_now(TENANT, commands.get_command, self.manager, self.asked.command_id)
        return steps[-1]


@pytest.fixture
def door(database: Database) -> Door:
    return Door(database)


def test_what_the_box_signed_is_kept_with_the_certificate_to_check_it(door: Door) -> None:
    signed = signed_result(door.word(), door.key)

    step = door.tell(signed, CommandState.REFUSED)  # what stands beside it does not count

    assert (step.state, step.detail) == (CommandState.DONE, "lock_state reads unlocked")
    assert step.by_edge_at_ms == AT_MS
    assert step.signature is not None
    assert (step.signature.statement, step.signature.signature) == (signed.statement, signed.signature)
    assert step.signature.certificate_pem is not None
    assert step.signature.certificate_pem.startswith("-----BEGIN CERTIFICATE")


def test_openssl_says_so_too(door: Door, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here")
    word = door.tell(signed_result(door.word(), door.key)).signature
    assert word is not None
    assert word.certificate_pem is not None
    statement, signature, key = (tmp_path / name for name in ("statement", "signature", "key.pem"))
    signature.write_bytes(base64.b64decode(word.signature))

    def says(text: str) -> str:
        statement.write_text(text)
        check = [openssl, "dgst", "-sha256", "-verify", key, "-signature", signature, statement]
        return subprocess.run(check, capture_output=True, text=True, check=False).stdout.strip()

    asked = [openssl, "x509", "-noout", "-pubkey", "-out", key]
    subprocess.run(asked, input=word.certificate_pem, text=True, check=True)

    assert says(word.statement) == "Verified OK"
    assert says(word.statement.replace("unlocked", "locked")) == "Verification failure"


def test_the_event_that_comes_days_later_carries_it_too_and_the_first_word_stands(
    door: Door, database: Database, clock: FakeClock
) -> None:
    clock.advance(days=3)
    database.write_now(TENANT, commands.give_up)
    signed = signed_result(door.word(), door.key)
    # The box has another key by now.
    door.certified(door.gateway)
    told = {
        "command_id": door.asked.command_id,
        "state": "done",
        RESULT_STATEMENT: signed.statement,
        RESULT_SIGNATURE: signed.signature,
        RESULT_KEY: signed.key_hash,
    }
    event = Event(COMMAND_RESULT, EventState.OCCURRED, Severity.INFO, "lock-1", AT_MS, "", attributes=told)

    post(database, door.gateway, [event_block(1, [event, event])], Stream.EVENT)

    step = door.last()
    assert step.state is CommandState.DONE
    assert step.signature is not None


def test_a_changed_word_leaves_the_command_unknown_with_the_reason(door: Door) -> None:
    signed = signed_result(door.word(state=CommandState.REFUSED, detail="policy"), door.key)
    changed = signed.statement.replace("refused", "done")
    assert changed != signed.statement

    step = door.tell(SignedResult(changed, signed.signature, signed.key_hash))

    assert step.state is CommandState.UNKNOWN
    assert step.detail.startswith("the box's word is not taken: the signature of key ")
    assert step.signature is None


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "MEQCIA=="])
def test_what_is_no_signature_is_none(door: Door, signature: str) -> None:
    whole = signed_result(door.word(), door.key)

    step = door.tell(SignedResult(whole.statement, signature, whole.key_hash))

    assert step.state is CommandState.UNKNOWN


def test_the_end_of_another_command_is_not_taken_for_this_one(door: Door) -> None:
    other = door.ask()

    step = door.tell(signed_result(door.word(command_id=other.command_id), door.key))

    assert step.state is CommandState.UNKNOWN
    assert f"it is signed for command {other.command_id}" in step.detail


def test_another_box_cannot_sign_for_this_one(door: Door, database: Database) -> None:
    other, _ = add_gateway(database, door.gateway.site_id, code="gw-2")
    key = door.certified(other)
    as_itself = signed_result(door.word(), key)
    under_our_name = SignedResult(
        as_itself.statement, as_itself.signature, key_fingerprint(door.key.public_key())
    )

    step = door.tell(under_our_name)

    assert step.state is CommandState.UNKNOWN


def test_what_is_no_end_is_not_taken_as_one(door: Door) -> None:
    step = door.tell(signed_result(door.word(state=CommandState.ACCEPTED), door.key))

    assert step.state is CommandState.UNKNOWN
    assert "accepted is no end of a command" in step.detail


def test_what_a_newer_box_says_more_is_kept_and_no_reason_to_doubt_the_rest(door: Door) -> None:
    statement = encode_result(door.word()).replace("{", '{"said_since":"7",', 1)
    signature = door.key.sign(statement.encode(), ec.ECDSA(hashes.SHA256()))
    key_hash = key_fingerprint(door.key.public_key())

    step = door.tell(SignedResult(statement, base64.b64encode(signature).decode(), key_hash))

    assert step.state is CommandState.DONE
    assert step.signature is not None
    assert step.signature.statement == statement


@pytest.mark.parametrize("statement", ["", "{}", '{"statement":"something else"}', '"done"'])
def test_what_says_something_else_is_no_result(door: Door, statement: str) -> None:
    signature = door.key.sign(statement.encode(), ec.ECDSA(hashes.SHA256()))
    key_hash = key_fingerprint(door.key.public_key())

    step = door.tell(SignedResult(statement, base64.b64encode(signature).decode(), key_hash))

    assert step.state is CommandState.UNKNOWN
    assert "command result: " in step.detail


def test_a_key_of_our_own_making_signs_for_nobody(door: Door) -> None:
    step = door.tell(signed_result(door.word(), new_key()))

    assert (step.state, step.signature) == (CommandState.UNKNOWN, None)
    assert step.detail.endswith(" was never given to this gateway")


def test_the_key_of_another_box_under_its_own_name_signs_for_that_box_alone(
    door: Door, database: Database
) -> None:
    other, _ = add_gateway(database, door.gateway.site_id, code="gw-2")

    step = door.tell(signed_result(door.word(), door.certified(other)))

    assert step.state is CommandState.UNKNOWN


def test_a_key_given_after_the_backup_counts_once_the_box_has_shown_its_certificate(
    door: Door, database: Database
) -> None:
    key, name = new_key(), GatewayName(TENANT, door.gateway.gateway_id)
    leaf = gateway_certificate(ROOT, name, key.public_key(), NOW)
    pem = certificate_pem(leaf).decode()
    database.write_now(TENANT, gateways.take_up, says(leaf), pem)

    step = door.tell(signed_result(door.word(), key))

    assert step.state is CommandState.DONE
    assert step.signature is not None
    assert step.signature.certificate_pem == pem


@pytest.mark.parametrize("way", ["channel", "event"])
def test_a_word_that_is_not_the_boxes_is_kept_and_shown_even_under_a_command_that_has_ended(
    door: Door, database: Database, way: str
) -> None:
    door.tell(signed_result(door.word(), door.key))
    forged = signed_result(door.word(state=CommandState.REFUSED), new_key())
    command_id = door.asked.command_id

    if way == "channel":
        said = Report(command_id, CommandState.REFUSED, "beside it", AT_MS, forged)
        database.write_now(TENANT, alarms.take_report, door.gateway, said)
    else:
        told = {"command_id": command_id, "state": "refused", **msgspec.structs.asdict(forged)}
        event = Event(
            COMMAND_RESULT, EventState.OCCURRED, Severity.INFO, "lock-1", AT_MS, "", attributes=told
        )
        post(database, door.gateway, [event_block(1, [event])], Stream.EVENT)

    why = f"key {forged.key_hash[:16]} was never given to this gateway"
    assert door.last().state is CommandState.DONE
    [alarm] = database.read_now(TENANT, alarms.list_alarms, door.manager).items
    assert (alarm.kind, alarm.message) == ("command_result_refused", f"gw-1: {why}")
    entries = database.read_now(TENANT, audit.entries_of, "command", command_id)
    [aside] = [entry.detail for entry in entries if entry.action == "refuse_command_result"]
    assert aside == {"why": why, **msgspec.structs.asdict(forged)}


def test_a_box_that_does_not_sign_yet_is_heard(door: Door, database: Database) -> None:
    word = (door.gateway, door.asked.command_id, CommandState.DONE, "unlocked", AT_MS)
    database.write_now(TENANT, commands.report, *word)

    assert (door.last().state, door.last().signature) == (CommandState.DONE, None)
