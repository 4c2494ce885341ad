"""Cameras and their pictures, in the database beside the alarms they show."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.alarm import Alarm
from cloud.domain.camera import (
    AROUND_ALARM_MS,
    LIVE_KEPT_MS,
    PICTURES_SHOWN_MAX,
    Camera,
    CameraPicture,
    CameraSettings,
)
from cloud.domain.ids import BuildingId, CameraId, CameraPictureId, GatewayId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import app_user, camera, camera_picture
from protocol.picture import PictureCause

_C, _P = camera.c, camera_picture.c
_DAY_MS = 24 * 3_600_000


def insert_camera(
    tx: Tx, site_id: SiteId, gateway_id: GatewayId, device_code: str, said: CameraSettings
) -> CameraId | None:
    """Add a camera; None if the device is one already."""
    camera_id = CameraId(tx.new_id())
    # Add one camera, unless it is there.
    count = tx.conn.execute(
        tx.insert(camera)
        .values(
            tenant_id=tx.tenant_id,
            id=camera_id,
            site_id=site_id,
            gateway_id=gateway_id,
            device_code=device_code,
            created_at_ms=tx.now_ms,
            **_said(said),
        )
        .on_conflict_do_nothing()
    ).rowcount
    return camera_id if count else None


def change_camera(tx: Tx, camera_id: CameraId, said: CameraSettings) -> None:
    """Say anew what a camera is."""
    # Change what is said of one camera.
    tx.conn.execute(
        sa.update(camera).where(_C.tenant_id == tx.tenant_id, _C.id == camera_id).values(**_said(said))
    )


def remove_camera(tx: Tx, camera_id: CameraId) -> None:
    """Show a camera no more; its pictures go when their days are over."""
    # Take one camera away.
    tx.conn.execute(
        sa.update(camera)
        .where(_C.tenant_id == tx.tenant_id, _C.id == camera_id)
        .values(removed_at_ms=tx.now_ms)
    )


def _said(said: CameraSettings) -> dict[str, Any]:
    return {
        "name": said.name,
        "place": said.place,
        "building_id": said.building_id,
        "sees": list(said.sees),
        "keep_days": said.keep_days,
    }


def find_camera(tx: Tx, camera_id: CameraId) -> Camera | None:
    """Return a camera that is there, or None."""
    found = _cameras(tx, _C.id == camera_id)
    return found[0] if found else None


def find_by_device(tx: Tx, gateway_id: GatewayId, device_code: str) -> Camera | None:
    """Return the camera a device is, or None."""
    found = _cameras(tx, sa.and_(_C.gateway_id == gateway_id, _C.device_code == device_code))
    return found[0] if found else None


def cameras_of_site(tx: Tx, site_id: SiteId) -> list[Camera]:
    """Return a site's cameras, by name."""
    return _cameras(tx, _C.site_id == site_id)


def _cameras(tx: Tx, which: sa.ColumnElement[bool]) -> list[Camera]:
    # Which cameras are there?
    rows = tx.conn.execute(
        sa.select(
            _C.id,
            _C.site_id,
            _C.gateway_id,
            _C.device_code,
            _C.name,
            _C.place,
            _C.building_id,
            _C.sees,
            _C.keep_days,
        )
        .where(_C.tenant_id == tx.tenant_id, _C.removed_at_ms.is_(None), which)
        .order_by(_C.name, _C.id)
    )
    return [
        Camera(
            CameraId(row.id),
            SiteId(row.site_id),
            GatewayId(row.gateway_id),
            row.device_code,
            row.name,
            row.place,
            None if row.building_id is None else BuildingId(row.building_id),
            tuple(row.sees),
            row.keep_days,
        )
        for row in rows
    ]


def insert_asked(
    tx: Tx,
    picture_id: CameraPictureId,
    camera_id: CameraId,
    cause: PictureCause,
    asked_by: UserId | None,
    about: tuple[str, str] = ("", ""),
) -> None:
    """Write down that a picture is waited for; `about` are kind and point of an alarm it belongs to."""
    # Wait for one picture.
    tx.conn.execute(
        sa.insert(camera_picture).values(
            tenant_id=tx.tenant_id,
            id=picture_id,
            camera_id=camera_id,
            cause=cause.value,
            kind=about[0],
            point_key=about[1],
            asked_by=asked_by,
            asked_at_ms=tx.now_ms,
            is_clock_set=True,
            sha256="",
        )
    )


def insert_taken(
    tx: Tx,
    picture_id: CameraPictureId,
    camera_id: CameraId,
    about: tuple[str, str],
    taken_at_ms: int,
    content: bytes,
    sha256: str,
    *,
    is_clock_set: bool,
) -> None:
    """Keep a picture the box took by itself; one that is kept already stays as it is."""
    # Keep one picture of an alarm.
    tx.conn.execute(
        tx.insert(camera_picture)
        .values(
            tenant_id=tx.tenant_id,
            id=picture_id,
            camera_id=camera_id,
            cause=PictureCause.ALARM.value,
            kind=about[0],
            point_key=about[1],
            asked_at_ms=taken_at_ms,
            taken_at_ms=taken_at_ms,
            is_clock_set=is_clock_set,
            sha256=sha256,
            content=content,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "id"])
    )


def fill(
    tx: Tx, picture_id: CameraPictureId, taken_at_ms: int, content: bytes, sha256: str, *, is_clock_set: bool
) -> None:
    """Put the picture that was waited for in its place; of a live view each replaces the one before."""
    # Fill in one picture.
    tx.conn.execute(
        sa.update(camera_picture)
        .where(
            _P.tenant_id == tx.tenant_id,
            _P.id == picture_id,
            _P.erased_at_ms.is_(None),
            sa.or_(_P.cause == PictureCause.LIVE.value, _P.taken_at_ms.is_(None)),
        )
        .values(taken_at_ms=taken_at_ms, content=content, sha256=sha256, is_clock_set=is_clock_set)
    )


