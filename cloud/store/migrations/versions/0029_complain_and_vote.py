"""Complain and vote: complaints with every word about them; votes with their roll, one a space."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "ballot",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("cancelled_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("why_cancelled", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('survey', 'ordinary', 'grave')", name=op.f("ck_ballot_kind")),
        sa.CheckConstraint("until_ms > opened_at_ms", name=op.f("ck_ballot_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "opened_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_ballot_opened_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_ballot_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ballot")),
    )
    op.create_index("ix_ballot_site", "ballot", ["tenant_id", "site_id", "id"], unique=False)

    op.create_table(
        "ballot_space",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ballot_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("area_dm2", sa.BigInteger(), nullable=False),
        sa.Column("owner_key", sa.Uuid(as_uuid=False), nullable=False),
        sa.CheckConstraint("area_dm2 > 0", name=op.f("ck_ballot_space_area")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_ballot_space_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ballot_id"],
            ["ballot.tenant_id", "ballot.id"],
            name=op.f("fk_ballot_space_ballot_id_ballot"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"],
            ["space.tenant_id", "space.id"],
            name=op.f("fk_ballot_space_space_id_space"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "ballot_id", "space_id", name=op.f("pk_ballot_space")),
    )
    op.create_index("ix_ballot_space_account", "ballot_space", ["tenant_id", "account_id"], unique=False)

    op.create_table(
        "complaint",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("told_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("told_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("waits_since_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('complaint', 'suggestion', 'praise')", name=op.f("ck_complaint_kind")),
        sa.CheckConstraint("state IN ('open', 'answered', 'closed')", name=op.f("ck_complaint_state")),
        sa.CheckConstraint(
            "subject IN ('charges', 'cleaning', 'noise', 'parking', 'safety', 'staff', 'other')",
            name=op.f("ck_complaint_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_complaint_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_complaint_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "told_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_complaint_told_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("tenant_id", "site_id", "number", name=op.f("uq_complaint_site_id_number")),
    )
    op.create_index("ix_complaint_account", "complaint", ["tenant_id", "account_id"], unique=False)
    op.create_index("ix_complaint_site", "complaint", ["tenant_id", "site_id", "state"], unique=False)

    op.create_table(
        "ballot_vote",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ballot_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("choice", sa.SmallInteger(), nullable=False),
        sa.Column("cast_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("cast_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("paper", sa.Text(), nullable=False),
        sa.CheckConstraint("choice >= 0", name=op.f("ck_ballot_vote_choice")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ballot_id", "space_id"],
            ["ballot_space.tenant_id", "ballot_space.ballot_id", "ballot_space.space_id"],
            name=op.f("fk_ballot_vote_ballot_id_ballot_space"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "cast_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_ballot_vote_cast_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "ballot_id", "space_id", name=op.f("pk_ballot_vote")),
    )
    op.create_table(
        "complaint_entry",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("complaint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "act IN ('told', 'answered', 'reopened', 'closed', 'noted')", name=op.f("ck_complaint_entry_act")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "author_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_complaint_entry_author_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "complaint_id"],
            ["complaint.tenant_id", "complaint.id"],
            name=op.f("fk_complaint_entry_complaint_id_complaint"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_complaint_entry")),
    )
    op.create_index(
        "ix_complaint_entry_complaint", "complaint_entry", ["tenant_id", "complaint_id"], unique=False
    )
    protect(op.get_bind(), ("ballot_space", "ballot_vote", "complaint_entry"))
