"""When a site is quiet: nobody is rung then for what is not urgent."""

from cloud.domain.access import Action, require
from cloud.domain.ids import SiteId
from cloud.domain.quiet_hours import QuietHours
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, quiet_hours
from cloud.store.db import Tx


def get_hours(tx: Tx, actor: User, site_id: SiteId) -> QuietHours | None:
    """Return when a site is quiet; None: never."""
    require(actor, Action.MANAGE_NOTIFIERS)
    return quiet_hours.hours_of_site(tx, site_of(tx, site_id).site_id)


def set_hours(tx: Tx, actor: User, site_id: SiteId, hours: QuietHours | None) -> None:
    """Let a site be quiet in these hours, or never; what waits already goes out when it was to."""
    require(actor, Action.MANAGE_NOTIFIERS)
    site = site_of(tx, site_id)
    quiet_hours.set_hours(tx, site.site_id, hours, actor.person_id)
    detail: dict[str, str | int | None] = {"hours": None if hours is None else str(hours)}
    audit.record(tx, actor.user_id, "set_quiet_hours", "site", site.site_id, detail)
