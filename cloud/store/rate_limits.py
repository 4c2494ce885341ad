"""What callers have taken of their limits."""

import sqlalchemy as sa

from cloud.domain.rate_limit import Spent
from cloud.store import schema
from cloud.store.db import Tx

_table = schema.rate_limit


def lock_spent(tx: Tx, scope: str, subject: str) -> Spent:
    """Return what the subject has taken, holding its row until the end of the transaction."""
    # Make sure there is a row to lock, so that the first two attempts cannot both be the first.
    tx.conn.execute(
        tx.insert(_table)
        .values(tenant_id=tx.tenant_id, scope=scope, subject=subject, due_at_ms=0, failures=0)
        .on_conflict_do_nothing()
    )
    # What has this subject taken of this limit?
    query = (
        sa.select(_table.c.due_at_ms, _table.c.failures)
        .where(_table.c.tenant_id == tx.tenant_id, _table.c.scope == scope, _table.c.subject == subject)
        .with_for_update()
    )
    row = tx.conn.execute(query).one()
    return Spent(row.due_at_ms, row.failures)


def put_spent(tx: Tx, scope: str, subject: str, spent: Spent) -> None:
    """Keep what the subject, locked before, has taken now."""
    # Replace the state of one subject.
    statement = (
        sa.update(_table)
        .where(_table.c.tenant_id == tx.tenant_id, _table.c.scope == scope, _table.c.subject == subject)
        .values(due_at_ms=spent.due_at_ms, failures=spent.failures)
    )
    tx.conn.execute(statement)


def delete_paid_back(tx: Tx, before_ms: int) -> int:
    """Forget every subject whose debt was paid back before then; return how many."""
    # Nobody who has been quiet this long has anything to wait for.
    statement = sa.delete(_table).where(_table.c.tenant_id == tx.tenant_id, _table.c.due_at_ms < before_ms)
    return tx.conn.execute(statement).rowcount
