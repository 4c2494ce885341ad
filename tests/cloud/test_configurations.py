"""Configurations: drafted from what runs, sent once they are right, followed, and never sent twice."""

import pytest
import sqlalchemy as sa

from cloud.domain.configuration import Configuration
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.user import Role, User
from cloud.services import configurations, gateways
from cloud.store.db import Database
from protocol.configuration import ConfigurationState, Report, Running
from protocol.greeting import Hello, Welcome
from provisioning.difference import Kind, difference
from provisioning.document import Document
from tests.cloud.garden import add_gateway, add_manager, add_site
from tests.databases import TENANT, FakeClock

S = ConfigurationState
OWN = """\
[gateway]
code = "gw-1"
time_zone = "Asia/Shanghai"

[[lines]]
id = "bus-1"
transport = "tcp"
host = "192.0.2.10"
port = 4001

[[devices]]
id = "em-101"
line = "bus-1"
profile = "dlt645_single_phase"
address = "202607000101"
interval_s = 60

[[devices]]
id = "em-102"
line = "bus-1"
profile = "dlt645_single_phase"
address = "202607000102"
"""
SLOWER = OWN.replace("interval_s = 60", "interval_s = 300")


def greet(
    database: Database, gateway: GatewayIdentity, version: str, running: int = 0, highest: int = 0
) -> Welcome:
    said = Hello("1", "boot", 1, version, 0, {}, None, 2, 0, running, highest)
    return database.write_now(TENANT, gateways.hello, gateway, said)


@pytest.fixture
def gateway(database: Database) -> GatewayIdentity:
    """A gateway that has told what its own file says: configuration 1."""
    identity, _ = add_gateway(database, add_site(database))
    assert greet(database, identity, Document(OWN).digest()).wants_configuration
    database.write_now(TENANT, configurations.take_running, identity, Running(0, OWN, {}))
    assert not greet(database, identity, Document(OWN).digest()).wants_configuration
    return identity


@pytest.fixture
def manager(database: Database) -> User:
    """Somebody who may."""
    return add_manager(database)


def draft(
    database: Database, manager: User, gateway: GatewayIdentity, text: str, **profiles: str
) -> Configuration:
    document = Document(text, profiles)
    return database.write_now(
        TENANT, configurations.write_draft, manager, gateway.gateway_id, document, "值班调整"
    )


def send(database: Database, manager: User, written: Configuration, watch_s: int = 60) -> Configuration:
    return database.write_now(TENANT, configurations.send, manager, written.configuration_id, "", watch_s)


def report(
    database: Database, gateway: GatewayIdentity, number: int, state: ConfigurationState, *why: str
) -> None:
    told = Report(number, state, list(why), 1_788_192_000_000)
    database.write_now(TENANT, configurations.take_report, gateway, told)


def steps(database: Database, manager: User, one: Configuration) -> list[str]:
    _, found = database.read_now(TENANT, configurations.get_configuration, manager, one.configuration_id)
    return [step.state.value for step in found]


