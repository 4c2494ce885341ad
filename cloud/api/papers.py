"""Papers as PDF: bills, receipts, notices; and whether a paper somebody holds is genuine."""

from datetime import date

from aiohttp import web

from cloud.api.route import Call, Nothing, Open, Request, Route, View, view_of
from cloud.config import DEFAULT_TENANT
from cloud.domain.access import Action
from cloud.domain.authenticity import DocumentKind, Standing
from cloud.domain.ids import AccountId, InvoiceId, PaymentId
from cloud.domain.user import Locale
from cloud.keys import DATABASE
from cloud.press.bill import bill_sheet
from cloud.press.notice import notice_sheet
from cloud.press.receipt import receipt_sheet
from cloud.services import bills, papers
from cloud.web.identity import address_of
from cloud.web.origin import own_origin
from cloud.web.papers import PDF, pdf_response


class PaperQuery(Request, frozen=True, kw_only=True):
    """In which language."""

    language: Locale = Locale.CHINESE


class NoticeQuery(Request, frozen=True, kw_only=True):
    """As of which local day, in which language."""

    as_of: date
    language: Locale = Locale.CHINESE


class VerdictView(View, frozen=True):
    """Whether the paper was issued and still holds; of an unknown one nothing else is told."""

    standing: Standing
    number: str
    kind: DocumentKind | None
    issued_on: date | None
    amount_fen: int | None
    currency: str


async def print_invoice(call: Call[PaperQuery, Nothing]) -> web.Response:
    """Print a bill or credit note; the same document is the same bytes every time."""
    bill = await call.read(bills.bill_of, InvoiceId(call.id("invoice_id")))
    sheet = bill_sheet(bill, call.query.language, own_origin(call.request))
    return await pdf_response(call.request, [sheet], sheet.number)


async def print_receipt(call: Call[PaperQuery, Nothing]) -> web.Response:
    """Print the receipt of a payment."""
    paid = await call.read(papers.receipt_of, PaymentId(call.id("payment_id")))
    sheet = receipt_sheet(paid, call.query.language, own_origin(call.request))
    return await pdf_response(call.request, [sheet], sheet.number)


async def print_notice(call: Call[NoticeQuery, Nothing]) -> web.Response:
    """Print what an account has to pay; NotFound where that is nothing."""
    notice = await call.read(papers.notice_of, AccountId(call.id("account_id")), call.query.as_of)
    sheet = notice_sheet(notice, call.query.language, own_origin(call.request))
    return await pdf_response(call.request, [sheet], f"{notice.account.number}-{notice.as_of}")


async def verify_document(call: Call[Nothing, Nothing]) -> VerdictView:
    """Tell whether a paper with this number and code was issued, and whether it still holds."""
    found = await papers.verify_anywhere(
        call.request.app[DATABASE],
        DEFAULT_TENANT,
        address_of(call.request),
        call.code("document_number"),
        call.code("document_code"),
    )
    return view_of(found, VerdictView)


ROUTES = (
    Route(
        "GET",
        "/api/v1/accounts/{account_id}/notice",
        "Print a payment notice",
        Action.READ_OWN_ACCOUNTS,
        print_notice,
        PDF,
        query=NoticeQuery,
    ),
    Route(
        "GET",
        "/api/v1/documents/{document_number}/{document_code}",
        "Verify a paper",
        Open.EVERYBODY,
        verify_document,
        VerdictView,
        description="For whoever holds a bill or receipt: both are printed on it. Tells no personal data.",
    ),
    Route(
        "GET",
        "/api/v1/invoices/{invoice_id}/pdf",
        "Print an invoice",
        Action.READ_INVOICES,
        print_invoice,
        PDF,
        query=PaperQuery,
        description="Reproducible: the same document gives the same bytes in ten years.",
    ),
    Route(
        "GET",
        "/api/v1/payments/{payment_id}/pdf",
        "Print a receipt",
        Action.READ_OWN_ACCOUNTS,
        print_receipt,
        PDF,
        query=PaperQuery,
    ),
)
