"""Correcting an invoice: what it would come to today, then a credit note and the right one.

The invariant: an issued invoice is never changed; before anything is issued the page shows both totals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.invoice import Invoice
from cloud.domain.user import User
from cloud.services import corrections, invoices
from cloud.services.corrections import Corrected
from cloud.store.db import Tx

_REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """The invoice, what it would come to now or why that cannot be said, and what was typed."""

    invoice: Invoice
    anew_fen: int | None
    problem: str
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


async def show(desk: Desk) -> web.StreamResponse:
    """Show what the invoice would come to by what is known now."""
    view = await desk.read(_view, desk.request.match_info["number"], {}, {})
    return await desk.page("invoices/correction.html", view=view)


async def submit(desk: Desk) -> web.StreamResponse:
    """Issue the credit note and the replacement, or say why not."""
    form = await desk.request.post()
    number = desk.request.match_info["number"]
    reason = str(form.get("reason", "")).strip()[:_REASON_LENGTH_MAX]
    errors: dict[str, str] = {}
    if not reason:
        errors["reason"] = desk.language.gettext("Say in one sentence what was wrong; the customer reads it.")
    else:
        try:
            done: Corrected = await desk.write(_correct, number, reason)
        except (Conflict, Invalid) as error:
            errors[""] = str(error)
        else:
            last = done.replacement or done.credit_note
            return desk.go(
                f"/invoices/{last.number}",
                "invoice-corrected" if done.replacement else "invoice-credited",
                note=done.credit_note.number,
                number=last.number,
            )
    view = await desk.read(_view, number, {"reason": reason}, errors)
    return await desk.page("invoices/correction.html", status=422, view=view)


def _view(
    tx: Tx, actor: User, number: str, typed: Mapping[str, str], errors: Mapping[str, str]
) -> CorrectionView:
    invoice = invoices.get_by_number(tx, actor, number)
    try:
        anew_fen = corrections.preview(tx, actor, invoice.invoice_id)
    except (Conflict, Invalid) as error:
        return CorrectionView(invoice, None, str(error), typed, errors)
    return CorrectionView(invoice, anew_fen, "", typed, errors)


def _correct(tx: Tx, actor: User, number: str, reason: str) -> Corrected:
    invoice = invoices.get_by_number(tx, actor, number)
    return corrections.correct(tx, actor, invoice.invoice_id, reason)
