"""Handling alarms: given to somebody, noted upon, put aside for a while, escalated where nobody answers.

The invariant: nothing here ends an alarm; what is put aside comes back by itself, and whatever nobody
acknowledges is told to one circle more at each step, each step once.
"""

from collections.abc import Collection

from cloud.domain.access import POLICY, Action, require
from cloud.domain.alarm import OPEN_STATES, Alarm, AlarmState
from cloud.domain.alarm_handling import (
    SHELVED_FOR_MAX_MS,
    TEXT_LENGTH_MAX,
    AlarmAct,
    AlarmActKind,
    Handling,
    escalations_due,
    handling_of,
)
from cloud.domain.change import AlarmAct as ToldAct
from cloud.domain.change import AlarmChanged
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AlarmId, UserId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.periods import local_time, time_zone
from cloud.domain.user import Locale, User
from cloud.notices import texts_of
from cloud.services import duty
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.store import alarm_acts, alarms, audit, users
from cloud.store.db import Tx

_OPEN_MAX = 500


def handling(tx: Tx, actor: User, alarm_id: AlarmId) -> tuple[Handling, list[AlarmAct]]:
    """Return where the handling of an alarm stands, and its acts, oldest first."""
    require(actor, Action.READ_ALARMS)
    found = _found(tx, alarm_id)
    acts = alarm_acts.acts_of(tx, [alarm_id]).get(alarm_id, [])
    return handling_of(found, acts, tx.now_ms), acts


def handlings(tx: Tx, actor: User, shown: Collection[Alarm]) -> dict[AlarmId, Handling]:
    """Return where the handling of each of these alarms stands."""
    require(actor, Action.READ_ALARMS)
    acts = alarm_acts.acts_of(tx, [one.alarm_id for one in shown])
    return {one.alarm_id: handling_of(one, acts.get(one.alarm_id, []), tx.now_ms) for one in shown}


def assign(tx: Tx, actor: User, alarm_id: AlarmId, user_id: UserId) -> None:
    """Give an alarm to somebody who may deal with it, and tell them."""
    require(actor, Action.ACKNOWLEDGE_ALARM)
    found = _open(tx, alarm_id)
    record = users.find_user(tx, user_id)
    if record is None or record.disabled_at_ms is not None:
        raise NotFound("there is no such user")
    if record.user.role not in POLICY[Action.ACKNOWLEDGE_ALARM]:
        raise Invalid(f"{record.user.display_name} cannot deal with alarms")
    alarm_acts.insert_act(tx, alarm_id, AlarmActKind.ASSIGNED, "", actor.person_id, user_id)
    audit.record(tx, actor.user_id, "assign_alarm", "alarm", alarm_id, {"to": user_id})
    if user_id != actor.user_id:
        notify(tx, _notice(tx, found, user_id=user_id))
    _tell(tx, found)


def helpers(tx: Tx, actor: User) -> list[User]:
    """Return who may deal with alarms and can still sign in, by name."""
    require(actor, Action.ACKNOWLEDGE_ALARM)
    found = users.list_users(tx, "", _OPEN_MAX)
    may_help = POLICY[Action.ACKNOWLEDGE_ALARM]
    return sorted(
        (one.user for one in found if one.disabled_at_ms is None and one.user.role in may_help),
        key=lambda one: one.display_name,
    )


def comment(tx: Tx, actor: User, alarm_id: AlarmId, text: str) -> None:
    """Note something about an alarm, open or over."""
    require(actor, Action.ACKNOWLEDGE_ALARM)
    found = _found(tx, alarm_id)
    alarm_acts.insert_act(tx, alarm_id, AlarmActKind.COMMENTED, _checked(text), actor.person_id)
    _tell(tx, found)


def shelve(tx: Tx, actor: User, alarm_id: AlarmId, until_ms: int, reason: str) -> None:
    """Put an alarm aside until a moment, for a reason; it is not escalated meanwhile and comes back then."""
    require(actor, Action.ACKNOWLEDGE_ALARM)
    found = _open(tx, alarm_id)
    if not 0 < until_ms - tx.now_ms <= SHELVED_FOR_MAX_MS:
        raise Invalid("an alarm is put aside for a day at most, and not into the past")
    alarm_acts.insert_act(
        tx, alarm_id, AlarmActKind.SHELVED, _checked(reason), actor.person_id, until_ms=until_ms
    )
    audit.record(tx, actor.user_id, "shelve_alarm", "alarm", alarm_id, {"until_ms": until_ms})
    _tell(tx, found)


