"""People: numbers nobody can read in the database, moves that leave no day unpaid, rights of one's own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud import privacy_key
from cloud.config import ConfigError
from cloud.domain.ballot import BallotKind
from cloud.domain.complaint import ComplaintKind, ComplaintSubject
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import PersonId, SpaceId
from cloud.domain.person import ConsentPurpose, PersonField, Relation, RequestKind, TagKind
from cloud.domain.user import Locale, Role, User
from cloud.services import audit as audit_service
from cloud.services import ballots, complaints, moving, parcels, persons, premises, privacy
from cloud.services.moving import Arrival
from cloud.services.persons import PersonDetail
from cloud.store import persons as person_store
from cloud.store import schema, users
from cloud.store.audit import AuditSearch
from cloud.store.db import Database, Keyring, Tx
from cloud.store.sealing import Damaged, destroy_key, unseal
from protocol.quantity import MICRO
from protocol.reading import Reading
from tests.cloud.garden import rows_of
from tests.cloud.house import House, add_resident
from tests.databases import OTHER_TENANT, START_MS, TENANT, FakeClock

# The clock of tests stands at 2026-11-24 08:00 in Shanghai.
_TODAY = date(2026, 11, 24)
_MIDNIGHT_MS = START_MS - 8 * 3_600_000
# GB 11643-1999's own example has this check character.
_IDENTITY, _PHONE, _PLATE = "11010519491231002X", "13812348000", "京A·D12345"


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def _space(house: House, code: str = "1-101") -> SpaceId:
    found = house.database.read_now(TENANT, premises.list_spaces, house.manager, house.site_id)
    return next(one.space_id for one in found if one.code == code)


def _person(house: House, name: str = "王建国", phone: str = _PHONE, identity: str = _IDENTITY) -> PersonId:
    added = house.database.write_now(
        TENANT, persons.add_person, house.manager, house.site_id, name, phone, identity
    )
    return added.person_id


def _resident(house: House, person_id: PersonId) -> User:
    """Let a person sign in."""

    def work(tx: Tx) -> User:
        user_id = users.insert_user(tx, "wang", "王建国", Role.RESIDENT, Locale.CHINESE, "!")
        assert user_id is not None
        tx.conn.execute(
            sa.update(schema.person)
            .where(schema.person.c.tenant_id == tx.tenant_id, schema.person.c.id == person_id)
            .values(user_id=user_id)
        )
        return User(user_id, TENANT, Role.RESIDENT, "王建国")

    return house.database.write_now(TENANT, work)


def test_numbers_are_masked_to_everybody_and_revealed_for_a_reason_that_is_kept(house: House) -> None:
    person_id = _person(house)

    found = house.database.read_now(TENANT, persons.get_person, house.manager, person_id).person
    assert (found.phone, found.identity) == ("138****8000", "110105********002X")
    whole = house.database.write_now(
        TENANT, persons.reveal, house.manager, person_id, PersonField.PHONE, "漏水，要马上联系"
    )

    assert whole == _PHONE
    [entry] = house.database.read_now(
        TENANT, audit_service.list_entries, house.manager, AuditSearch("reveal_number")
    ).items
    assert (entry.subject_id, entry.detail["reason"]) == (person_id, "漏水，要马上联系")
    everything = house.database.read_now(TENANT, audit_service.list_entries, house.manager).items
    names = house.database.read_now(TENANT, audit_service.subject_names, house.manager, everything)
    assert ("person", person_id) not in names  # what a person is called is not the log's to tell
    assert all(name != subject_id for (_, subject_id), name in names.items())
    with pytest.raises(Invalid, match="say why in 4 to 200 characters"):
        house.database.write_now(TENANT, persons.reveal, house.manager, person_id, PersonField.PHONE, "  x ")
    guard = User(house.manager.user_id, TENANT, Role.GUARD, "guard")
    with pytest.raises(Forbidden):
        house.database.write_now(TENANT, persons.reveal, guard, person_id, PersonField.PHONE, "good reason")


def test_no_number_is_anywhere_in_the_database(house: House) -> None:
    person_id = _person(house)
    house.database.write_now(TENANT, persons.add_vehicle, house.manager, person_id, _PLATE)

    kept = "\n".join(
        repr(row)
        for table in (schema.person, schema.vehicle, schema.audit_entry, schema.tenant_key)
        for row in rows_of(house.database, table)
    )

    for secret in (_PHONE, _IDENTITY, "京AD12345", "D12345"):
        assert secret not in kept
        assert secret.encode().hex() not in kept


def test_a_sealed_field_opens_only_where_it_was_sealed(house: House) -> None:
    first = _person(house)
    second = _person(house, "陈静", "13900001111", "")
    rows = {row[1]: row for row in rows_of(house.database, schema.person)}
    names = [column.name for column in schema.person.columns]
    sealed = rows[first][names.index("phone_sealed")]

    def swapped(tx: Tx) -> str:
        assert isinstance(sealed, bytes)
        return unseal(tx, "person", second, "phone", sealed)

    def as_identity(tx: Tx) -> str:
        assert isinstance(sealed, bytes)
        return unseal(tx, "person", first, "identity", sealed)

    for work in (swapped, as_identity):
        with pytest.raises(Damaged):
            house.database.read_now(TENANT, work)


def test_two_companies_have_two_keys_and_a_destroyed_key_opens_nothing(house: House) -> None:
    person_id = _person(house)

    def seal_elsewhere(tx: Tx) -> None:
        from cloud.store.sealing import seal

        seal(tx, "person", person_id, "phone", _PHONE)

    house.database.write_now(OTHER_TENANT, seal_elsewhere)
    [ours], [theirs] = (rows_of(house.database, schema.tenant_key, one) for one in (TENANT, OTHER_TENANT))
    assert ours[1] != theirs[1]
    assert house.database.write_now(TENANT, destroy_key)
    with pytest.raises(Damaged, match="key that was destroyed"):
        house.database.read_now(TENANT, person_store.reveal, person_id, PersonField.PHONE)


def test_another_master_key_opens_nothing(house: House, database_url: str, clock: FakeClock) -> None:
    person_id = _person(house)
    other = Database(database_url, clock=clock, keyring=Keyring(bytes(32)))

    try:
        with pytest.raises(Damaged):
            other.read_now(TENANT, person_store.reveal, person_id, PersonField.PHONE)
    finally:
        other.close()


def test_the_master_key_is_made_once_and_refused_where_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "privacy.key"

    [made] = privacy_key.load_or_make(path)

    assert len(made) == 32
    assert privacy_key.load_or_make(path) == (made,)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read it; run: chmod 600"):
        privacy_key.load_or_make(path)


@pytest.mark.parametrize("wanted", ["建国", "1-101", _PHONE, _IDENTITY, "京AD12345", "京a·d12345"])
def test_a_person_is_found_by_name_home_and_whole_numbers(house: House, wanted: str) -> None:
    person_id = _person(house)
    _person(house, "陈静", "13900001111", "")
    house.database.write_now(TENANT, persons.add_vehicle, house.manager, person_id, _PLATE)
    house.database.write_now(
        TENANT, persons.relate, house.manager, person_id, _space(house), Relation.OWNER, date(2020, 3, 1)
    )

    found = house.database.read_now(TENANT, persons.list_people, house.manager, house.site_id, wanted).items

    assert [(row.person.name, row.homes[0].space_code) for row in found] == [("王建国", "1-101")]


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        pytest.param({"phone": "12812348000"}, "11 digits", id="no mobile number"),
        pytest.param({"identity": "110105194912310021"}, "check character", id="mistyped"),
        pytest.param({"name": "   "}, "the name has 0 characters", id="no name"),
    ],
)
def test_what_is_no_number_is_refused(house: House, what: dict[str, str], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        _person(house, **what)


def test_the_same_identity_number_is_the_same_person(house: House) -> None:
    _person(house)

    with pytest.raises(Conflict, match="known already"):
        _person(house, "王建国（又名）", "")


def _dial(house: House, kwh: int) -> None:
    """The meter of 1-101 shows this at the midnight today began with."""
    house.read(Reading("em-101/active_energy_import", _MIDNIGHT_MS, kwh * MICRO))


def _chen() -> Arrival:
    return Arrival(None, "陈静", "13900001111", Relation.TENANT, 2)


def test_a_change_of_hands_ends_one_account_where_the_next_begins(house: House) -> None:
    _dial(house, 4_321)
    leaving = _person(house)
    house.database.write_now(
        TENANT, persons.relate, house.manager, leaving, _space(house), Relation.OWNER, date(2024, 1, 1)
    )
    planned = house.database.read_now(TENANT, moving.plan, house.manager, _space(house), _TODAY)
    assert (planned.account_number, planned.leaving, planned.missing) == ("A-101", ("王建国",), ())
    assert [meter.value_micro for meter in planned.meters] == [4_321 * MICRO]

    moved = house.database.write_now(TENANT, moving.move, house.manager, _space(house), _TODAY, _chen())

    assert moved.ended is not None
    assert moved.opened is not None
    assert (moved.ended.closed_on, moved.opened.opened_on) == (_TODAY, _TODAY)
    assert (moved.opened.number, moved.opened.holder_name, moved.opened.household_size) == (
        "A-101-2",
        "陈静",
        2,
    )
    before, after = (
        house.database.read_now(TENANT, premises.get_account, house.manager, one.account_id)[1]
        for one in (moved.ended, moved.opened)
    )
    assert [(one.tariff_code, one.to_on) for one in before] == [("t", _TODAY)]
    assert [(one.tariff_code, one.from_on, one.to_on) for one in after] == [("t", _TODAY, None)]
    living = house.database.read_now(TENANT, persons.people_of_space, house.manager, _space(house))
    assert [(person.name, home.relation) for person, home in living] == [("陈静", Relation.TENANT)]


def test_a_move_without_the_days_register_changes_nothing_until_somebody_reads_it(house: House) -> None:
    space_id = _space(house)

    with pytest.raises(Conflict, match="not known of meter S-101: read it"):
        house.database.write_now(TENANT, moving.move, house.manager, space_id, _TODAY, _chen())
    assert house.database.read_now(TENANT, persons.list_people, house.manager, house.site_id).items == ()
    [meter] = house.database.read_now(TENANT, moving.plan, house.manager, space_id, _TODAY).missing
    dials = {meter.installation_id: Decimal("4321.5")}
    moved = house.database.write_now(TENANT, moving.move, house.manager, space_id, _TODAY, _chen(), dials)

    assert moved.opened is not None
    assert len(rows_of(house.database, schema.manual_reading)) == 1


def test_a_home_may_stand_empty_and_be_moved_into_later(house: House, clock: FakeClock) -> None:
    _dial(house, 100)
    left = house.database.write_now(TENANT, moving.move, house.manager, _space(house), _TODAY, None)
    assert (left.opened, left.ended is None) == (None, False)

    clock.advance(days=1)
    tomorrow = date(2026, 11, 25)
    house.read(Reading("em-101/active_energy_import", _MIDNIGHT_MS + 24 * 3_600_000, 100 * MICRO))
    moved = house.database.write_now(TENANT, moving.move, house.manager, _space(house), tomorrow, _chen())

    assert moved.opened is not None
    assert moved.opened.number == "A-101-2"
    with pytest.raises(Invalid, match="2026-12-01 has not begun"):
        house.database.write_now(TENANT, moving.move, house.manager, _space(house), date(2026, 12, 1), None)


def test_a_resident_gets_a_copy_of_everything_and_nobody_elses(house: House) -> None:
    person_id = _person(house)
    house.database.write_now(
        TENANT, persons.relate, house.manager, person_id, _space(house), Relation.OWNER, date(2024, 1, 1)
    )
    resident = _resident(house, person_id)
    house.database.write_now(TENANT, parcels.take_in, house.manager, house.site_id, "1-101", "顺丰", "B3")
    survey = (BallotKind.SURVEY, "花园浇水时间", "选一个时间。", START_MS + 86_400_000, ("早上", "傍晚"))
    voter = replace(resident, account_ids=house.resident("A-101").account_ids)
    opened = house.database.write_now(TENANT, ballots.open_ballot, house.manager, house.site_id, *survey)
    house.database.write_now(TENANT, ballots.cast, voter, opened.ballot_id, _space(house), 1)

    copy = house.database.write_now(TENANT, privacy.copy_of_mine, resident)

    assert (copy["name"], copy["phone"], copy["identity_number"]) == ("王建国", _PHONE, _IDENTITY)
    assert [one["number"] for one in copy["accounts"]] == ["A-101"]
    assert [(one["carrier"], one["home"]) for one in copy["parcels"]] == [("顺丰", "1-101")]
    assert [(one["title"], one["choice"]) for one in copy["votes"]] == [("花园浇水时间", 1)]
    stranger = User(house.manager.user_id, TENANT, Role.RESIDENT, "x")
    assert house.database.write_now(TENANT, privacy.copy_of_mine, stranger) == {"name": "x"}
    with pytest.raises(NotFound, match="no person is tied"):
        house.database.write_now(TENANT, privacy.ask, stranger, RequestKind.COPY)


def test_who_has_left_is_deleted_when_they_ask_and_bills_stay_with_the_account(house: House) -> None:
    person_id = _person(house)
    space_id = _space(house)
    house.database.write_now(
        TENANT, persons.relate, house.manager, person_id, space_id, Relation.OWNER, date(2024, 1, 1)
    )
    resident = _resident(house, person_id)
    asked = house.database.write_now(TENANT, privacy.ask, resident, RequestKind.ERASE)
    assert house.database.write_now(TENANT, privacy.ask, resident, RequestKind.ERASE) == asked

    with pytest.raises(Conflict, match="still belongs to 1-101: end that first"):
        house.database.write_now(TENANT, privacy.erase, house.manager, person_id)
    [home] = house.database.read_now(TENANT, persons.get_person, house.manager, person_id).homes
    house.database.write_now(
        TENANT, persons.end_relation, house.manager, person_id, home.occupancy_id, _TODAY
    )
    house.database.write_now(TENANT, privacy.erase, house.manager, person_id)

    gone = house.database.read_now(TENANT, persons.get_person, house.manager, person_id)
    assert (gone.person.name, gone.person.phone, gone.person.user_id) == ("", "", None)
    assert gone.requests[0].outcome == "erased"
    assert house.database.read_now(TENANT, privacy.open_requests, house.manager) == []
    assert house.database.read_now(TENANT, persons.list_people, house.manager, house.site_id).items == ()
    with pytest.raises(Conflict, match="deleted at their request"):
        house.database.write_now(
            TENANT, persons.reveal, house.manager, person_id, PersonField.PHONE, "good reason"
        )


def test_consent_is_given_for_one_purpose_and_withdrawn_as_easily(house: House) -> None:
    person_id = _person(house)
    give: Callable[..., None] = persons.record_consent

    house.database.write_now(
        TENANT, give, house.manager, person_id, ConsentPurpose.CONTACT, "签字", is_given=True
    )
    house.database.write_now(TENANT, privacy.withdraw, _resident(house, person_id), ConsentPurpose.CONTACT)

    [consent] = house.database.read_now(TENANT, persons.get_person, house.manager, person_id).consents
    assert (consent.purpose, consent.withdrawn_at_ms) == (ConsentPurpose.CONTACT, START_MS)
    with pytest.raises(Conflict, match="was not agreed to"):
        house.database.write_now(
            TENANT, give, house.manager, person_id, ConsentPurpose.FACE_ACCESS, "", is_given=False
        )


def test_tags_say_what_facts_say(house: House) -> None:
    person_id = _person(house)
    house.database.write_now(
        TENANT, persons.relate, house.manager, person_id, _space(house), Relation.OWNER, date(2019, 1, 1)
    )

    tags = house.database.read_now(TENANT, persons.get_person, house.manager, person_id).tags

    assert [(tag.kind, tag.count) for tag in tags] == [(TagKind.LIVES_HERE_LONG, 7)]


def test_whoever_complains_three_times_in_half_a_year_is_said_to_and_suggestions_do_not_count(
    house: House, clock: FakeClock
) -> None:
    person_id = _person(house)
    house.database.write_now(
        TENANT, persons.relate, house.manager, person_id, _space(house), Relation.OWNER, date(2026, 1, 1)
    )
    home = add_resident(house, "home", "A-101")
    [account_id] = home.account_ids

    def tell(kind: ComplaintKind) -> None:
        house.database.write_now(
            TENANT, complaints.tell, home, account_id, kind, ComplaintSubject.NOISE, "楼上夜里跑步"
        )

    def story() -> PersonDetail:
        return house.database.read_now(TENANT, persons.get_person, house.manager, person_id)

    for kind in (ComplaintKind.COMPLAINT, ComplaintKind.SUGGESTION, ComplaintKind.COMPLAINT):
        tell(kind)
    assert [len(story().complaints), story().tags] == [3, ()]

    tell(ComplaintKind.COMPLAINT)
    assert [(tag.kind, tag.count) for tag in story().tags] == [(TagKind.REPEATED_COMPLAINTS, 3)]

    clock.advance(days=182)
    assert story().tags == ()
