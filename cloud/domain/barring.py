"""Somebody who is not let in as a visitor: by name or by plate, for a reason, until a day or until lifted.

The invariant: the reason is for whoever guards the site; neither the visitor nor the host is ever told.
"""

from dataclasses import dataclass

from cloud.domain.ids import BarringId, SiteId, VisitId

REASON_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class Barring:
    """One of the barred; the plate is masked, `until_ms` None until somebody lifts it."""

    barring_id: BarringId
    site_id: SiteId
    name: str
    plate: str
    reason: str
    until_ms: int | None
    barred_at_ms: int
    barred_by_name: str


@dataclass(frozen=True, slots=True)
class BarredVisit:
    """A visit that a barring fits."""

    visit_id: VisitId
    barring: Barring
