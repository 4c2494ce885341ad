"""Accounts and what is supplied to them."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, ServicePointId, SiteId, SpaceId
from cloud.domain.people import Account, Supply
from cloud.store.containing import contains
from cloud.store.db import Tx
from cloud.store.schema import account, space, supply


def find_account(tx: Tx, account_id: AccountId) -> Account | None:
    """Return one account, or None."""
    # Which account is this?
    row = tx.conn.execute(_select(tx).where(account.c.id == account_id)).one_or_none()
    return None if row is None else _account_from_row(row)


def lock_account(tx: Tx, account_id: AccountId) -> None:
    """Let nobody else move this account's money until the transaction ends.

    What is owed and what is credit are sums: two who read the same sum would both use it.
    """
    lock_accounts(tx, [account_id])


def lock_accounts(tx: Tx, account_ids: Collection[AccountId]) -> None:
    """Let nobody else bill these accounts or move their money until the transaction ends.

    In the order of their ids, so that two who want the same accounts do not wait for each other.
    """
    # Who else moves these accounts' money waits here.
    tx.conn.execute(
        sa.select(account.c.id)
        .where(account.c.tenant_id == tx.tenant_id, account.c.id.in_(sorted(account_ids)))
        .order_by(account.c.id)
        .with_for_update(key_share=True)
    )


def accounts_by_number(tx: Tx, site_id: SiteId) -> dict[str, Account]:
    """Return a site's accounts by number."""
    # Which accounts has this site?
    rows = tx.conn.execute(_select(tx).where(account.c.site_id == site_id))
    return {row.number: _account_from_row(row) for row in rows}


def accounts_of_spaces(tx: Tx, space_ids: Collection[SpaceId]) -> list[Account]:
    """Return the accounts spaces have and had, by number."""
    # Whose were these spaces?
    rows = tx.conn.execute(
        _select(tx).where(account.c.space_id.in_(sorted(space_ids))).order_by(account.c.number)
    )
    return [_account_from_row(row) for row in rows]


def clear_holder(tx: Tx, account_id: AccountId) -> None:
    """Take the holder's name from an account; documents issued of it keep theirs."""
    # Whose was it? Nobody's any more.
    tx.conn.execute(
        sa.update(account)
        .where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
        .values(holder_name="")
    )


def find_by_number(tx: Tx, site_id: SiteId, number: str) -> Account | None:
    """Return the account of that number, or None."""
    # Which account is called so?
    row = tx.conn.execute(
        _select(tx).where(account.c.site_id == site_id, account.c.number == number)
    ).one_or_none()
    return None if row is None else _account_from_row(row)


def list_accounts(tx: Tx, site_id: SiteId, search: str, after_number: str, limit: int) -> list[Account]:
    """Return a site's accounts by number, those after `after_number`."""
    query = _select(tx).where(account.c.site_id == site_id, account.c.number > after_number)
    if search:
        wanted = (account.c.number, account.c.holder_name, space.c.code)
        query = query.where(contains(search, *wanted))
    # One page of a site's accounts.
    rows = tx.conn.execute(query.order_by(account.c.number).limit(limit))
    return [_account_from_row(row) for row in rows]


def insert_account(
    tx: Tx,
    site_id: SiteId,
    number: str,
    holder_name: str,
    space_id: SpaceId | None,
    household_size: int,
    opened_on: date,
) -> AccountId:
    """Open an account."""
    account_id = AccountId(tx.new_id())
    # Add one account.
    tx.conn.execute(
        tx.insert(account).values(
            tenant_id=tx.tenant_id,
            id=account_id,
            site_id=site_id,
            number=number,
            holder_name=holder_name,
            space_id=space_id,
            household_size=household_size,
            opened_on=opened_on,
        )
    )
    return account_id


def insert_supply(tx: Tx, added: Supply) -> None:
    """Tie an account to a service point."""
    # Add one supply.
    tx.conn.execute(
        tx.insert(supply).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            account_id=added.account_id,
            service_point_id=added.service_point_id,
            tariff_code=added.tariff_code,
            from_on=added.from_on,
            to_on=added.to_on,
        )
    )


def close_account(tx: Tx, account_id: AccountId, on: date) -> None:
    """End an account with the day before `on`."""
    # Close one account.
    tx.conn.execute(
        sa.update(account)
        .where(account.c.tenant_id == tx.tenant_id, account.c.id == account_id)
        .values(closed_on=on)
    )


def end_supplies(tx: Tx, account_id: AccountId, on: date) -> None:
    """End what is supplied to an account with the day before `on`."""
    # Supply this account no longer.
    tx.conn.execute(
        sa.update(supply)
        .where(
            supply.c.tenant_id == tx.tenant_id,
            supply.c.account_id == account_id,
            supply.c.from_on < on,
            sa.or_(supply.c.to_on.is_(None), supply.c.to_on > on),
        )
        .values(to_on=on)
    )


def supplies_of_service_point(tx: Tx, service_point_id: ServicePointId) -> list[Supply]:
    """Return who paid and pays for a service point, oldest first."""
    # Whose was this service point, and by which tariff?
    return _supplies(tx, supply.c.service_point_id == service_point_id)


def supplies_of_account(tx: Tx, account_id: AccountId) -> list[Supply]:
    """Return what an account paid and pays for, oldest first."""
    # What is this account billed for?
    return _supplies(tx, supply.c.account_id == account_id)


def _supplies(tx: Tx, which: sa.ColumnElement[bool]) -> list[Supply]:
    rows = tx.conn.execute(
        sa.select(
            supply.c.account_id,
            supply.c.service_point_id,
            supply.c.tariff_code,
            supply.c.from_on,
            supply.c.to_on,
        )
        .where(supply.c.tenant_id == tx.tenant_id, which)
        .order_by(supply.c.from_on, supply.c.tariff_code)
    )
    return [
        Supply(
            AccountId(row.account_id),
            ServicePointId(row.service_point_id),
            row.tariff_code,
            row.from_on,
            row.to_on,
        )
        for row in rows
    ]


def _select(tx: Tx) -> sa.Select[Any]:
    return (
        sa.select(
            account.c.id,
            account.c.site_id,
            account.c.number,
            account.c.holder_name,
            account.c.space_id,
            space.c.code.label("space_code"),
            account.c.household_size,
            account.c.opened_on,
            account.c.closed_on,
        )
        .select_from(
            account.outerjoin(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
        )
        .where(account.c.tenant_id == tx.tenant_id)
    )


def _account_from_row(row: sa.Row[Any]) -> Account:
    return Account(
        AccountId(row.id),
        SiteId(row.site_id),
        row.number,
        row.holder_name,
        None if row.space_id is None else SpaceId(row.space_id),
        row.space_code or "",
        row.household_size,
        row.opened_on,
        row.closed_on,
    )
