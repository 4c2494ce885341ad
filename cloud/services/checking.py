"""Checking a period: the run over all accounts before anything is issued, that may break off and go on.

Async because it stands between transactions; each of them is one of `cloud.services.bill_runs`. The
invariant: an account at which the program fails is shown as one that cannot be billed, and holds up nobody.
"""

from collections.abc import Callable, Sequence

from cloud.domain.bill_run import BillRun
from cloud.domain.ids import AccountId, PeriodId, TenantId
from cloud.domain.user import User
from cloud.services import bill_runs
from cloud.services.by_account import GROUP_SIZE, by_account
from cloud.services.closing import Progress
from cloud.store.db import Database


async def check_period(
    database: Database,
    tenant_id: TenantId,
    actor: User,
    period_id: PeriodId,
    on_progress: Callable[[Progress], None] | None = None,
    group_size: int = GROUP_SIZE,
) -> BillRun:
    """Work out what every account of a period would be billed; what a broken-off check did is kept."""
    run, waiting = await database.write(tenant_id, bill_runs.begin_check, actor, period_id)
    done = run.accounts - len(waiting)

    async def check(group: Sequence[AccountId]) -> None:
        await database.write_bulk(tenant_id, bill_runs.check_accounts, actor, run.run_id, group)

    async def set_aside(account_id: AccountId, detail: str) -> None:
        await database.write(tenant_id, bill_runs.note_defective, actor, run.run_id, account_id, detail)

    for start in range(0, len(waiting), group_size):
        group = waiting[start : start + group_size]
        await by_account(group, check, set_aside)
        if on_progress is not None:
            on_progress(Progress(done + min(start + group_size, len(waiting)), run.accounts))
    return await database.write(tenant_id, bill_runs.finish_check, actor, run.run_id)
