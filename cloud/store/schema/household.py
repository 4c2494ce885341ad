"""The table of households: who was invited to sign in for a home, and who came."""

import sqlalchemy as sa

from cloud.domain.household import HouseholdRole
from cloud.domain.person import Relation
from cloud.store.schema.columns import (
    check,
    flag,
    identity,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    tenant,
    text,
    unique,
)

# The secrets of an invitation are with who made it and who has it; here are their hashes.
household_invitation = sa.Table(
    "household_invitation",
    metadata,
    tenant(),
    identity(),
    reference("account_id"),
    text("relation"),
    text("role"),
    text("token_hash"),
    text("code_hash"),
    reference("invited_by", nullable=True),
    integer("created_at_ms"),
    integer("expires_at_ms"),
    integer("revoked_at_ms", nullable=True),
    reference("taken_by", nullable=True),
    integer("taken_at_ms", nullable=True),
    text("name"),
    sa.Column("phone_sealed", sa.LargeBinary, nullable=True),
    flag("agrees_to_contact"),
    # When it was confirmed or refused, and by whom; nobody: by its code.
    integer("settled_at_ms", nullable=True),
    reference("settled_by", nullable=True),
    flag("is_refused"),
    refers("account", "account_id"),
    refers("app_user", "invited_by"),
    refers("app_user", "taken_by"),
    refers("app_user", "settled_by"),
    unique("token_hash"),
    one_of("relation", Relation),
    one_of("role", HouseholdRole),
    check("taken", "(taken_by IS NULL) = (taken_at_ms IS NULL)"),
    check("settled_after_taken", "settled_at_ms IS NULL OR taken_at_ms IS NOT NULL"),
    sa.Index("ix_household_invitation_account", "tenant_id", "account_id"),
    sa.Index(
        "ix_household_invitation_waiting",
        "tenant_id",
        sqlite_where=sa.text("taken_at_ms IS NOT NULL AND settled_at_ms IS NULL"),
        postgresql_where=sa.text("taken_at_ms IS NOT NULL AND settled_at_ms IS NULL"),
    ),
)
