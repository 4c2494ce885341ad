"""Attachments, in the database beside what they are about: committed with it, saved with it."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.attachment import AttachmentRecord, AttachmentSubject, CheckedFile
from cloud.domain.ids import AttachmentId, UserId
from cloud.store.db import Tx
from cloud.store.schema import attachment

_RECORD = (
    attachment.c.id,
    attachment.c.title,
    attachment.c.media_type,
    attachment.c.sha256,
    attachment.c.size_bytes,
    attachment.c.added_at_ms,
    attachment.c.added_by,
)


def insert_attachment(
    tx: Tx,
    kind: AttachmentSubject,
    subject_id: str,
    title: str,
    added: CheckedFile,
    added_by: UserId | None,
) -> AttachmentId | None:
    """Keep a file about something; None if this very file of it is shown already."""
    attachment_id = AttachmentId(tx.new_id())
    statement = tx.insert(attachment).values(
        tenant_id=tx.tenant_id,
        id=attachment_id,
        subject_kind=kind.value,
        subject_id=subject_id,
        title=title,
        media_type=added.media_type,
        sha256=added.sha256,
        content=added.content,
        size_bytes=len(added.content),
        added_at_ms=tx.now_ms,
        added_by=added_by,
    )
    # Add one attachment; one that was taken back is shown again.
    kept = tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "subject_kind", "subject_id", "sha256"],
            set_={"title": title, "withdrawn_at_ms": None, "withdrawn_by": None},
            where=attachment.c.withdrawn_at_ms.is_not(None),
        ).returning(attachment.c.id)
    ).scalar_one_or_none()
    return None if kept is None else AttachmentId(kept)


def list_attachments(tx: Tx, kind: AttachmentSubject, subject_id: str) -> list[AttachmentRecord]:
    """Return what is attached to something and was not taken back, oldest first, without content."""
    # Which papers are there of this thing?
    rows = tx.conn.execute(sa.select(*_RECORD).where(*_shown(tx, kind, subject_id)).order_by(attachment.c.id))
    return [_from_row(row) for row in rows]


def content_of(
    tx: Tx, kind: AttachmentSubject, subject_id: str, attachment_id: AttachmentId
) -> tuple[AttachmentRecord, bytes] | None:
    """Return an attachment with its content, or None if the thing has no such one."""
    # What does this paper say?
    row = tx.conn.execute(
        sa.select(*_RECORD, attachment.c.content).where(
            *_shown(tx, kind, subject_id), attachment.c.id == attachment_id
        )
    ).one_or_none()
    return None if row is None else (_from_row(row), row.content)


def withdraw(
    tx: Tx, kind: AttachmentSubject, subject_id: str, attachment_id: AttachmentId, user_id: UserId | None
) -> bool:
    """Show an attachment no more; it is kept. False if the thing shows no such one."""
    # Take one attachment back.
    return bool(
        tx.conn.execute(
            sa.update(attachment)
            .where(*_shown(tx, kind, subject_id), attachment.c.id == attachment_id)
            .values(withdrawn_at_ms=tx.now_ms, withdrawn_by=user_id)
        ).rowcount
    )


def _shown(tx: Tx, kind: AttachmentSubject, subject_id: str) -> list[sa.ColumnElement[bool]]:
    return [
        attachment.c.tenant_id == tx.tenant_id,
        attachment.c.subject_kind == kind.value,
        attachment.c.subject_id == subject_id,
        attachment.c.withdrawn_at_ms.is_(None),
    ]


def _from_row(row: Any) -> AttachmentRecord:
    return AttachmentRecord(
        AttachmentId(row.id),
        row.title,
        row.media_type,
        row.sha256,
        row.size_bytes,
        row.added_at_ms,
        None if row.added_by is None else UserId(row.added_by),
    )
