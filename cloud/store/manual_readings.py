"""Dials as people read them or had them estimated; the readings of the wire stay what they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from cloud.domain.ids import InstallationId, UserId
from cloud.domain.usage import DialReading
from cloud.store.db import Tx
from cloud.store.schema import app_user, manual_reading, withdrawn_reading

# A reading by hand is entered for a boundary: it may have been taken some days off, and says so.
TOLERANCE_MS = 12 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class ManualReading:
    """One record: who read or estimated what, for which moment, and why.

    `kind` is "manual", "estimate", or "rollover" where the person also saw that the dial passed its zero.
    """

    record_id: str
    installation_id: InstallationId
    at_ms: int
    value_micro: int
    kind: str
    anchor_value_micro: int | None
    reason: str
    recorded_by: str
    recorded_at_ms: int


def insert_reading(
    tx: Tx,
    installation_id: InstallationId,
    at_ms: int,
    value_micro: int,
    reason: str,
    recorded_by: UserId | None,
    anchor_value_micro: int | None = None,
    *,
    is_rollover: bool = False,
) -> str:
    """Add a record; with an anchor it is an estimate. A later one for the moment holds from now on."""
    record_id = tx.new_id()
    kind = "rollover" if is_rollover else "manual" if anchor_value_micro is None else "estimate"
    # Add one record.
    tx.conn.execute(
        tx.insert(manual_reading).values(
            tenant_id=tx.tenant_id,
            id=record_id,
            installation_id=installation_id,
            at_ms=at_ms,
            value_micro=value_micro,
            kind=kind,
            anchor_value_micro=anchor_value_micro,
            reason=reason,
            recorded_by=recorded_by,
            recorded_at_ms=tx.now_ms,
        )
    )
    return record_id


def readings_at(
    tx: Tx, installations: Sequence[InstallationId], at_ms: int, tolerance_ms: int = TOLERANCE_MS
) -> dict[InstallationId, DialReading]:
    """Return the record that holds for each installation at a moment; those without one are left out."""
    if not installations:
        return {}
    # What did people read, or have estimated, for this moment?
    rows = tx.conn.execute(
        sa.select(
            manual_reading.c.id,
            manual_reading.c.installation_id,
            manual_reading.c.at_ms,
            manual_reading.c.value_micro,
            manual_reading.c.kind,
            manual_reading.c.anchor_value_micro,
        )
        .where(
            manual_reading.c.tenant_id == tx.tenant_id,
            manual_reading.c.installation_id.in_(installations),
            manual_reading.c.at_ms.between(at_ms - tolerance_ms, at_ms + tolerance_ms),
            holds(tx),
        )
        # The last recorded comes last and holds.
        .order_by(manual_reading.c.recorded_at_ms, manual_reading.c.id)
    )
    return {
        InstallationId(row.installation_id): DialReading(
            row.value_micro,
            row.at_ms,
            row.kind,
            record_id=row.id,
            anchor_micro=row.anchor_value_micro,
        )
        for row in rows
    }


def holds(tx: Tx) -> sa.ColumnElement[bool]:
    """Return the condition of a record that was not withdrawn."""
    return ~sa.exists().where(
        withdrawn_reading.c.tenant_id == tx.tenant_id, withdrawn_reading.c.record_id == manual_reading.c.id
    )


def find_records(tx: Tx, record_ids: Sequence[str]) -> dict[str, ManualReading]:
    """Return records by id, with the name of who made them."""
    if not record_ids:
        return {}
    # Who recorded this, and why?
    rows = tx.conn.execute(
        sa.select(
            manual_reading.c.id,
            manual_reading.c.installation_id,
            manual_reading.c.at_ms,
            manual_reading.c.value_micro,
            manual_reading.c.kind,
            manual_reading.c.anchor_value_micro,
            manual_reading.c.reason,
            app_user.c.display_name,
            manual_reading.c.recorded_at_ms,
        )
        .select_from(
            manual_reading.outerjoin(
                app_user,
                sa.and_(
                    app_user.c.tenant_id == manual_reading.c.tenant_id,
                    app_user.c.id == manual_reading.c.recorded_by,
                ),
            )
        )
        .where(manual_reading.c.tenant_id == tx.tenant_id, manual_reading.c.id.in_(record_ids))
    )
    return {
        row.id: ManualReading(
            row.id,
            InstallationId(row.installation_id),
            row.at_ms,
            row.value_micro,
            row.kind,
            row.anchor_value_micro,
            row.reason,
            row.display_name or "",
            row.recorded_at_ms,
        )
        for row in rows
    }
