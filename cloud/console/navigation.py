"""What the staff menu offers: only pages that exist, only those the role may open.

The invariant: the table is the menu; an entry whose action the actor may not perform is not shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.console.language import mark
from cloud.domain.access import Action, may
from cloud.domain.user import User


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
        ),
    ),
    Group(
        mark("On site"),
        (
            Entry("/meters", "meter", mark("Meters and readings"), Action.READ_METERS),
            Entry("/equipment", "lift", mark("Equipment and service"), Action.READ_EQUIPMENT),
            Entry("/gateways", "gateway", mark("Gateways"), Action.READ_GATEWAYS),
        ),
    ),
    Group(
        mark("Charges"),
        (
            Entry("/billing", "bill-run", mark("Bill run"), Action.CLOSE_PERIOD),
            Entry("/invoices", "invoice", mark("Invoices"), Action.READ_INVOICES),
            Entry("/tariffs", "tariff", mark("Tariffs"), Action.READ_TARIFFS),
        ),
    ),
    Group(
        mark("Records"),
        (Entry("/premises", "property", mark("Property and accounts"), Action.READ_PREMISES),),
    ),
)


def menu_for(actor: User) -> tuple[Group, ...]:
    """Return the part of the menu the actor may use, without empty groups."""
    allowed = (
        Group(group.title, tuple(entry for entry in group.entries if may(actor, entry.action)))
        for group in MENU
    )
    return tuple(group for group in allowed if group.entries)