def unshelve(tx: Tx, actor: User, alarm_id: AlarmId) -> None:
    """Take an alarm back from where it was put aside."""
    require(actor, Action.ACKNOWLEDGE_ALARM)
    found = _open(tx, alarm_id)
    alarm_acts.insert_act(tx, alarm_id, AlarmActKind.UNSHELVED, "", actor.person_id)
    _tell(tx, found)


def escalate(tx: Tx) -> int:
    """Tell of every alarm nobody has acknowledged in time, one notice a step; return how many steps."""
    active = alarms.list_alarms(
        tx, None, frozenset({AlarmState.ACTIVE}), worst_first=True, before=None, limit=_OPEN_MAX
    )
    acts = alarm_acts.acts_of(tx, [one.alarm_id for one in active])
    taken = 0
    for found in active:
        now = handling_of(found, acts.get(found.alarm_id, []), tx.now_ms)
        due = escalations_due(found, now, tx.now_ms)
        if due <= now.escalations:
            continue
        told = duty.to_tell_of_alarm(tx, found.site_id, due)
        for step in range(now.escalations + 1, due + 1):
            first = told[0] if told else None
            alarm_acts.insert_act(tx, found.alarm_id, AlarmActKind.ESCALATED, str(step), about_id=first)
            taken += 1
        # However many steps were missed, one notice says what is so now: to the site's staff, and to each
        # of those on duty at this moment.
        notify(tx, _notice(tx, found, step=due))
        for user_id in told:
            notify(tx, _notice(tx, found, step=due, user_id=user_id))
        _tell(tx, found)
    return taken


def _notice(tx: Tx, found: Alarm, *, user_id: UserId | None = None, step: int = 0) -> NewNotice:
    site = site_of(tx, found.site_id)
    at = local_time(found.raised_at_ms, time_zone(site.time_zone))
    values = {
        "site": site.name,
        "message": " ".join(filter(None, (found.number, found.device_title or found.point_key))),
        "what": _what(found),
        "time": f"{at:%m-%d %H:%M:%S}",
    }
    return NewNotice(
        Topic.ALARM,
        f"alarm:{found.alarm_id}:{step or tx.new_id()}" + (f":{user_id}" if user_id else ""),
        values,
        user_id=user_id,
        site_id=None if user_id else found.site_id,
        about=f"alarm:{found.alarm_id}",
        link=f"/alarms/{found.alarm_id}",
        is_urgent=True,
    )


def _what(found: Alarm) -> str:
    """Return what is the matter: its kind, which every reader hears in their language.

    A device's own words are English, and stand on the alarm's page; those written by the office are not.
    """
    if found.message and not found.message.isascii():
        return found.message
    is_known = found.kind in texts_of(Topic.ALARM).by_locale[Locale.CHINESE].words
    return found.kind if is_known else found.message or found.kind.replace("_", " ")


def _tell(tx: Tx, found: Alarm) -> None:
    tx.announce(
        AlarmChanged(
            tx.tenant_id,
            found.site_id,
            found.alarm_id,
            ToldAct.HANDLED,
            found.kind,
            found.severity,
            found.point_key,
            found.message,
            tx.now_ms,
        )
    )


def _found(tx: Tx, alarm_id: AlarmId) -> Alarm:
    found = alarms.find_alarm(tx, alarm_id)
    if found is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    return found


def _open(tx: Tx, alarm_id: AlarmId) -> Alarm:
    found = _found(tx, alarm_id)
    if found.state not in OPEN_STATES:
        raise Conflict(f"alarm {found.number} is over already")
    return found


def _checked(text: str) -> str:
    said = text.strip()
    if not 1 <= len(said) <= TEXT_LENGTH_MAX:
        raise Invalid(f"the text has {len(said)} characters, expected 1 to {TEXT_LENGTH_MAX}")
    return said
