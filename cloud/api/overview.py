"""What a manager sees first."""

from datetime import date
from decimal import Decimal
from typing import Literal

from cloud.api.events import EventView, event_view
from cloud.api.route import Call, Nothing, Route, View, view_of
from cloud.api.words import SEVERITIES, SeverityWord, decimal_or_none
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.overview import Consequence, Need, NeedKind, Overview
from cloud.services import overview

ConsequenceWord = Literal["record", "money", "law", "safety"]
NeedWord = Literal[
    "alarm",
    "maintenance_overdue",
    "maintenance_due",
    "gateway_offline",
    "meter_silent",
    "reading_held",
    "ingest_problem",
    "complaint_waiting",
    "repair_late",
    "refund_waiting",
    "bill_run_waiting",
    "registration_waiting",
    "deletion_asked",
]

CONSEQUENCES: dict[Consequence, ConsequenceWord] = {
    Consequence.RECORD: "record",
    Consequence.MONEY: "money",
    Consequence.LAW: "law",
    Consequence.SAFETY: "safety",
}
NEEDS: dict[NeedKind, NeedWord] = {
    NeedKind.ALARM: "alarm",
    NeedKind.MAINTENANCE_OVERDUE: "maintenance_overdue",
    NeedKind.MAINTENANCE_DUE: "maintenance_due",
    NeedKind.GATEWAY_OFFLINE: "gateway_offline",
    NeedKind.METER_SILENT: "meter_silent",
    NeedKind.READING_HELD: "reading_held",
    NeedKind.INGEST_PROBLEM: "ingest_problem",
    NeedKind.COMPLAINT_WAITING: "complaint_waiting",
    NeedKind.REPAIR_LATE: "repair_late",
    NeedKind.REFUND_WAITING: "refund_waiting",
    NeedKind.BILL_RUN_WAITING: "bill_run_waiting",
    NeedKind.REGISTRATION_WAITING: "registration_waiting",
    NeedKind.DELETION_ASKED: "deletion_asked",
}


class NeedView(View, frozen=True):
    """One thing that needs a person now; `consequence` is what is at stake if nobody acts."""

    kind: NeedWord
    consequence: ConsequenceWord
    subject_id: str
    place: str
    title: str
    detail: str
    severity: SeverityWord
    since_ms: int | None
    due_on: date | None
    count: int


class OverviewView(View, frozen=True):
    """A site's first page. A number that cannot be known is None, never zero."""

    site_id: str
    site_code: str
    site_name: str
    time_zone: str
    as_of_ms: int
    today: date
    gateways_online: int
    gateways_total: int
    meters_fresh: int
    meters_total: int
    load_kw: Decimal | None
    load_at_ms: int | None
    water_today_m3: Decimal | None
    energy_today_kwh: Decimal | None
    alarms_open: int
    alarms_unacknowledged: int
    alarms_worst: SeverityWord | None
    work_orders_open: int
    work_orders_overdue: int
    needs: tuple[NeedView, ...]
    events: tuple[EventView, ...]


async def get_overview(call: Call[Nothing, Nothing]) -> OverviewView:
    """Show what a manager sees first."""
    return _overview_view(await call.read(overview.overview, SiteId(call.id("site_id"))))


def _overview_view(found: Overview) -> OverviewView:
    return view_of(
        found,
        OverviewView,
        load_kw=decimal_or_none(found.load_micro_kw),
        water_today_m3=decimal_or_none(found.water_today_micro_m3),
        energy_today_kwh=decimal_or_none(found.energy_today_micro_kwh),
        alarms_worst=None if found.alarms_worst is None else SEVERITIES[found.alarms_worst],
        needs=tuple(_need_view(need) for need in found.needs),
        events=tuple(event_view(line) for line in found.events),
    )


def _need_view(need: Need) -> NeedView:
    return view_of(
        need,
        NeedView,
        kind=NEEDS[need.kind],
        consequence=CONSEQUENCES[need.consequence],
        severity=SEVERITIES[need.severity],
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/overview",
        "Show what needs a person now",
        Action.READ_OVERVIEW,
        get_overview,
        OverviewView,
    ),
)
