"""Tables of the second factor: what a person's one-time codes come from, and whose roles must have one."""

import sqlalchemy as sa

from cloud.domain.user import Role
from cloud.store.schema.columns import integer, metadata, one_of, refers, tenant

# Sealed with the company's key. Confirmed once a code of it was given: until then it asks nobody for one.
second_factor = sa.Table(
    "second_factor",
    metadata,
    tenant(),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    integer("begun_at_ms"),
    integer("confirmed_at_ms", nullable=True),
    # The last interval a code was taken of: none is good twice, nor one older than it.
    integer("last_interval"),
    refers("app_user", "user_id"),
)

# For a lost telephone: each good once, found by its keyed hash.
recovery_code = sa.Table(
    "recovery_code",
    metadata,
    tenant(),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("code_hash", sa.Text, primary_key=True),
    integer("used_at_ms", nullable=True),
    refers("second_factor", "user_id", to=("user_id",)),
)

# Whom the company lets in by a password alone no more.
second_factor_role = sa.Table(
    "second_factor_role",
    metadata,
    tenant(),
    sa.Column("role", sa.Text, primary_key=True),
    integer("required_at_ms"),
    one_of("role", Role),
)
