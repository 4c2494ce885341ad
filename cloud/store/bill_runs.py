"""Bill runs: checks of a period, what each account would come to, and who approved it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain.bill_run import (
    BillRun,
    BillRunState,
    CheckedAccount,
    Difference,
    Doubt,
    DoubtKind,
    PreviewRow,
)
from cloud.domain.ids import AccountId, BillRunId, PeriodId, UserId
from cloud.domain.money import plain
from cloud.store.db import Tx
from cloud.store.periods import problem_from_json, problem_to_json
from cloud.store.schema import account, app_user, bill_run, bill_run_account, building, invoice, space

_R, _A = bill_run.c, bill_run_account.c
_decided = app_user.alias("decided")


def insert_run(tx: Tx, period_id: PeriodId, number: int, accounts: int, begun_by: UserId | None) -> BillRunId:
    """Begin a check; returns its id."""
    run_id = BillRunId(tx.new_id())
    # Add one run.
    tx.conn.execute(
        tx.insert(bill_run).values(
            tenant_id=tx.tenant_id,
            id=run_id,
            period_id=period_id,
            number=number,
            state=BillRunState.CHECKING.value,
            accounts=accounts,
            begun_by=begun_by,
            begun_at_ms=tx.now_ms,
            note="",
        )
    )
    return run_id


def find_run(tx: Tx, run_id: BillRunId, *, is_locked: bool = False) -> BillRun | None:
    """Return a run, or None. Locked, it stays as it is until the transaction ends."""
    if is_locked:
        # Hold it: two who decide at once wait for each other.
        tx.conn.execute(
            sa.select(_R.id).where(_R.tenant_id == tx.tenant_id, _R.id == run_id).with_for_update()
        )
    # Which run is this?
    row = tx.conn.execute(_select(tx).where(_R.id == run_id)).one_or_none()
    return None if row is None else _run_from_row(row)


def newest(tx: Tx, period_id: PeriodId) -> BillRun | None:
    """Return the run that decides about a period, or None where it was never checked."""
    # What does the newest check say?
    row = tx.conn.execute(
        _select(tx).where(_R.period_id == period_id).order_by(_R.number.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _run_from_row(row)


def list_runs(tx: Tx, period_id: PeriodId) -> list[BillRun]:
    """Return a period's runs, newest first."""
    # How often was this period checked?
    rows = tx.conn.execute(_select(tx).where(_R.period_id == period_id).order_by(_R.number.desc()))
    return [_run_from_row(row) for row in rows]


def finish_check(tx: Tx, run_id: BillRunId) -> None:
    """Note that every account was looked at."""
    _update(tx, run_id, {"state": BillRunState.CHECKED.value, "checked_at_ms": tx.now_ms})


def decide(tx: Tx, run_id: BillRunId, state: BillRunState, decided_by: UserId | None, note: str) -> None:
    """Note who approved or refused a run, and why."""
    decided = {"state": state.value, "decided_by": decided_by, "decided_at_ms": tx.now_ms, "note": note}
    _update(tx, run_id, decided)


def checked_accounts(tx: Tx, run_id: BillRunId) -> set[AccountId]:
    """Return the accounts a run has looked at already."""
    # Who is checked?
    rows = tx.conn.execute(sa.select(_A.account_id).where(_A.tenant_id == tx.tenant_id, _A.run_id == run_id))
    return {AccountId(row.account_id) for row in rows}


def count_checked(tx: Tx, run_id: BillRunId) -> int:
    """Return how many accounts a run has looked at."""
    # How far is it?
    return int(
        tx.conn.execute(
            sa.select(sa.func.count()).where(_A.tenant_id == tx.tenant_id, _A.run_id == run_id)
        ).scalar_one()
    )


def count_billable(tx: Tx, run_id: BillRunId) -> int:
    """Return how many accounts a run could bill."""
    # How many invoices would there be?
    return int(
        tx.conn.execute(
            sa.select(sa.func.count()).where(
                _A.tenant_id == tx.tenant_id, _A.run_id == run_id, _A.amount_fen.is_not(None)
            )
        ).scalar_one()
    )


def insert_checked(tx: Tx, run_id: BillRunId, checked: Sequence[CheckedAccount]) -> None:
    """Write down what some accounts would come to; one that is there already stays."""
    if not checked:
        return
    # These were looked at.
    tx.conn.execute(
        tx.insert(bill_run_account).on_conflict_do_nothing(
            index_elements=["tenant_id", "run_id", "account_id"]
        ),
        [
            {
                "tenant_id": tx.tenant_id,
                "run_id": run_id,
                "account_id": one.account_id,
                "amount_fen": one.amount_fen,
                "before_fen": one.before_fen,
                "sums": dict(one.sums),
                "doubts": [_doubt_to_json(doubt) for doubt in one.doubts],
                "problems": [problem_to_json(problem) for problem in one.problems],
            }
            for one in checked
        ],
    )