def find_picture(tx: Tx, picture_id: CameraPictureId) -> CameraPicture | None:
    """Return a picture without its content, waited for or erased ones too."""
    found = _pictures(tx, _P.id == picture_id, 1)
    return found[0] if found else None


def content_of(tx: Tx, picture_id: CameraPictureId) -> bytes | None:
    """Return a picture as JPEG, None where it has not come or is erased."""
    # What does this picture show?
    content: bytes | None = tx.conn.execute(
        sa.select(_P.content).where(_P.tenant_id == tx.tenant_id, _P.id == picture_id)
    ).scalar_one_or_none()
    return content


def pictures_of_camera(tx: Tx, camera_id: CameraId, limit: int = PICTURES_SHOWN_MAX) -> list[CameraPicture]:
    """Return the pictures of a camera that are kept, the latest first."""
    return _pictures(tx, sa.and_(_P.camera_id == camera_id, *_KEPT), limit)


def latest_of(tx: Tx, cameras: Sequence[CameraId]) -> dict[CameraId, CameraPicture]:
    """Return the latest kept picture of each camera that has one."""
    newest = (
        sa.select(_P.camera_id, sa.func.max(_P.taken_at_ms).label("taken_at_ms"))
        .where(_P.tenant_id == tx.tenant_id, _P.camera_id.in_(list(cameras)), *_KEPT)
        .group_by(_P.camera_id)
        .subquery()
    )
    which = sa.tuple_(_P.camera_id, _P.taken_at_ms).in_(sa.select(newest.c.camera_id, newest.c.taken_at_ms))
    found = _pictures(tx, sa.and_(which, *_KEPT), 2 * len(cameras) + 1)
    return {one.camera_id: one for one in reversed(found)}


def pictures_of_alarm(tx: Tx, alarm: Alarm) -> list[CameraPicture]:
    """Return the kept pictures of an alarm, the first taken first."""
    until_ms = alarm.cleared_at_ms or tx.now_ms
    which = sa.and_(
        _C.gateway_id == alarm.gateway_id,
        _P.point_key == alarm.point_key,
        _P.kind == alarm.kind,
        _P.taken_at_ms.between(alarm.raised_at_ms - AROUND_ALARM_MS, until_ms + AROUND_ALARM_MS),
        *_KEPT,
    )
    return list(reversed(_pictures(tx, which, PICTURES_SHOWN_MAX)))


def erase_due(tx: Tx) -> dict[CameraId, int]:
    """Erase the content of pictures whose days are over; return how many of each camera."""
    is_due = sa.or_(
        sa.and_(_P.cause == PictureCause.LIVE.value, _P.asked_at_ms < tx.now_ms - LIVE_KEPT_MS),
        _P.asked_at_ms < tx.now_ms - sa.cast(_C.keep_days, sa.BigInteger) * _DAY_MS,
    )
    # Which pictures have been kept for as long as they may be?
    due = tx.conn.execute(
        sa.select(_P.id, _P.camera_id, _P.cause)
        .join(camera, sa.and_(_C.tenant_id == _P.tenant_id, _C.id == _P.camera_id))
        .where(_P.tenant_id == tx.tenant_id, _P.content.is_not(None), is_due)
        .order_by(_P.id)
        .limit(500)
    ).all()
    if due:
        # Erase what they show.
        tx.conn.execute(
            sa.update(camera_picture)
            .where(_P.tenant_id == tx.tenant_id, _P.id.in_([row.id for row in due]))
            .values(content=None, erased_at_ms=tx.now_ms)
        )
    counted: dict[CameraId, int] = {}
    for row in due:
        if row.cause != PictureCause.LIVE.value:  # nobody ever kept it
            counted[CameraId(row.camera_id)] = counted.get(CameraId(row.camera_id), 0) + 1
    return counted


_KEPT = (_P.content.is_not(None), _P.cause != PictureCause.LIVE.value)


def _pictures(tx: Tx, which: sa.ColumnElement[bool], limit: int) -> list[CameraPicture]:
    # Which pictures are there? The latest first, without what they show.
    rows = tx.conn.execute(
        sa.select(
            _P.id,
            _P.camera_id,
            _C.name,
            _P.cause,
            _P.kind,
            _P.point_key,
            app_user.c.display_name,
            _P.asked_at_ms,
            _P.taken_at_ms,
            _P.is_clock_set,
            _P.sha256,
            _P.content.is_not(None).label("is_kept"),
        )
        .join(camera, sa.and_(_C.tenant_id == _P.tenant_id, _C.id == _P.camera_id))
        .outerjoin(app_user, sa.and_(app_user.c.tenant_id == _P.tenant_id, app_user.c.id == _P.asked_by))
        .where(_P.tenant_id == tx.tenant_id, which)
        .order_by(sa.desc(sa.func.coalesce(_P.taken_at_ms, _P.asked_at_ms)), _P.id)
        .limit(limit)
    )
    return [
        CameraPicture(
            CameraPictureId(row.id),
            CameraId(row.camera_id),
            row.name,
            PictureCause(row.cause),
            row.kind,
            row.point_key,
            row.display_name or "",
            row.asked_at_ms,
            row.taken_at_ms,
            bool(row.is_clock_set),
            row.sha256,
            bool(row.is_kept),
        )
        for row in rows
    ]
