"""Keep a register of equipment: where it stands, how it came, its warranty, its end."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_KINDS = (
    "'access_control', 'camera', 'escalator', 'fire_panel', 'generator', 'lift', 'meter', 'other', "
    "'power_supply', 'pump', 'sensor', 'vehicle_gate', 'ventilation'"
)


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    with op.batch_alter_table("equipment") as batch:
        batch.add_column(sa.Column("place", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("purchased_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("price_fen", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("supplier", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("warranty_until_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("retired_on", sa.Date(), nullable=True))
        batch.drop_constraint(op.f("ck_equipment_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_equipment_kind"), f"kind IN ({_KINDS})")
        batch.create_check_constraint(op.f("ck_equipment_price"), "price_fen >= 0")
    # The defaults were for rows that were there; from now on every entry says it.
    with op.batch_alter_table("equipment") as batch:
        batch.alter_column("place", server_default=None)
        batch.alter_column("supplier", server_default=None)
