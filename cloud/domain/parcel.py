"""A parcel taken in for a home and handed out once against a code.

The invariant: a code hands out one parcel, once; it exists whole only for the home it is for.
"""

from dataclasses import dataclass

from cloud.domain.ids import AccountId, ParcelId, SiteId

CARRIER_LENGTH_MAX = 30
SHELF_LENGTH_MAX = 20
CODE_DIGITS = 6
# After a week on the shelf somebody should be reminded by a person.
WAITS_LONG_MS = 7 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel; `code` is whole for its home alone, else empty."""

    parcel_id: ParcelId
    site_id: SiteId
    account_id: AccountId
    space_code: str
    carrier: str
    shelf: str
    code: str
    arrived_at_ms: int
    handed_out_at_ms: int | None
    handed_out_by: str
