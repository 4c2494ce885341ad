"""Tables of what comes from the building: gateways, points, readings, evidence, events, alarms, meters.

`reading` is the long table. It has no foreign key on purpose: its series is looked up in the same
transaction that inserts it, points are never deleted (a trigger sees to it), and a check on every row
would cost more than the insert. The primary key is also its only index: it answers both "last at or
before" and "first at or after" for one series.
"""

import sqlalchemy as sa

from cloud.domain.alarm import AlarmEntryKind
from cloud.domain.alarm_handling import AlarmActKind
from cloud.domain.gateway import BlockState
from cloud.domain.premises import Commodity
from cloud.store.schema.columns import (
    ExactDecimal,
    check,
    document,
    flag,
    identity,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    small,
    tenant,
    text,
    unique,
)
from protocol.event import EventState
from protocol.sync import Stream


def _key(name: str, kind: type[sa.types.TypeEngine[int]] = sa.BigInteger) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _gateway_key() -> sa.Column[str]:
    return sa.Column("gateway_id", sa.Uuid(as_uuid=False), primary_key=True)


def _stream_key() -> sa.Column[str]:
    return sa.Column("stream", sa.Text, primary_key=True)


gateway = sa.Table(
    "gateway",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("code"),
    text("name"),
    # Of the time before certificates; no longer read, dropped in the release after next.
    text("token_hash", nullable=True),
    flag("enabled"),
    integer("created_at_ms"),
    integer("last_seen_at_ms", nullable=True),
    document("hello", nullable=True),
    integer("hello_at_ms", nullable=True),
    refers("site", "site_id"),
    unique("site_id", "code"),
    unique("token_hash"),
)

device = sa.Table(
    "device",
    metadata,
    tenant(),
    identity(),
    reference("gateway_id"),
    text("code"),
    text("profile"),
    text("title"),
    refers("gateway", "gateway_id"),
    unique("gateway_id", "code"),
)

point = sa.Table(
    "point",
    metadata,
    tenant(),
    _key("series_id", sa.Integer),
    reference("gateway_id"),
    reference("device_id"),
    text("key"),
    text("name"),
    # A name of protocol.quantity.QUANTITIES, or empty while nobody has said what it measures.
    text("quantity"),
    text("unit"),
    refers("gateway", "gateway_id"),
    refers("device", "device_id"),
    unique("gateway_id", "key"),
    sa.Index("ix_point_device", "tenant_id", "device_id"),
)

point_current = sa.Table(
    "point_current",
    metadata,
    tenant(),
    _key("series_id", sa.Integer),
    # The newest reading, whatever its quality …
    integer("measured_at_ms"),
    integer("received_at_ms"),
    integer("value_micro", nullable=True),
    small("quality"),
    text("reason"),
    # … and the newest that had a value, to be shown with its age when the newest has none.
    integer("valued_at_ms", nullable=True),
    integer("last_value_micro", nullable=True),
    refers("point", "series_id", to=("series_id",)),
)

reading = sa.Table(
    "reading",
    metadata,
    tenant(),
    _key("series_id", sa.Integer),
    _key("measured_at_ms"),
    _key("epoch"),
    _key("seq"),
    integer("value_micro", nullable=True),
    small("quality"),
    text("reason"),
    small("clock_quality"),
    integer("received_at_ms"),
    # Number of the evidence row of the same gateway and epoch in the history stream; null for none.
    integer("evidence_seq", nullable=True),
    check("value", "(value_micro IS NOT NULL) = (quality < 10)"),
    sqlite_with_rowid=False,
)

