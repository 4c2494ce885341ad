"""Tables of what the property keeps for residents: venues and their slots, parcels on the shelf."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    check,
    identity,
    integer,
    metadata,
    reference,
    refers,
    small,
    tenant,
    text,
    unique,
)

venue = sa.Table(
    "venue",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    text("note"),
    small("opens_minute"),
    small("closes_minute"),
    small("slot_minutes"),
    integer("created_at_ms"),
    integer("closed_at_ms", nullable=True),
    refers("site", "site_id"),
    check("hours", "0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440"),
    sa.Index("ix_venue_site", "tenant_id", "site_id"),
)

booking = sa.Table(
    "booking",
    metadata,
    tenant(),
    identity(),
    reference("venue_id"),
    reference("account_id"),
    reference("booked_by"),
    integer("from_ms"),
    integer("until_ms"),
    integer("booked_at_ms"),
    integer("cancelled_at_ms", nullable=True),
    refers("venue", "venue_id"),
    refers("account", "account_id"),
    refers("app_user", "booked_by"),
    check("times", "until_ms > from_ms"),
    sa.Index("ix_booking_account", "tenant_id", "account_id", "until_ms"),
    sa.Index("ix_booking_venue", "tenant_id", "venue_id", "from_ms"),
)

# The key is the rule: a slot of a venue is taken once. A booking taken back gives its slots back.
booking_slot = sa.Table(
    "booking_slot",
    metadata,
    tenant(),
    sa.Column("venue_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("begins_at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    reference("booking_id"),
    refers("venue", "venue_id"),
    refers("booking", "booking_id"),
    sa.Index("ix_booking_slot_booking", "tenant_id", "booking_id"),
)

parcel = sa.Table(
    "parcel",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("account_id"),
    text("carrier"),
    text("shelf"),
    sa.Column("code_sealed", sa.LargeBinary, nullable=True),
    # Emptied when it is handed out, so that the digits can be given again.
    text("code_blind", nullable=True),
    integer("arrived_at_ms"),
    reference("received_by", nullable=True),
    integer("handed_out_at_ms", nullable=True),
    reference("handed_out_by", nullable=True),
    refers("site", "site_id"),
    refers("account", "account_id"),
    refers("app_user", "received_by"),
    refers("app_user", "handed_out_by"),
    unique("site_id", "code_blind"),
    sa.Index("ix_parcel_site", "tenant_id", "site_id", "handed_out_at_ms"),
    sa.Index("ix_parcel_account", "tenant_id", "account_id"),
)
