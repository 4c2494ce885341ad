"""Let gateways enrol: one-time tokens, certificates, and which of them still count."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "gateway_enrolment",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("offered_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("offered_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.SmallInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("key_hash", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_gateway_enrolment_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_gateway_enrolment")),
    )
    op.create_index(
        "ix_gateway_enrolment_gateway",
        "gateway_enrolment",
        ["tenant_id", "gateway_id", "offered_at_ms"],
        unique=False,
    )
    op.create_table(
        "gateway_certificate",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_gateway_certificate_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_gateway_certificate")),
        sa.UniqueConstraint("tenant_id", "serial", name=op.f("uq_gateway_certificate_serial")),
    )
    op.create_index(
        "ix_gateway_certificate_key",
        "gateway_certificate",
        ["tenant_id", "gateway_id", "key_hash"],
        unique=False,
    )
    op.create_table(
        "gateway_identity",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("floor_ms", sa.BigInteger(), nullable=False),
        sa.Column("newest_ms", sa.BigInteger(), nullable=False),
        sa.Column("newest_since_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("lease_before", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("boot_id_before", sa.Text(), nullable=False),
        sa.Column("leased_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=True),
        sa.Column("doubted_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("doubt IN ('doubled', 'rolled_back')", name=op.f("ck_gateway_identity_doubt")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_gateway_identity_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "gateway_id", name=op.f("pk_gateway_identity")),
    )
