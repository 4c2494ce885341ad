"""A home's usage by month, as it was billed, and beside homes alike; of others only what is nobody's own."""

from datetime import date
from decimal import Decimal

from cloud.domain.access import Action, require, require_account
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId
from cloud.domain.people import Account
from cloud.domain.periods import ServicePeriod, local_date, month_code, month_of, time_zone
from cloud.domain.premises import Commodity
from cloud.domain.space_history import AREA_BANDS_DM2, SpaceSearch, version_on
from cloud.domain.usage_history import (
    ALIKE_MIN,
    AlikeHomes,
    Likeness,
    MonthUsed,
    UsageHistory,
    last_billed,
    middle_of,
    months_until,
    months_used,
)
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import people, premises, running_charges, space_versions, usage_history
from cloud.store.db import Tx


def usage_of_account(tx: Tx, actor: User, account_id: AccountId) -> list[UsageHistory]:
    """Return what an account used in each of the last months, a commodity each; none before any usage."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    today = local_date(tx.now_ms, time_zone(site_of(tx, account.site_id).time_zone))
    months = months_until(today)
    billed = usage_history.months_of(tx, account_id, ServicePeriod(months[0].start_on, months[-1].start_on))
    so_far = _so_far(tx, account_id, today)
    return [
        _history(tx, account, commodity, unit, months_used(months, billed.get(key, {}), so_far.get(key)))
        for key in sorted(billed.keys() | so_far.keys(), key=lambda one: (one[0].value, one[1]))
        for commodity, unit in [key]
    ]


def _so_far(tx: Tx, account_id: AccountId, today: date) -> dict[tuple[Commodity, str], Decimal]:
    charge = running_charges.find_charge(tx, account_id)
    found: dict[tuple[Commodity, str], Decimal] = {}
    if charge is None or charge.period_code != month_code(today):
        return found
    for service in charge.services:
        if service.service_point_id is not None:
            key = Commodity(service.commodity), service.unit
            found[key] = found.get(key, Decimal(0)) + service.quantity
    return found


def _history(
    tx: Tx, account: Account, commodity: Commodity, unit: str, months: tuple[MonthUsed, ...]
) -> UsageHistory:
    compared = last_billed(months)
    alike = None if compared is None else _alike(tx, account, commodity, month_of(compared.month))
    return UsageHistory(commodity, unit, months, compared, alike)


def _alike(tx: Tx, account: Account, commodity: Commodity, month: ServicePeriod) -> AlikeHomes | None:
    """Return homes of the same layout where enough are known, else those of the same band of area."""
    space = None if account.space_id is None else premises.find_space(tx, account.space_id)
    if space is None:
        return None
    facts = version_on(space_versions.versions_of(tx, [space.space_id])[space.space_id], month.last_on).facts
    if facts.layout:
        wanted = SpaceSearch(kind=space.kind, layout=facts.layout)
        alike = _of_others(tx, account, commodity, month, wanted, Likeness.LAYOUT)
        if alike.count >= ALIKE_MIN:
            return alike
    lower = max((one for one in AREA_BANDS_DM2 if one <= facts.built_area_dm2), default=None)
    upper = min((one for one in AREA_BANDS_DM2 if one > facts.built_area_dm2), default=None)
    wanted = SpaceSearch(kind=space.kind, area_from_dm2=lower, area_to_dm2=upper)
    return _of_others(tx, account, commodity, month, wanted, Likeness.AREA)


def _of_others(
    tx: Tx, account: Account, commodity: Commodity, month: ServicePeriod, wanted: SpaceSearch, by: Likeness
) -> AlikeHomes:
    found = space_versions.search(tx, account.site_id, wanted, month.last_on)
    others = [one.account_id for one in found if one.account_id not in (None, account.account_id)]
    ids = [one for one in others if one is not None]
    used = usage_history.of_whole_month(tx, ids, commodity, month)
    return AlikeHomes(by, len(used), middle_of(used))
