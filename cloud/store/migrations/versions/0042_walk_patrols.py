"""Walk patrols."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0042"
down_revision: str | None = "0041"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "patrol_route",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("weekdays", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("starts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("minutes BETWEEN 5 AND 480", name=op.f("ck_patrol_route_minutes")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_patrol_route_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_patrol_route")),
    )
    with op.batch_alter_table("patrol_route", schema=None) as batch_op:
        batch_op.create_index("ix_patrol_route_site", ["tenant_id", "site_id"], unique=False)

    op.create_table(
        "patrol_round",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("route_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("begins_at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("missing", sa.SmallInteger(), nullable=False),
        sa.Column("judged_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "route_id"],
            ["patrol_route.tenant_id", "patrol_route.id"],
            name=op.f("fk_patrol_round_route_id_patrol_route"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "route_id", "begins_at_ms", name=op.f("pk_patrol_round")),
    )
    op.create_table(
        "patrol_checkpoint",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("route_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("entrance_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entrance_id"],
            ["entrance.tenant_id", "entrance.id"],
            name=op.f("fk_patrol_checkpoint_entrance_id_entrance"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "route_id"],
            ["patrol_route.tenant_id", "patrol_route.id"],
            name=op.f("fk_patrol_checkpoint_route_id_patrol_route"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_patrol_checkpoint")),
        sa.UniqueConstraint(
            "tenant_id", "route_id", "position", name=op.f("uq_patrol_checkpoint_route_id_position")
        ),
        sa.UniqueConstraint("tenant_id", "tag", name=op.f("uq_patrol_checkpoint_tag")),
    )
    op.create_table(
        "patrol_mark",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("checkpoint_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "checkpoint_id"],
            ["patrol_checkpoint.tenant_id", "patrol_checkpoint.id"],
            name=op.f("fk_patrol_mark_checkpoint_id_patrol_checkpoint"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_patrol_mark_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_patrol_mark")),
    )
    with op.batch_alter_table("patrol_mark", schema=None) as batch_op:
        batch_op.create_index(
            "ix_patrol_mark_checkpoint", ["tenant_id", "checkpoint_id", "at_ms"], unique=False
        )
    protect(op.get_bind(), ["patrol_mark"])
