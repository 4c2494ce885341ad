"""Goods slips; a code exists whole only for its home."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.goods import GoodsItem, GoodsSlip
from cloud.domain.ids import AccountId, GoodsSlipId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import account, app_user, goods_slip, space
from cloud.store.sealing import blind, seal_findable, unseal

_G = goods_slip.c
_asker, _judge, _guard = app_user.alias("asker"), app_user.alias("judge"), app_user.alias("guard")


def insert_slip(
    tx: Tx,
    site_id: SiteId,
    account_id: AccountId,
    items: Collection[GoodsItem],
    note: str,
    from_ms: int,
    until_ms: int,
    asked_by: UserId | None,
) -> GoodsSlipId:
    """Ask for a home's goods to be let out."""
    slip_id = GoodsSlipId(tx.new_id())
    # Add one slip.
    tx.conn.execute(
        tx.insert(goods_slip).values(
            tenant_id=tx.tenant_id,
            id=slip_id,
            site_id=site_id,
            account_id=account_id,
            items=[[one.name, one.count] for one in items],
            note=note,
            from_ms=from_ms,
            until_ms=until_ms,
            asked_at_ms=tx.now_ms,
            asked_by=asked_by,
            refusal="",
            gate_note="",
        )
    )
    return slip_id


def is_code_free(tx: Tx, site_id: SiteId, code: str) -> bool:
    """Tell whether no slip that still lets out has this code."""
    return find_by_code(tx, site_id, code) is None


def decide(
    tx: Tx, slip_id: GoodsSlipId, decided_by: UserId | None, *, is_approved: bool, refusal: str, code: str
) -> bool:
    """Approve a slip, with its code, or refuse it; tell whether nobody had, and it stood."""
    sealed, found_by = seal_findable(tx, "goods_slip", slip_id, "code", "goods code", code)
    # Judge one slip, once.
    return bool(
        tx.conn.execute(
            sa.update(goods_slip)
            .where(
                _G.tenant_id == tx.tenant_id,
                _G.id == slip_id,
                _G.decided_at_ms.is_(None),
                _G.withdrawn_at_ms.is_(None),
            )
            .values(
                is_approved=is_approved,
                decided_at_ms=tx.now_ms,
                decided_by=decided_by,
                refusal=refusal,
                code_sealed=sealed,
                code_blind=found_by,
            )
        ).rowcount
    )


def release(tx: Tx, slip_id: GoodsSlipId, released_by: UserId | None, gate_note: str) -> bool:
    """Note that the goods went out; tell whether they had not."""
    # Let one slip's goods out, once; its digits are free again.
    return bool(
        tx.conn.execute(
            sa.update(goods_slip)
            .where(
                _G.tenant_id == tx.tenant_id,
                _G.id == slip_id,
                _G.is_approved.is_(True),
                _G.released_at_ms.is_(None),
                _G.withdrawn_at_ms.is_(None),
            )
            .values(
                released_at_ms=tx.now_ms,
                released_by=released_by,
                gate_note=gate_note,
                code_sealed=None,
                code_blind=None,
            )
        ).rowcount
    )


def withdraw(tx: Tx, slip_id: GoodsSlipId) -> bool:
    """Take a slip back; tell whether its goods were still inside."""
    # Take one slip back; its digits are free again.
    return bool(
        tx.conn.execute(
            sa.update(goods_slip)
            .where(
                _G.tenant_id == tx.tenant_id,
                _G.id == slip_id,
                _G.released_at_ms.is_(None),
                _G.withdrawn_at_ms.is_(None),
            )
            .values(withdrawn_at_ms=tx.now_ms, code_sealed=None, code_blind=None)
        ).rowcount
    )


def find_slip(tx: Tx, slip_id: GoodsSlipId, *, is_own: bool = False) -> GoodsSlip | None:
    """Return one slip, its code whole if `is_own`; or None."""
    found = _slips(tx, [_G.id == slip_id], 1, is_own=is_own)
    return found[0] if found else None


def find_by_code(tx: Tx, site_id: SiteId, code: str) -> GoodsSlip | None:
    """Return the approved slip a code belongs to, or None."""
    found = _slips(tx, [_G.site_id == site_id, _G.code_blind == blind(tx, "goods code", code)], 1)
    return found[0] if found else None


def slips_of_site(tx: Tx, site_id: SiteId, limit: int) -> list[GoodsSlip]:
    """Return a site's slips, the last asked for first."""
    return _slips(tx, [_G.site_id == site_id], limit)


def slips_of_accounts(tx: Tx, account_ids: Collection[AccountId], limit: int) -> list[GoodsSlip]:
    """Return the slips of homes, the last first, codes whole: for these homes alone."""
    return _slips(tx, [_G.account_id.in_(sorted(account_ids))], limit, is_own=True)


def count_open(tx: Tx, account_id: AccountId) -> int:
    """Return how many slips of a home may still let something out."""
    # How many does this home have open?
    return int(
        tx.conn.execute(
            sa.select(sa.func.count()).where(
                _G.tenant_id == tx.tenant_id,
                _G.account_id == account_id,
                _G.until_ms >= tx.now_ms,
                _G.released_at_ms.is_(None),
                _G.withdrawn_at_ms.is_(None),
                sa.or_(_G.is_approved.is_(None), _G.is_approved.is_(True)),
            )
        ).scalar_one()
    )


def _slips(
    tx: Tx, which: Collection[sa.ColumnElement[bool]], limit: int, *, is_own: bool = False
) -> list[GoodsSlip]:
    def named(table: Any, column: Any) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.tenant_id == _G.tenant_id, table.c.id == column)

    joined = (
        goods_slip.join(account, named(account, _G.account_id))
        .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
        .outerjoin(_asker, named(_asker, _G.asked_by))
        .outerjoin(_judge, named(_judge, _G.decided_by))
        .outerjoin(_guard, named(_guard, _G.released_by))
    )
    # Which slips are these?
    rows: Any = tx.conn.execute(
        sa.select(
            goods_slip,
            account.c.number,
            space.c.code,
            _asker.c.display_name.label("asker_name"),
            _judge.c.display_name.label("judge_name"),
            _guard.c.display_name.label("guard_name"),
        )
        .select_from(joined)
        .where(_G.tenant_id == tx.tenant_id, *which)
        .order_by(_G.id.desc())
        .limit(limit)
    )
    return [
        GoodsSlip(
            GoodsSlipId(row.id),
            SiteId(row.site_id),
            AccountId(row.account_id),
            row.code or row.number,
            tuple(GoodsItem(name, count) for name, count in row.items),
            row.note,
            row.from_ms,
            row.until_ms,
            row.asked_at_ms,
            row.asker_name or "",
            row.decided_at_ms,
            row.judge_name or "",
            row.is_approved,
            row.refusal,
            unseal(tx, "goods_slip", row.id, "code", row.code_sealed) if is_own and row.code_sealed else "",
            row.released_at_ms,
            row.guard_name or "",
            row.gate_note,
            row.withdrawn_at_ms,
        )
        for row in rows
    ]
