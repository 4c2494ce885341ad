"""Days of a site that are not like others, as somebody outside says: heat above 35 °C, a local holiday.

The invariant: a day has one kind and the one who said so; bills already issued keep what held then.
"""

from datetime import date

from cloud.domain.access import Action, require
from cloud.domain.errors import NotFound
from cloud.domain.ids import SiteId
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, special_days
from cloud.store.db import Tx
from cloud.store.special_days import ToldDay


def list_days(tx: Tx, actor: User, site_id: SiteId, since_on: date, until_on: date) -> list[ToldDay]:
    """Return the days told of in `[since_on, until_on)`, in order."""
    require(actor, Action.READ_TARIFFS)
    site_of(tx, site_id)
    return special_days.days_between(tx, site_id, since_on, until_on)


def tell_day(tx: Tx, actor: User, site_id: SiteId, on: date, kind: str, source: str) -> ToldDay:
    """Note what kind of day it is, and who says so; said again, the last holds."""
    require(actor, Action.MANAGE_TARIFFS)
    site_of(tx, site_id)
    special_days.tell_day(tx, site_id, on, kind, source)
    detail: dict[str, str | int | None] = {"day": on.isoformat(), "kind": kind, "source": source}
    audit.record(tx, actor.user_id, "tell_day", "site", site_id, detail)
    return ToldDay(on, kind, source)


def forget_day(tx: Tx, actor: User, site_id: SiteId, on: date) -> None:
    """Take back what was told of a day: it is again what the published calendar says."""
    require(actor, Action.MANAGE_TARIFFS)
    site_of(tx, site_id)
    forgotten = special_days.forget_day(tx, site_id, on)
    if forgotten is None:
        raise NotFound(f"nothing was told of {on.isoformat()}")
    detail: dict[str, str | int | None] = {
        "day": on.isoformat(),
        "kind": forgotten.kind,
        "source": forgotten.source,
    }
    audit.record(tx, actor.user_id, "forget_day", "site", site_id, detail)
