"""A vote is counted by area and by heads as Civil Code 278 asks, once a space, and can be counted again."""

from collections.abc import Sequence
from datetime import date

import pytest
import sqlalchemy as sa

from cloud.domain.ballot import (
    ABSTAIN,
    AGREE,
    DECISION_OPTIONS,
    DISAGREE,
    Ballot,
    BallotKind,
    BallotState,
    Entitled,
    count,
    receipt,
)
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import BallotId, SiteId, SpaceId
from cloud.domain.person import Relation
from cloud.domain.user import User
from cloud.services import ballots
from cloud.store import audit, persons, premises, schema
from cloud.store.db import Database, Tx
from tests.cloud.house import House, add_resident
from tests.databases import START_MS, TENANT, FakeClock

_HOUR_MS = 3_600_000


def _ballot(kind: BallotKind) -> Ballot:
    return Ballot(BallotId("b"), SiteId("s"), kind, "维修资金", "x", DECISION_OPTIONS, 0, 10, "", None, "")


def _roll(votes: Sequence[tuple[int, str, int | None]]) -> list[Entitled]:
    return [
        Entitled(SpaceId(str(number)), str(number), None, area, owner, choice, number)
        for number, (area, owner, choice) in enumerate(votes)
    ]


@pytest.mark.parametrize(
    ("kind", "votes", "is_quorate", "is_carried"),
    [
        pytest.param(
            BallotKind.ORDINARY,
            [(100, "a", AGREE), (100, "b", AGREE), (100, "c", None)],
            True,
            True,
            id="exactly two thirds take part",
        ),
        pytest.param(
            BallotKind.ORDINARY,
            [(99, "a", AGREE), (100, "b", AGREE), (101, "c", None)],
            False,
            False,
            id="a square decimetre short of two thirds of the area",
        ),
        pytest.param(
            BallotKind.ORDINARY,
            [(400, "a", AGREE), (10, "b", None), (10, "c", None)],
            False,
            False,
            id="one large owner is not two thirds of the heads",
        ),
        pytest.param(
            BallotKind.ORDINARY,
            [(100, "a", AGREE), (100, "b", DISAGREE)],
            True,
            False,
            id="half is not more than half",
        ),
        pytest.param(
            BallotKind.ORDINARY,
            [(300, "a", AGREE), (100, "b", DISAGREE), (100, "c", DISAGREE)],
            True,
            False,
            id="more than half the area and fewer heads",
        ),
        pytest.param(
            BallotKind.GRAVE,
            [(100, "a", AGREE), (100, "b", AGREE), (100, "c", AGREE), (100, "d", ABSTAIN)],
            True,
            True,
            id="exactly three quarters carry what is grave",
        ),
        pytest.param(
            BallotKind.GRAVE,
            [(100, "a", AGREE), (100, "b", AGREE), (99, "c", AGREE), (100, "d", ABSTAIN)],
            True,
            False,
            id="a little less than three quarters does not",
        ),
        pytest.param(BallotKind.SURVEY, [(100, "a", AGREE)], True, False, id="a survey decides nothing"),
        pytest.param(BallotKind.ORDINARY, [(100, "a", None)], False, False, id="nobody took part"),
    ],
)
def test_two_thirds_take_part_and_more_than_half_or_three_quarters_agree(
    kind: BallotKind, votes: list[tuple[int, str, int | None]], is_quorate: bool, is_carried: bool
) -> None:
    found = count(_ballot(kind), _roll(votes))

    assert (found.is_quorate, found.is_carried) == (is_quorate, is_carried)


def test_who_owns_three_flats_has_their_area_and_is_one_head() -> None:
    roll = _roll([(80, "a", AGREE), (90, "a", DISAGREE), (30, "a", AGREE), (100, "b", DISAGREE)])

    found = count(_ballot(BallotKind.ORDINARY), roll)

    assert (found.roll.area_dm2, found.roll.heads, found.cast.heads) == (300, 2, 2)
    assert [(one.area_dm2, one.heads) for one in found.options] == [(110, 1), (190, 1), (0, 0)]


def test_the_digest_is_the_same_in_any_order_and_another_when_a_vote_is() -> None:
    roll = _roll([(80, "a", AGREE), (90, "b", DISAGREE)])
    changed = _roll([(80, "a", AGREE), (90, "b", AGREE)])
    ballot = _ballot(BallotKind.ORDINARY)

    assert count(ballot, roll).digest == count(ballot, roll[::-1]).digest
    assert count(ballot, roll).digest != count(ballot, changed).digest


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def owner(house: House) -> User:
    return add_resident(house, "owner", "A-101")


def _open(house: House, kind: BallotKind = BallotKind.ORDINARY, options: Sequence[str] = ()) -> Ballot:
    return house.database.write_now(
        TENANT,
        ballots.open_ballot,
        house.manager,
        house.site_id,
        kind,
        "更换单元门",
        "费用从公共收益中支出。",
        START_MS + 24 * _HOUR_MS,
        options,
    )


