"""The end of a cashier's day: what was recorded beside what was counted.

The invariant: what was counted is written down once and kept; what is recorded afterwards for that day
shows as a difference that was not there.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.payment import Method
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, refunds
from cloud.store.db import Tx

_NOTE_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class DayOfMethod:
    """One way money comes in, on one day; `counted_fen` None: nobody has counted yet."""

    method: Method
    recorded_fen: int
    recorded_then_fen: int | None
    counted_fen: int | None
    note: str
    closed_at_ms: int | None

    @property
    def difference_fen(self) -> int | None:
        """Return what was counted more than is recorded now; None before it was counted."""
        return None if self.counted_fen is None else self.counted_fen - self.recorded_fen


def day_of(tx: Tx, actor: User, site_id: SiteId, on: date) -> list[DayOfMethod]:
    """Return what was taken on a day, less what was paid out, by the way it came, and what was counted."""
    require(actor, Action.READ_LEDGER)
    site = site_of(tx, site_id)
    zone = time_zone(site.time_zone)
    taken = refunds.taken_on(
        tx, site_id, on, (midnight_ms(on, zone), midnight_ms(on + timedelta(days=1), zone))
    )
    counted = refunds.closes_of(tx, site_id, on)
    rows = []
    for method in Method:
        close = counted.get(method)
        if close is None:
            rows.append(DayOfMethod(method, taken[method], None, None, "", None))
        else:
            rows.append(
                DayOfMethod(
                    method,
                    taken[method],
                    close.recorded_fen,
                    close.counted_fen,
                    close.note,
                    close.closed_at_ms,
                )
            )
    return rows


def close_day(
    tx: Tx, actor: User, site_id: SiteId, on: date, method: Method, counted_fen: int, note: str = ""
) -> DayOfMethod:
    """Write down what was counted, once; a difference needs a note that says what it is."""
    require(actor, Action.RECORD_PAYMENTS)
    site = site_of(tx, site_id)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    if on > today:
        raise Invalid(f"{on} has not come yet; today is {today}")
    (row,) = [one for one in day_of(tx, actor, site_id, on) if one.method is method]
    if counted_fen != row.recorded_fen and not note.strip():
        raise Invalid(
            f"{counted_fen} fen were counted and {row.recorded_fen} are recorded: say in a note what it is"
        )
    if len(note) > _NOTE_LENGTH_MAX:
        raise Invalid(f"the note has {len(note)} characters, at most {_NOTE_LENGTH_MAX} are kept")
    is_first = refunds.insert_day_close(
        tx, site_id, on, method, row.recorded_fen, counted_fen, note.strip(), actor.person_id
    )
    if not is_first:
        raise Conflict(f"{method.value} of {on} was counted already")
    detail: dict[str, str | int | None] = {"on": on.isoformat(), "counted_fen": counted_fen}
    audit.record(tx, actor.user_id, "close_day", "site", site_id, detail)
    (row,) = [one for one in day_of(tx, actor, site_id, on) if one.method is method]
    return row
