"""Tables of votes: what is asked, which spaces may vote with which area, and their votes."""

import sqlalchemy as sa

from cloud.domain.ballot import BallotKind
from cloud.store.schema.columns import (
    check,
    document,
    identity,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    small,
    tenant,
    text,
)

ballot = sa.Table(
    "ballot",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("kind"),
    text("title"),
    text("text"),
    document("options"),
    integer("opened_at_ms"),
    integer("until_ms"),
    reference("opened_by", nullable=True),
    integer("cancelled_at_ms", nullable=True),
    text("why_cancelled"),
    refers("site", "site_id"),
    refers("app_user", "opened_by"),
    one_of("kind", BallotKind),
    check("times", "until_ms > opened_at_ms"),
    sa.Index("ix_ballot_site", "tenant_id", "site_id", "id"),
)

ballot_space = sa.Table(
    "ballot_space",
    metadata,
    tenant(),
    sa.Column("ballot_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("space_id", sa.Uuid(as_uuid=False), primary_key=True),
    reference("account_id", nullable=True),
    integer("area_dm2"),
    # The owner's person where one is known, else the space itself: what heads are counted by.
    reference("owner_key"),
    refers("ballot", "ballot_id"),
    refers("space", "space_id"),
    refers("account", "account_id"),
    check("area", "area_dm2 > 0"),
    sa.Index("ix_ballot_space_account", "tenant_id", "account_id"),
)

# One row a space, so one vote a space; append-only, so never another.
ballot_vote = sa.Table(
    "ballot_vote",
    metadata,
    tenant(),
    sa.Column("ballot_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("space_id", sa.Uuid(as_uuid=False), primary_key=True),
    small("choice"),
    integer("cast_at_ms"),
    reference("cast_by"),
    # What a vote on paper is filed under; empty for one given by the owner's own login.
    text("paper"),
    refers("ballot_space", "ballot_id", "space_id", to=("ballot_id", "space_id")),
    refers("app_user", "cast_by"),
    check("choice", "choice >= 0"),
)
