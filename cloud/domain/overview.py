"""What a manager sees first: a few numbers that count something, and what needs a person now.

The invariant: the queue is ordered by consequence, then by deadline; what is normal is not in it.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from cloud.domain.ids import SiteId
from protocol.event import EventState, Severity


class Consequence(IntEnum):
    """What happens if nobody acts; larger comes first."""

    RECORD = 1  # a record stays wrong or incomplete
    MONEY = 2  # something cannot be billed, or not correctly
    LAW = 3  # a legal deadline passes
    SAFETY = 4  # people or property come to harm


class NeedKind(IntEnum):
    """What a line of the queue is about; decides its words and the button beside it."""

    ALARM = 1
    MAINTENANCE_OVERDUE = 2
    MAINTENANCE_DUE = 3
    GATEWAY_OFFLINE = 4
    METER_SILENT = 5
    READING_HELD = 6
    INGEST_PROBLEM = 7
    COMPLAINT_WAITING = 8
    REPAIR_LATE = 9
    REFUND_WAITING = 10
    BILL_RUN_WAITING = 11
    REGISTRATION_WAITING = 12
    DELETION_ASKED = 13


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs a person now: what it is about, since when, and by when.

    `subject_id` is the id of the alarm, maintenance plan, gateway, installation or problem; of what waits
    in the office the site's. `place` and
    `title` are names from the premises; `detail` is the evidence in the words of its source. `count` is
    how many things of the kind the line stands for.
    """

    kind: NeedKind
    consequence: Consequence
    subject_id: str
    place: str
    title: str
    detail: str
    severity: Severity
    since_ms: int | None
    due_on: date | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class EventLine:
    """One recent event, for the feed."""

    event_id: str
    kind: str
    state: EventState
    severity: Severity
    point_key: str
    device_title: str
    occurred_at_ms: int
    received_at_ms: int
    message: str
    is_historical: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page's numbers at `as_of_ms`. A number that cannot be known is None, never zero."""

    site_id: SiteId
    site_code: str
    site_name: str
    time_zone: str
    as_of_ms: int
    today: date
    gateways_online: int
    gateways_total: int
    meters_fresh: int
    meters_total: int
    # Building masters' power now, in millionths of a kW; None when no master meter is fresh.
    load_micro_kw: int | None
    load_at_ms: int | None
    # Master water meters' growth since local midnight, in millionths of a m3.
    water_today_micro_m3: int | None
    energy_today_micro_kwh: int | None
    alarms_open: int
    alarms_unacknowledged: int
    alarms_worst: Severity | None
    work_orders_open: int
    work_orders_overdue: int
    needs: tuple[Need, ...]
    events: tuple[EventLine, ...]


def in_order(needs: list[Need]) -> tuple[Need, ...]:
    """Return the queue: gravest consequence first, then severity, then the nearest deadline, then age."""
    return tuple(
        sorted(
            needs,
            key=lambda need: (
                -need.consequence,
                -need.severity,
                need.due_on or date.max,
                need.since_ms or 0,
                need.subject_id,
            ),
        )
    )
