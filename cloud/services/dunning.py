"""Dunning: who is reminded today, by which step, and who is left alone.

The invariant: running it twice reminds nobody twice, and a missed day is made up for by the step reached
meanwhile, not by two reminders. Reminders are notices and nothing else.
"""

from dataclasses import dataclass
from datetime import date

from cloud.domain.access import Action, require
from cloud.domain.dunning import DunningPause, DunningSchedule, dunning_subject, reminder_key
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.ids import AccountId, SiteId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services import notices
from cloud.services.premises import site_of
from cloud.store import audit, dunning, payments, people
from cloud.store.db import Tx
from cloud.store.payments import Arrears

_REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class ArrearsRow:
    """What an account owes, how often and when it was reminded, and until when it is left alone."""

    arrears: Arrears
    reminders: int
    last_reminded_at_ms: int | None
    paused_until_on: date | None


def set_schedule(tx: Tx, actor: User, site_id: SiteId, schedule: DunningSchedule) -> None:
    """Let a site remind by this schedule; one without steps reminds nobody."""
    require(actor, Action.MANAGE_DUNNING)
    site = site_of(tx, site_id)
    dunning.set_schedule(tx, site_id, schedule, actor.person_id)
    detail: dict[str, str | int | None] = {"days": ", ".join(map(str, schedule.days))}
    audit.record(tx, actor.user_id, "set_dunning_schedule", "site", site.site_id, detail)


def get_schedule(tx: Tx, actor: User, site_id: SiteId) -> DunningSchedule:
    """Return by which schedule a site reminds."""
    require(actor, Action.READ_LEDGER)
    return dunning.schedule_of_site(tx, site_of(tx, site_id).site_id)


def pause(tx: Tx, actor: User, account_id: AccountId, until_on: date, reason: str) -> None:
    """Remind an account of nothing before a day, and take back what has not gone out; a past day ends it."""
    require(actor, Action.MANAGE_DUNNING)
    if people.find_account(tx, account_id) is None:
        raise NotFound("there is no such account")
    if not reason.strip() or len(reason) > _REASON_LENGTH_MAX:
        raise Invalid(f"say why nobody is reminded, in 1 to {_REASON_LENGTH_MAX} characters")
    dunning.set_pause(tx, DunningPause(account_id, until_on, reason.strip()), actor.person_id)
    notices.withdraw(tx, dunning_subject(account_id))
    detail: dict[str, str | int | None] = {"until_on": until_on.isoformat()}
    audit.record(tx, actor.user_id, "pause_dunning", "account", account_id, detail)


def pause_of(tx: Tx, actor: User, account_id: AccountId) -> DunningPause | None:
    """Return until when an account is left alone and why; None while it is reminded like any other."""
    require(actor, Action.READ_LEDGER)
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    today = local_date(tx.now_ms, time_zone(site_of(tx, account.site_id).time_zone))
    return dunning.pauses(tx, today).get(account_id)


def remind(tx: Tx, actor: User, site_id: SiteId) -> int:
    """Remind everybody who has reached a step since the last time; return how many that were."""
    require(actor, Action.MANAGE_DUNNING)
    site = site_of(tx, site_id)
    schedule = dunning.schedule_of_site(tx, site_id)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    paused = dunning.pauses(tx, today)
    reminded = 0
    for one in payments.list_arrears(tx, site_id, today) if schedule.days else ():
        step = schedule.step(one.oldest_due_on, today)
        if step is not None and one.account_id not in paused:
            new = _reminder(site, one, step, today)
            reminded += notices.notify(tx, new) is not None
    return reminded


def list_arrears(tx: Tx, actor: User, site_id: SiteId, as_of: date) -> list[ArrearsRow]:
    """Return who owes something overdue, the most first, with what was done about it."""
    require(actor, Action.READ_LEDGER)
    found = payments.list_arrears(tx, site_of(tx, site_id).site_id, as_of)
    told, paused = dunning.reminders(tx, Topic.DUNNING.value), dunning.pauses(tx, as_of)
    rows = []
    for one in found:
        count, last_ms = told.get(one.account_id, (0, None))
        held = paused.get(one.account_id)
        rows.append(ArrearsRow(one, count, last_ms, None if held is None else held.until_on))
    return rows


def _reminder(site: Site, one: Arrears, step: int, today: date) -> NewNotice:
    values = {
        "site": site.name,
        "space": one.space_code or one.account_number,
        "account": one.account_number,
        "day": today.isoformat(),
        "amount": f"{one.total_fen // 100}.{one.total_fen % 100:02}",
        "count": str(one.invoice_count),
        "oldest": one.oldest_due_on.isoformat(),
    }
    return NewNotice(
        Topic.DUNNING,
        reminder_key(one.account_id, one.oldest_due_on, step),
        values,
        account_id=one.account_id,
        about=dunning_subject(one.account_id),
        link="/home/pay",
    )
