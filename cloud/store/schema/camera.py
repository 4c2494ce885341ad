"""Tables of cameras and their pictures."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
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
)
from protocol.picture import PictureCause

camera = sa.Table(
    "camera",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("gateway_id"),
    text("device_code"),
    text("name"),
    text("place"),
    reference("building_id", nullable=True),
    document("sees"),
    small("keep_days"),
    integer("created_at_ms"),
    integer("removed_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("gateway", "gateway_id"),
    refers("building", "building_id"),
    sa.Index("ix_camera_site", "tenant_id", "site_id"),
    sa.Index(
        "uq_camera_device",
        "tenant_id",
        "gateway_id",
        "device_code",
        unique=True,
        sqlite_where=sa.text("removed_at_ms IS NULL"),
        postgresql_where=sa.text("removed_at_ms IS NULL"),
    ),
)

# The content goes when its days are over; that there was a picture, and its digest, stay.
camera_picture = sa.Table(
    "camera_picture",
    metadata,
    tenant(),
    identity(),
    reference("camera_id"),
    text("cause"),
    text("kind"),
    text("point_key"),
    reference("asked_by", nullable=True),
    integer("asked_at_ms"),
    integer("taken_at_ms", nullable=True),
    flag("is_clock_set"),
    text("sha256"),
    sa.Column("content", sa.LargeBinary, nullable=True),
    integer("erased_at_ms", nullable=True),
    refers("camera", "camera_id"),
    refers("app_user", "asked_by"),
    one_of("cause", PictureCause),
    sa.Index("ix_camera_picture_taken", "tenant_id", "camera_id", "taken_at_ms"),
    sa.Index("ix_camera_picture_point", "tenant_id", "point_key", "kind"),
)
