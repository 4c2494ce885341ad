"""Deposits: money held for an account, turned into credit or given back.

The invariant: what is held is a sum of postings; it is used up to what there is and never for a bill by
itself.
"""

from datetime import date

from cloud.domain.access import Action, require, require_bills
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import AccountId, DepositId
from cloud.domain.ledger import DEPOSIT
from cloud.domain.payment import Method
from cloud.domain.periods import local_date, time_zone
from cloud.domain.refund import (
    Deposit,
    RefundSource,
    checked_text,
    deposit_entry,
    deposit_number,
    deposit_used_entry,
)
from cloud.domain.user import User
from cloud.services import payments
from cloud.services.refunds import account_and_site
from cloud.store import audit, ledger, numbers, people, refunds
from cloud.store.db import Tx


def take_deposit(
    tx: Tx, actor: User, account_id: AccountId, label: str, method: Method, amount_fen: int, received_on: date
) -> Deposit:
    """Record money that is only held: for a key, a renovation, a tenancy."""
    require(actor, Action.RECORD_PAYMENTS)
    _, site = account_and_site(tx, account_id)
    if amount_fen <= 0:
        raise Invalid(f"a deposit is more than zero, not {amount_fen} fen")
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    if received_on > today:
        raise Invalid(f"money cannot have come in on {received_on}; today is {today}")
    ledger.ensure_chart(tx)
    serial = numbers.next_number(tx, site.code, "deposit", str(received_on.year))
    new = Deposit(
        DepositId(tx.new_id()),
        deposit_number(site.code, received_on.year, serial),
        account_id,
        checked_text("label", label, 60),
        method,
        amount_fen,
        received_on,
        tx.now_ms,
    )
    refunds.insert_deposit(tx, new, actor.person_id)
    ledger.insert_entries(tx, [deposit_entry(new)])
    detail: dict[str, str | int | None] = {"number": new.number, "amount_fen": amount_fen}
    audit.record(tx, actor.user_id, "take_deposit", "account", account_id, detail)
    return new


def use_deposit(tx: Tx, actor: User, account_id: AccountId, amount_fen: int, reason: str) -> int:
    """Turn a deposit into credit and use it for what is owed; returns the fen used at once."""
    require(actor, Action.RECORD_PAYMENTS)
    people.lock_account(tx, account_id)
    account, site = account_and_site(tx, account_id)
    held_fen = held(tx, actor, account_id)
    promised_fen = refunds.pending_fen(tx, account_id, RefundSource.DEPOSIT)
    if not 0 < amount_fen <= held_fen - promised_fen:
        raise Conflict(
            f"account {account.number} has {held_fen} fen of deposit, {promised_fen} of it asked back; "
            f"{amount_fen} cannot be used"
        )
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    said = checked_text("reason", reason)
    ledger.insert_entries(tx, [deposit_used_entry(account_id, amount_fen, today, said)])
    audit.record(tx, actor.user_id, "use_deposit", "account", account_id, {"amount_fen": amount_fen})
    return payments.apply_prepayments(tx, [account_id], today).get(account_id, 0)


def held(tx: Tx, actor: User, account_id: AccountId) -> int:
    """Return what is held for an account, in fen."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    return -ledger.balance_of(tx, account_id, [DEPOSIT])


def list_deposits(tx: Tx, actor: User, account_id: AccountId) -> list[Deposit]:
    """Return an account's deposits, newest first."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    account_and_site(tx, account_id)
    return refunds.deposits_of(tx, account_id)
