"""Votes and surveys: opened to a roll that is kept, voted once a space, counted by area and by heads.

The invariant: a decision is asked of owners alone; nobody learns what was chosen before it is over,
only how many have taken part; each voter can find their own vote in the count by its receipt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from cloud.domain.access import Action, require
from cloud.domain.ballot import (
    DECISION_OPTIONS,
    LASTS_MAX_MS,
    LASTS_MIN_MS,
    OPTION_LENGTH_MAX,
    OPTIONS_MAX,
    OPTIONS_MIN,
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Ballot,
    BallotKind,
    BallotState,
    Count,
    Entitled,
    count,
    receipt,
)
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import BallotId, SiteId, SpaceId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.person import Relation
from cloud.domain.user import Role, User
from cloud.services.premises import site_of
from cloud.store import audit, ballots, persons
from cloud.store.db import Tx

_OWN_MAX = 50
_WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class OwnBallot:
    """A vote as somebody who may take part has it; the count is there once it is over."""

    ballot: Ballot
    state: BallotState
    spaces: tuple[Entitled, ...]
    count: Count | None


@dataclass(frozen=True, slots=True)
class BallotDetail:
    """A vote with its roll and count; while a decision is open the choices are left out of both."""

    ballot: Ballot
    state: BallotState
    roll: tuple[Entitled, ...]
    count: Count
    is_counted: bool


def open_ballot(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    kind: BallotKind,
    title: str,
    text: str,
    until_ms: int,
    options: Sequence[str] = (),
) -> Ballot:
    """Open a vote to everybody who owns a flat or a shop now; a decision has its own three options."""
    require(actor, Action.MANAGE_COMMUNITY)
    site = site_of(tx, site_id)
    said, words = " ".join(title.split()), text.strip()
    for name, value, longest in (("title", said, TITLE_LENGTH_MAX), ("text", words, TEXT_LENGTH_MAX)):
        if not 1 <= len(value) <= longest:
            raise Invalid(f"the {name} has {len(value)} characters, expected 1 to {longest}")
    if not LASTS_MIN_MS <= until_ms - tx.now_ms <= LASTS_MAX_MS:
        raise Invalid("a vote lasts an hour at least and 60 days at most")
    chosen = DECISION_OPTIONS if kind is not BallotKind.SURVEY else _options(options)
    roll = ballots.roll_of(tx, site_id, local_date(tx.now_ms, time_zone(site.time_zone)))
    if not roll:
        raise Conflict("no flat or shop with an area is known: there is nobody to vote")
    ballot_id = ballots.insert_ballot(tx, site_id, kind, said, words, chosen, until_ms, actor.person_id, roll)
    audit.record(
        tx, actor.user_id, "open_ballot", "ballot", ballot_id, {"kind": kind.value, "spaces": len(roll)}
    )
    return _found(tx, ballot_id)


def cancel(tx: Tx, actor: User, ballot_id: BallotId, why: str) -> Ballot:
    """Cancel a vote that is open, saying why; its votes stay."""
    require(actor, Action.MANAGE_COMMUNITY)
    _found(tx, ballot_id)
    if not 1 <= len(why.strip()) <= _WORDS_MAX:
        raise Invalid(f"say why in 1 to {_WORDS_MAX} characters; everybody who may vote reads it")
    if not ballots.cancel(tx, ballot_id, why.strip()):
        raise Conflict("the vote is over already")
    audit.record(tx, actor.user_id, "cancel_ballot", "ballot", ballot_id)
    return _found(tx, ballot_id)


def cast(tx: Tx, actor: User, ballot_id: BallotId, space_id: SpaceId, choice: int) -> str:
    """Vote for an own space, once; return the receipt."""
    require(actor, Action.USE_COMMUNITY)
    ballot = _found(tx, ballot_id)
    own = {one.space_id: one for one in ballots.roll(tx, ballot_id, actor.account_ids)}
    if space_id not in own:
        raise NotFound("this space has no vote of yours")
    if ballot.kind is not BallotKind.SURVEY:
        _require_owner(tx, actor, space_id)
    return _write(tx, actor, ballot, space_id, choice, "")


def cast_on_paper(
    tx: Tx, actor: User, ballot_id: BallotId, space_id: SpaceId, choice: int, paper: str
) -> str:
    """Write down a vote given on paper and where the paper is filed; return the receipt."""
    require(actor, Action.MANAGE_COMMUNITY)
    ballot = _found(tx, ballot_id)
    if not any(one.space_id == space_id for one in ballots.roll(tx, ballot_id)):
        raise NotFound("this space is not on the roll")
    if not 1 <= len(paper.strip()) <= _WORDS_MAX:
        raise Invalid("say where the paper is filed: its number or folder")
    return _write(tx, actor, ballot, space_id, choice, paper.strip())


def list_ballots(
    tx: Tx, actor: User, site_id: SiteId, cursor: str | None = None, limit: int = 50
) -> Page[Ballot]:
    """Return a site's votes, newest first."""
    require(actor, Action.READ_COMMUNITY)
    checked_limit(limit)
    site_of(tx, site_id)
    before = BallotId(str(key_from_cursor(cursor, UUID)[0])) if cursor else None
    found = ballots.list_ballots(tx, site_id, before, limit + 1)
    return page_of(found, limit, lambda last: (last.ballot_id,))


