"""Runs of the calendar's jobs: what was done for which day or month, so that it is done once.

The invariant: a run is recorded in the transaction that does the work, so it is recorded exactly if the
work was done, and of several processes that want to do it one does.
"""

from cloud.store.db import Tx
from cloud.store.schema import job_run


def begin(tx: Tx, job: str, period_key: str) -> bool:
    """Record that a job is done for a period; False if that has been done."""
    # Is this job's work for this day still to do?
    return bool(
        tx.conn.execute(
            tx.insert(job_run)
            .values(
                tenant_id=tx.tenant_id,
                job=job,
                period_key=period_key,
                started_at_ms=tx.now_ms,
                finished_at_ms=tx.now_ms,
                outcome="done",
            )
            .on_conflict_do_nothing()
        ).rowcount
    )
