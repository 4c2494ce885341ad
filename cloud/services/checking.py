"""Checking a period: the run over all accounts before anything is issued, that may break off and go on.

Async because it stands between transactions; each of them is one of `cloud.services.bill_runs`. The
invariant: an account at which the program fails is shown as one that cannot be billed, and holds up nobody.
"""

import logging
from collections.abc import Callable, Sequence

from cloud.domain.bill_run import BillRun
from cloud.domain.errors import Conflict, Forbidden, Unavailable
from cloud.domain.ids import AccountId, BillRunId, PeriodId, TenantId
from cloud.domain.user import User
from cloud.services import bill_runs
from cloud.services.closing import GROUP_SIZE, Progress
from cloud.store.db import Database

log = logging.getLogger(__name__)


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
    for start in range(0, len(waiting), group_size):
        group = waiting[start : start + group_size]
        await _check_group(database, tenant_id, actor, run.run_id, group)
        if on_progress is not None:
            on_progress(Progress(done + min(start + group_size, len(waiting)), run.accounts))
    return await database.write(tenant_id, bill_runs.finish_check, actor, run.run_id)


async def _check_group(
    database: Database, tenant_id: TenantId, actor: User, run_id: BillRunId, group: Sequence[AccountId]
) -> None:
    """Check a group in one transaction or, if that fails, each in its own."""
    try:
        await database.write_bulk(tenant_id, bill_runs.check_accounts, actor, run_id, group)
    except (Conflict, Forbidden, Unavailable):
        raise  # the check was ended meanwhile, or the database is gone: nobody's account is at fault
    except Exception:  # one account's failure must not hold up the others: see which it is
        log.warning("a group of accounts is checked one by one", exc_info=True)
        for account_id in group:
            await _check_alone(database, tenant_id, actor, run_id, account_id)


async def _check_alone(
    database: Database, tenant_id: TenantId, actor: User, run_id: BillRunId, account_id: AccountId
) -> None:
    try:
        await database.write_bulk(tenant_id, bill_runs.check_accounts, actor, run_id, [account_id])
    except (Conflict, Forbidden, Unavailable):
        raise
    except Exception as error:  # a defect that one account brings to light: show it among what is missing
        log.exception("an account could not be checked", extra={"account_id": account_id})
        detail = f"{type(error).__name__}: report the log"
        await database.write(tenant_id, bill_runs.note_defective, actor, run_id, account_id, detail)
