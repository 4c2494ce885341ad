"""Closing a period: the run over all accounts, group by group, that may break off and be taken up again.

Async because it stands between transactions; each of them is one of `cloud.services.billing`. The
invariant: after every group the database is whole, so a run that was killed goes on where it was.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cloud.domain.ids import AccountId, PeriodId, TenantId
from cloud.domain.periods import PeriodState
from cloud.domain.usage import UsageProblem
from cloud.domain.user import User
from cloud.services import billing
from cloud.store.db import Database

# Accounts a transaction. One account each would pay one flush to disk each; a hundred share one and
# still hold the writer for well under a quarter of a second.
GROUP_SIZE = 100


@dataclass(frozen=True, slots=True)
class ClosingReport:
    """What a run did. `is_closed` is False while accounts are held; `held` says why, by account."""

    invoices_issued: int
    issued_fen: int
    is_closed: bool
    held: dict[AccountId, tuple[UsageProblem, ...]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    done: int
    accounts: int


async def close_period(
    database: Database,
    tenant_id: TenantId,
    actor: User,
    period_id: PeriodId,
    on_progress: Callable[[Progress], None] | None = None,
    group_size: int = GROUP_SIZE,
) -> ClosingReport:
    """Bill every account of a period that has no invoice yet, and close it if none is held.

    Conflict where the period is closed already, has not ended, or an earlier one is still open.
    """
    waiting = await database.write(tenant_id, billing.begin_closing, actor, period_id)
    issued = 0
    issued_fen = 0
    held: dict[AccountId, tuple[UsageProblem, ...]] = {}
    for start in range(0, len(waiting), group_size):
        group = waiting[start : start + group_size]
        done = await database.write_bulk(tenant_id, billing.issue_invoices, actor, period_id, group)
        issued += len(done.issued)
        issued_fen += sum(one.total_fen for one in done.issued)
        held |= done.held
        if on_progress is not None:
            on_progress(Progress(min(start + group_size, len(waiting)), len(waiting)))
    period = await database.write(tenant_id, billing.finish_closing, actor, period_id)
    return ClosingReport(issued, issued_fen, period.state is PeriodState.CLOSED, held)
