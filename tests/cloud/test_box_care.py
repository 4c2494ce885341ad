"""What a box says of its clock, disk and certificate becomes an alarm, and is over when the box says so."""

from cloud.domain.gateway import GatewayIdentity
from cloud.domain.user import system_user
from cloud.services import alarms, gateways
from cloud.store.db import Database
from protocol.event import Severity
from protocol.greeting import Hello
from tests.cloud.garden import add_gateway, add_site
from tests.cloud.test_enrolments import OTHER_KEY, pem_of, renewed, shown
from tests.databases import TENANT, FakeClock


def open_alarms(database: Database) -> list[tuple[str, Severity, str]]:
    page = database.read_now(TENANT, alarms.list_alarms, system_user(TENANT))
    return sorted((alarm.kind, alarm.severity, alarm.message) for alarm in page.items)


def greet(
    database: Database, clock: FakeClock, gateway: GatewayIdentity, skew_ms: int | None, fault: str = ""
) -> list[tuple[str, Severity, str]]:
    sent_at_ms = None if skew_ms is None else clock.now_ms + skew_ms
    said = Hello("1", "boot", 1, "c", 0, {}, None, 1, 0, sent_at_ms=sent_at_ms, storage_fault=fault)
    database.write_now(TENANT, gateways.hello, gateway, said)
    database.write_now(TENANT, gateways.watch, system_user(TENANT), clock.now_ms, {})
    return open_alarms(database)


def test_a_box_that_cannot_store_and_one_whose_clock_is_wrong_are_told_until_it_is_over(
    database: Database, clock: FakeClock
) -> None:
    gateway, _ = add_gateway(database, add_site(database))

    assert greet(database, clock, gateway, None) == []  # an older agent says nothing of either
    assert greet(database, clock, gateway, 5_000) == greet(database, clock, gateway, -10_000) == []
    wrong = ("gateway_clock", Severity.MINOR, "gw-1 (gw-1)")
    assert greet(database, clock, gateway, 5_001) == greet(database, clock, gateway, -10_001) == [wrong]
    full = ("gateway_storage_fault", Severity.CRITICAL, "gw-1 (gw-1)")
    assert greet(database, clock, gateway, 3_600_000, "database or disk is full") == [wrong, full]
    assert greet(database, clock, gateway, 0, "database or disk is full") == [full]
    assert greet(database, clock, gateway, 0) == []


def test_a_certificate_nobody_renewed_is_told_ever_more_gravely(database: Database, clock: FakeClock) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    shown(database, gateway)
    told = []
    for days in range(90):
        greet(database, clock, gateway, 0)
        told += [(days, *alarm[1:]) for alarm in greet(database, clock, gateway, 0)]
        clock.advance(days=1)

    stages = {text: (day, severity) for day, severity, text in reversed(told)}
    assert stages == {
        "gw-1 (gw-1), 29 d": (61, Severity.MINOR),
        "gw-1 (gw-1), 14 d": (76, Severity.MAJOR),
        "gw-1 (gw-1), 7 d": (83, Severity.CRITICAL),
        "gw-1 (gw-1), 1 d": (89, Severity.CRITICAL),
    }
    database.write_now(TENANT, gateways.take_up, renewed(database, gateway, OTHER_KEY), pem_of(gateway))
    assert greet(database, clock, gateway, 0) == []
