"""A repair: something broken that somebody told of, from the first word to the resident's "it works".

The invariant: a repair is in one state, and `NEXT` is the whole of what may follow it. The clocks are
derived from when it began, how urgent it is and how long it waited for parts, and never stored, so
that an outage of ours cannot stop them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cloud.domain.ids import AccountId, AlarmId, EquipmentId, RepairId, SiteId, SpaceId, UserId

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS

DESCRIPTION_LENGTH_MAX = 1_000  # a screen of a phone; more belongs into photos
RATING_MAX = 5
# Long enough to see whether it holds; after that it is a new repair.
REOPEN_WITHIN_MS = 30 * 24 * _HOUR_MS


class RepairCategory(Enum):
    """What kind of work it is: the skill a technician must have."""

    APPLIANCE = "appliance"
    DOOR = "door"
    ELECTRICAL = "electrical"
    FIRE = "fire"
    LIFT = "lift"
    PLUMBING = "plumbing"
    PUBLIC = "public"  # lighting, tiles, cleaning of the common parts
    OTHER = "other"


_CATEGORY_OF_ALARM: Mapping[str, RepairCategory] = MappingProxyType(
    {
        "continuous_flow": RepairCategory.PLUMBING,
        "door_forced": RepairCategory.DOOR,
        "door_open": RepairCategory.DOOR,
        "fire_alarm": RepairCategory.FIRE,
        "fire_supervisory": RepairCategory.FIRE,
        "leak": RepairCategory.PLUMBING,
        "leak_suspected": RepairCategory.PLUMBING,
        "lift_fault": RepairCategory.LIFT,
        "night_flow": RepairCategory.PLUMBING,
        "system_fault": RepairCategory.FIRE,
        "tamper": RepairCategory.DOOR,
        "trapped_person": RepairCategory.LIFT,
        "water_leak": RepairCategory.PLUMBING,
    }
)


class Urgency(Enum):
    """How long it may wait."""

    EMERGENCY = "emergency"  # people or the building are in danger
    URGENT = "urgent"  # the home cannot be lived in as it should
    NORMAL = "normal"


class Channel(Enum):
    """How it came to us."""

    ALARM = "alarm"
    COUNTER = "counter"
    PHONE = "phone"
    WEB = "web"


class RepairState(Enum):
    """How far it has come."""

    REPORTED = "reported"
    ACCEPTED = "accepted"
    ON_THE_WAY = "on_the_way"
    WORKING = "working"
    WAITING_FOR_PARTS = "waiting_for_parts"
    DONE = "done"  # says the technician
    CONFIRMED = "confirmed"  # says the resident
    REOPENED = "reopened"  # done, and it was not
    CANCELLED = "cancelled"


class QuoteState(Enum):
    """Whether the resident pays for it, and whether they have agreed."""

    NONE = "none"
    OFFERED = "offered"
    AGREED = "agreed"
    DECLINED = "declined"


NEXT: Mapping[RepairState, frozenset[RepairState]] = MappingProxyType(
    {
        RepairState.REPORTED: frozenset({RepairState.ACCEPTED, RepairState.CANCELLED}),
        RepairState.ACCEPTED: frozenset({RepairState.ON_THE_WAY, RepairState.WORKING, RepairState.CANCELLED}),
        RepairState.ON_THE_WAY: frozenset({RepairState.WORKING}),
        RepairState.WORKING: frozenset({RepairState.WAITING_FOR_PARTS, RepairState.DONE}),
        RepairState.WAITING_FOR_PARTS: frozenset({RepairState.ON_THE_WAY, RepairState.WORKING}),
        RepairState.DONE: frozenset({RepairState.CONFIRMED, RepairState.REOPENED}),
        RepairState.CONFIRMED: frozenset({RepairState.REOPENED}),
        RepairState.REOPENED: frozenset({RepairState.ACCEPTED, RepairState.CANCELLED}),
        RepairState.CANCELLED: frozenset(),
    }
)
UNFINISHED = frozenset(RepairState) - {RepairState.DONE, RepairState.CONFIRMED, RepairState.CANCELLED}
# Nobody has said yet that they will come.
WAITING = frozenset({RepairState.REPORTED, RepairState.REOPENED})
# What the resident says, not the technician.
OF_RESIDENT = frozenset({RepairState.CONFIRMED, RepairState.REOPENED})


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Within which time somebody must answer, and within which it must work again."""

    respond_ms: int
    resolve_ms: int


# Half an hour is what the law asks where a person is in a lift (TSG T5002-2017); the rest is our promise.
SERVICE_LEVELS: Mapping[Urgency, ServiceLevel] = MappingProxyType(
    {
        Urgency.EMERGENCY: ServiceLevel(30 * _MINUTE_MS, 4 * _HOUR_MS),
        Urgency.URGENT: ServiceLevel(2 * _HOUR_MS, 24 * _HOUR_MS),
        Urgency.NORMAL: ServiceLevel(24 * _HOUR_MS, 72 * _HOUR_MS),
    }
)


