"""Closing a period: the run over all accounts, account by account, that may break off and be taken up again.

Async because it stands between transactions; each of them is one of `cloud.services.billing`. The
invariant: an account is billed whole or not at all, whatever becomes of its neighbours (`by_account`); one
the program fails at is held. A run that was killed goes on where it was.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cloud.domain.ids import AccountId, PeriodId, TenantId
from cloud.domain.periods import PeriodState
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.domain.user import User
from cloud.services import billing
from cloud.services.billing import IssuedGroup
from cloud.services.by_account import GROUP_SIZE, by_account
from cloud.store.db import Database

# Groups under way, where the database takes several: while it writes one, another is rated. A third is
# ready when either is done; more only wait.
GROUPS_AT_ONCE = 3


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


@dataclass(slots=True)
class _Run:
    """A run under way: what it is about, and what it has done so far."""

    database: Database
    tenant_id: TenantId
    actor: User
    period_id: PeriodId
    accounts: int
    on_progress: Callable[[Progress], None] | None
    done: int = 0
    issued: int = 0
    issued_fen: int = 0
    held: dict[AccountId, tuple[UsageProblem, ...]] = field(default_factory=dict)

    async def issue(self, groups: Iterator[Sequence[AccountId]]) -> None:
        """Bill groups one after the other until none is left; several may take from the same groups."""
        for group in groups:
            for account_id in group:
                self.held.pop(account_id, None)
            for done in await by_account(group, self._bill, self._hold):
                self.issued += len(done.issued)
                self.issued_fen += sum(one.total_fen for one in done.issued)
                self.held |= done.held
            self.done = min(self.done + len(group), self.accounts)
            if self.on_progress is not None:
                self.on_progress(Progress(self.done, self.accounts))

    async def _bill(self, group: Sequence[AccountId]) -> IssuedGroup:
        return await self.database.write_bulk(
            self.tenant_id, billing.issue_invoices, self.actor, self.period_id, group
        )

    async def _hold(self, account_id: AccountId, detail: str) -> IssuedGroup:
        problem = await self.database.write(
            self.tenant_id, billing.hold_defective, self.actor, self.period_id, account_id, detail
        )
        return IssuedGroup((), {account_id: (problem,)})


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
    run = _Run(database, tenant_id, actor, period_id, len(waiting), on_progress)
    groups = _groups(waiting, group_size)
    try:
        async with asyncio.TaskGroup() as together:
            for _ in range(min(GROUPS_AT_ONCE, database.writers)):
                together.create_task(run.issue(groups))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    # A bill that waits for another's of the same period may have met it half done, in a group beside its own.
    late = [account_id for account_id in waiting if _waits_for_another(run.held.get(account_id, ()))]
    await run.issue(_groups(late, group_size))
    period = await database.write(tenant_id, billing.finish_closing, actor, period_id)
    return ClosingReport(run.issued, run.issued_fen, period.state is PeriodState.CLOSED, run.held)


def _groups(accounts: Sequence[AccountId], group_size: int) -> Iterator[Sequence[AccountId]]:
    return (accounts[start : start + group_size] for start in range(0, len(accounts), group_size))


def _waits_for_another(problems: Sequence[UsageProblem]) -> bool:
    return any(problem.kind is ProblemKind.EARLIER_UNBILLED for problem in problems)
