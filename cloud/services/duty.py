"""The duty roster: posts and their rotas, swaps, and who is on duty at this moment.

The invariant: whoever has left (can sign in no more) holds no turn, so an alarm is never told to somebody
who is not there any more while somebody else is on duty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cloud.domain.access import POLICY, Action, may, require
from cloud.domain.dispatch import Shift
from cloud.domain.duty import REASON_LENGTH_MAX, DutyPost, DutySwap, DutyTurn, to_tell, turns_between
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import DutyPostId, SiteId, UserId
from cloud.domain.periods import local_date, time_zone
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, duty, users
from cloud.store.db import Tx

ROSTER_DAYS_MAX = 62
_POSTS_MAX = 30
_STAFF_MAX = 500


@dataclass(frozen=True, slots=True)
class NamedTurn:
    """A turn and the names of who holds it and whose it would have been; `is_gone`: can sign in no more."""

    turn: DutyTurn
    name: str
    instead_of_name: str
    is_gone: bool


def add_post(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    circle: int,
    shift: Shift,
    turn_days: int,
    starts_on: date,
    rota: Sequence[UserId],
) -> DutyPost:
    """Have a post held in turn from a day on."""
    require(actor, Action.MANAGE_DUTY)
    site_of(tx, site_id)
    if len(duty.list_posts(tx, site_id)) >= _POSTS_MAX:
        raise Conflict(f"there are {_POSTS_MAX} posts already: end one that is not needed")
    for user_id in dict.fromkeys(rota):
        _fit(tx, user_id)
    post_id = DutyPostId(tx.new_id())
    said = " ".join(name.split())
    added = DutyPost(post_id, site_id, said, circle, shift, turn_days, starts_on, tuple(rota))
    duty.insert_post(tx, added)
    audit.record(tx, actor.user_id, "add_duty_post", "duty_post", post_id, {"name": said})
    return added


def end_post(tx: Tx, actor: User, post_id: DutyPostId) -> None:
    """Let nobody hold a post any more."""
    require(actor, Action.MANAGE_DUTY)
    _found(tx, post_id)
    duty.end_post(tx, post_id)
    audit.record(tx, actor.user_id, "end_duty_post", "duty_post", post_id)


def list_posts(tx: Tx, actor: User, site_id: SiteId) -> list[DutyPost]:
    """Return a site's posts by circle and name."""
    require(actor, Action.READ_DUTY)
    return duty.list_posts(tx, site_of(tx, site_id).site_id)


def swap(tx: Tx, actor: User, post_id: DutyPostId, on: date, user_id: UserId, reason: str) -> NamedTurn:
    """Give one day's turn to somebody else; whoever is no manager may only give away their own.

    Giving it to whose turn it is by the rota takes a swap back.
    """
    require(actor, Action.SWAP_DUTY)
    post = _found(tx, post_id)
    before = _turn(tx, post, on)
    if not may(actor, Action.MANAGE_DUTY) and before.user_id != actor.user_id:
        raise Forbidden("a turn is given away by whose it is, or by a manager")
    if before.until_ms <= tx.now_ms:
        raise Conflict(f"the turn of {on} is over")
    if len(reason) > REASON_LENGTH_MAX:
        raise Invalid(f"the reason has {len(reason)} characters, expected {REASON_LENGTH_MAX} at most")
    _fit(tx, user_id)
    if user_id == post.turn_of(on):
        duty.delete_swap(tx, post_id, on)
    else:
        duty.put_swap(tx, DutySwap(post_id, on, user_id, reason.strip()), actor.person_id)
    details = {"on": on.isoformat(), "from": before.user_id, "to": user_id}
    audit.record(tx, actor.user_id, "swap_duty", "duty_post", post_id, details)
    return _named(tx, [_turn(tx, post, on)])[0]


def roster(tx: Tx, actor: User, site_id: SiteId, first_on: date, days: int) -> list[NamedTurn]:
    """Return the shifts that begin within some days, by day, circle and name."""
    require(actor, Action.READ_DUTY)
    if not 1 <= days <= ROSTER_DAYS_MAX:
        raise Invalid(f"a roster of {days} days, expected 1 to {ROSTER_DAYS_MAX}")
    return _named(tx, _turns(tx, site_id, first_on, days))


def on_duty(tx: Tx, actor: User, site_id: SiteId) -> list[NamedTurn]:
    """Return who holds a site's posts at this moment, the first circle first."""
    require(actor, Action.READ_DUTY)
    return _now(tx, site_id)


def to_tell_of_alarm(tx: Tx, site_id: SiteId, step: int) -> list[UserId]:
    """Return who is on duty now and hears of an alarm at a step of its escalation; for services."""
    return to_tell((one.turn for one in _now(tx, site_id) if not one.is_gone), step)


def fit_for_duty(tx: Tx, actor: User) -> list[User]:
    """Return who may hold a post, by name."""
    require(actor, Action.READ_DUTY)
    known = users.list_staff(tx, _STAFF_MAX)
    fit = [one.user for one in known if one.disabled_at_ms is None and _is_fit(one.user)]
    return sorted(fit, key=lambda one: one.display_name)


def _now(tx: Tx, site_id: SiteId) -> list[NamedTurn]:
    today = _today(tx, site_id)
    # A shift may have begun yesterday; none is longer than a day.
    near = _turns(tx, site_id, today - timedelta(days=1), 2)
    return _named(tx, [one for one in near if one.from_ms <= tx.now_ms < one.until_ms])


def _turns(tx: Tx, site_id: SiteId, first_on: date, days: int) -> list[DutyTurn]:
    zone = time_zone(site_of(tx, site_id).time_zone)
    swaps = duty.swaps_between(tx, site_id, first_on, first_on + timedelta(days=days - 1))
    return turns_between(duty.list_posts(tx, site_id), swaps, first_on, days, zone)


def _turn(tx: Tx, post: DutyPost, on: date) -> DutyTurn:
    zone = time_zone(site_of(tx, post.site_id).time_zone)
    swaps = duty.swaps_between(tx, post.site_id, on, on)
    found = turns_between([post], swaps, on, 1, zone)
    if not found:
        raise Invalid(f"{post.name} is not held on {on}")
    return found[0]


def _named(tx: Tx, turns: Sequence[DutyTurn]) -> list[NamedTurn]:
    ids = {one.user_id for one in turns} | {one.instead_of for one in turns if one.instead_of}
    known = {user_id: record for user_id in sorted(ids) if (record := users.find_user(tx, user_id))}
    return [
        NamedTurn(
            one,
            known[one.user_id].user.display_name,
            known[one.instead_of].user.display_name if one.instead_of else "",
            known[one.user_id].disabled_at_ms is not None,
        )
        for one in turns
    ]


def _today(tx: Tx, site_id: SiteId) -> date:
    return local_date(tx.now_ms, time_zone(site_of(tx, site_id).time_zone))


def _found(tx: Tx, post_id: DutyPostId) -> DutyPost:
    found = duty.find_post(tx, post_id)
    if found is None:
        raise NotFound(f"there is no duty post {post_id}")
    return found


def _fit(tx: Tx, user_id: UserId) -> None:
    record = users.find_user(tx, user_id)
    if record is None or record.disabled_at_ms is not None:
        raise NotFound("there is no such user")
    if not _is_fit(record.user):
        raise Invalid(f"{record.user.display_name} cannot deal with alarms")


def _is_fit(user: User) -> bool:
    return user.role in POLICY[Action.ACKNOWLEDGE_ALARM]
