"""Imports as kept: the uploaded table, sealed, for a day, and what undoing needs."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import ImportId, SiteId, UserId
from cloud.domain.imports.plan import Outcome
from cloud.domain.imports.run import ChangedThing, Effect, ImportRun, ImportState
from cloud.store.db import Tx
from cloud.store.schema import app_user, import_run
from cloud.store.sealing import opener_of, sealer


def insert_run(
    tx: Tx,
    site_id: SiteId,
    kind: str,
    file_name: str,
    file_sha256: str,
    body: bytes,
    counts: Mapping[Outcome, int],
    started_by: UserId | None,
) -> ImportId:
    """Keep an uploaded table, sealed, and how it was judged."""
    import_id = ImportId(tx.new_id())
    # Add one import.
    tx.conn.execute(
        tx.insert(import_run).values(
            tenant_id=tx.tenant_id,
            id=import_id,
            site_id=site_id,
            kind=kind,
            file_name=file_name,
            file_sha256=file_sha256,
            body_sealed=sealer(tx).seal_content("import_run", import_id, "body", body),
            state=ImportState.CHECKED.value,
            counts={outcome.value: count for outcome, count in counts.items()},
            started_by=started_by,
            checked_at_ms=tx.now_ms,
        )
    )
    return import_id


def find_run(tx: Tx, import_id: ImportId) -> ImportRun | None:
    """Return one import, or None."""
    # Which import is this?
    row = tx.conn.execute(_select(tx).where(import_run.c.id == import_id)).one_or_none()
    return None if row is None else _run_from_row(row)


def lock_run(tx: Tx, import_id: ImportId) -> ImportRun | None:
    """Return one import that nobody else can carry out meanwhile, or None."""
    # Whoever changes an import waits here for others who do.
    tx.conn.execute(
        sa.select(import_run.c.id)
        .where(import_run.c.tenant_id == tx.tenant_id, import_run.c.id == import_id)
        .with_for_update()
    )
    return find_run(tx, import_id)


def list_runs(tx: Tx, site_id: SiteId, limit: int) -> list[ImportRun]:
    """Return a site's imports, newest first."""
    # What was brought in lately?
    rows = tx.conn.execute(
        _select(tx).where(import_run.c.site_id == site_id).order_by(import_run.c.id.desc()).limit(limit)
    )
    return [_run_from_row(row) for row in rows]


def body_of(tx: Tx, import_id: ImportId) -> bytes | None:
    """Return the uploaded file; None where it is kept no longer, or its key was destroyed."""
    # What was uploaded?
    sealed: bytes | None = tx.conn.execute(
        sa.select(import_run.c.body_sealed).where(
            import_run.c.tenant_id == tx.tenant_id, import_run.c.id == import_id
        )
    ).scalar_one()
    own = opener_of(tx, [sealed])
    if sealed is None or own is None:
        return None
    return own.unseal_content("import_run", import_id, "body", bytes(sealed))


def effect_of(tx: Tx, import_id: ImportId) -> Effect:
    """Return what an import did."""
    # What did this import make and change?
    found: Mapping[str, Any] = (
        tx.conn.execute(
            sa.select(import_run.c.effect).where(
                import_run.c.tenant_id == tx.tenant_id, import_run.c.id == import_id
            )
        ).scalar_one()
        or {}
    )
    return Effect(
        {noun: tuple(ids) for noun, ids in found.get("made", {}).items()},
        tuple(
            ChangedThing(tuple(one["key"]), one["before"], one["after"]) for one in found.get("changed", ())
        ),
    )


def finish_run(tx: Tx, import_id: ImportId, effect: Effect, counts: Mapping[Outcome, int]) -> None:
    """Note that an import was carried out, and what it did."""
    # One import is done.
    tx.conn.execute(
        sa.update(import_run)
        .where(import_run.c.tenant_id == tx.tenant_id, import_run.c.id == import_id)
        .values(
            state=ImportState.DONE.value,
            done_at_ms=tx.now_ms,
            counts={outcome.value: count for outcome, count in counts.items()},
            effect={
                "made": {noun: list(ids) for noun, ids in effect.made.items()},
                "changed": [
                    {"key": list(one.key), "before": dict(one.before), "after": dict(one.after)}
                    for one in effect.changed
                ],
            },
        )
    )


def undo_run(tx: Tx, import_id: ImportId) -> None:
    """Note that an import was undone."""
    # One import is undone.
    tx.conn.execute(
        sa.update(import_run)
        .where(import_run.c.tenant_id == tx.tenant_id, import_run.c.id == import_id)
        .values(state=ImportState.UNDONE.value, undone_at_ms=tx.now_ms, body_sealed=None)
    )


def forget_bodies(tx: Tx, before_ms: int) -> int:
    """Drop uploaded files checked before an instant: they hold names; return how many."""
    # Which files need nobody any more?
    return tx.conn.execute(
        sa.update(import_run)
        .where(
            import_run.c.tenant_id == tx.tenant_id,
            import_run.c.body_sealed.is_not(None),
            import_run.c.checked_at_ms < before_ms,
        )
        .values(body_sealed=None)
    ).rowcount


def _select(tx: Tx) -> sa.Select[Any]:
    return (
        sa.select(
            import_run.c.id,
            import_run.c.site_id,
            import_run.c.kind,
            import_run.c.file_name,
            import_run.c.file_sha256,
            import_run.c.state,
            import_run.c.counts,
            import_run.c.checked_at_ms,
            import_run.c.done_at_ms,
            import_run.c.undone_at_ms,
            app_user.c.display_name,
        )
        .select_from(
            import_run.outerjoin(
                app_user,
                sa.and_(
                    app_user.c.tenant_id == import_run.c.tenant_id, app_user.c.id == import_run.c.started_by
                ),
            )
        )
        .where(import_run.c.tenant_id == tx.tenant_id)
    )


def _run_from_row(row: sa.Row[Any]) -> ImportRun:
    return ImportRun(
        ImportId(row.id),
        SiteId(row.site_id),
        row.kind,
        row.file_name,
        row.file_sha256,
        ImportState(row.state),
        {outcome: row.counts.get(outcome.value, 0) for outcome in Outcome},
        row.display_name or "",
        row.checked_at_ms,
        row.done_at_ms,
        row.undone_at_ms,
    )
