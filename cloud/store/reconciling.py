"""What a site has, counted and summed, and what the system before was said to have had."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import SiteId, UserId
from cloud.domain.ledger import PREPAYMENT, RECEIVABLE
from cloud.domain.reconciling import Figure
from cloud.store.db import Tx
from cloud.store.manual_readings import holds
from cloud.store.schema import (
    account,
    building,
    equipment,
    former_figure,
    installation,
    manual_reading,
    occupancy,
    person,
    posting,
    service_point,
    space,
)

_Select = sa.Select[*tuple[Any, ...]]


def measure(tx: Tx, site_id: SiteId) -> Mapping[Figure, int]:
    """Return every figure of a site as of now, in its smallest unit."""
    found: dict[Figure, int] = {}
    for figures, statement in _statements(tx, site_id):
        # How much is there?
        row = tx.conn.execute(statement).one()
        found |= {figure: int(value or 0) for figure, value in zip(figures, row, strict=True)}
    return found


def said_figures(tx: Tx, site_id: SiteId) -> dict[Figure, int]:
    """Return what the system before was said to have had."""
    # What did the old books say?
    rows = tx.conn.execute(
        sa.select(former_figure.c.figure, former_figure.c.value).where(
            former_figure.c.tenant_id == tx.tenant_id, former_figure.c.site_id == site_id
        )
    )
    return {Figure(row.figure): row.value for row in rows}


def replace_said(tx: Tx, site_id: SiteId, said: Mapping[Figure, int], noted_by: UserId | None) -> None:
    """Note anew what the system before had."""
    # What was said before holds no more.
    tx.conn.execute(
        sa.delete(former_figure).where(
            former_figure.c.tenant_id == tx.tenant_id, former_figure.c.site_id == site_id
        )
    )
    if said:
        rows = [
            {
                "tenant_id": tx.tenant_id,
                "site_id": site_id,
                "figure": figure.value,
                "value": value,
                "noted_by": noted_by,
                "noted_at_ms": tx.now_ms,
            }
            for figure, value in said.items()
        ]
        # This is what the old books say.
        tx.conn.execute(sa.insert(former_figure), rows)


def _statements(tx: Tx, site_id: SiteId) -> list[tuple[tuple[Figure, ...], _Select]]:
    """Return what counts and sums each noun, with the figures its columns are."""
    count, total = sa.func.count(), sa.func.sum
    at_point = sa.and_(
        service_point.c.tenant_id == installation.c.tenant_id,
        service_point.c.id == installation.c.service_point_id,
    )
    in_building = sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id)
    of_person = sa.and_(person.c.tenant_id == occupancy.c.tenant_id, person.c.id == occupancy.c.person_id)
    of_meter = sa.and_(
        installation.c.tenant_id == manual_reading.c.tenant_id,
        installation.c.id == manual_reading.c.installation_id,
    )
    of_account = sa.and_(account.c.tenant_id == posting.c.tenant_id, account.c.id == posting.c.account_id)
    owed = sa.case((posting.c.ledger_account == RECEIVABLE, posting.c.amount_fen), else_=0)
    prepaid = sa.case((posting.c.ledger_account == PREPAYMENT, -posting.c.amount_fen), else_=0)

    def of_site(table: sa.Table, statement: _Select) -> _Select:
        return statement.where(table.c.tenant_id == tx.tenant_id, table.c.site_id == site_id)

    return [
        (
            (Figure.SPACES, Figure.BUILT_AREA),
            of_site(
                building,
                sa.select(count, total(space.c.built_area_dm2)).select_from(
                    space.join(building, in_building)
                ),
            ),
        ),
        (
            (Figure.ACCOUNTS, Figure.HOUSEHOLD_MEMBERS),
            of_site(account, sa.select(count, total(account.c.household_size)).select_from(account)).where(
                account.c.closed_on.is_(None)
            ),
        ),
        (
            (Figure.PEOPLE,),
            of_site(person, sa.select(count).select_from(person)).where(person.c.erased_at_ms.is_(None)),
        ),
        (
            (Figure.RELATIONS,),
            of_site(person, sa.select(count).select_from(occupancy.join(person, of_person))).where(
                occupancy.c.to_on.is_(None)
            ),
        ),
        (
            (Figure.METERS, Figure.FIRST_REGISTERS),
            of_site(
                service_point,
                sa.select(count, total(installation.c.opening_value_micro)).select_from(
                    installation.join(service_point, at_point)
                ),
            ).where(installation.c.to_at_ms.is_(None)),
        ),
        (
            (Figure.READINGS, Figure.READINGS_SUM),
            of_site(
                service_point,
                sa.select(count, total(manual_reading.c.value_micro)).select_from(
                    manual_reading.join(installation, of_meter).join(service_point, at_point)
                ),
            ).where(holds(tx)),
        ),
        (
            (Figure.OWED, Figure.PREPAID),
            of_site(
                account, sa.select(total(owed), total(prepaid)).select_from(posting.join(account, of_account))
            ).where(posting.c.ledger_account.in_((RECEIVABLE, PREPAYMENT))),
        ),
        ((Figure.EQUIPMENT,), of_site(equipment, sa.select(count).select_from(equipment))),
    ]
