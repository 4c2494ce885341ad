"""Running charges: each account's bill so far in the period that has not ended, overwritten as it grows."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, SiteId
from cloud.domain.periods import PeriodCode
from cloud.domain.running_charge import BlockedCharge, RunningCharge, RunningService
from cloud.store.db import Tx
from cloud.store.periods import problem_from_json, problem_to_json
from cloud.store.schema import account, running_charge, space


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
                    "problems": [problem_to_json(problem) for problem in one.problems],
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


def sums_of_site(tx: Tx, site_id: SiteId, period_code: PeriodCode) -> dict[str, int]:
    """Return what a site's accounts come to so far in a period, in fen by commodity or fee."""
    service = _service(tx)
    amount_fen = sa.cast(service.c.value["amount_fen"].as_string(), sa.BigInteger)
    # What has each kind of charge come to so far, at this site?
    rows = tx.conn.execute(
        sa.select(
            service.c.value["commodity"].as_string().label("commodity"), sa.func.sum(amount_fen).label("fen")
        )
        .select_from(_charges_of_accounts().join(service, sa.true()))
        .where(*_at_site(tx, site_id, period_code))
        .group_by("commodity")
    )
    return {row.commodity: int(row.fen) for row in rows}


def blocked_of_site(tx: Tx, site_id: SiteId, period_code: PeriodCode) -> list[BlockedCharge]:
    """Return the accounts of a site that have no charge in a period, by number, each with the reasons."""
    why = running_charge.c.detail["problems"]
    is_of_space = sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
    # For whom can nobody say what they have come to, and why?
    rows = tx.conn.execute(
        sa.select(account.c.number, sa.func.coalesce(space.c.code, "").label("space_code"), why.label("why"))
        .select_from(_charges_of_accounts().outerjoin(space, is_of_space))
        .where(*_at_site(tx, site_id, period_code), sa.func.json_array_length(why) > 0)
        .order_by(account.c.number)
    )
    return [
        BlockedCharge(row.number, row.space_code, tuple(problem_from_json(one) for one in row.why))
        for row in rows
    ]


def _charges_of_accounts() -> sa.Join:
    return sa.join(
        running_charge,
        account,
        sa.and_(
            account.c.tenant_id == running_charge.c.tenant_id, account.c.id == running_charge.c.account_id
        ),
    )


def _at_site(tx: Tx, site_id: SiteId, period_code: PeriodCode) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        running_charge.c.tenant_id == tx.tenant_id,
        running_charge.c.period_code == period_code,
        account.c.site_id == site_id,
    )


def _service(tx: Tx) -> sa.TableValuedAlias:
    """Return each service of a charge as a row with its `value`; each engine has its own function for it."""
    detail = running_charge.c.detail
    if tx.conn.dialect.name == "postgresql":
        each = sa.func.json_array_elements(detail["services"])
    else:
        each = sa.func.json_each(detail, "$.services")
    return each.table_valued(sa.column("value", sa.JSON))


def _charge_from_row(row: Any) -> RunningCharge:
    return RunningCharge(
        AccountId(row.account_id),
        PeriodCode(row.period_code),
        row.as_of_ms,
        row.total_fen,
        row.detail["currency"],
        tuple(RunningService.from_json(service) for service in row.detail["services"]),
        tuple(problem_from_json(one) for one in row.detail["problems"]),
    )
