"""Becoming a gateway: one token makes one key a gateway, whatever is tried with it and by how many."""

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.domain.errors import Conflict, Forbidden, Unauthenticated
from cloud.domain.gateway import Doubt, GatewayIdentity, ShownCertificate
from cloud.domain.ids import GatewayId, TenantId
from cloud.domain.user import Role, User, system_user
from cloud.services import alarms, enrolments, gateways
from cloud.services.enrolments import Certified, Refusal
from cloud.store import audit, schema
from cloud.store.db import Database, Tx
from protocol.greeting import Hello
from provisioning.authority import GatewayName, certificate_pem, gateway_certificate, new_key, new_root
from tests.cloud.garden import add_gateway, add_manager, add_site, count
from tests.databases import START_MS, TENANT, FakeClock

KEY, OTHER_KEY = "aa" * 32, "bb" * 32
LIFE_MS = 90 * 24 * 3600 * 1000


def signing(gateway_id: GatewayId, tenant_id: TenantId = TENANT) -> Callable[[int], Certified]:
    """Return what signs, with a serial number that shows which one it was."""

    def sign(begins_ms: int) -> Certified:
        begins_ms = begins_ms // 1000 * 1000
        serial = f"{signing.count:x}"
        signing.count += 1
        says = ShownCertificate(tenant_id, gateway_id, serial, begins_ms, begins_ms + LIFE_MS)
        return Certified(says, f"certificate {serial}")

    return sign


signing.count = 1  # type: ignore[attr-defined]


def enrol(
    database: Database, gateway_id: GatewayId, secret: str, key: str = KEY, address: str = "192.0.2.7"
) -> str | Refusal:
    return database.write_now(TENANT, enrolments.enrol, gateway_id, secret, key, signing(gateway_id), address)


def offer(database: Database, gateway_id: GatewayId) -> str:
    return database.write_now(TENANT, enrolments.offer, system_user(TENANT), gateway_id).secret


def pem_of(gateway: GatewayIdentity) -> str:
    """Return a certificate of the gateway as its connection shows it."""
    now = datetime.datetime.fromtimestamp(START_MS / 1000, datetime.UTC)
    name = GatewayName(gateway.tenant_id, gateway.gateway_id)
    leaf = gateway_certificate(new_root("root", now), name, new_key().public_key(), now)
    return certificate_pem(leaf).decode()


def renewed(database: Database, gateway: GatewayIdentity, key: str) -> ShownCertificate:
    given: list[Certified] = []

    def sign(begins_ms: int) -> Certified:
        given.append(signing(gateway.gateway_id)(begins_ms))
        return given[-1]

    database.write_now(TENANT, enrolments.renew, gateway, key, sign)
    return given[-1].says


def shown(database: Database, gateway: GatewayIdentity, key: str = KEY) -> ShownCertificate:
    """Enrol the gateway with a fresh token; return its certificate."""
    given: list[Certified] = []

    def sign(begins_ms: int) -> Certified:
        given.append(signing(gateway.gateway_id)(begins_ms))
        return given[-1]

    secret = offer(database, gateway.gateway_id)
    database.write_now(TENANT, enrolments.enrol, gateway.gateway_id, secret, key, sign, "192.0.2.7")
    return given[-1].says


def say_hello(database: Database, gateway: GatewayIdentity, boot_id: str, lease: str | None) -> str:
    said = Hello("0.1.0", boot_id, 1, "c", 0, {}, None, 1, 0, lease=lease)
    return database.write_now(TENANT, gateways.hello, gateway, said).lease


def reasons(database: Database, gateway_id: GatewayId) -> list[object]:
    entries = database.read_now(TENANT, audit.entries_of, "gateway", gateway_id)
    return [entry.detail.get("reason") for entry in entries if entry.action == "enrolment_refused"]


def open_alarms(database: Database) -> list[str]:
    page = database.read_now(TENANT, alarms.list_alarms, system_user(TENANT))
    return [alarm.kind for alarm in page.items]


