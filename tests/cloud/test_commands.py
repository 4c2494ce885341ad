"""Commands are written down with who and why, sent once, and never left without an end."""

import pytest
import sqlalchemy as sa

from cloud.domain.change import CommandChanged
from cloud.domain.command import ANSWER_MS, IssuedCommand, Purpose
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.user import Role, User
from cloud.services import commands, gateways
from cloud.store import points
from cloud.store.db import Database, Tx
from protocol.command import ACTION_RULES, COMMAND_RESULT, Action, CommandState
from protocol.event import Event, EventState, Severity
from protocol.greeting import Hello
from protocol.sync import Stream
from tests.cloud.garden import add_gateway, add_manager, add_site, event_block, post
from tests.databases import OTHER_TENANT, START_MS, TENANT, FakeClock


@pytest.fixture
def gateway(database: Database) -> GatewayIdentity:
    """A gateway that is online and has a lock and a water meter."""
    identity, _ = add_gateway(database, add_site(database))

    def work(tx: Tx) -> None:
        points.ensure_devices(tx, identity.gateway_id, {"lock-1", "wm-101"})
        gateways.hello(tx, identity, Hello("1", "boot", 1, "c", 0, {}, None, 2, 0))

    database.write_now(TENANT, work)
    return identity


@pytest.fixture
def manager(database: Database) -> User:
    """Somebody who may."""
    return add_manager(database)


def unlock(database: Database, manager: User, gateway: GatewayIdentity, **changed: object) -> IssuedCommand:
    """Ask for the door."""
    asked = {
        "device_code": "lock-1",
        "action": Action.DOOR_UNLOCK,
        "purpose": Purpose.ACCESS,
        "reason": "送水师傅在门口",
        **changed,
    }
    return database.write_now(TENANT, commands.request, manager, gateway.gateway_id, **asked)


def states(database: Database, manager: User, command: IssuedCommand) -> list[str]:
    """The steps of a command's life."""
    _, steps = database.read_now(TENANT, commands.get_command, manager, command.command_id)
    return [step.state.value for step in steps]


def test_a_command_goes_from_asked_to_done_with_every_step_kept(
    database: Database, clock: FakeClock, gateway: GatewayIdentity, manager: User
) -> None:
    asked = unlock(database, manager, gateway)
    clock.advance(ms=300)
    [sent] = database.write_now(TENANT, commands.take_to_send, gateway, "nonce-1")
    report = (gateway, asked.command_id)
    database.write_now(TENANT, commands.report, *report, CommandState.ACCEPTED, "", clock.now_ms)
    database.write_now(TENANT, commands.report, *report, CommandState.DONE, "unlocked", clock.now_ms)

    assert (sent.command_id, sent.nonce, sent.ttl_ms, sent.counter) == (
        asked.command_id,
        "nonce-1",
        14_700,
        START_MS,
    )
    assert states(database, manager, asked) == ["requested", "sent", "accepted", "done"]
    [listed] = database.read_now(TENANT, commands.list_commands, manager).items
    assert (listed.state, listed.detail, listed.actor_name) == (CommandState.DONE, "unlocked", "物业经理")


def test_a_command_is_handed_out_once(database: Database, gateway: GatewayIdentity, manager: User) -> None:
    unlock(database, manager, gateway)

    first = database.write_now(TENANT, commands.take_to_send, gateway, "n")
    second = database.write_now(TENANT, commands.take_to_send, gateway, "n")

    assert (len(first), second) == (1, [])


def test_numbers_to_a_gateway_only_rise(database: Database, gateway: GatewayIdentity, manager: User) -> None:
    asked = [unlock(database, manager, gateway).counter for _ in range(3)]

    # From the time on: a cloud restored from a backup must not give numbers it had given before.
    assert asked == [START_MS, START_MS + 1, START_MS + 2]


def test_what_waited_too_long_is_expired_and_never_sent(
    database: Database, clock: FakeClock, gateway: GatewayIdentity, manager: User
) -> None:
    asked = unlock(database, manager, gateway)
    clock.advance(s=15)

    assert database.write_now(TENANT, commands.take_to_send, gateway, "n") == []
    assert states(database, manager, asked) == ["requested", "expired"]


def test_a_sent_command_of_which_nothing_is_heard_becomes_unknown(
    database: Database, clock: FakeClock, gateway: GatewayIdentity, manager: User
) -> None:
    asked = unlock(database, manager, gateway)
    database.write_now(TENANT, commands.take_to_send, gateway, "n")
    clock.advance(ms=15_000 + ANSWER_MS)
    assert database.write_now(TENANT, commands.give_up) == 0
    clock.advance(ms=1)

    assert database.write_now(TENANT, commands.give_up) == 1

    assert states(database, manager, asked) == ["requested", "sent", "unknown"]


