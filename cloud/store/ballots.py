"""Votes: what is asked, who may vote with which area, and their votes."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ballot import Ballot, BallotKind, CastVote, Entitled
from cloud.domain.ids import AccountId, BallotId, SiteId, SpaceId, UserId
from cloud.domain.person import Relation
from cloud.domain.premises import SpaceKind
from cloud.store.db import Tx
from cloud.store.schema import (
    account,
    app_user,
    ballot,
    ballot_space,
    ballot_vote,
    building,
    occupancy,
    space,
)

_B, _S, _V = ballot.c, ballot_space.c, ballot_vote.c


def roll_of(tx: Tx, site_id: SiteId, on: date) -> list[Entitled]:
    """Return who may vote on a day: flats and shops with an area, their account and their owner."""
    owner = (
        sa.select(sa.func.min(sa.cast(occupancy.c.person_id, sa.Text)))
        .where(
            occupancy.c.tenant_id == space.c.tenant_id,
            occupancy.c.space_id == space.c.id,
            occupancy.c.relation == Relation.OWNER.value,
            occupancy.c.from_on <= on,
            sa.or_(occupancy.c.to_on.is_(None), occupancy.c.to_on > on),
        )
        .correlate(space)
        .scalar_subquery()
    )
    joined = space.join(
        building, sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id)
    ).outerjoin(
        account,
        sa.and_(
            account.c.tenant_id == space.c.tenant_id,
            account.c.space_id == space.c.id,
            account.c.closed_on.is_(None),
        ),
    )
    # Which spaces are owned by whom, how large are they, and who signs in for them?
    rows = tx.conn.execute(
        sa.select(
            space.c.id,
            space.c.code,
            space.c.built_area_dm2,
            account.c.id.label("account_id"),
            owner.label("owner"),
        )
        .select_from(joined)
        .where(
            space.c.tenant_id == tx.tenant_id,
            building.c.site_id == site_id,
            space.c.kind.in_((SpaceKind.FLAT.value, SpaceKind.SHOP.value)),
            space.c.built_area_dm2 > 0,
        )
        .order_by(space.c.code, account.c.number)
    )
    found: dict[str, Entitled] = {}
    for row in rows:
        # Two accounts of one space are one vote: the first by number has it.
        found.setdefault(
            row.id,
            Entitled(
                SpaceId(row.id),
                row.code,
                None if row.account_id is None else AccountId(row.account_id),
                row.built_area_dm2,
                _uuid_text(row.owner) if row.owner else row.id,
            ),
        )
    return list(found.values())


def insert_ballot(
    tx: Tx,
    site_id: SiteId,
    kind: BallotKind,
    title: str,
    words: str,
    options: Sequence[str],
    until_ms: int,
    opened_by: UserId | None,
    roll: Sequence[Entitled],
) -> BallotId:
    """Open a vote to those on the roll."""
    ballot_id = BallotId(tx.new_id())
    # Add one vote.
    tx.conn.execute(
        tx.insert(ballot).values(
            tenant_id=tx.tenant_id,
            id=ballot_id,
            site_id=site_id,
            kind=kind.value,
            title=title,
            text=words,
            options=list(options),
            opened_at_ms=tx.now_ms,
            until_ms=until_ms,
            opened_by=opened_by,
            why_cancelled="",
        )
    )
    # Keep who may vote with which area.
    tx.conn.execute(
        tx.insert(ballot_space),
        [
            {
                "tenant_id": tx.tenant_id,
                "ballot_id": ballot_id,
                "space_id": one.space_id,
                "account_id": one.account_id,
                "area_dm2": one.area_dm2,
                "owner_key": one.owner_key,
            }
            for one in roll
        ],
    )
    return ballot_id


def cast(tx: Tx, ballot_id: BallotId, space_id: SpaceId, choice: int, cast_by: UserId, paper: str) -> bool:
    """Write a space's vote down; tell whether it had not voted."""
    # One vote a space: the key refuses another.
    return bool(
        tx.conn.execute(
            tx.insert(ballot_vote)
            .values(
                tenant_id=tx.tenant_id,
                ballot_id=ballot_id,
                space_id=space_id,
                choice=choice,
                cast_at_ms=tx.now_ms,
                cast_by=cast_by,
                paper=paper,
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def votes_of_user(tx: Tx, user_id: UserId, limit: int) -> list[CastVote]:
    """Return what somebody voted, the last vote first; on paper for others is not theirs."""
    # What did they vote, and on what?
    rows = tx.conn.execute(
        sa.select(ballot.c.title, space.c.code, _V.choice, _V.cast_at_ms)
        .select_from(
            ballot_vote.join(
                ballot, sa.and_(ballot.c.tenant_id == _V.tenant_id, ballot.c.id == _V.ballot_id)
            ).join(space, sa.and_(space.c.tenant_id == _V.tenant_id, space.c.id == _V.space_id))
        )
        .where(_V.tenant_id == tx.tenant_id, _V.cast_by == user_id, _V.paper == "")
        .order_by(_V.cast_at_ms.desc(), _V.ballot_id, _V.space_id)
        .limit(limit)
    )
    return [CastVote(row.title, row.code, row.choice, row.cast_at_ms) for row in rows]


def cancel(tx: Tx, ballot_id: BallotId, why: str) -> bool:
    """Cancel a vote that is open; tell whether it was."""
    # Cancel one vote.
    return bool(
        tx.conn.execute(
            sa.update(ballot)
            .where(
                _B.tenant_id == tx.tenant_id,
                _B.id == ballot_id,
                _B.cancelled_at_ms.is_(None),
                _B.until_ms > tx.now_ms,
            )
            .values(cancelled_at_ms=tx.now_ms, why_cancelled=why)
        ).rowcount
    )


def find_ballot(tx: Tx, ballot_id: BallotId) -> Ballot | None:
    """Return one vote, or None."""
    found = _ballots(tx, [_B.id == ballot_id], 1)
    return found[0] if found else None


def list_ballots(tx: Tx, site_id: SiteId, before: BallotId | None, limit: int) -> list[Ballot]:
    """Return a site's votes, newest first."""
    which = [_B.site_id == site_id]
    if before is not None:
        which.append(_B.id < before)
    return _ballots(tx, which, limit)


def roll(tx: Tx, ballot_id: BallotId, account_ids: Collection[AccountId] | None = None) -> list[Entitled]:
    """Return the roll of a vote with what each has voted; of some accounts only, if they are given."""
    which = [_S.tenant_id == tx.tenant_id, _S.ballot_id == ballot_id]
    if account_ids is not None:
        which.append(_S.account_id.in_(sorted(account_ids)))
    joined = (
        ballot_space.join(space, sa.and_(space.c.tenant_id == _S.tenant_id, space.c.id == _S.space_id))
        .outerjoin(
            ballot_vote,
            sa.and_(_V.tenant_id == _S.tenant_id, _V.ballot_id == _S.ballot_id, _V.space_id == _S.space_id),
        )
        .outerjoin(app_user, sa.and_(app_user.c.tenant_id == _V.tenant_id, app_user.c.id == _V.cast_by))
    )
    # Who may vote, and what did they vote?
    rows = tx.conn.execute(
        sa.select(
            _S.space_id,
            space.c.code,
            _S.account_id,
            _S.area_dm2,
            _S.owner_key,
            _V.choice,
            _V.cast_at_ms,
            app_user.c.display_name,
            _V.paper,
        )
        .select_from(joined)
        .where(*which)
        .order_by(space.c.code)
    )
    return [
        Entitled(
            SpaceId(row.space_id),
            row.code,
            None if row.account_id is None else AccountId(row.account_id),
            row.area_dm2,
            row.owner_key,
            row.choice,
            row.cast_at_ms,
            row.display_name or "",
            row.paper or "",
        )
        for row in rows
    ]


def _uuid_text(text: str) -> str:
    """Return an id in canonical text: SQLite keeps it as 32 digits."""
    digits = text.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _ballots(tx: Tx, which: Collection[sa.ColumnElement[bool]], limit: int) -> list[Ballot]:
    joined = ballot.outerjoin(
        app_user, sa.and_(app_user.c.tenant_id == _B.tenant_id, app_user.c.id == _B.opened_by)
    )
    # What was asked?
    rows: Any = tx.conn.execute(
        sa.select(ballot, app_user.c.display_name)
        .select_from(joined)
        .where(_B.tenant_id == tx.tenant_id, *which)
        .order_by(_B.id.desc())
        .limit(limit)
    )
    return [
        Ballot(
            BallotId(row.id),
            SiteId(row.site_id),
            BallotKind(row.kind),
            row.title,
            row.text,
            tuple(row.options),
            row.opened_at_ms,
            row.until_ms,
            row.display_name or "",
            row.cancelled_at_ms,
            row.why_cancelled,
        )
        for row in rows
    ]