def test_a_token_is_used_once_and_the_answer_repeated_only_to_the_same_key(
    database: Database, clock: FakeClock
) -> None:
    gateway, secret = add_gateway(database, add_site(database))

    first = enrol(database, gateway.gateway_id, secret)
    lost = enrol(database, gateway.gateway_id, secret)
    stranger = enrol(database, gateway.gateway_id, secret, OTHER_KEY)
    clock.advance(minutes=11)
    late = enrol(database, gateway.gateway_id, secret)

    assert first == lost
    assert (stranger, late) == (Refusal.USED, Refusal.USED)
    assert count(database, schema.gateway_certificate) == 1
    assert reasons(database, gateway.gateway_id) == ["used", "used"]


def test_a_token_ends_after_a_day_and_not_before(database: Database, clock: FakeClock) -> None:
    site_id = add_site(database)
    one, secret_of_one = add_gateway(database, site_id)
    two, secret_of_two = add_gateway(database, site_id, code="gw-2")

    clock.advance(hours=24, ms=-1)
    in_time = enrol(database, one.gateway_id, secret_of_one)
    clock.advance(ms=1)
    late = enrol(database, two.gateway_id, secret_of_two)

    assert isinstance(in_time, str)
    assert late is Refusal.EXPIRED


def test_a_token_is_bound_to_its_slot_and_so_to_its_site(database: Database) -> None:
    here, secret = add_gateway(database, add_site(database))
    there, _ = add_gateway(database, add_site(database, code="XG"))

    elsewhere = enrol(database, there.gateway_id, secret)
    nowhere = enrol(database, GatewayId("00000000-0000-7000-8000-00000000000f"), secret)

    assert (elsewhere, nowhere) == (Refusal.MISMATCH, Refusal.NO_OFFER)
    assert isinstance(enrol(database, here.gateway_id, secret), str)
    assert reasons(database, there.gateway_id) == ["mismatch"]


def test_after_five_wrong_guesses_the_right_one_is_refused_too(database: Database) -> None:
    site_id = add_site(database)
    gateway, secret = add_gateway(database, site_id)
    lucky, right = add_gateway(database, site_id, code="gw-2")

    guesses = [enrol(database, gateway.gateway_id, f"guess {k}") for k in range(5)]
    at_last = enrol(database, gateway.gateway_id, secret)
    for k in range(4):
        enrol(database, lucky.gateway_id, f"guess {k}")

    assert guesses == [Refusal.MISMATCH] * 5
    assert at_last is Refusal.TOO_MANY_FAILURES
    assert isinstance(enrol(database, lucky.gateway_id, right), str)


def test_a_newer_token_and_a_withdrawal_end_an_older_one(database: Database) -> None:
    gateway, first = add_gateway(database, add_site(database))
    second = offer(database, gateway.gateway_id)

    older = enrol(database, gateway.gateway_id, first)
    database.write_now(TENANT, enrolments.withdraw, system_user(TENANT), gateway.gateway_id)
    withdrawn = enrol(database, gateway.gateway_id, second)

    assert older is Refusal.MISMATCH
    assert withdrawn is Refusal.WITHDRAWN
    with pytest.raises(Conflict, match="no enrolment token"):
        database.write_now(TENANT, enrolments.withdraw, system_user(TENANT), gateway.gateway_id)


def test_fifty_at_once_with_one_token_make_one_certificate(database: Database) -> None:
    gateway, secret = add_gateway(database, add_site(database))

    with ThreadPoolExecutor(50) as crowd:
        answers = list(
            crowd.map(lambda k: enrol(database, gateway.gateway_id, secret, f"{k:064x}"), range(50))
        )

    assert len([answer for answer in answers if isinstance(answer, str)]) == 1
    assert answers.count(Refusal.USED) == 49
    assert count(database, schema.gateway_certificate) == 1