def get_ballot(tx: Tx, actor: User, ballot_id: BallotId) -> BallotDetail:
    """Return a vote with who has taken part; what they chose, once it is over."""
    require(actor, Action.READ_COMMUNITY)
    ballot = _found(tx, ballot_id)
    state = ballot.state_at(tx.now_ms)
    roll = ballots.roll(tx, ballot_id)
    counted = count(ballot, roll)
    is_counted = state is BallotState.OVER
    if not is_counted:
        # What the first to vote chose must not lead those who come after.
        roll = [replace(one, choice=None) for one in roll]
        counted = replace(counted, options=(), is_carried=False)
    return BallotDetail(ballot, state, tuple(roll), counted, is_counted)


def own_ballots(tx: Tx, actor: User, site_id: SiteId) -> list[OwnBallot]:
    """Return the votes the actor's homes may or might take part in, newest first."""
    require(actor, Action.USE_COMMUNITY)
    site_of(tx, site_id)
    found = []
    for ballot in ballots.list_ballots(tx, site_id, None, _OWN_MAX):
        spaces = ballots.roll(tx, ballot.ballot_id, actor.account_ids) if actor.account_ids else []
        if spaces:
            state = ballot.state_at(tx.now_ms)
            is_over = state is BallotState.OVER
            counted = count(ballot, ballots.roll(tx, ballot.ballot_id)) if is_over else None
            found.append(OwnBallot(ballot, state, tuple(spaces), counted))
    return found


def _write(tx: Tx, actor: User, ballot: Ballot, space_id: SpaceId, choice: int, paper: str) -> str:
    if ballot.state_at(tx.now_ms) is not BallotState.OPEN:
        raise Conflict("the vote is over already")
    if not 0 <= choice < len(ballot.options):
        raise Invalid(f"the choice is {choice}, expected 0 to {len(ballot.options) - 1}")
    if not ballots.cast(tx, ballot.ballot_id, space_id, choice, actor.user_id, paper):
        raise Conflict("this space has voted already; a vote is not changed")
    # What was chosen is in the vote alone: who reads the audit while it is open learns nothing.
    detail: dict[str, str | int | None] = {"space": space_id, "paper": paper}
    audit.record(tx, actor.user_id, "cast_vote", "ballot", ballot.ballot_id, detail)
    voted = next(one for one in ballots.roll(tx, ballot.ballot_id) if one.space_id == space_id)
    return receipt(ballot.ballot_id, voted)


def _require_owner(tx: Tx, actor: User, space_id: SpaceId) -> None:
    """Refuse who is known to be something else to the space; who is not known is the account's holder."""
    if actor.role is not Role.RESIDENT:
        raise Forbidden("a manager votes for nobody: write down a vote on paper")
    person = persons.find_by_user(tx, actor.user_id)
    if person is None:
        return
    relations = {
        one.relation
        for one in persons.occupancies_of_space(tx, space_id)
        if one.person_id == person.person_id and one.to_on is None
    }
    if relations and Relation.OWNER not in relations:
        raise Forbidden("only an owner decides: tenants and family are asked in surveys")


def _options(options: Sequence[str]) -> tuple[str, ...]:
    said = tuple(" ".join(one.split()) for one in options if one.strip())
    if not OPTIONS_MIN <= len(said) <= OPTIONS_MAX or len(set(said)) != len(said):
        raise Invalid(f"{len(said)} options, expected {OPTIONS_MIN} to {OPTIONS_MAX}, all different")
    if any(len(one) > OPTION_LENGTH_MAX for one in said):
        raise Invalid(f"an option has {OPTION_LENGTH_MAX} characters at most")
    return said


def _found(tx: Tx, ballot_id: BallotId) -> Ballot:
    found = ballots.find_ballot(tx, ballot_id)
    if found is None:
        raise NotFound(f"there is no vote {ballot_id}")
    return found
