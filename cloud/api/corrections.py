"""Invoices that were wrong, taken back; and readings by hand for accounts that are held."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.invoices import InvoiceView, invoice_view
from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.api.words import checked_decimal
from cloud.domain.access import Action
from cloud.domain.ids import InstallationId, InvoiceId
from cloud.services import corrections, manual_readings
from cloud.services.corrections import Corrected
from cloud.services.manual_readings import ProposedEstimate

REASON_LENGTH_MAX = 500

_Reason = Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]


class Reason(Request, frozen=True, kw_only=True):
    """Why an invoice is taken back; it stands on the credit note."""

    reason: _Reason


class ManualReading(Request, frozen=True, kw_only=True):
    """What a meter's register showed at the beginning of a local day, as the dial writes it."""

    on: date
    value: Decimal
    reason: _Reason


class EstimateRequest(Request, frozen=True, kw_only=True):
    """For the beginning of which local day, and why the meter cannot be read."""

    on: date
    reason: _Reason


class DayQuery(Request, frozen=True, kw_only=True):
    """For the beginning of which local day."""

    on: date


class CorrectedView(View, frozen=True):
    """The credit note and, unless nothing is charged instead, the replacement."""

    credit_note: InvoiceView
    replacement: InvoiceView | None


class PreviewView(View, frozen=True):
    """What an invoice would come to if it were issued now."""

    total_fen: int


class RecordedReadingView(View, frozen=True):
    """The reading that was recorded."""

    reading_id: str


class EstimateView(View, frozen=True):
    """What a register would show by the mean of the last actual cycles, and what that was taken from."""

    installation_id: str
    on: date
    starts_at: Decimal
    anchor: Decimal
    cycles: tuple[Decimal, ...]
    quantity: Decimal
    value: Decimal


async def credit_invoice(call: Call[Nothing, Reason]) -> web.Response:
    """Take an invoice back whole."""
    invoice_id = InvoiceId(call.id("invoice_id"))
    return await call.create(invoice_view, corrections.credit, invoice_id, call.body.reason)


async def correct_invoice(call: Call[Nothing, Reason]) -> web.Response:
    """Take an invoice back and issue what is right by the readings as they are now."""
    invoice_id = InvoiceId(call.id("invoice_id"))
    return await call.create(_corrected_view, corrections.correct, invoice_id, call.body.reason)


async def preview_correction(call: Call[Nothing, Nothing]) -> PreviewView:
    """Tell what an invoice would come to now; nothing is written."""
    return PreviewView(total_fen=await call.read(corrections.preview, InvoiceId(call.id("invoice_id"))))


async def record_reading(call: Call[Nothing, ManualReading]) -> web.Response:
    """Record what a meter showed; it stands beside what the wire said, never over it."""
    body = call.body
    return await call.create(
        lambda reading_id: RecordedReadingView(reading_id=reading_id),
        manual_readings.record_reading,
        InstallationId(call.id("installation_id")),
        body.on,
        checked_decimal("value", body.value),
        body.reason,
    )


async def propose_estimate(call: Call[DayQuery, Nothing]) -> EstimateView:
    """Propose what a meter would show."""
    installation_id = InstallationId(call.id("installation_id"))
    return _estimate_view(await call.read(manual_readings.propose_estimate, installation_id, call.query.on))


async def record_estimate(call: Call[Nothing, EstimateRequest]) -> web.Response:
    """Record the proposed estimate; the next actual reading settles it."""
    installation_id = InstallationId(call.id("installation_id"))
    return await call.create(
        _estimate_view, manual_readings.record_estimate, installation_id, call.body.on, call.body.reason
    )


def _corrected_view(corrected: Corrected) -> CorrectedView:
    replacement = corrected.replacement
    return CorrectedView(
        credit_note=invoice_view(corrected.credit_note),
        replacement=None if replacement is None else invoice_view(replacement),
    )


def _estimate_view(proposed: ProposedEstimate) -> EstimateView:
    return view_of(proposed, EstimateView)


_INVOICE, _METER = "/api/v1/invoices/{invoice_id}", "/api/v1/installations/{installation_id}"

ROUTES = (
    Route(
        "POST",
        _INVOICE + "/credit",
        "Take an invoice back",
        Action.CORRECT_INVOICES,
        credit_invoice,
        InvoiceView,
        body=Reason,
        status=201,
        creates=True,
        description="Answers the credit note. What was paid becomes the customer's credit.",
    ),
    Route(
        "POST",
        _INVOICE + "/correction",
        "Take an invoice back and replace it",
        Action.CORRECT_INVOICES,
        correct_invoice,
        CorrectedView,
        body=Reason,
        status=201,
        creates=True,
    ),
    Route(
        "GET",
        _INVOICE + "/correction",
        "Tell what a correction would come to",
        Action.CORRECT_INVOICES,
        preview_correction,
        PreviewView,
    ),
    Route(
        "POST",
        _METER + "/readings",
        "Record a reading by hand",
        Action.ENTER_READINGS,
        record_reading,
        RecordedReadingView,
        body=ManualReading,
        status=201,
        creates=True,
    ),
    Route(
        "GET",
        _METER + "/estimate",
        "Propose an estimate",
        Action.ENTER_READINGS,
        propose_estimate,
        EstimateView,
        query=DayQuery,
    ),
    Route(
        "POST",
        _METER + "/estimates",
        "Record an estimate",
        Action.ENTER_READINGS,
        record_estimate,
        EstimateView,
        body=EstimateRequest,
        status=201,
        creates=True,
        description="The bill that uses it is marked; the next actual reading settles it, up or down.",
    ),
)
