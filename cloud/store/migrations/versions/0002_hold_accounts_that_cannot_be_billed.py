"""Hold accounts that cannot be billed; keep a tariff's text once it is in force."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# Everything a bill was rated by. The end of validity is set when the next version takes over.
_TEXT = "code, version, commodity, valid_from, document, source, confidence"

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION gatehouse_refuse_tariff() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a tariff that was in force is never changed: %% refused', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "billing_hold",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("problems", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("held_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_billing_hold_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "period_id"],
            ["billing_period.tenant_id", "billing_period.id"],
            name=op.f("fk_billing_hold_period_id_billing_period"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "period_id", "account_id", name=op.f("pk_billing_hold")),
    )
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(_POSTGRESQL_FUNCTION)
        for name, act in (("no_update", f"UPDATE OF {_TEXT}"), ("no_delete", "DELETE")):
            conn.exec_driver_sql(
                f"CREATE TRIGGER tariff_{name} BEFORE {act} ON tariff FOR EACH ROW "
                "WHEN (OLD.state <> 'draft') EXECUTE FUNCTION gatehouse_refuse_tariff()"
            )
        return
    for name, act in (("no_update", f"UPDATE OF {_TEXT}"), ("no_delete", "DELETE")):
        conn.exec_driver_sql(
            f"CREATE TRIGGER tariff_{name} BEFORE {act} ON tariff WHEN OLD.state <> 'draft' BEGIN "
            "SELECT RAISE(ABORT, 'a tariff that was in force is never changed'); END"
        )
