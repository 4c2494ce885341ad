"""Households: who is let in to a home, by whose word, what they see of it, and how it ends."""

from datetime import date

import pytest

from cloud.domain.access import require_bills
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.household import HouseholdRole, InvitationState, NewHouseholdInvitation, Registrant
from cloud.domain.ids import AccountId, UserId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.person import ConsentPurpose, Relation
from cloud.domain.user import Role, User
from cloud.services import households, invoices, ledger, notices, premises, privacy
from cloud.services.households import Joined
from cloud.store import households as household_store
from cloud.store import persons, users
from cloud.store.db import Database, Tx
from tests.cloud.house import House, add_resident
from tests.databases import TENANT, FakeClock

_WHO = Registrant("王小明", "13812348001", agrees_to_contact=True)


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def head(house: House) -> User:
    return add_resident(house, "head", "A-101")


def _account_id(user: User) -> AccountId:
    [account_id] = user.account_ids
    return account_id


def _invite(
    house: House,
    by: User,
    account_id: AccountId,
    role: HouseholdRole = HouseholdRole.MEMBER,
    relation: Relation = Relation.FAMILY,
) -> NewHouseholdInvitation:
    return house.database.write_now(TENANT, households.invite, by, account_id, relation, role)


def _register(
    house: House, made: NewHouseholdInvitation, code: str | None = None, login: str = "son"
) -> Joined:
    used = made.code if code is None else code
    return house.database.write_now(TENANT, households.register, made.token, used, _WHO, login, "!")


def _user(house: House, user_id: UserId) -> User:
    record = house.database.read_now(TENANT, users.find_user, user_id)
    assert record is not None
    return record.user


def test_by_the_code_somebody_belongs_to_the_home_at_once_and_what_they_agreed_to_is_kept(
    house: House, head: User
) -> None:
    joined = _register(house, _invite(house, head, _account_id(head)))

    assert joined.is_confirmed
    son = _user(house, joined.user_id)
    assert (son.role, son.account_ids, son.member_of) == (Role.RESIDENT, head.account_ids, head.account_ids)
    story = house.database.read_now(TENANT, privacy.my_story, son)
    assert story is not None
    assert (story.person.name, story.person.phone) == ("王小明", "138****8001")
    assert [(one.relation, one.from_on, one.to_on) for one in story.homes] == [
        (Relation.FAMILY, date(2026, 11, 24), None)
    ]
    assert set(story.agreed) == {ConsentPurpose.REGISTRATION, ConsentPurpose.CONTACT}


def test_without_the_code_they_wait_until_the_head_or_the_office_says_that_it_is_them(
    house: House, head: User
) -> None:
    joined = _register(house, _invite(house, head, _account_id(head)), "")
    son = _user(house, joined.user_id)

    assert (joined.is_confirmed, son.account_ids) == (False, frozenset())
    [waiting] = house.database.read_now(TENANT, households.waiting, house.manager, house.site_id)
    assert (waiting.name, waiting.phone, waiting.space_code) == ("王小明", "138****8001", "1-101")
    assert house.database.read_now(TENANT, households.waits, son) == [waiting]
    house.database.write_now(TENANT, households.decide, head, waiting.invitation_id)

    assert _user(house, joined.user_id).account_ids == head.account_ids
    with pytest.raises(Conflict, match="nobody waits on this invitation any more"):
        house.database.write_now(TENANT, households.decide, house.manager, waiting.invitation_id)


def test_whoever_is_refused_sees_nothing_and_their_number_is_forgotten(house: House, head: User) -> None:
    joined = _register(house, _invite(house, head, _account_id(head)), "")
    [waiting] = house.database.read_now(TENANT, households.waiting, house.manager, house.site_id)

    house.database.write_now(TENANT, households.decide, house.manager, waiting.invitation_id, is_refused=True)

    found = house.database.read_now(TENANT, household_store.find_invitation, waiting.invitation_id)
    assert found is not None
    assert (found.state_at(found.created_at_ms), found.phone) == (InvitationState.REFUSED, "")
    assert _user(house, joined.user_id).account_ids == frozenset()
    assert house.database.read_now(TENANT, persons.find_by_user, joined.user_id) is None


def test_a_wrong_code_is_refused_and_the_invitation_stays_open(house: House, head: User) -> None:
    made = _invite(house, head, _account_id(head))

    with pytest.raises(Forbidden, match="the code is wrong"):
        _register(house, made, f"{(int(made.code) + 1) % 10**6:06d}")

    assert _register(house, made).is_confirmed


def test_an_invitation_is_good_once_for_three_days_and_until_it_is_taken_back(
    house: House, head: User, clock: FakeClock
) -> None:
    used, back, late = (_invite(house, head, _account_id(head)) for _ in range(3))
    _register(house, used)
    house.database.write_now(TENANT, households.revoke, head, back.invitation.invitation_id)
    clock.advance(days=3)

    for made in (used, back, late):
        with pytest.raises(NotFound, match="this invitation is not good"):
            _register(house, made, login="other")