def test_only_who_manages_gateways_offers_a_slot(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    manager = add_manager(database)
    guard = User(manager.user_id, TENANT, Role.GUARD, "guard")

    with pytest.raises(Forbidden):
        database.write_now(TENANT, enrolments.offer, guard, gateway.gateway_id)


def test_the_box_that_had_the_slot_is_out_when_another_has_enrolled(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    old = shown(database, gateway)

    def authenticated(certificate: ShownCertificate) -> bool:
        try:
            database.read_now(TENANT, gateways.authenticate, certificate)
        except Unauthenticated:
            return False
        return True

    offer(database, gateway.gateway_id)
    still_there = authenticated(old)
    new = shown(database, gateway, OTHER_KEY)

    assert still_there
    assert (authenticated(old), authenticated(new)) == (False, True)
    assert new.not_before_ms > old.not_before_ms


def test_a_renewed_certificate_ends_the_one_before_ten_minutes_after_its_first_use(
    database: Database, clock: FakeClock
) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    old = shown(database, gateway)
    new = renewed(database, gateway, OTHER_KEY)

    clock.advance(hours=5)
    unused = database.read_now(TENANT, gateways.authenticate, old)
    first_use = database.read_now(TENANT, gateways.authenticate, new)
    database.write_now(TENANT, gateways.take_up, new, pem_of(gateway))
    clock.advance(minutes=10)
    outgoing = database.read_now(TENANT, gateways.authenticate, old)
    clock.advance(ms=1)
    outdated = database.read_now(TENANT, gateways.authenticate, old)

    assert not unused.is_outdated
    assert first_use.is_newer
    assert not outgoing.is_outdated
    assert outdated.is_outdated


def test_renewing_twice_with_one_key_gives_one_certificate(database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    shown(database, gateway)

    def renew(tx: Tx) -> str:
        return enrolments.renew(tx, gateway, OTHER_KEY, signing(gateway.gateway_id))

    assert database.write_now(TENANT, renew) == database.write_now(TENANT, renew)
    assert count(database, schema.gateway_certificate) == 2


def test_a_cloud_that_forgot_a_certificate_still_takes_it(database: Database) -> None:
    # Restored from a backup of before the box enrolled: nobody else could have signed it.
    gateway, _ = add_gateway(database, add_site(database))
    given = ShownCertificate(TENANT, gateway.gateway_id, "ff", 1_700_000_000_000, 1_800_000_000_000)

    speaker = database.read_now(TENANT, gateways.authenticate, given)
    database.write_now(TENANT, gateways.take_up, given, pem_of(gateway))
    again = database.read_now(TENANT, gateways.authenticate, given)

    assert (speaker.is_newer, again.is_newer) == (True, False)
    assert count(database, schema.gateway_certificate) == 1


def test_two_boxes_with_one_key_are_told_and_a_person_decides(database: Database, clock: FakeClock) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    shown(database, gateway)
    lease = say_hello(database, gateway, "boot-a", "")

    clock.advance(s=10)
    mine = say_hello(database, gateway, "boot-a", lease)
    clock.advance(s=3)
    copied = say_hello(database, gateway, "boot-b", lease)
    clock.advance(s=7)
    say_hello(database, gateway, "boot-a", mine)

    assert mine == lease
    assert copied not in ("", lease)
    assert open_alarms(database) == ["gateway_doubled"]
    with pytest.raises(Forbidden, match="a person must decide"):
        renewed(database, gateway, OTHER_KEY)
    database.write_now(TENANT, gateways.trust_again, system_user(TENANT), gateway.gateway_id)
    assert open_alarms(database) == []
    assert say_hello(database, gateway, "boot-a", lease)
    assert open_alarms(database) == []


def test_a_box_restored_from_an_old_image_is_told(database: Database, clock: FakeClock) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    shown(database, gateway)
    lease = say_hello(database, gateway, "boot-1", "")
    old = say_hello(database, gateway, "boot-1", lease)
    clock.advance(hours=1)
    newer = say_hello(database, gateway, "boot-1", old)
    say_hello(database, gateway, "boot-1", newer)

    clock.advance(hours=2)
    given = say_hello(database, gateway, "boot-2", old)

    assert given == ""
    assert open_alarms(database) == ["gateway_rolled_back"]


def test_enrolling_anew_ends_the_doubt(database: Database, clock: FakeClock) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    shown(database, gateway)
    database.write_now(TENANT, gateways.turn_away_outdated, gateway)
    [doubted] = database.read_now(TENANT, gateways.list_gateways, system_user(TENANT))

    shown(database, gateway, OTHER_KEY)

    [settled] = database.read_now(TENANT, gateways.list_gateways, system_user(TENANT))
    assert doubted.paper is not None
    assert settled.paper is not None
    assert (doubted.paper.doubt, settled.paper.doubt) == (Doubt.ROLLED_BACK, None)
    assert open_alarms(database) == []
