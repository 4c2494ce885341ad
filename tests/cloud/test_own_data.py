"""Every column that names somebody is copied for them, erased when they ask, or kept for a reason."""

from base64 import b64decode
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import Enum

import pytest
import sqlalchemy as sa

from cloud.domain.entry import PassageOutcome
from cloud.domain.errors import Conflict
from cloud.domain.ids import AccountId, PersonId, SpaceId
from cloud.domain.payment import Method
from cloud.domain.person import Relation
from cloud.domain.photo import CleanPhoto, PhotoSubject
from cloud.domain.user import Role, User
from cloud.services import deposits, finding, moving, persons, privacy
from cloud.services import premises as premise_service
from cloud.services.moving import Arrival
from cloud.store import passages, photos, premises, schema, users
from cloud.store import persons as person_store
from cloud.store.db import Database, Tx
from cloud.store.passages import NewPassage
from tests.cloud.garden import rows_of
from tests.cloud.house import House, add_resident
from tests.databases import START_MS, TENANT

_NAMED = ("app_user", "person")


class _Fate(Enum):
    """What becomes of a row that names somebody who asks for their data, or for its deletion."""

    COPIED_AND_EMPTIED = "is in the copy; a deletion empties or removes it"
    REMOVED = "is no data about them but a key; a deletion removes it"
    COPIED_AND_KEPT = "is in the copy; stays with the home or account, which has no name after a deletion"
    KEPT_AS_ACT = "says who did something; by id alone, and the id names nobody after a deletion"
    OF_STAFF = "names who works here"


_E, _R, _K, _A, _S = _Fate
_FATES = {
    "announcement": {"written_by": _S},
    "announcement_read": {"user_id": _A},
    "alarm": {"acknowledged_by": _S},
    "alarm_act": {"about_id": _S, "user_id": _S},
    "alarm_entry": {"user_id": _S},
    "alarm_step": {"user_id": _S},
    "attachment": {"added_by": _S, "withdrawn_by": _S},
    "badge": {"issued_by": _S},
    "ballot": {"opened_by": _S},
    "ballot_vote": {"cast_by": _A},
    "barring": {"barred_by": _S},
    "bill_run": {"decided_by": _S, "begun_by": _S},
    "booking": {"booked_by": _K},
    "camera_picture": {"asked_by": _S},
    "checklist": {"recorded_by": _S},
    "command": {"actor_id": _S},
    "complaint": {"told_by": _K},
    "complaint_entry": {"author_id": _A},
    "configuration": {"author_id": _S},
    "configuration_step": {"actor_id": _S},
    "consent": {"person_id": _K, "recorded_by": _S},
    "contact": {"user_id": _E},
    "day_close": {"closed_by": _S},
    "deposit": {"recorded_by": _S},
    "dunning_pause": {"recorded_by": _S},
    "dunning_schedule": {"recorded_by": _S},
    "duty_rota": {"user_id": _S},
    "duty_swap": {"user_id": _S, "swapped_by": _S},
    "equipment_cost": {"recorded_by": _S},
    "equipment_outage": {"recorded_by": _S, "ended_by": _S},
    "former_figure": {"noted_by": _S},
    "goods_slip": {"asked_by": _K, "released_by": _S, "decided_by": _S},
    "household_invitation": {"invited_by": _A, "settled_by": _A, "taken_by": _E},
    "import_run": {"started_by": _S},
    "ingest_problem": {"settled_by": _S},
    "installation": {"recorded_by": _S},
    "invitation": {"user_id": _R},
    "late_fee_rule": {"recorded_by": _S},
    "maintenance_completion": {"recorded_by": _S},
    "manual_reading": {"recorded_by": _S},
    "notice": {"user_id": _A},
    "notice_read": {"user_id": _A},
    "occupancy": {"person_id": _K},
    "parcel": {"received_by": _S, "handed_out_by": _S},
    "passage": {"user_id": _K},
    "patrol_mark": {"user_id": _S},
    "payment": {"recorded_by": _S},
    "payment_order": {"created_by": _A},
    "person": {"user_id": _E},
    "photo": {"added_by": _K},
    "privacy_request": {"person_id": _K},
    "quiet_hours": {"recorded_by": _S},
    "refund": {"decided_by": _S, "requested_by": _S},
    "repair": {"reported_by": _K, "assignee_id": _S},
    "repair_entry": {"user_id": _A},
    "response_plan": {"written_by": _S},
    "second_factor": {"user_id": _R},
    "service_link": {"created_by": _S},
    "service_sheet": {"recorded_by": _S},
    "session": {"user_id": _E},
    "space_version": {"recorded_by": _S},
    "technician": {"user_id": _S},
    "user_account": {"user_id": _R},
    "user_building": {"user_id": _S},
    "user_site": {"user_id": _S},
    "vehicle": {"person_id": _E},
    "visit": {"admitted_by": _S, "host_id": _K},
    "withdrawn_reading": {"withdrawn_by": _S},
}


