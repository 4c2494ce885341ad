"""Keep for residents: venues with their slots, parcels with their codes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "venue",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("opens_minute", sa.SmallInteger(), nullable=False),
        sa.Column("closes_minute", sa.SmallInteger(), nullable=False),
        sa.Column("slot_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440",
            name=op.f("ck_venue_hours"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_venue_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_venue")),
    )
    op.create_index("ix_venue_site", "venue", ["tenant_id", "site_id"], unique=False)

    op.create_table(
        "booking",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("venue_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("booked_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("booked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("until_ms > from_ms", name=op.f("ck_booking_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_booking_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booked_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_booking_booked_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "venue_id"], ["venue.tenant_id", "venue.id"], name=op.f("fk_booking_venue_id_venue")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_booking")),
    )
    op.create_index("ix_booking_account", "booking", ["tenant_id", "account_id", "until_ms"], unique=False)
    op.create_index("ix_booking_venue", "booking", ["tenant_id", "venue_id", "from_ms"], unique=False)

    op.create_table(
        "parcel",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("shelf", sa.Text(), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("code_blind", sa.Text(), nullable=True),
        sa.Column("arrived_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("handed_out_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("handed_out_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_parcel_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "handed_out_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_parcel_handed_out_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "received_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_parcel_received_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_parcel_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_parcel")),
        sa.UniqueConstraint("tenant_id", "site_id", "code_blind", name=op.f("uq_parcel_site_id_code_blind")),
    )
    op.create_index("ix_parcel_account", "parcel", ["tenant_id", "account_id"], unique=False)
    op.create_index("ix_parcel_site", "parcel", ["tenant_id", "site_id", "handed_out_at_ms"], unique=False)

    op.create_table(
        "booking_slot",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("venue_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("begins_at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("booking_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["booking.tenant_id", "booking.id"],
            name=op.f("fk_booking_slot_booking_id_booking"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "venue_id"],
            ["venue.tenant_id", "venue.id"],
            name=op.f("fk_booking_slot_venue_id_venue"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "venue_id", "begins_at_ms", name=op.f("pk_booking_slot")),
    )
    op.create_index("ix_booking_slot_booking", "booking_slot", ["tenant_id", "booking_id"], unique=False)
