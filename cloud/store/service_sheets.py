"""Item lists of a company's own, signed sheets, and contractors' links; lists and sheets only grow."""

from typing import Any

import msgspec
import sqlalchemy as sa

from cloud.domain.checklist import Answer, Checklist, CheckResult, Cycle
from cloud.domain.ids import PlanId, ServiceLinkId, ServiceSheetId, UserId, WorkOrderId
from cloud.domain.service_sheet import ServiceLink, ServiceSheet, Signing
from cloud.store.db import Tx
from cloud.store.schema import checklist, service_link, service_sheet


def newest_checklist(tx: Tx, code: str) -> tuple[int, Checklist] | None:
    """Return a company's own version of a list with its number, or None."""
    # What does this list say now?
    row = tx.conn.execute(
        sa.select(checklist.c.number, checklist.c.document)
        .where(checklist.c.tenant_id == tx.tenant_id, checklist.c.code == code)
        .order_by(checklist.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.number, msgspec.convert(row.document, Checklist))


def checklist_codes(tx: Tx) -> list[str]:
    """Return the codes of the lists a company has versions of its own of."""
    # Which lists has this company changed or made?
    rows = tx.conn.execute(
        sa.select(checklist.c.code).distinct().where(checklist.c.tenant_id == tx.tenant_id)
    )
    return [row.code for row in rows]


def insert_checklist(tx: Tx, number: int, added: Checklist, reason: str, recorded_by: UserId | None) -> bool:
    """Add a version of a list; False if somebody has just added that number."""
    # Add one version of a list.
    return bool(
        tx.conn.execute(
            tx.insert(checklist)
            .values(
                tenant_id=tx.tenant_id,
                code=added.code,
                number=number,
                document=msgspec.to_builtins(added),
                reason=reason,
                recorded_at_ms=tx.now_ms,
                recorded_by=recorded_by,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "code", "number"])
        ).rowcount
    )


def insert_sheet(tx: Tx, sheet: ServiceSheet) -> None:
    """Keep a signed sheet."""
    # Add one signed sheet.
    tx.conn.execute(
        sa.insert(service_sheet).values(
            tenant_id=tx.tenant_id,
            id=sheet.sheet_id,
            plan_id=sheet.plan_id,
            work_order_id=sheet.work_order_id,
            signed_at_ms=sheet.signed_at_ms,
            signed_by=sheet.signing.signed_by,
            signature=sheet.signing.signature,
            checklist_code=sheet.checklist_code,
            cycle=sheet.cycle.value,
            answers=[
                [one.item_code, one.text, one.result.value, one.value, one.note] for one in sheet.answers
            ],
            parts=sheet.signing.parts,
            cost_fen=sheet.signing.cost_fen,
            note=sheet.signing.note,
            sha256=sheet.sha256,
            recorded_by=sheet.recorded_by,
            link_id=sheet.link_id,
        )
    )


def find_sheet(tx: Tx, sheet_id: ServiceSheetId) -> ServiceSheet | None:
    """Return one signed sheet, or None."""
    # What was signed here?
    row = tx.conn.execute(_sheets(tx).where(service_sheet.c.id == sheet_id)).one_or_none()
    return None if row is None else _sheet_from_row(row)


def sheets_of(tx: Tx, plan_id: PlanId, limit: int) -> list[ServiceSheet]:
    """Return a plan's signed sheets, the newest first."""
    # What did this plan's visits find?
    query = _sheets(tx).where(service_sheet.c.plan_id == plan_id)
    rows = tx.conn.execute(query.order_by(service_sheet.c.signed_at_ms.desc()).limit(limit))
    return [_sheet_from_row(row) for row in rows]


def insert_link(
    tx: Tx, plan_id: PlanId, contractor: str, secret_sha256: str, expires_at_ms: int, user_id: UserId | None
) -> ServiceLinkId:
    """Open a way to a plan's sheet."""
    link_id = ServiceLinkId(tx.new_id())
    # Add one link.
    tx.conn.execute(
        sa.insert(service_link).values(
            tenant_id=tx.tenant_id,
            id=link_id,
            plan_id=plan_id,
            contractor=contractor,
            secret_sha256=secret_sha256,
            created_at_ms=tx.now_ms,
            created_by=user_id,
            expires_at_ms=expires_at_ms,
        )
    )
    return link_id


def find_link(tx: Tx, secret_sha256: str) -> ServiceLink | None:
    """Return the link whose secret has this hash, or None."""
    # Which sheet does this link lead to?
    row = tx.conn.execute(_links(tx).where(service_link.c.secret_sha256 == secret_sha256)).one_or_none()
    return None if row is None else _link_from_row(row)


def links_of(tx: Tx, plan_id: PlanId) -> list[ServiceLink]:
    """Return a plan's links, the newest first."""
    # Who was let in to this plan's sheet?
    query = _links(tx).where(service_link.c.plan_id == plan_id)
    return [_link_from_row(row) for row in tx.conn.execute(query.order_by(service_link.c.id.desc()))]


def use_link(tx: Tx, link_id: ServiceLinkId) -> bool:
    """Mark a link as used; False if it was used or revoked meanwhile."""
    # A link leads to one signature.
    return bool(
        tx.conn.execute(
            sa.update(service_link)
            .where(
                service_link.c.tenant_id == tx.tenant_id,
                service_link.c.id == link_id,
                service_link.c.used_at_ms.is_(None),
                service_link.c.revoked_at_ms.is_(None),
            )
            .values(used_at_ms=tx.now_ms)
        ).rowcount
    )


def revoke_links(tx: Tx, plan_id: PlanId) -> int:
    """Let a plan's unused links lead nowhere; return how many there were."""
    # Nobody comes in by these any more.
    return tx.conn.execute(
        sa.update(service_link)
        .where(
            service_link.c.tenant_id == tx.tenant_id,
            service_link.c.plan_id == plan_id,
            service_link.c.used_at_ms.is_(None),
            service_link.c.revoked_at_ms.is_(None),
        )
        .values(revoked_at_ms=tx.now_ms)
    ).rowcount


def _sheets(tx: Tx) -> sa.Select[Any]:
    return sa.select(service_sheet).where(service_sheet.c.tenant_id == tx.tenant_id)


def _links(tx: Tx) -> sa.Select[Any]:
    return sa.select(
        service_link.c.id,
        service_link.c.plan_id,
        service_link.c.contractor,
        service_link.c.created_at_ms,
        service_link.c.expires_at_ms,
        service_link.c.used_at_ms,
        service_link.c.revoked_at_ms,
    ).where(service_link.c.tenant_id == tx.tenant_id)


def _sheet_from_row(row: Any) -> ServiceSheet:
    return ServiceSheet(
        ServiceSheetId(row.id),
        PlanId(row.plan_id),
        None if row.work_order_id is None else WorkOrderId(row.work_order_id),
        row.signed_at_ms,
        Signing(row.signed_by, row.signature, row.parts, row.cost_fen, row.note),
        row.checklist_code,
        Cycle(row.cycle),
        tuple(
            Answer(code, text, CheckResult(word), value, note)
            for code, text, word, value, note in row.answers
        ),
        row.sha256,
        None if row.recorded_by is None else UserId(row.recorded_by),
        None if row.link_id is None else ServiceLinkId(row.link_id),
    )


def _link_from_row(row: Any) -> ServiceLink:
    return ServiceLink(
        ServiceLinkId(row.id),
        PlanId(row.plan_id),
        row.contractor,
        row.created_at_ms,
        row.expires_at_ms,
        row.used_at_ms,
        row.revoked_at_ms,
    )