@dataclass(frozen=True, slots=True)
class Quote:
    """What the resident would pay: labour and parts, in fen, and for what in one sentence."""

    state: QuoteState
    amount_fen: int
    text: str


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair; `number` is for people: `DG-R-2026-0001`. Times are UTC milliseconds.

    `started_at_ms` begins the clocks: the moment of the call, or of the alarm behind it. `waited_ms` is
    how long it has waited for parts so far, without the wait that began at `waiting_since_ms`.
    """

    repair_id: RepairId
    site_id: SiteId
    number: str
    category: RepairCategory
    urgency: Urgency
    channel: Channel
    state: RepairState
    description: str
    place: str
    space_id: SpaceId | None
    space_code: str
    building_code: str
    account_id: AccountId | None
    equipment_id: EquipmentId | None
    alarm_id: AlarmId | None
    reported_by: UserId | None
    reporter_name: str
    assignee_id: UserId | None
    assignee_name: str
    wanted_at_ms: int | None
    started_at_ms: int
    reported_at_ms: int
    accepted_at_ms: int | None
    done_at_ms: int | None
    waiting_since_ms: int | None
    waited_ms: int
    reopen_count: int
    escalation_level: int
    quote: Quote
    rating: int | None
    rating_text: str


@dataclass(frozen=True, slots=True)
class RepairClock:
    """Where a repair's two clocks stand; `is_stopped` while it waits for parts."""

    respond_by_ms: int
    resolve_by_ms: int
    is_response_late: bool
    is_late: bool
    is_stopped: bool

    @property
    def is_any_late(self) -> bool:
        """Tell whether either clock has run out."""
        return self.is_response_late or self.is_late


class RepairAct(Enum):
    """What an entry in a repair's history records."""

    REPORTED = "reported"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"  # nobody suits
    MOVED = "moved"
    ESCALATED = "escalated"
    QUOTED = "quoted"
    QUOTE_AGREED = "quote_agreed"
    QUOTE_DECLINED = "quote_declined"
    RATED = "rated"
    NOTED = "noted"
    PHOTO_ADDED = "photo_added"


@dataclass(frozen=True, slots=True)
class RepairEntry:
    """One line of a repair's history; `state` is the one it led to, `value` a number or name it is about."""

    at_ms: int
    act: RepairAct
    state: RepairState
    value: str
    text: str
    user_id: UserId | None
    user_name: str


def category_of_alarm(kind: str) -> RepairCategory:
    """Return the work an alarm of a kind asks for, as far as the kind says; a gateway's silence says none."""
    return _CATEGORY_OF_ALARM.get(kind, RepairCategory.OTHER)


def clock_of(repair: Repair, now_ms: int) -> RepairClock:
    """Return where the clocks stand; time spent waiting for parts is not counted against resolving."""
    level = SERVICE_LEVELS[repair.urgency]
    waited_ms = repair.waited_ms
    if repair.waiting_since_ms is not None:
        waited_ms += now_ms - repair.waiting_since_ms
    respond_by_ms = repair.started_at_ms + level.respond_ms
    resolve_by_ms = repair.started_at_ms + level.resolve_ms + waited_ms
    answered_ms = repair.accepted_at_ms or (repair.done_at_ms if repair.state not in WAITING else None)
    ended_ms = repair.done_at_ms if repair.state not in UNFINISHED else None
    is_over = repair.state is RepairState.CANCELLED
    return RepairClock(
        respond_by_ms,
        resolve_by_ms,
        not is_over and (answered_ms or now_ms) > respond_by_ms,
        not is_over and (ended_ms or now_ms) > resolve_by_ms,
        repair.waiting_since_ms is not None,
    )


def escalation_due(repair: Repair, now_ms: int) -> int:
    """Return how far up a repair should have been told: 0 nobody, 1 the managers, 2 the company's head.

    The second step comes when the time promised has passed once more.
    """
    if repair.state not in UNFINISHED or repair.waiting_since_ms is not None:
        return 0
    level, clock = SERVICE_LEVELS[repair.urgency], clock_of(repair, now_ms)
    overs = [(now_ms - clock.resolve_by_ms, level.resolve_ms)]
    if repair.state in WAITING:
        overs.append((now_ms - clock.respond_by_ms, level.respond_ms))
    return max(2 if over > limit else (1 if over > 0 else 0) for over, limit in overs)


def may_become(repair: Repair, state: RepairState, now_ms: int) -> bool:
    """Tell whether a repair may go to `state` now; what was confirmed long ago is not opened again."""
    if state not in NEXT[repair.state]:
        return False
    is_old = repair.done_at_ms is not None and now_ms - repair.done_at_ms > REOPEN_WITHIN_MS
    return not (state is RepairState.REOPENED and is_old)
