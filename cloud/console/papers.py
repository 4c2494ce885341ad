"""Papers to take along: the PDF of a bill, a receipt, a notice, for staff and for residents."""

from aiohttp import web

from cloud.console.accounts import find_account_id
from cloud.console.desk import Desk
from cloud.domain.bill import Bill
from cloud.domain.paid import AccountNotice
from cloud.domain.user import User
from cloud.press.bill import bill_sheet
from cloud.press.notice import notice_sheet
from cloud.press.receipt import receipt_sheet
from cloud.services import bills, invoices, papers
from cloud.store.db import Tx
from cloud.web.origin import own_origin
from cloud.web.papers import pdf_response


async def print_invoice(desk: Desk) -> web.StreamResponse:
    """Print a bill or credit note in the reader's language."""
    bill = await desk.read(_bill, desk.request.match_info["number"])
    sheet = bill_sheet(bill, desk.preferences.language, own_origin(desk.request))
    return await pdf_response(desk.request, [sheet], sheet.number)


async def print_receipt(desk: Desk) -> web.StreamResponse:
    """Print the receipt of a payment."""
    paid = await desk.read(papers.receipt_by_number, desk.request.match_info["number"])
    sheet = receipt_sheet(paid, desk.preferences.language, own_origin(desk.request))
    return await pdf_response(desk.request, [sheet], sheet.number)


async def print_notice(desk: Desk) -> web.StreamResponse:
    """Print what an account has to pay as of today."""
    notice = await desk.read(_notice, desk, desk.request.match_info["account"])
    sheet = notice_sheet(notice, desk.preferences.language, own_origin(desk.request))
    return await pdf_response(desk.request, [sheet], f"{notice.account.number}-{notice.as_of}")


def _bill(tx: Tx, actor: User, number: str) -> Bill:
    return bills.bill_of(tx, actor, invoices.get_by_number(tx, actor, number).invoice_id)


def _notice(tx: Tx, actor: User, desk: Desk, name: str) -> AccountNotice:
    account_id = find_account_id(tx, actor, desk.site.site_id, name)
    return papers.notice_of(tx, actor, account_id, desk.format.today)
