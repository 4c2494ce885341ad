"""Who is not let in as a visitor; whoever guards the site is told why, and nobody else.

The invariant: a barring holds at the gate and at the doors alike, also for a code given out before it.
"""

from collections.abc import Collection

from cloud.domain.access import Action, require
from cloud.domain.barring import REASON_LENGTH_MAX, Barring
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.identity_number import plate_number
from cloud.domain.ids import BarringId, SiteId, VisitId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.periods import local_time, time_zone
from cloud.domain.user import User
from cloud.domain.visit import NAME_LENGTH_MAX, Visit
from cloud.services import duty, granting
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.store import audit, barrings
from cloud.store.db import Tx

_BARRED_MAX = 500
# Who stays at the gate and tries the code again is told of once an hour.
_TOLD_AGAIN_MS = 3_600_000


def bar(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    plate: str,
    reason: str,
    until_ms: int | None = None,
) -> Barring:
    """Let somebody in no more, by name, plate or both, until a moment or until it is lifted."""
    require(actor, Action.BAR_VISITORS)
    site_of(tx, site_id)
    said, why = " ".join(name.split()), reason.strip()
    if len(said) > NAME_LENGTH_MAX or not (said or plate.strip()):
        raise Invalid(f"say who: a name of {NAME_LENGTH_MAX} characters at most, or a plate")
    if not 1 <= len(why) <= REASON_LENGTH_MAX:
        raise Invalid(f"the reason has {len(why)} characters, expected 1 to {REASON_LENGTH_MAX}")
    if until_ms is not None and until_ms <= tx.now_ms:
        raise Invalid("a barring ends in the future, or when it is lifted")
    if len(barrings.list_barrings(tx, site_id)) >= _BARRED_MAX:
        raise Conflict(f"{_BARRED_MAX} are barred already: lift one that is not needed")
    checked = plate_number(plate) if plate.strip() else ""
    barring_id = barrings.insert_barring(tx, site_id, said, checked, why, until_ms, actor.person_id)
    audit.record(tx, actor.user_id, "bar_visitor", "barring", barring_id, {"reason": why})
    granting.changed(tx, site_id)
    return _found(tx, barring_id)


def lift(tx: Tx, actor: User, barring_id: BarringId) -> None:
    """Let somebody in again."""
    require(actor, Action.BAR_VISITORS)
    found = _found(tx, barring_id)
    if not barrings.lift(tx, barring_id):
        raise Conflict("this barring was lifted already")
    audit.record(tx, actor.user_id, "lift_barring", "barring", barring_id)
    granting.changed(tx, found.site_id)


def list_barrings(tx: Tx, actor: User, site_id: SiteId) -> list[Barring]:
    """Return who is barred now, the last first."""
    require(actor, Action.ADMIT_VISITORS)
    return barrings.list_barrings(tx, site_of(tx, site_id).site_id)


def barred(tx: Tx, visit_ids: Collection[VisitId]) -> dict[VisitId, Barring]:
    """Return which of these visits are of somebody barred; for services."""
    return {one.visit_id: one.barring for one in barrings.barred_visits(tx, visit_ids)}


def note_refusal(tx: Tx, actor: User, found: Visit, barring: Barring) -> None:
    """Write down that somebody barred stood at the gate, and tell whoever is on duty."""
    details = {"barring_id": barring.barring_id}
    audit.record(tx, actor.user_id, "refuse_barred_visitor", "visit", found.visit_id, details)
    site = site_of(tx, found.site_id)
    at = local_time(tx.now_ms, time_zone(site.time_zone))
    values = {
        "site": site.name,
        "message": f"{found.name} → {found.space_code}",
        "what": "barred_visitor",
        "time": f"{at:%m-%d %H:%M:%S}",
    }
    for user_id in duty.to_tell_of_alarm(tx, found.site_id, 2):
        key = f"barred:{found.visit_id}:{user_id}:{tx.now_ms // _TOLD_AGAIN_MS}"
        notify(tx, NewNotice(Topic.ALARM, key, values, user_id=user_id, is_urgent=True))


def _found(tx: Tx, barring_id: BarringId) -> Barring:
    found = barrings.find_barring(tx, barring_id)
    if found is None:
        raise NotFound(f"there is no barring {barring_id}")
    return found
