"""Parcels on the shelf; a code exists whole only for its home."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, ParcelId, SiteId, UserId
from cloud.domain.parcel import Parcel
from cloud.store.db import Tx
from cloud.store.schema import account, app_user, parcel, space
from cloud.store.sealing import blind, seal_findable, unseal

_P = parcel.c


def insert_parcel(
    tx: Tx,
    site_id: SiteId,
    account_id: AccountId,
    carrier: str,
    shelf: str,
    code: str,
    received_by: UserId | None,
) -> ParcelId | None:
    """Put a parcel on the shelf; None if its code is in use."""
    parcel_id = ParcelId(tx.new_id())
    code_sealed, code_blind = seal_findable(tx, "parcel", parcel_id, "code", "parcel code", code)
    # Add one parcel, unless its code is in use.
    count = tx.conn.execute(
        tx.insert(parcel)
        .values(
            tenant_id=tx.tenant_id,
            id=parcel_id,
            site_id=site_id,
            account_id=account_id,
            carrier=carrier,
            shelf=shelf,
            code_sealed=code_sealed,
            code_blind=code_blind,
            arrived_at_ms=tx.now_ms,
            received_by=received_by,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "site_id", "code_blind"])
    ).rowcount
    return parcel_id if count else None


def hand_out(tx: Tx, parcel_id: ParcelId, handed_out_by: UserId | None) -> bool:
    """Note that a parcel was handed out; tell whether it was still there."""
    # Hand one parcel out, once; its digits are free again.
    return bool(
        tx.conn.execute(
            sa.update(parcel)
            .where(_P.tenant_id == tx.tenant_id, _P.id == parcel_id, _P.handed_out_at_ms.is_(None))
            .values(
                handed_out_at_ms=tx.now_ms, handed_out_by=handed_out_by, code_sealed=None, code_blind=None
            )
        ).rowcount
    )


def find_parcel(tx: Tx, parcel_id: ParcelId) -> Parcel | None:
    """Return one parcel, its code left out; or None."""
    found = _parcels(tx, [_P.id == parcel_id], 1)
    return found[0] if found else None


def find_by_code(tx: Tx, site_id: SiteId, code: str) -> Parcel | None:
    """Return the parcel on the shelf a code belongs to, or None."""
    which = [_P.site_id == site_id, _P.code_blind == blind(tx, "parcel code", code)]
    found = _parcels(tx, which, 1)
    return found[0] if found else None


def parcels_of_site(tx: Tx, site_id: SiteId, since_ms: int, limit: int) -> list[Parcel]:
    """Return what is on a site's shelf, and what was handed out since a moment, the last taken in first."""
    is_there = sa.or_(_P.handed_out_at_ms.is_(None), _P.handed_out_at_ms >= since_ms)
    return _parcels(tx, [_P.site_id == site_id, is_there], limit)


def parcels_of_accounts(tx: Tx, account_ids: Collection[AccountId], limit: int) -> list[Parcel]:
    """Return the parcels of homes, the last taken in first, codes whole: for these homes alone."""
    return _parcels(tx, [_P.account_id.in_(sorted(account_ids))], limit, is_own=True)


def _parcels(
    tx: Tx, which: Collection[sa.ColumnElement[bool]], limit: int, *, is_own: bool = False
) -> list[Parcel]:
    joined = (
        parcel.join(account, sa.and_(account.c.tenant_id == _P.tenant_id, account.c.id == _P.account_id))
        .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
        .outerjoin(app_user, sa.and_(app_user.c.tenant_id == _P.tenant_id, app_user.c.id == _P.handed_out_by))
    )
    # Which parcels are these?
    rows: Any = tx.conn.execute(
        sa.select(parcel, account.c.number, space.c.code, app_user.c.display_name)
        .select_from(joined)
        .where(_P.tenant_id == tx.tenant_id, *which)
        .order_by(_P.id.desc())
        .limit(limit)
    )
    return [
        Parcel(
            ParcelId(row.id),
            SiteId(row.site_id),
            AccountId(row.account_id),
            row.code or row.number,
            row.carrier,
            row.shelf,
            unseal(tx, "parcel", row.id, "code", row.code_sealed) if is_own and row.code_sealed else "",
            row.arrived_at_ms,
            row.handed_out_at_ms,
            row.display_name or "",
        )
        for row in rows
    ]
