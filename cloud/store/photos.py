"""Photos, in the database beside what they prove: committed with it, saved with it, of one tenant alone."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import PhotoId, UserId
from cloud.domain.photo import CleanPhoto, PhotoRecord, PhotoSubject
from cloud.store.db import Tx
from cloud.store.schema import photo

_RECORD = (
    photo.c.id,
    photo.c.width,
    photo.c.height,
    photo.c.size_bytes,
    photo.c.created_at_ms,
    photo.c.added_by,
)


def insert_photo(
    tx: Tx, kind: PhotoSubject, subject_id: str, added: CleanPhoto, added_by: UserId | None
) -> PhotoId | None:
    """Keep a photo of something; None if this very photo of it is kept already."""
    photo_id = PhotoId(tx.new_id())
    # Add one photo, unless it is there.
    count = tx.conn.execute(
        tx.insert(photo)
        .values(
            tenant_id=tx.tenant_id,
            id=photo_id,
            subject_kind=kind.value,
            subject_id=subject_id,
            sha256=added.sha256,
            width=added.width,
            height=added.height,
            content=added.content,
            size_bytes=len(added.content),
            created_at_ms=tx.now_ms,
            added_by=added_by,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "subject_kind", "subject_id", "sha256"])
    ).rowcount
    return photo_id if count else None


def list_photos(tx: Tx, kind: PhotoSubject, subject_id: str) -> list[PhotoRecord]:
    """Return the photos of something, oldest first, without their content."""
    # What was photographed of this thing?
    rows = tx.conn.execute(
        sa.select(*_RECORD)
        .where(
            photo.c.tenant_id == tx.tenant_id,
            photo.c.subject_kind == kind.value,
            photo.c.subject_id == subject_id,
        )
        .order_by(photo.c.id)
    )
    return [_from_row(row) for row in rows]


def photos_added_by(tx: Tx, user_id: UserId, limit: int) -> list[tuple[PhotoRecord, str, str, bytes]]:
    """Return the photos somebody added, the last first: of which thing, its id, and the JPEG."""
    # What did they photograph?
    rows = tx.conn.execute(
        sa.select(*_RECORD, photo.c.subject_kind, photo.c.subject_id, photo.c.content)
        .where(photo.c.tenant_id == tx.tenant_id, photo.c.added_by == user_id)
        .order_by(photo.c.id.desc())
        .limit(limit)
    )
    return [(_from_row(row), row.subject_kind, row.subject_id, row.content) for row in rows]


def content_of(tx: Tx, kind: PhotoSubject, subject_id: str, photo_id: PhotoId) -> bytes | None:
    """Return a photo of something as JPEG, or None if it has no such photo."""
    # What does this photo show?
    content: bytes | None = tx.conn.execute(
        sa.select(photo.c.content).where(
            photo.c.tenant_id == tx.tenant_id,
            photo.c.id == photo_id,
            photo.c.subject_kind == kind.value,
            photo.c.subject_id == subject_id,
        )
    ).scalar_one_or_none()
    return content


def _from_row(row: Any) -> PhotoRecord:
    added_by = None if row.added_by is None else UserId(row.added_by)
    return PhotoRecord(PhotoId(row.id), row.width, row.height, row.size_bytes, row.created_at_ms, added_by)
