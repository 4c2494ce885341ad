"""Tables of complaints and suggestions, and every word said about them."""

import sqlalchemy as sa

from cloud.domain.complaint import ComplaintAct, ComplaintKind, ComplaintState, ComplaintSubject
from cloud.store.schema.columns import (
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

complaint = sa.Table(
    "complaint",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("number"),
    text("kind"),
    text("subject"),
    text("state"),
    text("text"),
    reference("account_id"),
    reference("told_by"),
    integer("told_at_ms"),
    integer("waits_since_ms"),
    refers("site", "site_id"),
    refers("account", "account_id"),
    refers("app_user", "told_by"),
    unique("site_id", "number"),
    one_of("kind", ComplaintKind),
    one_of("subject", ComplaintSubject),
    one_of("state", ComplaintState),
    sa.Index("ix_complaint_site", "tenant_id", "site_id", "state"),
    sa.Index("ix_complaint_account", "tenant_id", "account_id"),
)

complaint_entry = sa.Table(
    "complaint_entry",
    metadata,
    tenant(),
    identity(),
    reference("complaint_id"),
    text("act"),
    text("text"),
    reference("author_id"),
    integer("at_ms"),
    refers("complaint", "complaint_id"),
    refers("app_user", "author_id"),
    one_of("act", ComplaintAct),
    sa.Index("ix_complaint_entry_complaint", "tenant_id", "complaint_id"),
)
