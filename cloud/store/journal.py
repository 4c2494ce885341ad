"""The ledger's postings in the order they were made, and what they are called elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from cloud.domain.journal import Subject
from cloud.domain.ledger import EntryKind
from cloud.store.db import Tx
from cloud.store.schema import account, ledger_entry, posting, subject_mapping


@dataclass(frozen=True, slots=True)
class PostedLine:
    """One posting with its entry."""

    entry_id: str
    kind: EntryKind
    occurred_on: date
    posted_at_ms: int
    memo: str
    ledger_account: str
    amount_fen: int
    account_number: str


def posted_lines(tx: Tx, from_ms: int, to_ms: int) -> Iterator[PostedLine]:
    """Yield the postings made in a time, entry by entry, in the order they were made."""
    # What was posted then?
    rows = tx.conn.execute(
        sa.select(
            ledger_entry.c.id,
            ledger_entry.c.kind,
            ledger_entry.c.occurred_on,
            ledger_entry.c.posted_at_ms,
            ledger_entry.c.memo,
            posting.c.ledger_account,
            posting.c.amount_fen,
            account.c.number,
        )
        .select_from(
            ledger_entry.join(
                posting,
                sa.and_(
                    posting.c.tenant_id == ledger_entry.c.tenant_id, posting.c.entry_id == ledger_entry.c.id
                ),
            ).outerjoin(
                account,
                sa.and_(account.c.tenant_id == posting.c.tenant_id, account.c.id == posting.c.account_id),
            )
        )
        .where(
            ledger_entry.c.tenant_id == tx.tenant_id,
            ledger_entry.c.posted_at_ms >= from_ms,
            ledger_entry.c.posted_at_ms < to_ms,
        )
        .order_by(ledger_entry.c.posted_at_ms, ledger_entry.c.id, posting.c.posting_no)
    )
    for row in rows:
        yield PostedLine(
            row.id,
            EntryKind(row.kind),
            row.occurred_on,
            row.posted_at_ms,
            row.memo,
            row.ledger_account,
            row.amount_fen,
            row.number or "",
        )


def subjects(tx: Tx) -> dict[str, Subject]:
    """Return how ledger accounts are called in the finance department's chart, where that was set."""
    # What did the finance department say?
    rows = tx.conn.execute(
        sa.select(
            subject_mapping.c.ledger_account, subject_mapping.c.subject_code, subject_mapping.c.subject_name
        ).where(subject_mapping.c.tenant_id == tx.tenant_id)
    )
    return {row.ledger_account: Subject(row.subject_code, row.subject_name) for row in rows}


def put_subjects(tx: Tx, mapped: Mapping[str, Subject]) -> None:
    """Set how some ledger accounts are called."""
    for code, subject in mapped.items():
        values = {"subject_code": subject.code, "subject_name": subject.name}
        # Set one subject.
        tx.conn.execute(
            tx.insert(subject_mapping)
            .values(tenant_id=tx.tenant_id, ledger_account=code, **values)
            .on_conflict_do_update(index_elements=["tenant_id", "ledger_account"], set_=values)
        )