def rows_of(tx: Tx, run_id: BillRunId) -> list[PreviewRow]:
    """Return what a run came to, by the accounts' numbers."""
    # What would everybody be billed?
    rows = tx.conn.execute(
        sa.select(
            _A.account_id,
            _A.amount_fen,
            _A.before_fen,
            _A.sums,
            _A.doubts,
            _A.problems,
            account.c.number,
            account.c.holder_name,
            sa.func.coalesce(building.c.code, "").label("building_code"),
            sa.func.coalesce(space.c.unit_code, "").label("unit_code"),
            sa.func.coalesce(space.c.code, "").label("space_code"),
        )
        .select_from(_with_places(bill_run_account, _A.tenant_id, _A.account_id))
        .where(_A.tenant_id == tx.tenant_id, _A.run_id == run_id)
        .order_by(account.c.number)
    )
    return [
        PreviewRow(
            CheckedAccount(
                AccountId(row.account_id),
                row.amount_fen,
                row.before_fen,
                row.sums,
                tuple(_doubt_from_json(doubt) for doubt in row.doubts),
                tuple(problem_from_json(problem) for problem in row.problems),
            ),
            row.number,
            row.holder_name,
            row.building_code,
            row.unit_code,
            row.space_code,
        )
        for row in rows
    ]


def totals_by_account(tx: Tx, period_id: PeriodId, account_ids: Sequence[AccountId]) -> dict[AccountId, int]:
    """Return what a period's documents come to for each of some accounts, corrections included."""
    if not account_ids:
        return {}
    # What did these pay for this month in the end?
    rows = tx.conn.execute(
        sa.select(invoice.c.account_id, sa.func.sum(invoice.c.total_fen).label("fen"))
        .where(
            invoice.c.tenant_id == tx.tenant_id,
            invoice.c.period_id == period_id,
            invoice.c.account_id.in_(account_ids),
        )
        .group_by(invoice.c.account_id)
    )
    return {AccountId(row.account_id): int(row.fen) for row in rows}


def differences(tx: Tx, run_id: BillRunId, period_id: PeriodId) -> list[Difference]:
    """Return the first invoices of a period whose total is not what a run came to, by number."""
    joined = _with_places(invoice, invoice.c.tenant_id, invoice.c.account_id).outerjoin(
        bill_run_account,
        sa.and_(
            _A.tenant_id == invoice.c.tenant_id,
            _A.account_id == invoice.c.account_id,
            _A.run_id == run_id,
        ),
    )
    # What was issued otherwise than approved?
    rows = tx.conn.execute(
        sa.select(
            account.c.number.label("account_number"),
            sa.func.coalesce(space.c.code, "").label("space_code"),
            invoice.c.number,
            _A.amount_fen,
            invoice.c.total_fen,
        )
        .select_from(joined)
        .where(
            invoice.c.tenant_id == tx.tenant_id,
            invoice.c.period_id == period_id,
            invoice.c.version == 1,
            sa.or_(_A.amount_fen.is_(None), _A.amount_fen != invoice.c.total_fen),
        )
        .order_by(invoice.c.number)
    )
    return [
        Difference(row.account_number, row.space_code, row.number, row.amount_fen, row.total_fen)
        for row in rows
    ]


def _with_places(
    table: sa.Table, tenant_id: sa.ColumnElement[Any], account_id: sa.ColumnElement[Any]
) -> sa.Join:
    """Join a table of accounts' things with the accounts and where they live."""
    return (
        table.join(account, sa.and_(account.c.tenant_id == tenant_id, account.c.id == account_id))
        .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
        .outerjoin(
            building,
            sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id),
        )
    )


def _select(tx: Tx) -> sa.Select[Any]:
    return (
        sa.select(
            _R.id,
            _R.period_id,
            _R.number,
            _R.state,
            _R.accounts,
            _R.begun_by,
            _R.begun_at_ms,
            _R.checked_at_ms,
            _R.decided_by,
            sa.func.coalesce(_decided.c.display_name, "").label("decided_by_name"),
            _R.decided_at_ms,
            _R.note,
        )
        .select_from(
            bill_run.outerjoin(
                _decided, sa.and_(_decided.c.tenant_id == _R.tenant_id, _decided.c.id == _R.decided_by)
            )
        )
        .where(_R.tenant_id == tx.tenant_id)
    )


def _update(tx: Tx, run_id: BillRunId, values: Mapping[str, Any]) -> None:
    # Change one run's state.
    tx.conn.execute(sa.update(bill_run).where(_R.tenant_id == tx.tenant_id, _R.id == run_id).values(**values))


def _run_from_row(row: sa.Row[Any]) -> BillRun:
    return BillRun(
        BillRunId(row.id),
        PeriodId(row.period_id),
        row.number,
        BillRunState(row.state),
        row.accounts,
        row.begun_by,
        row.begun_at_ms,
        row.checked_at_ms,
        row.decided_by,
        row.decided_by_name,
        row.decided_at_ms,
        row.note,
    )


def _doubt_to_json(doubt: Doubt) -> dict[str, str]:
    return {
        "kind": doubt.kind.value,
        "meter_serial": doubt.meter_serial,
        "quantity": plain(doubt.quantity),
        "expected": plain(doubt.expected),
        "unit": doubt.unit,
    }


def _doubt_from_json(document: Any) -> Doubt:
    return Doubt(
        DoubtKind(document["kind"]),
        document["meter_serial"],
        Decimal(document["quantity"]),
        Decimal(document["expected"]),
        document["unit"],
    )
