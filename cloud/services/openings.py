"""Taking over what accounts owed, had prepaid and had left as deposit in the system before.

The invariant: what is taken over is posted, and undoing it is posted too: arrears are taken back by credit
notes, the rest by the entry turned round. Nothing that was paid or used since is undone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from cloud.domain.errors import Conflict
from cloud.domain.ids import InvoiceId
from cloud.domain.invoice import InvoiceKind, invoice_number
from cloud.domain.ledger import OPENING, Entry, EntryKind, invoice_entry
from cloud.domain.opening import Opening, OpeningInvoice, OpeningKind, held_entry
from cloud.domain.people import Account
from cloud.domain.periods import (
    BillingPeriod,
    PeriodCode,
    PeriodState,
    billing_month,
    local_date,
    time_zone,
)
from cloud.domain.premises import Site
from cloud.domain.rating import Customer, SliceUsage, plan, rate
from cloud.domain.user import User
from cloud.services import corrections
from cloud.services.given_amounts import GivenAmount, tariff_of
from cloud.services.invoice_rows import line_of
from cloud.store import invoices, ledger, numbers, openings, payments, people, periods
from cloud.store.db import Tx
from cloud.store.invoices import NewInvoice
from cloud.store.tariffs import StoredTariff

TARIFF = GivenAmount(
    code="opening-balance",
    name_zh="期初欠费（原系统结转）",
    name_en="Arrears taken over from the system before",
    commodity=OPENING,
    component="opening",
    line_zh="期初欠费",
    line_en="Arrears taken over",
    said_in="the table of opening balances that was brought in",
    found_at="imports",
)


def take_over(tx: Tx, site: Site, taken: Sequence[Opening]) -> list[str]:
    """Post opening balances; return the invoices of what is owed, and nothing of the rest."""
    ledger.ensure_chart(tx)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    people.lock_accounts(tx, {one.account_id for one in taken})
    held = [one for one in taken if one.kind is not OpeningKind.ARREARS]
    ledger.insert_entries(tx, [held_entry(one, today) for one in held])
    owed = sorted((one for one in taken if one.kind is OpeningKind.ARREARS), key=lambda one: one.month)
    accounts = {one.account_id: one for one in people.accounts_by_number(tx, site.site_id).values()}
    known = {(one.account_id, one.month): one for one in openings.invoices_of_site(tx, site.site_id)}
    issued: list[str] = []
    for month, of_month in groupby(owed, key=lambda one: one.month):
        period = _period_before_us(tx, site, month)
        together = list(of_month)
        first = numbers.next_number(tx, site.code, "invoice", month, count=len(together))
        tariff = tariff_of(tx, TARIFF)
        added = [
            _invoice(
                tx,
                invoice_number(site.code, month, serial),
                period,
                accounts[one.account_id],
                one,
                today,
                tariff,
                known.get((one.account_id, month)),
            )
            for serial, one in enumerate(together, start=first)
        ]
        invoices.insert_invoices(tx, added)
        ledger.insert_entries(tx, _entries(added, today))
        issued += [one.invoice_id for one in added]
    return issued


def undo(
    tx: Tx, actor: User, site: Site, invoice_ids: Iterable[str], held: Sequence[Opening], reason: str
) -> None:
    """Take opening balances back; Conflict, and nothing is undone, where one was paid on or used."""
    accounts = {one.account_id: one for one in people.accounts_by_number(tx, site.site_id).values()}
    found = [InvoiceId(one) for one in invoice_ids]
    paid = payments.uses_of_invoices(tx, found)
    for invoice in invoices.find_invoices(tx, found):
        if paid.get(invoice.invoice_id):
            raise Conflict(f"{invoice.number} was paid on since: it cannot be undone")
        corrections.credit(tx, actor, invoice.invoice_id, reason)
    people.lock_accounts(tx, {one.account_id for one in held})
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    for one in held:
        left_fen = -ledger.balance_of(tx, one.account_id, [one.kind.ledger_account])
        if left_fen < one.amount_fen:
            number = accounts[one.account_id].number
            raise Conflict(f"what account {number} had prepaid was used since: it cannot be undone")
        ledger.insert_entries(tx, [held_entry(one, today, is_undone=True)])


def months_of_ours(tx: Tx, site: Site) -> set[PeriodCode]:
    """Return the months this program bills: nothing of them is taken over."""
    return openings.months_of_ours(tx, site.site_id)


def _period_before_us(tx: Tx, site: Site, month: PeriodCode) -> BillingPeriod:
    """Return a month of the system before; it is closed from the start."""
    periods.insert_period(tx, site.site_id, month, billing_month(month))
    found = periods.find_by_code(tx, site.site_id, month)
    assert found is not None, "it was inserted just now, or was there"
    if found.state is not PeriodState.CLOSED:
        periods.set_state(tx, found.period_id, PeriodState.CLOSED)
    return found


def _invoice(
    tx: Tx,
    number: str,
    period: BillingPeriod,
    account: Account,
    opening: Opening,
    today: date,
    tariff: StoredTariff,
    before: OpeningInvoice | None,
) -> NewInvoice:
    """Return what an account owes of a month as a document; once undone, another follows the first."""
    rated = rate(
        plan([tariff.tariff], period.dates),
        [SliceUsage(Decimal(0))],
        Customer(count=opening.amount_fen),
    )
    snapshot: Mapping[str, object] = {
        "account_number": account.number,
        "holder_name": account.holder_name,
        "space_code": account.space_code,
        "household_size": account.household_size,
        "area_m2": None,
        "services": [],
    }
    return NewInvoice(
        InvoiceId(tx.new_id()),
        number,
        account.account_id,
        period.period_id,
        1 if before is None else before.version + 1,
        InvoiceKind.INVOICE,
        None if before is None else before.invoice_id,
        "" if before is None else "期初欠费重新导入",
        tariff.tariff.currency.code,
        today,
        opening.due_on,
        snapshot,
        tuple(line_of(line, tariff.tariff_id, None) for line in rated),
    )


def _entries(added: Sequence[NewInvoice], today: date) -> list[Entry]:
    entries = [
        invoice_entry(
            one.account_id, one.invoice_id, one.number, today, {OPENING: one.total_fen}, EntryKind.OPENING
        )
        for one in added
    ]
    return [entry for entry in entries if entry is not None]