def test_a_configuration_is_drafted_sent_offered_and_followed_to_its_end(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    written = draft(database, manager, gateway, SLOWER)
    assert greet(database, gateway, Document(OWN).digest()).configuration == 0
    sent = send(database, manager, written)
    assert greet(database, gateway, Document(OWN).digest()).configuration == 2
    bundle = database.read_now(TENANT, configurations.offered, gateway, 0)
    for state in (S.STAGED, S.APPLIED, S.HEALTHY):
        report(database, gateway, 2, state)
    greet(database, gateway, Document(SLOWER).digest(), running=2, highest=2)

    assert (sent.number, sent.state, sent.based_on, sent.author_name) == (2, S.SENT, 1, "物业经理")
    assert bundle is not None
    assert (bundle.number, bundle.text, bundle.watch_s, bundle.gateway_id) == (
        2,
        SLOWER,
        60,
        gateway.gateway_id,
    )
    assert steps(database, manager, sent) == ["draft", "sent", "staged", "applied", "healthy"]
    runs = database.read_now(TENANT, configurations.running, manager, gateway.gateway_id)
    assert runs is not None and runs.number == 2
    assert database.read_now(TENANT, configurations.offered, gateway, 2) is None


def test_why_it_went_back_stays_with_the_number(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    sent = send(database, manager, draft(database, manager, gateway, SLOWER))
    report(database, gateway, 2, S.APPLIED)
    report(database, gateway, 2, S.ROLLED_BACK, "em-101 answered before and does not answer now")
    report(database, gateway, 2, S.STAGED)  # late, and no news any more

    found, _ = database.read_now(TENANT, configurations.get_configuration, manager, sent.configuration_id)
    assert (found.state, found.reasons) == (
        S.ROLLED_BACK,
        ("em-101 answered before and does not answer now",),
    )
    assert steps(database, manager, sent) == ["draft", "sent", "applied", "rolled_back"]


def test_a_draft_may_be_wrong_and_is_not_sent_before_it_is_right(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    wrong = (
        OWN.replace("192.0.2.10", "192.0.2.11")
        .replace('"202607000102"', '"2026"')
        .replace('"bus-1"\np', '"bus-9"\np', 1)
    )
    written = draft(database, manager, gateway, wrong)

    with pytest.raises(Invalid) as refused:
        send(database, manager, written)

    assert [problem.detail for problem in refused.value.problems] == [
        "devices[0] (em-101).line: there is no line 'bus-9'; known are 'bus-1'",
        "devices[1] (em-102).address: expected 12 digits in quotes, got '2026'",
    ]
    assert draft(database, manager, gateway, SLOWER).number == written.number
    assert send(database, manager, written).state is S.SENT


@pytest.mark.parametrize("table", ["page", "commands", "gateway"])
def test_the_boxs_own_word_is_not_changed_from_afar(
    database: Database, gateway: GatewayIdentity, manager: User, table: str
) -> None:
    text = OWN.replace("Shanghai", "Urumqi") if table == "gateway" else f"{SLOWER}\n[{table}]\n"
    text = text + "port = 0\n" if table == "page" else text
    written = draft(database, manager, gateway, text)

    with pytest.raises(
        Invalid, match=f"^{table}: differs from the gateway's own file, and is only changed there"
    ):
        send(database, manager, written)


def test_a_newer_one_overtakes_what_the_gateway_has_not_got_and_waits_for_what_it_tries(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    first = send(database, manager, draft(database, manager, gateway, SLOWER))
    second = send(database, manager, draft(database, manager, gateway, SLOWER.replace("300", "600")))
    report(database, gateway, second.number, S.STAGED)
    third = draft(database, manager, gateway, SLOWER.replace("300", "900"))
    with pytest.raises(Conflict, match="configuration 3 is on trial"):
        send(database, manager, third)
    report(database, gateway, second.number, S.HEALTHY)
    greet(database, gateway, Document(SLOWER.replace("300", "600")).digest(), 3, 3)

    assert steps(database, manager, first) == ["draft", "sent", "withdrawn"]
    assert send(database, manager, third).state is S.SENT


def test_going_back_is_a_new_number_with_the_old_words(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    send(database, manager, draft(database, manager, gateway, SLOWER))
    report(database, gateway, 2, S.HEALTHY)
    greet(database, gateway, Document(SLOWER).digest(), 2, 2)
    first = database.read_now(TENANT, configurations.find_number, manager, gateway.gateway_id, 1)

    back = database.write_now(TENANT, configurations.revert, manager, first.configuration_id)

    assert (back.number, back.state, back.based_on, back.document.text) == (3, S.DRAFT, 1, OWN)
    assert send(database, manager, back).state is S.SENT


def test_what_runs_already_is_not_sent(database: Database, gateway: GatewayIdentity, manager: User) -> None:
    with pytest.raises(Conflict, match="configuration 2 says what 1 says, which runs already"):
        send(database, manager, draft(database, manager, gateway, OWN))


def test_a_gateway_knows_numbers_that_a_restored_cloud_has_forgotten(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    greet(database, gateway, Document(OWN).digest(), running=0, highest=7)

    assert draft(database, manager, gateway, SLOWER).number == 8


def test_a_file_edited_on_the_box_is_taken_down_as_found(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    assert greet(database, gateway, Document(SLOWER).digest()).wants_configuration
    database.write_now(TENANT, configurations.take_running, gateway, Running(0, SLOWER, {}))
    database.write_now(TENANT, configurations.take_running, gateway, Running(0, SLOWER, {}))

    listed = database.read_now(TENANT, configurations.list_configurations, manager, gateway.gateway_id).items
    assert [(one.number, one.state) for one in listed] == [(2, S.FOUND), (1, S.FOUND)]


def test_a_guard_sees_nothing_and_a_reader_changes_nothing(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    guard = User(manager.user_id, TENANT, Role.GUARD, "保安")
    auditor = User(manager.user_id, TENANT, Role.AUDITOR, "审计")
    with pytest.raises(Forbidden):
        database.read_now(TENANT, configurations.list_configurations, guard, gateway.gateway_id)
    with pytest.raises(Forbidden):
        database.write_now(TENANT, configurations.write_draft, auditor, gateway.gateway_id, Document(SLOWER))


def test_another_gateways_word_changes_nothing(
    database: Database, gateway: GatewayIdentity, manager: User
) -> None:
    other, _ = add_gateway(database, gateway.site_id, code="gw-2")
    sent = send(database, manager, draft(database, manager, gateway, SLOWER))
    report(database, other, sent.number, S.HEALTHY)

    assert steps(database, manager, sent) == ["draft", "sent"]
    assert database.read_now(TENANT, configurations.offered, other, 0) is None


def test_steps_are_never_changed(database: Database, gateway: GatewayIdentity, clock: FakeClock) -> None:
    del gateway, clock
    with pytest.raises(sa.exc.DatabaseError, match="append-only"):
        database.write_now(
            TENANT, lambda tx: tx.conn.execute(sa.text("UPDATE configuration_step SET state = 'healthy'"))
        )


def test_a_difference_names_what_changed_and_whom_it_disturbs() -> None:
    after = SLOWER.replace(
        "port = 4001", "port = 4001\n[[lines]]\nid = 'bus-2'\ntransport = 'serial'\npath = '/dev/ttyUSB0'"
    )
    after = after.replace('id = "em-102"\nline = "bus-1"', 'id = "em-103"\nline = "bus-2"')
    found = difference(Document(OWN), Document(after))

    told = [(change.kind, change.thing, change.name) for change in found.changes]
    assert told == [
        (Kind.ADDED, "line", "bus-2"),
        (Kind.CHANGED, "device", "em-101"),
        (Kind.REMOVED, "device", "em-102"),
        (Kind.ADDED, "device", "em-103"),
    ]
    [key] = found.changes[1].keys
    assert (key.name, key.before, key.after) == ("interval_s", "60", "300")
    assert (found.disturbed, found.undisturbed) == (("em-101", "em-102", "em-103"), 0)


def test_a_changed_line_disturbs_all_on_it_and_a_changed_profile_all_it_describes() -> None:
    other_port = OWN.replace("4001", "4002")
    own_profile = OWN.replace('"dlt645_single_phase"', '"a.toml"', 1)

    assert difference(Document(OWN), Document(other_port)).disturbed == ("em-101", "em-102")
    assert difference(
        Document(own_profile, {"a.toml": "1"}), Document(own_profile, {"a.toml": "2"})
    ).disturbed == ("em-101",)
    assert difference(Document(OWN), Document(OWN + "\n# a remark\n")).changes == ()
