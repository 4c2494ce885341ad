"""Count outages and costs of equipment."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import keep_rows, protect

revision: str = "0041"
down_revision: str | None = "0040"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "equipment_outage",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("equipment_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("ended_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint("until_ms IS NULL OR until_ms >= from_ms", name=op.f("ck_equipment_outage_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "equipment_id"],
            ["equipment.tenant_id", "equipment.id"],
            name=op.f("fk_equipment_outage_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_equipment_outage_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ended_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_equipment_outage_ended_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_equipment_outage")),
    )
    op.create_index(
        "ux_equipment_outage_open",
        "equipment_outage",
        ["tenant_id", "equipment_id"],
        unique=True,
        sqlite_where=sa.text("until_ms IS NULL"),
        postgresql_where=sa.text("until_ms IS NULL"),
    )
    op.create_table(
        "equipment_cost",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("equipment_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("spent_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint("kind IN ('contractor', 'labour', 'parts')", name=op.f("ck_equipment_cost_kind")),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_equipment_cost_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "equipment_id"],
            ["equipment.tenant_id", "equipment.id"],
            name=op.f("fk_equipment_cost_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_equipment_cost_recorded_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_equipment_cost")),
    )
    op.create_index(
        "ix_equipment_cost_equipment",
        "equipment_cost",
        ["tenant_id", "equipment_id", "spent_on"],
        unique=False,
    )
    protect(op.get_bind(), ["equipment_cost"])
    keep_rows(op.get_bind(), ["equipment_outage"])
