"""What the staff menu offers: only pages that exist, only those the role may open.

The invariant: the table is the menu; an entry whose action the actor may not perform is not shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloud.console.language import mark
from cloud.domain.access import Action, may
from cloud.domain.overview import Need, NeedKind
from cloud.domain.user import User
from protocol.event import Severity


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the menu."""

    path: str
    icon: str
    label: str
    action: Action


@dataclass(frozen=True, slots=True)
class Group:
    """Pages under one heading; the first group has none."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many things behind an entry need the reader."""

    number: int
    is_critical: bool = False


MENU: Sequence[Group] = (
    Group(
        "",
        (
            Entry("/", "home", mark("Today"), Action.READ_OVERVIEW),
            Entry("/alarms", "alarm", mark("Alarms"), Action.READ_ALARMS),
            Entry("/visitors", "person", mark("Visitors"), Action.ADMIT_VISITORS),
            Entry("/guard", "access", mark("On duty"), Action.ACKNOWLEDGE_ALARM),
        ),
    ),
    Group(
        mark("On site"),
        (
            Entry("/meters", "meter", mark("Meter readings"), Action.READ_METERS),
            Entry("/equipment", "lift", mark("Upkeep"), Action.READ_EQUIPMENT),
            Entry("/access", "access", mark("Access"), Action.READ_PASSAGES),
            Entry("/commands", "access", mark("Doors and valves"), Action.READ_COMMANDS),
            Entry("/gateways", "gateway", mark("Gateways"), Action.READ_GATEWAYS),
        ),
    ),
    Group(
        mark("Charges"),
        (
            Entry("/billing", "bill-run", mark("Bill run"), Action.CLOSE_PERIOD),
            Entry("/invoices", "invoice", mark("Invoices"), Action.READ_INVOICES),
            Entry("/payments", "money", mark("Payments"), Action.READ_LEDGER),
            Entry("/tariffs", "tariff", mark("Tariffs"), Action.READ_TARIFFS),
            Entry("/reports", "chart", mark("Reports"), Action.READ_LEDGER),
        ),
    ),
    Group(
        mark("Services"),
        (
            Entry("/repairs", "repair", mark("Repairs"), Action.READ_REPAIRS),
            Entry("/jobs", "list", mark("My jobs"), Action.WORK_REPAIRS),
            Entry("/technicians", "person", mark("Technicians"), Action.READ_REPAIRS),
        ),
    ),
    Group(
        mark("Community"),
        (
            Entry("/complaints", "speech", mark("Complaints"), Action.READ_COMMUNITY),
            Entry("/announcements", "announce", mark("Announcements"), Action.READ_COMMUNITY),
            Entry("/ballots", "vote", mark("Votes"), Action.READ_COMMUNITY),
            Entry("/venues", "calendar", mark("Venues"), Action.READ_COMMUNITY),
            Entry("/parcels", "parcel", mark("Parcels"), Action.HANDLE_PARCELS),
        ),
    ),
    Group(
        mark("Records"),
        (
            Entry("/premises", "property", mark("Premises"), Action.READ_PREMISES),
            Entry("/accounts", "invoice", mark("Accounts"), Action.READ_LEDGER),
            Entry("/tables", "updown", mark("Import and export"), Action.IMPORT_TABLES),
            Entry("/people", "person", mark("People"), Action.READ_PEOPLE),
        ),
    ),
    Group(
        mark("Administration"),
        (
            Entry("/staff", "person", mark("Staff"), Action.MANAGE_USERS),
            Entry("/audit", "list", mark("Audit log"), Action.READ_AUDIT),
        ),
    ),
)


_PAGE_OF_NEED: Mapping[NeedKind, str] = {
    NeedKind.ALARM: "/alarms",
    NeedKind.BILL_RUN_WAITING: "/billing",
    NeedKind.COMPLAINT_WAITING: "/complaints",
    NeedKind.GATEWAY_OFFLINE: "/gateways",
    NeedKind.INGEST_PROBLEM: "/gateways",
    NeedKind.MAINTENANCE_DUE: "/equipment",
    NeedKind.MAINTENANCE_OVERDUE: "/equipment",
    NeedKind.METER_SILENT: "/meters",
    NeedKind.READING_HELD: "/meters",
    NeedKind.REFUND_WAITING: "/payments",
    NeedKind.REPAIR_LATE: "/repairs",
}
# One line stands for all of these; the menu counts each.
_COUNTED = frozenset({NeedKind.COMPLAINT_WAITING, NeedKind.REFUND_WAITING, NeedKind.REPAIR_LATE})
_GRAVE = frozenset({NeedKind.ALARM, NeedKind.MAINTENANCE_OVERDUE})


def counts_of(needs: Iterable[Need]) -> Mapping[str, Count]:
    """Return, by page, how many things there need a person; a red one where the law or safety waits."""
    counts: dict[str, Count] = {}
    for need in needs:
        is_grave = need.kind in _GRAVE and need.severity >= Severity.MAJOR
        in_office = need.count if need.kind in _COUNTED else 1
        for path, number in (("/", 1), (_PAGE_OF_NEED[need.kind], in_office)):
            before = counts.get(path, Count(0))
            counts[path] = Count(before.number + number, before.is_critical or (is_grave and path != "/"))
    return counts


def menu_for(actor: User) -> tuple[Group, ...]:
    """Return the part of the menu the actor may use, without empty groups."""
    allowed = (
        Group(group.title, tuple(entry for entry in group.entries if may(actor, entry.action)))
        for group in MENU
    )
    return tuple(group for group in allowed if group.entries)
