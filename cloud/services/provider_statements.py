"""A provider's daily bill beside our books; it changes nothing, and says what somebody must look at."""

from datetime import date, timedelta

from cloud.domain.access import Action, require
from cloud.domain.ids import SiteId
from cloud.domain.payment import Method
from cloud.domain.periods import midnight_ms, time_zone
from cloud.domain.provider_statement import Comparison, Direction, compare, movements_of
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import provider_money
from cloud.store.db import Tx
from cloud.workbook.reading import read_rows


def reconcile(
    tx: Tx, actor: User, site_id: SiteId, method: Method, on: date, name: str, data: bytes
) -> Comparison:
    """Compare a provider's bill of a day with what a site booked; Invalid where it is no such bill."""
    require(actor, Action.READ_LEDGER)
    site = site_of(tx, site_id)
    zone = time_zone(site.time_zone)
    theirs = movements_of(method, read_rows(data, name))
    day_ms = midnight_ms(on, zone), midnight_ms(on + timedelta(days=1), zone)
    ours = provider_money.booked_on(tx, site_id, method, on, day_ms)
    # A payment around midnight may be booked for the day beside: it is matched by its number all the same.
    known = {(one.movement.direction, one.movement.reference) for one in ours}
    asked = [one.reference for one in theirs if (one.direction, one.reference) not in known]
    paid = [one.reference for one in theirs if one.direction is Direction.IN and one.reference in set(asked)]
    ours += provider_money.booked_as(tx, site_id, method, paid)
    return compare(method, on, theirs, ours, provider_money.elsewhere(tx, site_id, method, asked))