def test_what_becomes_of_every_column_that_names_somebody_is_said() -> None:
    found: dict[str, set[str]] = {}
    for table in schema.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            if key.referred_table.name in _NAMED:
                own = {column.name for column in key.columns} - {"tenant_id"}
                found.setdefault(table.name, set()).update(own)

    assert {name: set(fates) for name, fates in _FATES.items()} == found


def _person_of(house: House, user: User) -> None:
    """Let the office know who lives there and signs in."""

    def work(tx: Tx) -> None:
        person_id = person_store.insert_person(
            tx, house.site_id, user.display_name, "13812348000", "", "", user.user_id
        )
        assert person_id is not None
        [account_id] = user.account_ids
        # Where is it?
        space_id = tx.conn.scalar(
            sa.select(schema.account.c.space_id).where(schema.account.c.id == account_id)
        )
        assert space_id is not None
        person_store.insert_occupancy(tx, person_id, SpaceId(space_id), Relation.OWNER, date(2026, 1, 1))
        person_store.insert_vehicle(tx, person_id, "京AD12345", "")

    house.database.write_now(TENANT, work)


def test_a_deletion_leaves_a_login_nobody_has_and_no_name_in_any_column(database: Database) -> None:
    house = House(database)
    home = add_resident(house, "wangjianguo", "A-101")
    _person_of(house, home)
    own = database.read_now(TENANT, person_store.find_by_user, home.user_id)
    assert own is not None
    copy = database.write_now(TENANT, privacy.copy_of_mine, home)
    assert (copy["login"]["name"], copy["homes"][0]["home"]) == ("wangjianguo", "1-101")
    story = database.read_now(TENANT, persons.get_person, house.manager, own.person_id)
    on = date(2026, 11, 24)
    database.write_now(
        TENANT, persons.end_relation, house.manager, own.person_id, story.homes[0].occupancy_id, on
    )

    database.write_now(TENANT, privacy.erase, house.manager, own.person_id)

    record = database.read_now(TENANT, users.find_user, home.user_id)
    assert record is not None
    assert (record.user.display_name, record.user.account_ids) == ("", frozenset())
    assert record.disabled_at_ms is not None
    assert database.read_now(TENANT, users.find_by_login, "wangjianguo") is None
    for table in schema.metadata.sorted_tables:
        if table.name != "audit_entry":
            told = [row for row in rows_of(database, table) if "wangjianguo" in repr(row)]
            assert told == [], table.name


def _gone_owner(house: House) -> PersonId:
    """Let the office know Wang Jianguo, in whose name A-101 is, and that he has left."""

    def work(tx: Tx) -> PersonId:
        person_id = person_store.insert_person(tx, house.site_id, "王建国", "13812348000", "", "", None)
        assert person_id is not None
        [home] = [one for one in premises.list_spaces(tx, house.site_id) if one.code == "1-101"]
        lived = (date(2026, 1, 1), date(2026, 11, 1))
        person_store.insert_occupancy(tx, person_id, home.space_id, Relation.OWNER, *lived)
        return person_id

    return house.database.write_now(TENANT, work)


def _found(house: House, text: str) -> list[str]:
    found = house.database.read_now(TENANT, finding.find, house.manager, house.site_id, text)
    return [one.key for one in found]


