"""People as the property knows them: who pays for a place, and since when.

The invariant: an account outlives its holder's stay; bills and arrears stay with the account.
"""

from dataclasses import dataclass
from datetime import date

from cloud.domain.ids import AccountId, ServicePointId, SiteId, SpaceId


@dataclass(frozen=True, slots=True)
class Account:
    """Who is billed: `number` is `A-00101`. Dates are local and half-open."""

    account_id: AccountId
    site_id: SiteId
    number: str
    holder_name: str
    space_id: SpaceId | None
    space_code: str
    household_size: int
    opened_on: date
    closed_on: date | None


@dataclass(frozen=True, slots=True)
class Supply:
    """That an account pays for a service point by a tariff, from one day up to, not including, another."""

    account_id: AccountId
    service_point_id: ServicePointId
    tariff_code: str
    from_on: date
    to_on: date | None
