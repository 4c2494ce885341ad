"""Tables of who there is: tenants, users, their sessions, and what they did."""

import sqlalchemy as sa

from cloud.domain.household import HouseholdRole
from cloud.domain.user import Locale, Role
from cloud.store.schema.columns import (
    check,
    document,
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

# The one table whose own key is the tenant: a reference table where tenants are spread over servers.
tenant_table = sa.Table(
    "tenant",
    metadata,
    tenant(),
    text("code"),
    text("name"),
    integer("created_at_ms"),
    sa.UniqueConstraint("code", name="uq_tenant_code"),
)

app_user = sa.Table(
    "app_user",
    metadata,
    tenant(),
    identity(),
    text("login"),
    text("display_name"),
    text("role"),
    text("password_hash"),
    text("locale"),
    integer("created_at_ms"),
    integer("disabled_at_ms", nullable=True),
    refers("tenant", to=()),
    unique("login"),
    one_of("role", Role),
    check("no_system_login", "role <> 'system'"),
    one_of("locale", Locale),
)

user_account = sa.Table(
    "user_account",
    metadata,
    tenant(),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("account_id", sa.Uuid(as_uuid=False), primary_key=True),
    # What they see and may do there; since when is not known of ties older than that was asked.
    sa.Column("role", sa.Text, nullable=False, server_default=HouseholdRole.HEAD.value),
    integer("since_ms", nullable=True),
    refers("app_user", "user_id"),
    refers("account", "account_id"),
    one_of("role", HouseholdRole),
    sa.Index("ix_user_account_account", "tenant_id", "account_id"),
)

# Where somebody works: whole sites, single buildings. No row in either: the whole company.
user_site = sa.Table(
    "user_site",
    metadata,
    tenant(),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    refers("app_user", "user_id"),
    refers("site", "site_id"),
)

user_building = sa.Table(
    "user_building",
    metadata,
    tenant(),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("building_id", sa.Uuid(as_uuid=False), primary_key=True),
    refers("app_user", "user_id"),
    refers("building", "building_id"),
)

session = sa.Table(
    "session",
    metadata,
    tenant(),
    sa.Column("session_hash", sa.Text, primary_key=True),
    # What a person sees in the list of sessions and revokes by; the hash never leaves the store.
    reference("id"),
    reference("user_id"),
    text("client"),
    text("address"),
    integer("created_at_ms"),
    # When its holder last showed who they are; none: a password was right, and a code is awaited.
    integer("authenticated_at_ms", nullable=True),
    integer("last_seen_at_ms"),
    integer("expires_at_ms"),
    refers("app_user", "user_id"),
    unique("id"),
    sa.Index("ix_session_user", "tenant_id", "user_id"),
)

# What lets somebody choose their password, once; its secret is with them alone.
invitation = sa.Table(
    "invitation",
    metadata,
    tenant(),
    sa.Column("token_hash", sa.Text, primary_key=True),
    reference("user_id"),
    integer("expires_at_ms"),
    integer("used_at_ms", nullable=True),
    refers("app_user", "user_id"),
    sa.Index("ix_invitation_user", "tenant_id", "user_id"),
)

audit_entry = sa.Table(
    "audit_entry",
    metadata,
    tenant(),
    identity(),
    integer("at_ms"),
    reference("user_id", nullable=True),
    text("action"),
    text("subject_kind"),
    text("subject_id"),
    document("detail"),
    sa.Index("ix_audit_entry_subject", "tenant_id", "subject_kind", "subject_id"),
)

# The chain the audit log hangs on: one link an entry, in the order they were committed.
audit_link = sa.Table(
    "audit_link",
    metadata,
    tenant(),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    reference("entry_id"),
    text("digest"),
    unique("entry_id"),
    check("position", "position > 0"),
)
