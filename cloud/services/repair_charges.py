"""Charging what a resident agreed to: the quote of a repair that is done goes on the month's bill.

The invariant: an agreed quote is charged once, as a line that names the repair; what was never agreed is
never charged, and what is called off before it was billed is taken back.
"""

from datetime import timedelta

from cloud.domain.ids import AccountId, SubscriptionId
from cloud.domain.periods import local_date, time_zone
from cloud.domain.repair import QuoteState, Repair
from cloud.domain.subscription import Subscription
from cloud.domain.user import User
from cloud.services.given_amounts import GivenAmount, tariff_of
from cloud.services.premises import site_of
from cloud.store import audit, invoices, subscriptions
from cloud.store.db import Tx

TARIFF = GivenAmount(
    code="repair-quote",
    name_zh="维修费（按住户同意的报价）",
    name_en="Repair, as quoted and agreed",
    commodity="property",
    component="repair",
    line_zh="维修费",
    line_en="Repair",
    said_in="the quote in the repair's history, agreed by the resident",
    found_at="repairs",
)


def charge_agreed(tx: Tx, actor: User, repair: Repair) -> None:
    """Put an agreed quote on the bill of the month it was done in; again, it changes nothing."""
    if repair.quote.state is not QuoteState.AGREED or repair.account_id is None:
        return
    if _charged(tx, repair.account_id, repair.number) is not None:
        return
    tariff_of(tx, TARIFF)
    on = local_date(tx.now_ms, time_zone(site_of(tx, repair.site_id).time_zone))
    charged = Subscription(
        SubscriptionId(tx.new_id()),
        repair.account_id,
        TARIFF.code,
        repair.number,
        repair.quote.amount_fen,
        None,
        on,
        on + timedelta(days=1),
    )
    subscriptions.insert_subscription(tx, charged)
    detail: dict[str, str | int | None] = {
        "amount_fen": repair.quote.amount_fen,
        "account": repair.account_id,
    }
    audit.record(tx, actor.user_id, "charge_repair", "repair", repair.repair_id, detail)


def take_back(tx: Tx, actor: User, repair: Repair) -> None:
    """Take an agreed quote off the bill again, unless it was billed: then the bill is corrected."""
    if repair.account_id is None:
        return
    charged = _charged(tx, repair.account_id, repair.number)
    if charged is None:
        return
    billed_until = invoices.billed_until(tx, repair.account_id)
    if billed_until is not None and charged.from_on < billed_until:
        return
    subscriptions.delete_subscription(tx, charged.subscription_id)
    audit.record(tx, actor.user_id, "uncharge_repair", "repair", repair.repair_id)


def _charged(tx: Tx, account_id: AccountId, number: str) -> Subscription | None:
    own = subscriptions.subscriptions_of(tx, account_id)
    return next((one for one in own if (one.tariff_code, one.label) == (TARIFF.code, number)), None)