# The good readings of a register on one UTC day long past, packed: what a month is rated from.
# Made from `reading` and to be made anew at any time; a reading that comes late takes its day away.
reading_day = sa.Table(
    "reading_day",
    metadata,
    tenant(),
    _key("series_id", sa.Integer),
    _key("day"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

evidence = sa.Table(
    "evidence",
    metadata,
    tenant(),
    _gateway_key(),
    _stream_key(),
    _key("epoch"),
    # The number of the first row that was taken from this exchange.
    _key("seq"),
    text("protocol"),
    text("line"),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("reply", sa.LargeBinary, nullable=False),
    integer("captured_at_ms"),
    integer("round_trip_us"),
    text("sha256"),
    refers("gateway", "gateway_id"),
    one_of("stream", Stream),
)

ingest_stream = sa.Table(
    "ingest_stream",
    metadata,
    tenant(),
    _gateway_key(),
    _stream_key(),
    _key("epoch"),
    integer("acked_through"),
    integer("first_received_at_ms"),
    integer("received_at_ms"),
    refers("gateway", "gateway_id"),
    one_of("stream", Stream),
)

ingest_block = sa.Table(
    "ingest_block",
    metadata,
    tenant(),
    _gateway_key(),
    _stream_key(),
    _key("epoch"),
    _key("first_seq"),
    integer("last_seq"),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    integer("row_count"),
    integer("received_at_ms"),
    text("state"),
    refers("gateway", "gateway_id"),
    one_of("stream", Stream),
    one_of("state", BlockState),
    check("range", "last_seq >= first_seq AND row_count = last_seq - first_seq + 1"),
)

ingest_problem = sa.Table(
    "ingest_problem",
    metadata,
    tenant(),
    identity(),
    reference("gateway_id"),
    text("stream"),
    integer("epoch"),
    integer("first_seq"),
    integer("last_seq"),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    text("code"),
    text("detail"),
    # The bytes as they came, so that nothing is lost that a person may still rescue.
    sa.Column("payload", sa.LargeBinary, nullable=False),
    integer("received_at_ms"),
    integer("settled_at_ms", nullable=True),
    reference("settled_by", nullable=True),
    refers("gateway", "gateway_id"),
    refers("app_user", "settled_by"),
    # The same bytes sent again are the same problem.
    unique("gateway_id", "stream", "epoch", "first_seq", "digest"),
    check("code", "code IN ('conflict', 'malformed')"),
)

event = sa.Table(
    "event",
    metadata,
    tenant(),
    identity(),
    reference("gateway_id"),
    integer("epoch"),
    integer("seq"),
    text("kind"),
    text("state"),
    small("severity"),
    text("point_key"),
    sa.Column("series_id", sa.Integer, nullable=True),
    integer("occurred_at_ms"),
    integer("received_at_ms"),
    text("message"),
    text("rule_id"),
    integer("value_micro", nullable=True),
    flag("is_historical"),
    document("attributes"),
    flag("has_evidence"),
    refers("gateway", "gateway_id"),
    refers("point", "series_id", to=("series_id",)),
    unique("gateway_id", "epoch", "seq"),
    one_of("state", EventState),
    check("severity", "severity BETWEEN 0 AND 3"),
    sa.Index("ix_event_occurred", "tenant_id", "occurred_at_ms", "id"),
    # What else was said of the same condition, before and after?
    sa.Index("ix_event_condition", "tenant_id", "gateway_id", "point_key", "kind", "epoch", "seq"),
)

alarm = sa.Table(
    "alarm",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("gateway_id"),
    text("number"),
    text("point_key"),
    sa.Column("series_id", sa.Integer, nullable=True),
    text("kind"),
    small("severity"),
    text("message"),
    flag("is_historical"),
    integer("raised_at_ms"),
    integer("received_at_ms"),
    integer("acknowledged_at_ms", nullable=True),
    reference("acknowledged_by", nullable=True),
    integer("cleared_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("gateway", "gateway_id"),
    refers("point", "series_id", to=("series_id",)),
    refers("app_user", "acknowledged_by"),
    unique("site_id", "number"),
    check("severity", "severity BETWEEN 0 AND 3"),
    check("acknowledged", "(acknowledged_at_ms IS NULL) = (acknowledged_by IS NULL)"),
    # The promise "one open alarm a condition" is kept here, not in code.
    sa.Index(
        "uq_alarm_open",
        "tenant_id",
        "gateway_id",
        "point_key",
        "kind",
        unique=True,
        sqlite_where=sa.text("cleared_at_ms IS NULL"),
        postgresql_where=sa.text("cleared_at_ms IS NULL"),
    ),
    sa.Index("ix_alarm_raised", "tenant_id", "raised_at_ms", "id"),
)

alarm_entry = sa.Table(
    "alarm_entry",
    metadata,
    tenant(),
    identity(),
    reference("alarm_id"),
    integer("at_ms"),
    text("kind"),
    text("text"),
    reference("event_id", nullable=True),
    reference("user_id", nullable=True),
    refers("alarm", "alarm_id"),
    refers("event", "event_id"),
    refers("app_user", "user_id"),
    one_of("kind", AlarmEntryKind),
    sa.Index("ix_alarm_entry_alarm", "tenant_id", "alarm_id", "id"),
)

meter = sa.Table(
    "meter",
    metadata,
    tenant(),
    identity(),
    text("serial"),
    text("commodity"),
    text("model"),
    # Where the register returns to zero: 1,000,000 kWh for six digits. Null for not known.
    integer("register_modulus_micro", nullable=True),
    # More than this in a day is not believed without a person.
    integer("max_per_day_micro", nullable=True),
    unique("serial"),
    refers("tenant", to=()),
    one_of("commodity", Commodity),
    check("modulus", "register_modulus_micro IS NULL OR register_modulus_micro > 0"),
)

installation = sa.Table(
    "installation",
    metadata,
    tenant(),
    identity(),
    reference("service_point_id"),
    reference("meter_id"),
    # The point that reads the meter's cumulative register; null for a meter read by hand.
    sa.Column("series_id", sa.Integer, nullable=True),
    integer("from_at_ms"),
    integer("to_at_ms", nullable=True),
    integer("opening_value_micro"),
    integer("closing_value_micro", nullable=True),
    sa.Column("multiplier", ExactDecimal(10, 4), nullable=False),
    text("reason"),
    reference("recorded_by", nullable=True),
    refers("service_point", "service_point_id"),
    refers("meter", "meter_id"),
    refers("point", "series_id", to=("series_id",)),
    refers("app_user", "recorded_by"),
    unique("service_point_id", "from_at_ms"),
    unique("meter_id", "from_at_ms"),
    check("times", "to_at_ms IS NULL OR to_at_ms > from_at_ms"),
    check("closing", "(to_at_ms IS NULL) = (closing_value_micro IS NULL)"),
    # A service point has one meter at a time, and a meter hangs in one place at a time.
    sa.Index(
        "uq_installation_service_point_open",
        "tenant_id",
        "service_point_id",
        unique=True,
        sqlite_where=sa.text("to_at_ms IS NULL"),
        postgresql_where=sa.text("to_at_ms IS NULL"),
    ),
    sa.Index(
        "uq_installation_meter_open",
        "tenant_id",
        "meter_id",
        unique=True,
        sqlite_where=sa.text("to_at_ms IS NULL"),
        postgresql_where=sa.text("to_at_ms IS NULL"),
    ),
    sa.Index("ix_installation_series", "tenant_id", "series_id"),
)

# What people did about an alarm, beside what its device said (`alarm_entry`).
alarm_act = sa.Table(
    "alarm_act",
    metadata,
    tenant(),
    identity(),
    reference("alarm_id"),
    integer("at_ms"),
    text("kind"),
    text("text"),
    reference("user_id", nullable=True),
    reference("about_id", nullable=True),
    integer("until_ms", nullable=True),
    refers("alarm", "alarm_id"),
    refers("app_user", "user_id"),
    refers("app_user", "about_id"),
    one_of("kind", AlarmActKind),
    check("until", "(kind = 'shelved') = (until_ms IS NOT NULL)"),
    sa.Index("ix_alarm_act_alarm", "tenant_id", "alarm_id", "id"),
)
