"""A table of what was used in the ladder year so far: kept where ladders look, charged never.

The invariant: what is counted from the system before lies before the first day billed here, and stays as
it is once a bill has climbed on it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from cloud.domain.access import Action
from cloud.domain.errors import Conflict
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds.opening_usage import OPENING_USAGE
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.periods import ServicePeriod, local_date, time_zone
from cloud.domain.premises import Commodity, Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import opening_usage, people
from cloud.store.db import Tx

_ONE_DAY = timedelta(days=1)


def look(tx: Tx, site: Site) -> Look:
    """Return what was taken over; a ladder cannot be moved under bills that stand on it."""
    accounts = people.accounts_by_number(tx, site.site_id)
    points = opening_usage.points_of(tx, site.site_id)
    billed = opening_usage.billed_since(tx, site.site_id)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    present: dict[Key, Values] = {
        (one.account_number, one.commodity.value): {
            "account": one.account_number,
            "commodity": one.commodity.value,
            "from_on": one.dates.start_on,
            "until_on": one.dates.end_on - _ONE_DAY,
            "quantity": one.quantity,
        }
        for one in opening_usage.openings_of(tx, site.site_id)
    }

    def check(values: Values, there: Values | None) -> Sequence[Fault]:
        number, commodity = str(values["account"]), Commodity(str(values["commodity"]))
        if number not in accounts:
            return (Fault("no_account", (number,), "account"),)
        own = points.get((number, commodity), [])
        if len(own) != 1:
            return (Fault("no_one_supply", (number,), "commodity"),)
        dates = _days(values)
        if dates[1] < dates[0]:
            return (Fault("until_first", tuple(map(str, dates)), "until_on"),)
        if dates[1] >= today:
            return (Fault("day_ahead", (str(dates[1]),), "until_on"),)
        first = billed.get(own[0])
        if there is None and first is not None:
            return (Fault("billed_here", (str(first),), "until_on"),)
        return ()

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Keep what was used."""
    del actor
    accounts = people.accounts_by_number(tx, site.site_id)
    points = opening_usage.points_of(tx, site.site_id)
    added = {}
    for row in rows:
        number = str(row.values["account"])
        [point] = points[number, Commodity(str(row.values["commodity"]))]
        first, last = _days(row.values)
        quantity = Decimal(str(row.values["quantity"]))
        added[point, accounts[number].account_id] = ServicePeriod(first, last + _ONE_DAY), quantity
    return {"opening_usage": opening_usage.insert_openings(tx, added)}


def take_back(tx: Tx, actor: User, site: Site, made: Mapping[str, Sequence[str]], reason: str) -> None:
    """Refuse to move a ladder under bills that stand on it; Conflict names the first day they are for."""
    del actor, reason
    billed = opening_usage.billed_since(tx, site.site_id)
    for point in opening_usage.points_of_openings(tx, made.get("opening_usage", ())).values():
        if point in billed:
            raise Conflict(f"bills since {billed[point]} stand on this usage: it cannot be undone")


def _days(values: Values) -> tuple[date, date]:
    first, last = values["from_on"], values["until_on"]
    assert isinstance(first, date) and isinstance(last, date), "the columns hold days"
    return first, last


IMPORTER = Importer(OPENING_USAGE, Action.CORRECT_INVOICES, look, add, take_back=take_back)
