"""Entries and postings: only ever added; every balance is a sum over them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, InvoiceId, LedgerEntryId
from cloud.domain.ledger import CHART, Entry, EntryKind
from cloud.domain.trial_balance import Turnover
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import ledger_account, ledger_entry, posting


def ensure_chart(tx: Tx) -> None:
    """Add the ledger accounts that are not there yet."""
    # Have we all ledger accounts?
    count = tx.conn.execute(
        sa.select(sa.func.count())
        .select_from(ledger_account)
        .where(ledger_account.c.tenant_id == tx.tenant_id)
    ).scalar_one()
    if count >= len(CHART):
        return
    # Add what is missing.
    tx.conn.execute(
        tx.insert(ledger_account).on_conflict_do_nothing(index_elements=["tenant_id", "code"]),
        [{"tenant_id": tx.tenant_id, "code": code, "name": name} for code, name in CHART.items()],
    )


def insert_entries(tx: Tx, entries: Sequence[Entry]) -> list[LedgerEntryId]:
    """Post entries; returns their ids in order. They balance: `Entry` refuses others."""
    if not entries:
        return []
    ids = [LedgerEntryId(tx.new_id()) for _ in entries]
    # Add entries.
    insert_rows(
        tx,
        ledger_entry,
        [
            {
                "tenant_id": tx.tenant_id,
                "id": entry_id,
                "kind": entry.kind.value,
                "occurred_on": entry.occurred_on,
                "posted_at_ms": tx.now_ms,
                "invoice_id": entry.invoice_id,
                "memo": entry.memo,
            }
            for entry_id, entry in zip(ids, entries, strict=True)
        ],
    )
    # Add their postings.
    insert_rows(
        tx,
        posting,
        [
            {
                "tenant_id": tx.tenant_id,
                "entry_id": entry_id,
                "posting_no": number,
                "ledger_account": one.ledger_account,
                "account_id": one.account_id,
                "amount_fen": one.amount_fen,
            }
            for entry_id, entry in zip(ids, entries, strict=True)
            for number, one in enumerate(entry.postings, start=1)
        ],
    )
    return ids


def balance_of(tx: Tx, account_id: AccountId, ledger_accounts: Sequence[str]) -> int:
    """Return the sum of a customer's postings on some ledger accounts: what is owed, less what is prepaid."""
    # What does this account owe?
    total = tx.conn.execute(
        sa.select(sa.func.coalesce(sa.func.sum(posting.c.amount_fen), 0)).where(
            posting.c.tenant_id == tx.tenant_id,
            posting.c.account_id == account_id,
            posting.c.ledger_account.in_(ledger_accounts),
        )
    ).scalar_one()
    return int(total)


def statement_rows(tx: Tx, account_id: AccountId, ledger_accounts: Sequence[str]) -> list[Any]:
    """Return what each entry did to a customer's balance, oldest first."""
    # The few postings of this customer first: by the time they are wanted in, SQLite would begin with all.
    posted = (
        sa.select(posting.c.entry_id, sa.func.sum(posting.c.amount_fen).label("amount_fen"))
        .where(
            posting.c.tenant_id == tx.tenant_id,
            posting.c.account_id == account_id,
            posting.c.ledger_account.in_(ledger_accounts),
        )
        .group_by(posting.c.entry_id)
        .subquery("posted")
    )
    # What happened on this account?
    rows = tx.conn.execute(
        sa.select(
            ledger_entry.c.id,
            ledger_entry.c.kind,
            ledger_entry.c.occurred_on,
            ledger_entry.c.posted_at_ms,
            ledger_entry.c.memo,
            ledger_entry.c.invoice_id,
            posted.c.amount_fen,
        )
        .join(posted, posted.c.entry_id == ledger_entry.c.id)
        .where(ledger_entry.c.tenant_id == tx.tenant_id)
    )
    return sorted(rows, key=lambda row: (row.posted_at_ms, row.id))


def sums_by_ledger_account(tx: Tx) -> dict[str, int]:
    """Return the sum of all postings by ledger account; those without any have zero."""
    # Does everything add up?
    rows = tx.conn.execute(
        sa.select(posting.c.ledger_account, sa.func.sum(posting.c.amount_fen))
        .where(posting.c.tenant_id == tx.tenant_id)
        .group_by(posting.c.ledger_account)
    )
    return dict.fromkeys(CHART, 0) | {row[0]: int(row[1]) for row in rows}


def turnovers(tx: Tx, from_ms: int, to_ms: int) -> list[Turnover]:
    """Return what was on every ledger account before a time and what was posted to it in the time."""
    fen, at_ms = posting.c.amount_fen, ledger_entry.c.posted_at_ms

    def total(which: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((which, fen), else_=0))

    # What moved? What stood before is all there is less all since: books grow for years, and one asks of
    # late months.
    rows = tx.conn.execute(
        sa.select(
            posting.c.ledger_account,
            sa.func.sum(fen).label("since_fen"),
            total(sa.and_(at_ms < to_ms, fen > 0)).label("debit_fen"),
            total(sa.and_(at_ms < to_ms, fen < 0)).label("credit_fen"),
        )
        .select_from(
            ledger_entry.join(
                posting,
                sa.and_(
                    posting.c.tenant_id == ledger_entry.c.tenant_id, posting.c.entry_id == ledger_entry.c.id
                ),
            )
        )
        .where(ledger_entry.c.tenant_id == tx.tenant_id, at_ms >= from_ms)
        .group_by(posting.c.ledger_account)
    )
    moved = {row.ledger_account: row for row in rows}
    return [
        Turnover(code, total_fen, 0, 0)
        if code not in moved
        else Turnover(
            code,
            total_fen - int(moved[code].since_fen),
            int(moved[code].debit_fen),
            -int(moved[code].credit_fen),
        )
        for code, total_fen in sums_by_ledger_account(tx).items()
    ]


def entries_of_invoice(tx: Tx, invoice_id: InvoiceId) -> list[tuple[LedgerEntryId, EntryKind]]:
    """Return the entries that post a document."""
    # How was this document posted?
    rows = tx.conn.execute(
        sa.select(ledger_entry.c.id, ledger_entry.c.kind)
        .where(ledger_entry.c.tenant_id == tx.tenant_id, ledger_entry.c.invoice_id == invoice_id)
        .order_by(ledger_entry.c.id)
    )
    return [(LedgerEntryId(row.id), EntryKind(row.kind)) for row in rows]
