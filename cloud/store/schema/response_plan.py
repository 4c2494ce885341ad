"""Tables of response plans and of the steps that were done at alarms."""

import sqlalchemy as sa

from cloud.domain.response_plan import PlanKind
from cloud.store.schema.columns import (
    check,
    document,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    tenant,
)

response_plan = sa.Table(
    "response_plan",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    # [[Chinese, English], …] in the order in which they are done.
    document("steps"),
    reference("written_by", nullable=True),
    integer("written_at_ms"),
    refers("site", "site_id"),
    refers("app_user", "written_by"),
    one_of("kind", PlanKind),
    check("version", "version >= 1"),
)

# A step is done once; who takes the tick back stands in the audit log.
alarm_step = sa.Table(
    "alarm_step",
    metadata,
    tenant(),
    sa.Column("alarm_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("step_no", sa.SmallInteger, primary_key=True, autoincrement=False),
    reference("user_id"),
    integer("at_ms"),
    refers("alarm", "alarm_id"),
    refers("app_user", "user_id"),
)