def test_a_member_sees_no_money_of_the_home_until_its_head_lets_them(house: House, head: User) -> None:
    account_id = _account_id(head)
    joined = _register(house, _invite(house, head, account_id))
    for topic in (Topic.DUNNING, Topic.ANNOUNCEMENT):
        gaps = ("site", "title", "text", "space", "amount", "count", "account", "day", "oldest")
        values = dict.fromkeys(gaps, "1")
        note = NewNotice(topic, f"note:{topic.value}", values, account_id=account_id)
        house.database.write_now(TENANT, notices.notify, note)
    son = _user(house, joined.user_id)

    with pytest.raises(Forbidden, match="the bills of this home are not shown to you"):
        house.database.read_now(TENANT, ledger.balance, son, account_id)
    assert house.database.read_now(TENANT, invoices.list_invoices, son).items == ()
    assert house.database.read_now(TENANT, premises.billed_accounts, son) == []
    told = house.database.read_now(TENANT, notices.list_received, son).items
    assert [one.topic for one in told] == [Topic.ANNOUNCEMENT]
    assert house.database.read_now(TENANT, notices.count_unread, son) == 1

    house.database.write_now(TENANT, households.set_role, head, account_id, son.user_id, HouseholdRole.PAYER)
    payer = _user(house, joined.user_id)
    require_bills(payer, account_id)
    assert len(house.database.read_now(TENANT, notices.list_received, payer).items) == 2


def test_nobody_at_home_makes_an_owner_or_another_head(house: House, head: User) -> None:
    account_id = _account_id(head)

    with pytest.raises(Invalid, match="'owner' is given by the property office alone"):
        _invite(house, head, account_id, relation=Relation.OWNER)
    with pytest.raises(Invalid, match="'head' is given by the property office alone"):
        _invite(house, head, account_id, HouseholdRole.HEAD)
    made = _invite(house, house.manager, account_id, HouseholdRole.HEAD, Relation.OWNER)
    spouse = _user(house, _register(house, made).user_id)
    with pytest.raises(Forbidden, match="let go by the property office alone"):
        house.database.write_now(TENANT, households.end_access, head, account_id, spouse.user_id)


def test_a_member_invites_nobody_and_a_neighbour_finds_no_such_home(house: House, head: User) -> None:
    account_id = _account_id(head)
    son = _user(house, _register(house, _invite(house, head, account_id)).user_id)
    neighbour = add_resident(house, "neighbour", "A-201")

    with pytest.raises(Forbidden, match="only who heads this home"):
        _invite(house, son, account_id)
    assert house.database.read_now(TENANT, households.get_household, son, account_id).invitations == ()
    with pytest.raises(NotFound):
        house.database.read_now(TENANT, households.get_household, neighbour, account_id)


def test_access_ends_at_the_head_s_word_at_one_s_own_and_when_the_account_ends(
    house: House, head: User
) -> None:
    account_id = _account_id(head)
    ids = [
        _register(house, _invite(house, head, account_id), login=login).user_id
        for login in ("son", "daughter", "tenant")
    ]
    _invite(house, head, account_id)

    house.database.write_now(TENANT, households.end_access, head, account_id, ids[0])
    house.database.write_now(TENANT, households.end_access, _user(house, ids[1]), account_id, ids[1])
    house.database.write_now(TENANT, households.end_with_account, house.manager, account_id)

    assert [_user(house, user_id).account_ids for user_id in ids] == [frozenset()] * 3
    assert _user(house, head.user_id).account_ids == head.account_ids
    assert house.database.read_now(TENANT, household_store.invitations_of, account_id) == []


def test_whoever_the_office_knows_by_that_number_in_the_home_is_that_person(house: House, head: User) -> None:
    def known(tx: Tx) -> str:
        [space_id] = [account.space_id for account in premises.own_accounts(tx, head)]
        person_id = persons.insert_person(tx, house.site_id, "王小明", _WHO.phone, "", "")
        assert person_id is not None and space_id is not None
        persons.insert_occupancy(tx, person_id, space_id, Relation.FAMILY, date(2020, 1, 1))
        return person_id

    person_id = house.database.write_now(TENANT, known)

    joined = _register(house, _invite(house, head, _account_id(head)))

    found = house.database.read_now(TENANT, persons.find_by_user, joined.user_id)
    assert found is not None
    assert found.person_id == person_id


def test_a_further_home_is_taken_up_with_the_login_one_has(house: House, head: User) -> None:
    neighbour = add_resident(house, "neighbour", "A-201")
    made = _invite(house, head, _account_id(head))

    joined = house.database.write_now(
        TENANT, households.join, neighbour, made.token, made.code, _WHO.phone, agrees_to_contact=False
    )

    both = _user(house, joined.user_id)
    assert both.account_ids == head.account_ids | neighbour.account_ids
    assert both.head_account_ids == neighbour.account_ids


def test_withdrawing_the_consent_to_be_registered_ends_the_access(house: House, head: User) -> None:
    joined = _register(house, _invite(house, head, _account_id(head)))

    house.database.write_now(
        TENANT, privacy.withdraw, _user(house, joined.user_id), ConsentPurpose.REGISTRATION
    )

    assert _user(house, joined.user_id).account_ids == frozenset()
