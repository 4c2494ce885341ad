"""Chain the audit log, what was recorded so far included."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ENTRY = sa.table(
    "audit_entry",
    sa.column("tenant_id", sa.Integer),
    sa.column("id", sa.Uuid(as_uuid=False)),
    sa.column("at_ms", sa.BigInteger),
    sa.column("user_id", sa.Uuid(as_uuid=False)),
    sa.column("action", sa.Text),
    sa.column("subject_kind", sa.Text),
    sa.column("subject_id", sa.Text),
    sa.column("detail", sa.JSON),
)


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    link = op.create_table(
        "audit_link",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_audit_link_position")),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("tenant_id", "entry_id", name=op.f("uq_audit_link_entry_id")),
    )
    conn = op.get_bind()
    rows: list[dict[str, Any]] = []
    heads: dict[int, tuple[int, str]] = {}
    for row in conn.execute(sa.select(_ENTRY).order_by(_ENTRY.c.tenant_id, _ENTRY.c.id)):
        position, digest = heads.get(row.tenant_id, (0, "0" * 64))
        written = json.dumps(
            [row.id, row.at_ms, row.user_id, row.action, row.subject_kind, row.subject_id, row.detail],
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        digest = hashlib.sha256(f"{digest}\n{written}".encode()).hexdigest()
        heads[row.tenant_id] = (position + 1, digest)
        rows.append(
            {"tenant_id": row.tenant_id, "position": position + 1, "entry_id": row.id, "digest": digest}
        )
    if rows:
        conn.execute(sa.insert(link), rows)
    protect(conn, ["audit_link"])
