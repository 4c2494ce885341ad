"""A complaint or a suggestion of a resident, what the property answered, and how far it has come.

The invariant: what was said is never rewritten; each word is an entry, and the state follows from acts
alone. The clock begins when it is told and again when it is opened again.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import AccountId, ComplaintId, SiteId, UserId

TEXT_LENGTH_MAX = 2000
# Three days, weekends included: long enough to look into it, short enough that nobody writes twice.
ANSWER_WITHIN_MS = 3 * 24 * 3600 * 1000
# From the third within half a year somebody is said to complain again and again.
REPEATED_FROM = 3
REPEATED_WITHIN_MS = 182 * 24 * 3600 * 1000


class ComplaintKind(Enum):
    """What it is."""

    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    PRAISE = "praise"


class ComplaintSubject(Enum):
    """What it is about."""

    CHARGES = "charges"
    CLEANING = "cleaning"
    NOISE = "noise"
    PARKING = "parking"
    SAFETY = "safety"
    STAFF = "staff"
    OTHER = "other"


class ComplaintState(Enum):
    """How far it has come."""

    OPEN = "open"  # waits for the property's answer
    ANSWERED = "answered"  # waits for the resident's word
    CLOSED = "closed"


class ComplaintAct(Enum):
    """What an entry is."""

    TOLD = "told"
    ANSWERED = "answered"
    REOPENED = "reopened"
    CLOSED = "closed"
    NOTED = "noted"  # among staff; residents do not see it


# What each act leads to, and from where it may be done.
STEPS: dict[ComplaintAct, tuple[frozenset[ComplaintState], ComplaintState]] = {
    ComplaintAct.ANSWERED: (
        frozenset({ComplaintState.OPEN, ComplaintState.ANSWERED}),
        ComplaintState.ANSWERED,
    ),
    ComplaintAct.REOPENED: (frozenset({ComplaintState.ANSWERED, ComplaintState.CLOSED}), ComplaintState.OPEN),
    ComplaintAct.CLOSED: (frozenset({ComplaintState.ANSWERED}), ComplaintState.CLOSED),
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint; `waits_since_ms` is when it was told or last opened again."""

    complaint_id: ComplaintId
    site_id: SiteId
    number: str
    kind: ComplaintKind
    subject: ComplaintSubject
    state: ComplaintState
    text: str
    account_id: AccountId
    account_number: str
    space_code: str
    told_by: UserId
    teller_name: str
    told_at_ms: int
    waits_since_ms: int

    @property
    def answer_by_ms(self) -> int:
        """Return by when an answer was promised."""
        return self.waits_since_ms + ANSWER_WITHIN_MS

    def is_late_at(self, now_ms: int) -> bool:
        """Tell whether an answer is overdue."""
        return self.state is ComplaintState.OPEN and now_ms > self.answer_by_ms


@dataclass(frozen=True, slots=True)
class ComplaintEntry:
    """One word of either side."""

    act: ComplaintAct
    text: str
    author: str
    at_ms: int
