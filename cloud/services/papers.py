"""What is printed about money (receipts, notices), and whether a paper somebody holds is genuine.

The invariant: verifying needs no sign-in and tells no name, no place and no account: only whether such
a document was issued with this code, for how much, and whether it still holds.
"""

from datetime import date

from cloud.domain.access import Action, require, require_bills
from cloud.domain.authenticity import DocumentKind, Standing, Verdict, is_code
from cloud.domain.bill import invoice_code
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId, PaymentId, TenantId
from cloud.domain.invoice import Invoice, InvoiceKind
from cloud.domain.paid import AccountNotice, NoticeItem, PaidInvoice, PaidReceipt, receipt_code
from cloud.domain.payment import Receipt
from cloud.domain.rate_limit import VERIFICATION_PER_ADDRESS
from cloud.domain.user import User
from cloud.services import payments, rate_limits
from cloud.services.premises import site_of
from cloud.store import bills, invoices, people, tenants
from cloud.store import payments as payment_store
from cloud.store.db import Database, Tx


def receipt_of(tx: Tx, actor: User, payment_id: PaymentId) -> PaidReceipt:
    """Return a payment ready to print; to a resident only their own exist."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    found = payment_store.find_payment(tx, payment_id)
    if found is None:
        raise NotFound(f"there is no payment {payment_id}")
    require_bills(actor, found.account_id)
    return _receipt(tx, found)


def receipt_by_number(tx: Tx, actor: User, number: str) -> PaidReceipt:
    """Return the payment of a number such as `DG-R2026-000001`, ready to print."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    found = payment_store.find_by_number(tx, number)
    if found is None:
        raise NotFound(f"there is no receipt {number!r}")
    require_bills(actor, found.account_id)
    return _receipt(tx, found)


def notice_of(tx: Tx, actor: User, account_id: AccountId, as_of: date) -> AccountNotice:
    """Return what an account has to pay as of a day, ready to print; NotFound if that is nothing."""
    items = payments.open_items(tx, actor, account_id, as_of)
    account = people.find_account(tx, account_id)
    if account is None or not items:
        raise NotFound(f"there is nothing to pay on this account as of {as_of}")
    printed = {
        one.invoice_id: one for one in invoices.find_invoices(tx, [i.invoice.invoice_id for i in items])
    }
    return AccountNotice(
        site_of(tx, account.site_id),
        account,
        as_of,
        tuple(
            NoticeItem(
                item.invoice.number,
                invoice_code(printed[item.invoice.invoice_id]),
                printed[item.invoice.invoice_id].dates.start_on,
                item.invoice.due_on,
                item.invoice.left_fen,
                item.late_fee_left_fen,
            )
            for item in items
        ),
    )


def verify(tx: Tx, number: str, code: str) -> Verdict:
    """Tell anybody whether a document of this number and code was issued, and whether it still holds."""
    invoice = invoices.find_by_number(tx, number)
    if invoice is not None and is_code(code, invoice_code(invoice)):
        is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
        return Verdict(
            _standing(tx, invoice),
            number,
            DocumentKind.CREDIT_NOTE if is_credit else DocumentKind.INVOICE,
            invoice.issued_on,
            invoice.total_fen,
            invoice.currency,
        )
    receipt = payment_store.find_by_number(tx, number)
    if receipt is not None and is_code(code, receipt_code(receipt)):
        taken_back = payment_store.find_reversal(tx, receipt.payment_id) is not None
        return Verdict(
            Standing.TAKEN_BACK if taken_back else Standing.STANDS,
            number,
            DocumentKind.RECEIPT,
            receipt.received_on,
            receipt.amount_fen,
            "CNY",
        )
    return Verdict(Standing.UNKNOWN, number)


async def verify_anywhere(
    database: Database, home: TenantId, address: str, number: str, code: str
) -> Verdict:
    """Return what became of the paper with this number and code, of whichever company it is.

    TooMany for an address that asks faster than a person with papers.
    """
    await database.write(home, take_verification, address)
    verdict = Verdict(Standing.UNKNOWN, number)
    for tenant_id in await database.read(home, tenants.list_tenants):
        verdict = await database.read(tenant_id, verify, number, code)
        if verdict.standing is not Standing.UNKNOWN:
            break
    return verdict


def take_verification(tx: Tx, address: str) -> None:
    """Count one verification from an address; TooMany where it asks faster than a person with papers."""
    rate_limits.take_attempt(tx, [(VERIFICATION_PER_ADDRESS, address)])


def _standing(tx: Tx, invoice: Invoice) -> Standing:
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        return Standing.STANDS
    later = [
        one
        for one in invoices.documents_of(tx, invoice.account_id, invoice.period_id)
        if one.version > invoice.version
    ]
    if not any(one.corrects_id == invoice.invoice_id for one in later):
        return Standing.STANDS
    is_replaced = any(one.kind is InvoiceKind.INVOICE for one in later)
    return Standing.REPLACED if is_replaced else Standing.TAKEN_BACK


def _receipt(tx: Tx, receipt: Receipt) -> PaidReceipt:
    account = people.find_account(tx, receipt.account_id)
    assert account is not None, "an account with payments is never deleted"
    uses = payment_store.uses_of_payment(tx, receipt.payment_id)
    numbers = bills.numbers_of(tx, [use.invoice_id for use in uses])
    original = None if receipt.reverses_id is None else payment_store.find_payment(tx, receipt.reverses_id)
    return PaidReceipt(
        receipt,
        site_of(tx, account.site_id),
        account,
        tuple(PaidInvoice(numbers[use.invoice_id], use.principal_fen, use.late_fee_fen) for use in uses),
        "" if original is None else original.number,
        payment_store.find_reversal(tx, receipt.payment_id) is not None,
    )