def test_the_box_word_that_comes_days_later_by_event_settles_the_doubt(
    database: Database, clock: FakeClock, gateway: GatewayIdentity, manager: User
) -> None:
    asked = unlock(database, manager, gateway)
    database.write_now(TENANT, commands.take_to_send, gateway, "n")
    clock.advance(days=3)
    database.write_now(TENANT, commands.give_up)
    told = {"command_id": asked.command_id, "state": "done"}
    event = Event(
        COMMAND_RESULT, EventState.OCCURRED, Severity.INFO, "lock-1", 5, "read back", attributes=told
    )

    post(database, gateway, [event_block(1, [event, event])], Stream.EVENT)

    assert states(database, manager, asked) == ["requested", "sent", "unknown", "done"]


def test_an_end_is_an_end(database: Database, gateway: GatewayIdentity, manager: User) -> None:
    asked = unlock(database, manager, gateway)
    database.write_now(TENANT, commands.take_to_send, gateway, "n")
    database.write_now(TENANT, commands.report, gateway, asked.command_id, CommandState.REFUSED, "policy", 1)

    database.write_now(TENANT, commands.report, gateway, asked.command_id, CommandState.DONE, "", 2)

    assert states(database, manager, asked) == ["requested", "sent", "refused"]


def test_a_gateway_cannot_settle_the_command_of_another(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    asked = unlock(database, manager, gateway)
    database.write_now(TENANT, commands.take_to_send, gateway, "n")
    other, _ = add_gateway(database, gateway.site_id, code="gw-2")

    database.write_now(TENANT, commands.report, other, asked.command_id, CommandState.DONE, "", 1)

    assert states(database, manager, asked) == ["requested", "sent"]


def test_nothing_is_kept_for_a_gateway_that_is_away(
    database: Database, clock: FakeClock, gateway: GatewayIdentity, manager: User
) -> None:
    clock.advance(minutes=5)

    with pytest.raises(Conflict, match="gw-1 is offline: nothing was sent"):
        unlock(database, manager, gateway)

    assert database.read_now(TENANT, commands.list_commands, manager).items == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"purpose": Purpose.OWNER_REQUEST}, "door_unlock is not asked for owner_request"),
        ({"reason": " "}, "say why in 2 to 200 characters"),
        ({"parameters": {"hold": "1"}}, "door_unlock takes the parameters: none"),
    ],
)
def test_a_request_without_sense_is_refused_with_the_field(
    database: Database, gateway: GatewayIdentity, manager: User, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        unlock(database, manager, gateway, **changed)


def test_an_unknown_device_is_named(database: Database, gateway: GatewayIdentity, manager: User) -> None:
    with pytest.raises(NotFound, match="gw-1 has no device 'lock-9'"):
        unlock(database, manager, gateway, device_code="lock-9")


@pytest.mark.parametrize("role", [Role.RESIDENT, Role.FINANCE, Role.AUDITOR, Role.MAINTENANCE])
def test_who_has_no_business_with_doors_is_refused(
    database: Database, gateway: GatewayIdentity, manager: User, role: Role
) -> None:
    other = User(manager.user_id, TENANT, role, "")

    with pytest.raises(Forbidden, match="may not command doors"):
        unlock(database, other, gateway)


def test_no_purpose_is_about_money() -> None:
    words = {purpose.value for purpose in Purpose}

    assert not words & {"arrears", "debt", "payment", "unpaid", "fee"}


def test_another_company_sees_and_settles_nothing(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    asked = unlock(database, manager, gateway)
    stranger = add_manager(database, OTHER_TENANT)

    with pytest.raises(NotFound):
        database.read_now(OTHER_TENANT, commands.get_command, stranger, asked.command_id)
    assert database.write_now(OTHER_TENANT, commands.give_up) == 0


def test_a_request_is_told_to_whoever_holds_the_connection(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    heard: list[object] = []
    database._on_commit = heard.extend

    asked = unlock(database, manager, gateway)

    assert [(c.command_id, c.state) for c in heard if isinstance(c, CommandChanged)] == [
        (asked.command_id, "requested")
    ]


def test_every_action_can_be_written_down(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    for action in Action:
        purpose = Purpose.MAINTENANCE
        parameters = dict.fromkeys(ACTION_RULES[action].parameters, "1")

        asked = unlock(database, manager, gateway, action=action, purpose=purpose, parameters=parameters)

        assert asked.action is action


def test_commands_are_still_never_deleted(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    unlock(database, manager, gateway)

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        database.write_now(TENANT, lambda tx: tx.conn.exec_driver_sql("DELETE FROM command"))
