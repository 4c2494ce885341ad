"""Numbers people use: one after the other within a scope, kind and year.

The invariant: a number is given once. The row is locked until the transaction ends, so two
transactions get two numbers, and one that is rolled back gives its number back.
"""

import sqlalchemy as sa

from cloud.store.db import BuiltInsert, Tx
from cloud.store.schema import document_number

# Take numbers from the counter, which begins when it is first asked.
_TAKE = BuiltInsert(
    lambda insert: (
        insert(document_number)
        .on_conflict_do_update(
            index_elements=["tenant_id", "scope", "kind", "year"],
            set_={"last": document_number.c.last + sa.bindparam("count")},
        )
        .returning(document_number.c.last)
    )
)


def next_number(tx: Tx, scope: str, kind: str, year: str = "", *, count: int = 1) -> int:
    """Return the first of `count` fresh numbers; the first ever is 1."""
    parameters = {
        "tenant_id": tx.tenant_id,
        "scope": scope,
        "kind": kind,
        "year": year,
        "last": count,
        "count": count,
    }
    return int(tx.conn.execute(_TAKE.of(tx), parameters).scalar_one()) - count + 1


def last_number(tx: Tx, scope: str, kind: str, year: str = "") -> int:
    """Return the last number given, 0 if none."""
    # How far has this counter come?
    last = tx.conn.execute(
        sa.select(document_number.c.last).where(
            document_number.c.tenant_id == tx.tenant_id,
            document_number.c.scope == scope,
            document_number.c.kind == kind,
            document_number.c.year == year,
        )
    ).scalar_one_or_none()
    return int(last or 0)
