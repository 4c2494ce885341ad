"""Configure gateways: numbered configurations and the steps of their lives."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_STATES = "'draft', 'sent', 'staged', 'applied', 'healthy', 'rolled_back', 'refused', 'withdrawn', 'found'"


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "configuration",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("profiles", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("watch_s", sa.SmallInteger(), nullable=False),
        sa.Column("based_on", sa.BigInteger(), nullable=True),
        sa.Column("author_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_configuration_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "author_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_configuration_author_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_configuration_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_configuration")),
        sa.UniqueConstraint(
            "tenant_id", "gateway_id", "number", name=op.f("uq_configuration_gateway_id_number")
        ),
    )
    op.create_index(
        "ix_configuration_digest", "configuration", ["tenant_id", "gateway_id", "digest"], unique=False
    )
    op.create_table(
        "configuration_step",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("configuration_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("step_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("by_edge_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_configuration_step_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "actor_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_configuration_step_actor_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "configuration_id"],
            ["configuration.tenant_id", "configuration.id"],
            name=op.f("fk_configuration_step_configuration_id_configuration"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "configuration_id", "step_no", name=op.f("pk_configuration_step")
        ),
    )
    protect(op.get_bind(), ["configuration_step"])
