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
    """One page of the menu; `key` is the letter that goes there after a `g`."""

    path: str
    icon: str
    label: str
    action: Action
    key: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many things behind an entry need the reader."""

    number: int
    is_critical: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Pages under one heading; the first group has none and is always open."""

    title: str
    entries: tuple[Entry, ...]

    def is_open(self, section: str) -> bool:
        """Tell whether one of its pages is the one being read."""
        return any(entry.path == section for entry in self.entries)

    def count(self, counts: Mapping[str, Count]) -> Count:
        """Return what needs the reader behind all of its entries: shown while it is folded."""
        own = [counts[entry.path] for entry in self.entries if entry.path in counts]
        return Count(sum(one.number for one in own), any(one.is_critical for one in own))


MENU: Sequence[Group] = (
    Group(
        "",
        (
            Entry("/", "home", mark("Today"), Action.READ_OVERVIEW, "t"),
            Entry("/alarms", "alarm", mark("Alarms"), Action.READ_ALARMS, "a"),
        ),
    ),
    Group(
        mark("Security"),
        (
            Entry("/guard", "access", mark("On duty"), Action.ACKNOWLEDGE_ALARM, "d"),
            Entry("/cameras", "camera", mark("Cameras"), Action.LOOK_AT_CAMERAS),
            Entry("/duty", "calendar", mark("Duty roster"), Action.READ_DUTY),
            Entry("/response-plans", "list", mark("Response plans"), Action.READ_ALARMS),
            Entry("/patrols", "place", mark("Patrols"), Action.READ_PATROLS),
            Entry("/visitors", "person", mark("Visitors"), Action.ADMIT_VISITORS, "v"),
            Entry("/goods", "parcel", mark("Goods release"), Action.CHECK_OUT_GOODS),
            Entry("/access", "access", mark("Access"), Action.READ_PASSAGES, "x"),
            Entry("/commands", "access", mark("Doors and valves"), Action.READ_COMMANDS, "c"),
        ),
    ),
    Group(
        mark("Meters and equipment"),
        (
            Entry("/meters", "meter", mark("Meter readings"), Action.READ_METERS, "m"),
            Entry("/equipment", "lift", mark("Upkeep"), Action.READ_EQUIPMENT, "e"),
            Entry("/gateways", "gateway", mark("Gateways"), Action.READ_GATEWAYS, "w"),
        ),
    ),
    Group(
        mark("Charges"),
        (
            Entry("/billing", "bill-run", mark("Bill run"), Action.CLOSE_PERIOD, "b"),
            Entry("/accounts", "person", mark("Accounts"), Action.READ_LEDGER, "q"),
            Entry("/invoices", "invoice", mark("Invoices"), Action.READ_INVOICES, "i"),
            Entry("/payments", "money", mark("Payments"), Action.READ_LEDGER, "p"),
            Entry("/tariffs", "tariff", mark("Tariffs"), Action.READ_TARIFFS, "f"),
            Entry("/ledger", "list", mark("Books"), Action.READ_LEDGER),
            Entry("/reports", "chart", mark("Reports"), Action.READ_LEDGER, "s"),
        ),
    ),
    Group(
        mark("Repairs"),
        (
            Entry("/repairs", "repair", mark("Repairs"), Action.READ_REPAIRS, "r"),
            Entry("/jobs", "list", mark("My jobs"), Action.WORK_REPAIRS, "j"),
            Entry("/technicians", "person", mark("Technicians"), Action.READ_REPAIRS, "k"),
        ),
    ),
    Group(
        mark("Community"),
        (
            Entry("/complaints", "speech", mark("Complaints"), Action.READ_COMMUNITY, "o"),
            Entry("/announcements", "announce", mark("Announcements"), Action.READ_COMMUNITY, "n"),
            Entry("/ballots", "vote", mark("Votes"), Action.READ_COMMUNITY, "y"),
            Entry("/venues", "calendar", mark("Venues"), Action.READ_COMMUNITY, "u"),
            Entry("/nearby", "place", mark("Nearby services"), Action.READ_COMMUNITY),
            Entry("/parcels", "parcel", mark("Parcels"), Action.HANDLE_PARCELS, "l"),
        ),
    ),
    Group(
        mark("Records"),
        (
            Entry("/premises", "property", mark("Premises"), Action.READ_PREMISES, "h"),
            Entry("/tables", "updown", mark("Import and export"), Action.IMPORT_TABLES, "z"),
            Entry("/people", "person", mark("People"), Action.READ_PEOPLE, "g"),
        ),
    ),
    Group(
        mark("Administration"),
        (
            Entry("/staff", "person", mark("Staff"), Action.MANAGE_USERS),
            Entry("/notifiers", "announce", mark("Notifications"), Action.MANAGE_NOTIFIERS),
            Entry("/audit", "list", mark("Audit log"), Action.READ_AUDIT),
        ),
    ),
)


# Pages whose address does not begin with that of the entry they belong to.
_BELONGS: Mapping[str, str] = {
    "/checklists": "/equipment",
    "/devices": "/commands",
    "/households": "/people",
    "/imports": "/tables",
    "/patrol": "/patrols",
    "/register": "/equipment",
    "/sheets": "/equipment",
    "/upkeep": "/equipment",
}
# A guard's or a technician's menu is shown as a whole; a manager's is folded but for what is read.
_ENTRIES_UNFOLDED = 14
_PAGE_OF_NEED: Mapping[NeedKind, str] = {
    NeedKind.ALARM: "/alarms",
    NeedKind.BILL_RUN_WAITING: "/billing",
    NeedKind.COMPLAINT_WAITING: "/complaints",
    NeedKind.DELETION_ASKED: "/people",
    NeedKind.GATEWAY_OFFLINE: "/gateways",
    NeedKind.INGEST_PROBLEM: "/gateways",
    NeedKind.MAINTENANCE_DUE: "/equipment",
    NeedKind.MAINTENANCE_OVERDUE: "/equipment",
    NeedKind.METER_SILENT: "/meters",
    NeedKind.READING_HELD: "/meters",
    NeedKind.REFUND_WAITING: "/payments",
    NeedKind.REGISTRATION_WAITING: "/people",
    NeedKind.REPAIR_LATE: "/repairs",
}
# One line stands for all of these; the menu counts each.
_COUNTED = frozenset(
    {
        NeedKind.ALARM,
        NeedKind.COMPLAINT_WAITING,
        NeedKind.DELETION_ASKED,
        NeedKind.REFUND_WAITING,
        NeedKind.REGISTRATION_WAITING,
        NeedKind.REPAIR_LATE,
    }
)
_GRAVE = frozenset({NeedKind.ALARM, NeedKind.DELETION_ASKED, NeedKind.MAINTENANCE_OVERDUE})


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


def is_long(menu: Iterable[Group]) -> bool:
    """Tell whether a menu needs folding: it would not fit a low window as a whole."""
    return sum(len(group.entries) for group in menu) > _ENTRIES_UNFOLDED


def section_of(path: str, menu: Iterable[Group]) -> str:
    """Return the entry of the menu a page belongs to, "" for none."""
    entries = [entry.path for group in menu for entry in group.entries]
    root = "/" + path.split("/")[1]
    own = _BELONGS.get(root, path)
    inside = [one for one in entries if own == one or (one != "/" and own.startswith(f"{one}/"))]
    return max(inside, key=len, default="")
