"""A person as the property knows them: who they are, where they live since when, and what they agreed to.

The invariant: a number is shown masked unless somebody says why they need it whole, and that is
written down; a person who has been erased keeps their place in history and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from cloud.domain.complaint import REPEATED_FROM, REPEATED_WITHIN_MS, Complaint, ComplaintKind
from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, OccupancyId, PersonId, SiteId, SpaceId, UserId, VehicleId
from cloud.domain.invoice import InvoiceSummary
from cloud.domain.repair import Repair, RepairState

NAME_LENGTH_MAX = 50
NOTE_LENGTH_MAX = 500
# Copies within a month, deletion within fifteen days: what a request is answered by (PIPL §45, §47, §50).
REQUEST_DUE_MS = 15 * 24 * 3600 * 1000


def checked_name(name: str) -> str:
    """Return a name without needless blanks; Invalid if it is empty or too long."""
    checked = " ".join(name.split())
    if not 1 <= len(checked) <= NAME_LENGTH_MAX:
        raise Invalid(f"the name has {len(checked)} characters, expected 1 to {NAME_LENGTH_MAX}")
    return checked


class Relation(Enum):
    """What somebody is to a home."""

    OWNER = "owner"
    FAMILY = "family"
    TENANT = "tenant"
    OTHER = "other"


class PersonField(Enum):
    """What of a person is sealed and shown masked."""

    IDENTITY = "identity"
    PHONE = "phone"
    PLATE = "plate"


class ConsentPurpose(Enum):
    """What somebody may be asked to agree to, each by itself."""

    CONTACT = "contact"  # to be told of bills, repairs and notices by telephone, SMS and mail
    FACE_ACCESS = "face_access"  # the face as one way among others to open a door
    METER_DETAIL = "meter_detail"  # usage finer than a day shown to the household
    REGISTRATION = "registration"  # name and number kept so that they sign in for their home


class RequestKind(Enum):
    """What somebody may ask of the data kept about them."""

    COPY = "copy"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Person:
    """One person; numbers are masked. `user_id` is how they sign in, if they do."""

    person_id: PersonId
    site_id: SiteId
    name: str
    phone: str
    identity: str
    note: str
    user_id: UserId | None
    created_at_ms: int
    erased_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """That somebody belongs to a space from one day up to, not including, another."""

    occupancy_id: OccupancyId
    person_id: PersonId
    space_id: SpaceId
    space_code: str
    relation: Relation
    from_on: date
    to_on: date | None

    def holds_on(self, day: date) -> bool:
        """Tell whether it holds on a day."""
        return self.from_on <= day and (self.to_on is None or day < self.to_on)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle; its plate is masked."""

    vehicle_id: VehicleId
    plate: str
    label: str


@dataclass(frozen=True, slots=True)
class Consent:
    """That somebody agreed to something, how they said so, and until when."""

    purpose: ConsentPurpose
    given_at_ms: int
    withdrawn_at_ms: int | None
    how: str


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """A request about one's own data; due within fifteen days."""

    request_id: str
    person_id: PersonId
    person_name: str
    kind: RequestKind
    asked_at_ms: int
    done_at_ms: int | None
    outcome: str

    @property
    def due_at_ms(self) -> int:
        """Return by when it must be answered."""
        return self.asked_at_ms + REQUEST_DUE_MS


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the list: a person and where they live today."""

    person: Person
    homes: tuple[Occupancy, ...]


class TagKind(Enum):
    """What may be said of somebody from facts alone."""

    LIVES_HERE_LONG = "lives_here_long"
    MANY_REPAIRS = "many_repairs"
    OVERDUE = "overdue"
    PAYS_PROMPTLY = "pays_promptly"
    REPAIRS_REOPENED = "repairs_reopened"
    REPEATED_COMPLAINTS = "repeated_complaints"


@dataclass(frozen=True, slots=True)
class Tag:
    """What facts say of somebody; `count` is the number its rule compares."""

    kind: TagKind
    count: int


_PROMPT_INVOICES_MIN = 3
_MANY_REPAIRS_MIN, _REPAIRS_WITHIN_MS = 3, 90 * 24 * 3600 * 1000
_LONG_YEARS = 5


def tags_of(
    homes: Sequence[Occupancy],
    invoices: Sequence[InvoiceSummary],
    overdue: int,
    repairs: Sequence[Repair],
    complaints: Sequence[Complaint],
    today: date,
    now_ms: int,
) -> tuple[Tag, ...]:
    """Return what the facts say; nothing is said of what nobody could check on the same page.

    Suggestions and praise are no complaints, however many there are.
    """
    tags = []
    if overdue:
        tags.append(Tag(TagKind.OVERDUE, overdue))
    elif len(invoices) >= _PROMPT_INVOICES_MIN:
        tags.append(Tag(TagKind.PAYS_PROMPTLY, len(invoices)))
    lately = [
        one
        for one in repairs
        if now_ms - one.reported_at_ms < _REPAIRS_WITHIN_MS and one.state is not RepairState.CANCELLED
    ]
    if len(lately) >= _MANY_REPAIRS_MIN:
        tags.append(Tag(TagKind.MANY_REPAIRS, len(lately)))
    reopened = sum(one.reopen_count for one in lately)
    if reopened:
        tags.append(Tag(TagKind.REPAIRS_REOPENED, reopened))
    complained = sum(
        one.kind is ComplaintKind.COMPLAINT and now_ms - one.told_at_ms < REPEATED_WITHIN_MS
        for one in complaints
    )
    if complained >= REPEATED_FROM:
        tags.append(Tag(TagKind.REPEATED_COMPLAINTS, complained))
    years = max((_years(one.from_on, today) for one in homes if one.holds_on(today)), default=0)
    if years >= _LONG_YEARS:
        tags.append(Tag(TagKind.LIVES_HERE_LONG, years))
    return tuple(tags)


def _years(since: date, today: date) -> int:
    """Return how many years are over."""
    return today.year - since.year - ((today.month, today.day) < (since.month, since.day))


@dataclass(frozen=True, slots=True)
class MeterAtMove:
    """A meter at a change of hands: the register the wire has for the day, or why there is none."""

    service_point_code: str
    serial: str
    installation_id: str
    unit: str
    value_micro: int | None
    measured_at_ms: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What a move on a day would change: whose account ends, what is supplied, which dials are missing."""

    space_id: SpaceId
    space_code: str
    on: date
    account_id: AccountId | None
    account_number: str
    holder_name: str
    owed_fen: int
    leaving: tuple[str, ...]
    meters: tuple[MeterAtMove, ...]
    tariffs: tuple[str, ...]
    billed_until: date | None

    @property
    def missing(self) -> tuple[MeterAtMove, ...]:
        """Return the meters whose register a person must read."""
        return tuple(meter for meter in self.meters if meter.value_micro is None)
