"""Billing periods of a site, and the accounts that could not be billed in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, PeriodId, SiteId
from cloud.domain.periods import BillingPeriod, PeriodCode, PeriodState, ServicePeriod
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.store.db import Tx
from cloud.store.schema import account, billing_hold, billing_period, space


@dataclass(frozen=True, slots=True)
class Hold:
    """An account a closing could not bill, and every reason why not."""

    account_id: AccountId
    account_number: str
    holder_name: str
    space_code: str
    held_at_ms: int
    problems: tuple[UsageProblem, ...]


def insert_period(tx: Tx, site_id: SiteId, code: PeriodCode, dates: ServicePeriod) -> None:
    """Open a period; one that is there already stays as it is."""
    # Add one period.
    tx.conn.execute(
        tx.insert(billing_period)
        .values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            site_id=site_id,
            code=code,
            start_on=dates.start_on,
            end_on=dates.end_on,
            state=PeriodState.OPEN.value,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "site_id", "code"])
    )


def find_period(
    tx: Tx, period_id: PeriodId, *, is_locked: bool = False, is_kept: bool = False
) -> BillingPeriod | None:
    """Return a period, or None. Locked or kept, it stays as it is until the transaction ends.

    Many may keep it at once: the groups of a run do. Whoever locks it waits until nobody keeps it.
    """
    query = _select(tx).where(billing_period.c.id == period_id)
    if is_locked or is_kept:
        query = query.with_for_update(read=is_kept)
    # Which period is this?
    row = tx.conn.execute(query).one_or_none()
    return None if row is None else _period_from_row(row)


def find_by_code(tx: Tx, site_id: SiteId, code: str) -> BillingPeriod | None:
    """Return a site's period of that code, or None."""
    # Which period has this code?
    row = tx.conn.execute(
        _select(tx).where(billing_period.c.site_id == site_id, billing_period.c.code == code)
    ).one_or_none()
    return None if row is None else _period_from_row(row)


def list_periods(tx: Tx, site_id: SiteId) -> list[BillingPeriod]:
    """Return a site's periods, newest first."""
    # Which periods has this site?
    rows = tx.conn.execute(
        _select(tx).where(billing_period.c.site_id == site_id).order_by(billing_period.c.code.desc())
    )
    return [_period_from_row(row) for row in rows]


def set_state(tx: Tx, period_id: PeriodId, state: PeriodState) -> None:
    """Move a period through its life; closing it notes when."""
    values: dict[str, Any] = {"state": state.value}
    if state is PeriodState.CLOSED:
        values["closed_at_ms"] = tx.now_ms
    # Change one period's state.
    tx.conn.execute(
        sa.update(billing_period)
        .where(billing_period.c.tenant_id == tx.tenant_id, billing_period.c.id == period_id)
        .values(**values)
    )


def replace_holds(
    tx: Tx,
    period_id: PeriodId,
    released: Sequence[AccountId],
    held: Mapping[AccountId, Sequence[UsageProblem]],
) -> None:
    """Forget the holds of accounts that are billed now; note those that are held, and why."""
    gone = [*released, *held]
    if gone:
        # These accounts were tried again.
        tx.conn.execute(
            sa.delete(billing_hold).where(
                billing_hold.c.tenant_id == tx.tenant_id,
                billing_hold.c.period_id == period_id,
                billing_hold.c.account_id.in_(gone),
            )
        )
    if held:
        # These could not be billed.
        tx.conn.execute(
            sa.insert(billing_hold),
            [
                {
                    "tenant_id": tx.tenant_id,
                    "period_id": period_id,
                    "account_id": account_id,
                    "problems": [problem_to_json(problem) for problem in problems],
                    "held_at_ms": tx.now_ms,
                }
                for account_id, problems in held.items()
            ],
        )


def earlier_holds(
    tx: Tx, period: BillingPeriod, account_ids: Sequence[AccountId]
) -> dict[AccountId, PeriodCode]:
    """Return which of these accounts an earlier period of the site still waits to bill, and which period."""
    if not account_ids:
        return {}
    # Who has a bill outstanding from before?
    rows = tx.conn.execute(
        sa.select(billing_hold.c.account_id, sa.func.min(billing_period.c.code).label("code"))
        .join(
            billing_period,
            sa.and_(
                billing_period.c.tenant_id == billing_hold.c.tenant_id,
                billing_period.c.id == billing_hold.c.period_id,
            ),
        )
        .where(
            billing_hold.c.tenant_id == tx.tenant_id,
            billing_hold.c.account_id.in_(account_ids),
            billing_period.c.site_id == period.site_id,
            billing_period.c.start_on < period.dates.start_on,
        )
        .group_by(billing_hold.c.account_id)
    )
    return {AccountId(row.account_id): PeriodCode(row.code) for row in rows}


def list_holds(tx: Tx, period_id: PeriodId) -> list[Hold]:
    """Return the accounts a period could not bill, by number."""
    # Whom could we not bill, and why?
    rows = tx.conn.execute(
        sa.select(
            account.c.id,
            account.c.number,
            account.c.holder_name,
            space.c.code.label("space_code"),
            billing_hold.c.held_at_ms,
            billing_hold.c.problems,
        )
        .select_from(
            billing_hold.join(
                account,
                sa.and_(
                    account.c.tenant_id == billing_hold.c.tenant_id,
                    account.c.id == billing_hold.c.account_id,
                ),
            ).outerjoin(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
        )
        .where(billing_hold.c.tenant_id == tx.tenant_id, billing_hold.c.period_id == period_id)
        .order_by(account.c.number)
    )
    return [
        Hold(
            AccountId(row.id),
            row.number,
            row.holder_name,
            row.space_code or "",
            row.held_at_ms,
            tuple(problem_from_json(problem) for problem in row.problems),
        )
        for row in rows
    ]


def _select(tx: Tx) -> sa.Select[Any]:
    return sa.select(
        billing_period.c.id,
        billing_period.c.site_id,
        billing_period.c.code,
        billing_period.c.start_on,
        billing_period.c.end_on,
        billing_period.c.state,
    ).where(billing_period.c.tenant_id == tx.tenant_id)


def _period_from_row(row: sa.Row[Any]) -> BillingPeriod:
    return BillingPeriod(
        PeriodId(row.id),
        SiteId(row.site_id),
        PeriodCode(row.code),
        ServicePeriod(row.start_on, row.end_on),
        PeriodState(row.state),
    )


def problem_to_json(problem: UsageProblem) -> dict[str, str | int]:
    """Return a problem as it is kept."""
    return {
        "kind": problem.kind.value,
        "meter_serial": problem.meter_serial,
        "at_ms": problem.at_ms,
        "detail": problem.detail,
    }


def problem_from_json(document: Any) -> UsageProblem:
    """Return a problem that was kept."""
    return UsageProblem(
        ProblemKind(document["kind"]), document["meter_serial"], document["at_ms"], document["detail"]
    )
