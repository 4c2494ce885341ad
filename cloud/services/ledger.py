"""The ledger as people ask for it: a customer's balance and statement, and whether the books balance."""

from cloud.domain.access import Action, require, require_bills
from cloud.domain.ids import AccountId, LedgerEntryId
from cloud.domain.journal import subject_of
from cloud.domain.ledger import PREPAYMENT, RECEIVABLE, EntryKind, StatementRow, TrialBalance, running_balance
from cloud.domain.periods import billing_month, midnight_ms
from cloud.domain.trial_balance import MonthTrialBalance, TrialRow
from cloud.domain.user import User
from cloud.services.journal import books_zone
from cloud.store import journal, ledger
from cloud.store.db import Tx

# What a customer owes less what stands to the customer's credit.
_CUSTOMER = (PREPAYMENT, RECEIVABLE)


def balance(tx: Tx, actor: User, account_id: AccountId) -> int:
    """Return what an account owes in fen, always a sum of postings; negative is credit."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    return ledger.balance_of(tx, account_id, _CUSTOMER)


def statement(tx: Tx, actor: User, account_id: AccountId) -> list[StatementRow]:
    """Return what happened on an account, oldest first, with the balance after each entry."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    rows = ledger.statement_rows(tx, account_id, _CUSTOMER)
    balances = running_balance([int(row.amount_fen) for row in rows])
    return [
        StatementRow(
            LedgerEntryId(row.id),
            EntryKind(row.kind),
            row.occurred_on,
            row.posted_at_ms,
            row.memo,
            row.invoice_id,
            int(row.amount_fen),
            after_fen,
        )
        for row, after_fen in zip(rows, balances, strict=True)
    ]


def trial_balance(tx: Tx, actor: User) -> TrialBalance:
    """Return every ledger account's sum; together they are zero, or something is badly wrong."""
    require(actor, Action.READ_LEDGER)
    return TrialBalance(ledger.sums_by_ledger_account(tx))


def month_trial_balance(tx: Tx, actor: User, month: str) -> MonthTrialBalance:
    """Return what stood, moved and stands in a local month ("2026-10"), by subject."""
    require(actor, Action.READ_LEDGER)
    dates = billing_month(month)
    zone = books_zone(tx)
    mapped = journal.subjects(tx)
    rows = [
        TrialRow(one, subject_of(one.ledger_account, mapped))
        for one in ledger.turnovers(tx, midnight_ms(dates.start_on, zone), midnight_ms(dates.end_on, zone))
    ]
    by_subject = sorted(rows, key=lambda row: (row.subject.code, row.turnover.ledger_account))
    return MonthTrialBalance(month, tuple(by_subject))
