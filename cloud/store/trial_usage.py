"""What was billed by a tariff, service by service: the material a draft is tried on."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain import money
from cloud.domain.ids import AccountId, ServicePointId, SiteId
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff_document import Tariff
from cloud.store.db import Tx
from cloud.store.schema import account, invoice, invoice_line, tariff, usage

_BEGINNING = date(1, 1, 1)


@dataclass(frozen=True, slots=True)
class BilledService:
    """One service point on one account's invoices for some dates, corrections included."""

    account_id: AccountId
    account_number: str
    service_point_id: ServicePointId
    dates: ServicePeriod
    quantity: Decimal
    billed_fen: int
    household_size: int | None
    area_m2: Decimal | None


def always_in_force(version: Tariff) -> Tariff:
    """Return a version as if it held on every day."""
    return replace(version, valid_from=_BEGINNING, valid_to=None)


def billed_services(tx: Tx, site_id: SiteId, tariff_code: str, dates: ServicePeriod) -> list[BilledService]:
    """Return what a site was billed by a tariff for services that began within some dates.

    Documents of one account and period are taken together: what a credit note took back counts no more.
    """
    # What did these services cost, and by which tariff?
    costs = _costs(tx, site_id, tariff_code)
    # How much was used?
    rows = tx.conn.execute(
        sa.select(
            usage.c.invoice_id,
            usage.c.service_point_id,
            sa.func.min(usage.c.start_on).label("start_on"),
            sa.func.max(usage.c.end_on).label("end_on"),
            sa.func.sum(usage.c.quantity_micro).label("micro"),
        )
        .join(account, sa.and_(account.c.tenant_id == usage.c.tenant_id, account.c.id == usage.c.account_id))
        .where(
            usage.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            usage.c.start_on >= dates.start_on,
            usage.c.start_on < dates.end_on,
        )
        .group_by(usage.c.invoice_id, usage.c.service_point_id)
    ).all()
    together: dict[tuple[str, str, date, date], BilledService] = {}
    for row in rows:
        cost = costs.get((row.invoice_id, row.service_point_id))
        if cost is None:
            continue
        added = _service(cost, row)
        key = (added.account_id, added.service_point_id, row.start_on, row.end_on)
        known = together.get(key)
        together[key] = added if known is None else _add(known, added)
    return sorted(together.values(), key=lambda one: (one.account_number, one.dates.start_on))


def _costs(tx: Tx, site_id: SiteId, tariff_code: str) -> dict[tuple[str, str], Any]:
    rows = tx.conn.execute(
        sa.select(
            invoice.c.id,
            invoice_line.c.service_point_id,
            invoice.c.account_id,
            account.c.number,
            invoice.c.snapshot,
            sa.func.sum(invoice_line.c.amount_fen)
            .over(partition_by=(invoice_line.c.invoice_id, invoice_line.c.service_point_id))
            .label("amount_fen"),
        )
        .select_from(
            invoice_line.join(
                invoice,
                sa.and_(
                    invoice.c.tenant_id == invoice_line.c.tenant_id,
                    invoice.c.id == invoice_line.c.invoice_id,
                ),
            )
            .join(
                tariff,
                sa.and_(
                    tariff.c.tenant_id == invoice_line.c.tenant_id, tariff.c.id == invoice_line.c.tariff_id
                ),
            )
            .join(
                account,
                sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id),
            )
        )
        .where(
            invoice_line.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            tariff.c.code == tariff_code,
            invoice_line.c.service_point_id.is_not(None),
        )
    )
    return {(row.id, row.service_point_id): row for row in rows}


def _service(cost: Any, row: Any) -> BilledService:
    area = cost.snapshot["area_m2"]
    return BilledService(
        AccountId(cost.account_id),
        cost.number,
        ServicePointId(row.service_point_id),
        ServicePeriod(row.start_on, row.end_on),
        Decimal(int(row.micro)).scaleb(-6, money.EXACT),
        int(cost.amount_fen),
        cost.snapshot["household_size"],
        None if area is None else Decimal(area),
    )


def _add(known: BilledService, added: BilledService) -> BilledService:
    quantity = money.add([known.quantity, added.quantity])
    return replace(added, quantity=quantity, billed_fen=known.billed_fen + added.billed_fen)
