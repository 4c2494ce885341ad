"""What waits in the office: complaints to answer, late repairs, refunds to decide, months to be billed,
who registered for a home without its code, who asks for the deletion of their data.

The invariant: each is one line with a count, whatever the count; nothing that is in time is told.
"""

from cloud.domain.ids import SiteId
from cloud.domain.overview import Consequence, Need, NeedKind
from cloud.domain.periods import PeriodState, local_date, midnight_ms, time_zone
from cloud.domain.person import RequestKind
from cloud.domain.refund import RefundState
from cloud.domain.repair import clock_of
from cloud.services.premises import site_of
from cloud.store import complaints, households, periods, privacy, refunds, repairs
from cloud.store.db import Tx
from protocol.event import Severity

# More refunds than these wait nowhere; beyond, the count is a lower bound.
_REFUNDS_READ = 200


def office_needs(tx: Tx, site_id: SiteId) -> list[Need]:
    """Return what of a site's office work needs a person now."""
    office = (_complaints, _repairs, _refunds, _bill_runs, _registrations, _deletions)
    return [need for waiting in office for need in waiting(tx, site_id)]


def _complaints(tx: Tx, site_id: SiteId) -> list[Need]:
    waiting, late, since_ms = complaints.count_open(tx, site_id)
    if not waiting:
        return []
    assert since_ms is not None, "what waits has begun to"
    severity = Severity.MAJOR if late else Severity.MINOR
    return [_need(NeedKind.COMPLAINT_WAITING, site_id, severity, since_ms, waiting)]


def _repairs(tx: Tx, site_id: SiteId) -> list[Need]:
    late = [
        one
        for one in repairs.unfinished(tx)
        if one.site_id == site_id and clock_of(one, tx.now_ms).is_any_late
    ]
    if not late:
        return []
    since_ms = min(one.started_at_ms for one in late)
    return [_need(NeedKind.REPAIR_LATE, site_id, Severity.MAJOR, since_ms, len(late))]


def _refunds(tx: Tx, site_id: SiteId) -> list[Need]:
    asked = [
        one for one in refunds.list_refunds(tx, site_id, _REFUNDS_READ) if one.state is RefundState.REQUESTED
    ]
    if not asked:
        return []
    since_ms = min(one.requested_at_ms for one in asked)
    return [_need(NeedKind.REFUND_WAITING, site_id, Severity.MINOR, since_ms, len(asked))]


def _bill_runs(tx: Tx, site_id: SiteId) -> list[Need]:
    zone = time_zone(site_of(tx, site_id).time_zone)
    today = local_date(tx.now_ms, zone)
    ended = [
        one
        for one in periods.list_periods(tx, site_id)
        if one.state is not PeriodState.CLOSED and one.dates.end_on <= today
    ]
    if not ended:
        return []
    since_ms = midnight_ms(min(one.dates.end_on for one in ended), zone)
    return [_need(NeedKind.BILL_RUN_WAITING, site_id, Severity.MINOR, since_ms, len(ended))]


def _registrations(tx: Tx, site_id: SiteId) -> list[Need]:
    waiting, since_ms = households.count_waiting(tx, site_id)
    if since_ms is None:
        return []
    return [_need(NeedKind.REGISTRATION_WAITING, site_id, Severity.MINOR, since_ms, waiting)]


def _deletions(tx: Tx, site_id: SiteId) -> list[Need]:
    asked = [one for one in privacy.open_requests(tx, site_id) if one.kind is RequestKind.ERASE]
    if not asked:
        return []
    zone = time_zone(site_of(tx, site_id).time_zone)
    due_at_ms = min(one.due_at_ms for one in asked)
    severity = Severity.MAJOR if due_at_ms <= tx.now_ms else Severity.MINOR
    since_ms, due_on = min(one.asked_at_ms for one in asked), local_date(due_at_ms, zone)
    kind, law = NeedKind.DELETION_ASKED, Consequence.LAW
    return [Need(kind, law, site_id, "", "", "", severity, since_ms, due_on, len(asked))]


def _need(kind: NeedKind, site_id: SiteId, severity: Severity, since_ms: int, count: int) -> Need:
    is_money = kind in (NeedKind.BILL_RUN_WAITING, NeedKind.REFUND_WAITING)
    consequence = Consequence.MONEY if is_money else Consequence.RECORD
    return Need(kind, consequence, site_id, "", "", "", severity, since_ms, None, count)
