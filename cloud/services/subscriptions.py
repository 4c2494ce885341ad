"""Charging accounts for what has no meter: property fee, parking, fixed fees.

The invariant: what was billed stays billed; a subscription begins and ends on days that no issued
invoice covers, else the invoice must be corrected first.
"""

from datetime import date
from decimal import Decimal

from cloud.domain.access import Action, require, require_bills
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, SubscriptionId
from cloud.domain.rating import asks_usage
from cloud.domain.subscription import Subscription
from cloud.domain.user import User
from cloud.store import audit, invoices, people, subscriptions, tariffs
from cloud.store.db import Tx

_LABEL_LENGTH_MAX = 60
# Spaces, keys, boxes: more than this of one thing for one account is a slip.
_COUNT_MAX = 1_000


def subscribe(
    tx: Tx,
    actor: User,
    account_id: AccountId,
    tariff_code: str,
    from_on: date,
    *,
    label: str = "",
    count: int = 1,
    area_m2: Decimal | None = None,
) -> Subscription:
    """Charge an account for something from a day on.

    Invalid for a tariff that does not exist or prices a meter; Conflict where an invoice covers the day
    already, or the account has the same from that day.
    """
    require(actor, Action.MANAGE_PREMISES)
    if people.find_account(tx, account_id) is None:
        raise NotFound("there is no such account")
    versions = tariffs.versions_of(tx, tariff_code)
    if not versions:
        raise Invalid(f"there is no tariff {tariff_code!r}; import it first")
    if any(asks_usage(version.tariff) for version in versions):
        raise Invalid(f"tariff {tariff_code!r} prices what a meter measures; it needs a service point")
    if not 1 <= count <= _COUNT_MAX or len(label) > _LABEL_LENGTH_MAX:
        raise Invalid(f"count is 1 to {_COUNT_MAX}, the label at most {_LABEL_LENGTH_MAX} characters")
    if area_m2 is not None and area_m2 <= 0:
        raise Invalid(f"a floor area is above zero, not {area_m2}")
    _refuse_billed(tx, account_id, from_on)
    added = Subscription(
        SubscriptionId(tx.new_id()), account_id, tariff_code, label, count, area_m2, from_on, None
    )
    if not subscriptions.insert_subscription(tx, added):
        raise Conflict(f"the account is charged by {tariff_code} {label!r} from {from_on} already")
    audit.record(tx, actor.user_id, "subscribe", "account", account_id, {"tariff": tariff_code})
    return added


def end_subscription(tx: Tx, actor: User, subscription_id: SubscriptionId, to_on: date) -> Subscription:
    """Stop charging for something: `to_on` is the first day that is free.

    Conflict where an issued invoice covers that day or a later one.
    """
    require(actor, Action.MANAGE_PREMISES)
    found = subscriptions.find_subscription(tx, subscription_id)
    if found is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    if to_on <= found.from_on:
        raise Invalid(f"it began on {found.from_on} and cannot end on {to_on}")
    _refuse_billed(tx, found.account_id, to_on)
    subscriptions.set_end(tx, subscription_id, to_on)
    detail = {"tariff": found.tariff_code, "to_on": to_on.isoformat()}
    audit.record(tx, actor.user_id, "end_subscription", "account", found.account_id, detail)
    ended = subscriptions.find_subscription(tx, subscription_id)
    assert ended is not None, "it was there a moment ago"
    return ended


def list_subscriptions(tx: Tx, actor: User, account_id: AccountId) -> list[Subscription]:
    """Return what an account is and was charged for without a meter, oldest first."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    return subscriptions.subscriptions_of(tx, account_id)


def _refuse_billed(tx: Tx, account_id: AccountId, on: date) -> None:
    billed_until = invoices.billed_until(tx, account_id)
    if billed_until is not None and on < billed_until:
        raise Conflict(f"the account is billed up to {billed_until}; correct those invoices first")