def test_after_a_deletion_no_account_is_found_by_the_name(database: Database) -> None:
    house = House(database)
    person_id = _gone_owner(house)
    assert "A-101" in _found(house, "王建国")

    database.write_now(TENANT, privacy.erase, house.manager, person_id)

    assert _found(house, "王建国") == []
    assert _found(house, "A-101") == ["A-101"]
    assert "A-201" in _found(house, "陈静")  # nobody else's


def test_nobody_is_deleted_while_money_stands_between_them_and_their_account(database: Database) -> None:
    house = House(database)
    person_id = _gone_owner(house)
    [account] = database.read_now(
        TENANT, premise_service.list_accounts, house.manager, house.site_id, "A-101"
    ).items
    deposit = (account.account_id, "钥匙", Method.CASH, 10_000, date(2026, 11, 1))
    database.write_now(TENANT, deposits.take_deposit, house.manager, *deposit)

    with pytest.raises(Conflict, match="account A-101 is not settled, 10000 fen stand on it"):
        database.write_now(TENANT, privacy.erase, house.manager, person_id)

    assert "A-101" in _found(house, "王建国")


def test_the_copy_has_the_photos_and_passages_of_their_own_and_of_nobody_else(database: Database) -> None:
    house = House(database)
    home = add_resident(house, "wangjianguo", "A-101")
    other = add_resident(house, "chenjing", "A-201")
    _person_of(house, home)
    jpeg = CleanPhoto(b"\xff\xd8 own", 4, 3, "a" * 64)

    def happen(tx: Tx) -> None:
        photos.insert_photo(tx, PhotoSubject.REPAIR, tx.new_id(), jpeg, home.user_id)
        photos.insert_photo(
            tx, PhotoSubject.REPAIR, tx.new_id(), replace(jpeg, content=b"theirs"), other.user_id
        )
        for at_ms, user in enumerate((home, other), start=START_MS):
            passages.insert_passage(
                tx,
                NewPassage(
                    house.site_id,
                    house.gateway.gateway_id,
                    "em-101",
                    at_ms,
                    PassageOutcome.GRANTED,
                    "remote",
                    user_id=user.user_id,
                ),
            )

    database.write_now(TENANT, happen)

    copy = database.write_now(TENANT, privacy.copy_of_mine, home)

    assert [b64decode(one["jpeg"]) for one in copy["photos"]] == [jpeg.content]
    door, granted = "101 电表", PassageOutcome.GRANTED.value
    assert copy["passages"] == [{"at_ms": START_MS, "door": door, "outcome": granted, "reason": "remote"}]


def test_a_copy_holds_nothing_of_who_lived_there_before(database: Database) -> None:
    house = House(database)
    former = add_resident(house, "former", "A-101")
    _person_of(house, former)

    def next_account(tx: Tx) -> AccountId:
        # Which home is it, and whose account was it?
        found = tx.conn.execute(
            sa.select(schema.account.c.id, schema.account.c.space_id).where(
                schema.account.c.number == "A-101"
            )
        ).one()
        plan = moving.plan(tx, house.manager, found.space_id, date(2026, 11, 24))
        dials = {meter.installation_id: Decimal(100) for meter in plan.missing}
        arriving = Arrival(None, "新住户", "13812348009", Relation.TENANT, 1)
        moved = moving.move(tx, house.manager, found.space_id, date(2026, 11, 24), arriving, dials)
        assert moved.opened is not None and moved.person_id is not None
        user_id = users.insert_user(tx, "next", "新住户", Role.RESIDENT, house.manager.locale, "!")
        assert user_id is not None
        person_store.tie_user(tx, moved.person_id, user_id)
        users.add_accounts(tx, user_id, [moved.opened.account_id])
        return moved.opened.account_id

    database.write_now(TENANT, next_account)
    login = database.read_now(TENANT, users.find_by_login, "next")
    assert login is not None

    copy = database.write_now(TENANT, privacy.copy_of_mine, login.user)

    assert [one["number"] for one in copy["accounts"]] == ["A-101-2"]