def _spaces(house: House) -> dict[str, SpaceId]:
    found = house.database.read_now(TENANT, premises.list_spaces, house.site_id)
    return {one.code: one.space_id for one in found}


def _belongs(house: House, user: User, code: str, relation: Relation) -> None:
    def work(tx: Tx) -> None:
        person_id = persons.insert_person(tx, house.site_id, "某人", "", "", "", user.user_id)
        assert person_id is not None
        persons.insert_occupancy(tx, person_id, _space(tx, code), relation, date(2026, 1, 1))

    def _space(tx: Tx, wanted: str) -> SpaceId:
        return next(one.space_id for one in premises.list_spaces(tx, house.site_id) if one.code == wanted)

    house.database.write_now(TENANT, work)


def test_a_space_votes_once_and_finds_its_vote_in_the_count(
    house: House, owner: User, clock: FakeClock
) -> None:
    opened, space_id = _open(house), _spaces(house)["1-101"]

    kept = house.database.write_now(TENANT, ballots.cast, owner, opened.ballot_id, space_id, AGREE)

    with pytest.raises(Conflict, match="has voted already"):
        house.database.write_now(TENANT, ballots.cast, owner, opened.ballot_id, space_id, DISAGREE)
    during = house.database.read_now(TENANT, ballots.get_ballot, house.manager, opened.ballot_id)
    assert (during.is_counted, during.count.options) == (False, ())
    assert {one.choice for one in during.roll} == {None}
    clock.advance(days=1)
    over = house.database.read_now(TENANT, ballots.get_ballot, house.manager, opened.ballot_id)
    assert over.state is BallotState.OVER
    receipts = {receipt(opened.ballot_id, one) for one in over.roll if one.choice is not None}
    assert receipts == {kept}
    assert (over.count.cast.area_dm2, over.count.roll.area_dm2) == (8950, 17900)
    with pytest.raises(Conflict, match="over already"):
        house.database.write_now(
            TENANT, ballots.cast_on_paper, house.manager, opened.ballot_id, _spaces(house)["1-201"], 0, "P-1"
        )


def test_the_database_refuses_to_change_a_vote(house: House, owner: User) -> None:
    opened = _open(house)
    house.database.write_now(TENANT, ballots.cast, owner, opened.ballot_id, _spaces(house)["1-101"], DISAGREE)

    def change(tx: Tx) -> None:
        tx.conn.execute(sa.update(schema.ballot_vote).where(sa.true()).values(choice=AGREE))

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        house.database.write_now(TENANT, change)


def test_a_vote_on_paper_says_where_the_paper_is(house: House) -> None:
    opened, space_id = _open(house), _spaces(house)["1-201"]

    with pytest.raises(Invalid, match="where the paper is filed"):
        house.database.write_now(
            TENANT, ballots.cast_on_paper, house.manager, opened.ballot_id, space_id, AGREE, " "
        )
    house.database.write_now(
        TENANT, ballots.cast_on_paper, house.manager, opened.ballot_id, space_id, AGREE, "P-017"
    )

    found = house.database.read_now(TENANT, ballots.get_ballot, house.manager, opened.ballot_id)
    assert [one.paper for one in found.roll if one.cast_at_ms] == ["P-017"]
    acts = house.database.read_now(TENANT, audit.entries_of, "ballot", opened.ballot_id)
    assert "choice" not in repr(acts)


def test_a_tenant_is_asked_in_surveys_and_decides_nothing(house: House, owner: User) -> None:
    _belongs(house, owner, "1-101", Relation.TENANT)
    decision, space_id = _open(house), _spaces(house)["1-101"]
    survey = _open(house, BallotKind.SURVEY, ("早上", "晚上"))

    with pytest.raises(Forbidden, match="only an owner decides"):
        house.database.write_now(TENANT, ballots.cast, owner, decision.ballot_id, space_id, AGREE)
    assert house.database.write_now(TENANT, ballots.cast, owner, survey.ballot_id, space_id, 1)


def test_nobody_votes_for_a_neighbour_and_nobody_in_what_was_cancelled(house: House, owner: User) -> None:
    opened = _open(house)
    with pytest.raises(NotFound):
        house.database.write_now(
            TENANT, ballots.cast, owner, opened.ballot_id, _spaces(house)["1-201"], AGREE
        )
    house.database.write_now(TENANT, ballots.cancel, house.manager, opened.ballot_id, "议题有误")

    with pytest.raises(Conflict, match="over already"):
        house.database.write_now(
            TENANT, ballots.cast, owner, opened.ballot_id, _spaces(house)["1-101"], AGREE
        )
    [own] = house.database.read_now(TENANT, ballots.own_ballots, owner, house.site_id)
    assert (own.state, own.count) == (BallotState.CANCELLED, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(("早上",), "1 options, expected 2 to 10", id="one"),
        pytest.param(("早上", "早上"), "all different", id="twice the same"),
        pytest.param(("x" * 61, "y"), "60 characters at most", id="long"),
    ],
)
def test_options_that_are_none_are_refused(house: House, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        _open(house, BallotKind.SURVEY, options)
