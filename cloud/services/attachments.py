"""Attachments: papers about things, kept as they came. Whoever calls has asked whether the actor may."""

from cloud.domain.attachment import (
    ATTACHMENTS_A_SUBJECT_MAX,
    AttachmentRecord,
    AttachmentSubject,
    checked_file,
    checked_title,
)
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import AttachmentId
from cloud.domain.user import User
from cloud.store import attachments, audit
from cloud.store.db import Tx


def attach(
    tx: Tx, actor: User, kind: AttachmentSubject, subject_id: str, title: str, content: bytes
) -> AttachmentId:
    """Keep a file about something; Conflict if it is there already or there are too many."""
    count = len(attachments.list_attachments(tx, kind, subject_id))
    if count >= ATTACHMENTS_A_SUBJECT_MAX:
        raise Conflict(f"there are {count} attachments already, the most there may be")
    added = checked_file(content)
    name = checked_title(title)
    kept = attachments.insert_attachment(tx, kind, subject_id, name, added, actor.person_id)
    if kept is None:
        raise Conflict("this very file is attached already")
    audit.record(tx, actor.user_id, "attach", kind.value, subject_id, {"sha256": added.sha256})
    return kept


def fetch(
    tx: Tx, kind: AttachmentSubject, subject_id: str, attachment_id: AttachmentId
) -> tuple[AttachmentRecord, bytes]:
    """Return an attachment with its content."""
    found = attachments.content_of(tx, kind, subject_id, attachment_id)
    if found is None:
        raise NotFound(f"there is no attachment {attachment_id}")
    return found


def withdraw(
    tx: Tx, actor: User, kind: AttachmentSubject, subject_id: str, attachment_id: AttachmentId
) -> None:
    """Show an attachment no more; it stays in the database, and who took it back is remembered."""
    if not attachments.withdraw(tx, kind, subject_id, attachment_id, actor.person_id):
        raise NotFound(f"there is no attachment {attachment_id}")
    audit.record(tx, actor.user_id, "withdraw_attachment", kind.value, subject_id, {"id": attachment_id})
