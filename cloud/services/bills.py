"""Bills as they are printed: documents with the readings, tariffs and ladders they were made from.

The invariant: only what was written down when a document was issued goes into it, so that the same
document prints to the same bytes for ever. Reading many at once costs a handful of statements.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cloud.domain.access import Action, require
from cloud.domain.bill import Bill, BilledLadder, BilledService, graduated_steps
from cloud.domain.errors import Invalid
from cloud.domain.ids import InvoiceId, TariffId
from cloud.domain.invoice import Invoice, InvoiceKind
from cloud.domain.premises import Site
from cloud.domain.rating import SliceMethod
from cloud.domain.tariff_document import Tariff
from cloud.domain.user import User
from cloud.services.invoices import get_invoice
from cloud.services.premises import site_of
from cloud.store import bills as printed
from cloud.store import invoices, people, tariffs, usage
from cloud.store.db import Tx
from cloud.store.invoices import StoredLine
from cloud.store.usage import BilledUsage

# What one transaction reads at once: some hundred kilobytes, a few milliseconds.
BILLS_AT_ONCE_MAX = 500


def bill_of(tx: Tx, actor: User, invoice_id: InvoiceId) -> Bill:
    """Return one document ready to print; to a resident only their own exist."""
    wanted = get_invoice(tx, actor, invoice_id)
    return bills_of(tx, actor, [wanted.invoice_id])[0]


def bills_of(tx: Tx, actor: User, invoice_ids: Sequence[InvoiceId]) -> list[Bill]:
    """Return documents ready to print, by number; all of them must exist and be of one site."""
    require(actor, Action.READ_INVOICES)
    if len(invoice_ids) > BILLS_AT_ONCE_MAX:
        raise Invalid(f"{len(invoice_ids)} bills at once, expected at most {BILLS_AT_ONCE_MAX}")
    found = invoices.find_invoices(tx, invoice_ids)
    if len(found) != len(invoice_ids):
        raise Invalid(f"{len(invoice_ids) - len(found)} of {len(invoice_ids)} invoices do not exist")
    lines = invoices.stored_lines_of(tx, invoice_ids)
    snapshots = printed.snapshots_of(tx, invoice_ids)
    used = usage.usage_of_invoices(tx, invoice_ids)
    numbers = printed.numbers_of(tx, [one.corrects_id for one in found if one.corrects_id is not None])
    priced_by: dict[TariffId, Tariff] = {}
    for tariff_id in {line.line.tariff_id for own in lines.values() for line in own}:
        stored = tariffs.find_by_id(tx, tariff_id)
        assert stored is not None, "a line's tariff is never deleted"
        priced_by[tariff_id] = stored.tariff
    sites: dict[str, Site] = {}
    bills = []
    for one in found:
        own = lines.get(one.invoice_id, [])
        snapshot = snapshots[one.invoice_id]
        area = snapshot.get("area_m2")
        bills.append(
            Bill(
                one,
                _site(tx, one, sites),
                "" if one.corrects_id is None else numbers[one.corrects_id],
                snapshot.get("household_size", 0),
                None if area is None else Decimal(area),
                _services(one, own, used.get(one.invoice_id, []), priced_by),
            )
        )
    return bills


def _site(tx: Tx, one: Invoice, known: dict[str, Site]) -> Site:
    """Return the site of a document; its number begins with the site's code, so one look-up does for many."""
    prefix = one.number.rsplit("-", 3)[0]
    if prefix not in known:
        account = people.find_account(tx, one.account_id)
        assert account is not None, "an account with invoices is never deleted"
        known[prefix] = site_of(tx, account.site_id)
    return known[prefix]


def _services(
    one: Invoice,
    lines: Sequence[StoredLine],
    used: Sequence[BilledUsage],
    priced_by: Mapping[TariffId, Tariff],
) -> tuple[BilledService, ...]:
    by_service: dict[tuple[str, str | None], list[StoredLine]] = {}
    for stored in lines:
        by_service.setdefault((stored.line.charge_code, stored.line.service_point_id), []).append(stored)
    services = []
    for (charge_code, point_id), own in by_service.items():
        # A credit note gives back what the invoice's own readings had charged: they are printed there.
        is_credit = one.kind is InvoiceKind.CREDIT_NOTE
        slices = [] if is_credit else [part for part in used if part.service_point_id == point_id]
        tariff = priced_by[own[-1].line.tariff_id]
        by_days = bool(slices) and slices[0].method is SliceMethod.DAYS
        services.append(
            BilledService(
                charge_code,
                tuple(stored.line for stored in own),
                sum((part.quantity for part in slices), Decimal(0)) if slices else None,
                slices[0].unit if slices else own[0].line.unit,
                any(part.is_estimated for part in slices),
                # Divided by days, every slice names the readings of the whole period.
                tuple(s for part in slices[: 1 if by_days else None] for s in part.segments),
                None if is_credit else _ladder(own, priced_by),
                tariff.name_zh,
                tariff.name_en,
                tariff.version,
            )
        )
    return tuple(services)


def _ladder(own: Sequence[StoredLine], priced_by: Mapping[TariffId, Tariff]) -> BilledLadder | None:
    """Return the ladder of the first component that has one worth drawing."""
    for stored in own:
        facts: Mapping[str, Any] = stored.trace
        ladder, charge_no = facts.get("ladder"), facts.get("charge_no")
        if ladder is None or charge_no is None or not stored.line.tier.isdecimal():
            continue
        bounds = [Decimal(bound) for bound in ladder["bounds"]]
        month = date.fromisoformat(facts["start_on"]).month
        steps = graduated_steps(priced_by[stored.line.tariff_id], charge_no, bounds, month)
        if len(steps) > 1:
            return BilledLadder(
                stored.line.component,
                steps,
                Decimal(ladder["before"]),
                date.fromisoformat(ladder["since_on"]),
            )
    return None
