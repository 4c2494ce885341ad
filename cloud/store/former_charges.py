"""What the system before charged, and what we charge for the same month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, PeriodId, SiteId
from cloud.domain.parallel_run import Charged, ChargeKey
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import account, former_charge, invoice, invoice_line, service_point, usage
from protocol.quantity import decimal_from_micro, micro_from_decimal

_C = former_charge.c


@dataclass(frozen=True, slots=True)
class FormerCharge:
    """A charge of the system before."""

    charge_id: str
    account_number: str
    month: str
    charge_code: str
    charged: Charged


def charges_of(tx: Tx, site_id: SiteId, month: str | None = None) -> list[FormerCharge]:
    """Return what the system before charged at a site, in one month or ever."""
    query = (
        sa.select(_C.id, account.c.number, _C.month, _C.charge_code, _C.amount_fen, _C.quantity_micro)
        .join(account, sa.and_(account.c.tenant_id == _C.tenant_id, account.c.id == _C.account_id))
        .where(_C.tenant_id == tx.tenant_id, account.c.site_id == site_id)
    )
    if month is not None:
        query = query.where(_C.month == month)
    # What did they ask for?
    return [
        FormerCharge(
            row.id,
            row.number,
            row.month,
            row.charge_code,
            Charged(row.amount_fen, _quantity(row.quantity_micro)),
        )
        for row in tx.conn.execute(query)
    ]


def months_of(tx: Tx, site_id: SiteId) -> list[str]:
    """Return the months with charges of the system before, newest first."""
    # Which months can be compared?
    rows = tx.conn.execute(
        sa.select(_C.month)
        .distinct()
        .join(account, sa.and_(account.c.tenant_id == _C.tenant_id, account.c.id == _C.account_id))
        .where(_C.tenant_id == tx.tenant_id, account.c.site_id == site_id)
        .order_by(_C.month.desc())
    )
    return [row.month for row in rows]


def insert_charges(tx: Tx, added: Sequence[tuple[AccountId, str, str, Charged]]) -> list[str]:
    """Write down charges (account, month, charge code); return their ids in order."""
    ids = [tx.new_id() for _ in added]
    if added:
        # Add what they asked for.
        insert_rows(
            tx,
            former_charge,
            [
                {
                    "tenant_id": tx.tenant_id,
                    "id": charge_id,
                    "account_id": account_id,
                    "month": month,
                    "charge_code": code,
                    **_columns(charged),
                }
                for charge_id, (account_id, month, code, charged) in zip(ids, added, strict=True)
            ],
        )
    return ids


def update_charges(tx: Tx, changed: Mapping[str, Charged]) -> None:
    """Put charges right."""
    for charge_id, charged in changed.items():
        # Change one charge.
        tx.conn.execute(
            sa.update(former_charge)
            .where(_C.tenant_id == tx.tenant_id, _C.id == charge_id)
            .values(**_columns(charged))
        )


def invoiced(tx: Tx, period_id: PeriodId) -> dict[ChargeKey, Charged]:
    """Return what a period's documents come to, corrections included, by account number and charge code."""
    of_period = sa.and_(invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id)
    whose = sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id)
    # How much was used?
    used = tx.conn.execute(
        sa.select(account.c.number, service_point.c.commodity, sa.func.sum(usage.c.quantity_micro))
        .select_from(
            usage.join(
                invoice, sa.and_(invoice.c.tenant_id == usage.c.tenant_id, invoice.c.id == usage.c.invoice_id)
            )
            .join(account, whose)
            .join(
                service_point,
                sa.and_(
                    service_point.c.tenant_id == usage.c.tenant_id,
                    service_point.c.id == usage.c.service_point_id,
                ),
            )
        )
        .where(of_period)
        .group_by(account.c.number, service_point.c.commodity)
    )
    quantities = {(row[0], row[1]): _quantity(int(row[2])) for row in used}
    # What was asked for it?
    rows = tx.conn.execute(
        sa.select(account.c.number, invoice_line.c.charge_code, sa.func.sum(invoice_line.c.amount_fen))
        .select_from(
            invoice_line.join(
                invoice,
                sa.and_(
                    invoice.c.tenant_id == invoice_line.c.tenant_id, invoice.c.id == invoice_line.c.invoice_id
                ),
            ).join(account, whose)
        )
        .where(of_period)
        .group_by(account.c.number, invoice_line.c.charge_code)
    )
    return {(row[0], row[1]): Charged(int(row[2]), quantities.get((row[0], row[1]))) for row in rows}


def _columns(charged: Charged) -> dict[str, Any]:
    micro = None if charged.quantity is None else micro_from_decimal(charged.quantity)
    return {"amount_fen": charged.amount_fen, "quantity_micro": micro}


def _quantity(micro: int | None) -> Decimal | None:
    return None if micro is None else decimal_from_micro(micro)
