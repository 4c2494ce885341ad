"""Running charges: each account's bill so far in the period that has not ended, overwritten as it grows."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId
from cloud.domain.periods import PeriodCode
from cloud.domain.running_charge import RunningCharge, RunningService
from cloud.store.db import Tx
from cloud.store.schema import running_charge


def upsert_charges(tx: Tx, charges: Sequence[RunningCharge]) -> None:
    """Note charges; an older one never replaces a newer."""
    if not charges:
        return
    statement = tx.insert(running_charge)
    new = statement.excluded
    # Move the charges forward.
    tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "account_id", "period_code"],
            set_={"as_of_ms": new.as_of_ms, "total_fen": new.total_fen, "detail": new.detail},
            where=running_charge.c.as_of_ms <= new.as_of_ms,
        ),
        [
            {
                "tenant_id": tx.tenant_id,
                "account_id": one.account_id,
                "period_code": one.period_code,
                "as_of_ms": one.as_of_ms,
                "total_fen": one.total_fen,
                "detail": {
                    "currency": one.currency,
                    "services": [service.to_json() for service in one.services],
                    "problems": list(one.problems),
                },
            }
            for one in charges
        ],
    )


def find_charge(tx: Tx, account_id: AccountId, period_code: PeriodCode | None = None) -> RunningCharge | None:
    """Return an account's charge of a period (the newest, if none is named), or None."""
    query = sa.select(
        running_charge.c.account_id,
        running_charge.c.period_code,
        running_charge.c.as_of_ms,
        running_charge.c.total_fen,
        running_charge.c.detail,
    ).where(running_charge.c.tenant_id == tx.tenant_id, running_charge.c.account_id == account_id)
    if period_code is not None:
        query = query.where(running_charge.c.period_code == period_code)
    # What has this account come to so far?
    row = tx.conn.execute(query.order_by(running_charge.c.period_code.desc()).limit(1)).one_or_none()
    return None if row is None else _charge_from_row(row)


def list_charges(
    tx: Tx, account_ids: Sequence[AccountId], period_code: PeriodCode
) -> dict[AccountId, RunningCharge]:
    """Return the charges of many accounts in a period."""
    if not account_ids:
        return {}
    # What have these accounts come to so far?
    rows = tx.conn.execute(
        sa.select(
            running_charge.c.account_id,
            running_charge.c.period_code,
            running_charge.c.as_of_ms,
            running_charge.c.total_fen,
            running_charge.c.detail,
        ).where(
            running_charge.c.tenant_id == tx.tenant_id,
            running_charge.c.account_id.in_(account_ids),
            running_charge.c.period_code == period_code,
        )
    )
    return {AccountId(row.account_id): _charge_from_row(row) for row in rows}


def _charge_from_row(row: Any) -> RunningCharge:
    return RunningCharge(
        AccountId(row.account_id),
        PeriodCode(row.period_code),
        row.as_of_ms,
        row.total_fen,
        row.detail["currency"],
        tuple(RunningService.from_json(service) for service in row.detail["services"]),
        tuple(row.detail["problems"]),
    )
