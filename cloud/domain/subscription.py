"""A subscription: something an account is charged for without a meter, from a day on.

The property fee by floor area, parking spaces, a fixed fee. Its price is a tariff like any other.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cloud.domain.ids import AccountId, SubscriptionId


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is charged and since when; dates are local and half-open.

    `label` tells two of one tariff apart ("B-12"). `area_m2` None means the area of the account's own
    space; `count` multiplies charges that are counted.
    """

    subscription_id: SubscriptionId
    account_id: AccountId
    tariff_code: str
    label: str
    count: int
    area_m2: Decimal | None
    from_on: date
    to_on: date | None
