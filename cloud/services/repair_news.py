"""What people are told of repairs: the home it is in, who is sent, and the staff of the site.

The invariant: nobody is told of their own act, and what is told is written with what happened.
"""

from cloud.domain.ids import AccountId, UserId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.repair import Channel, Repair, Urgency
from cloud.domain.user import Role, User
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.store.db import Tx

_TITLE_LENGTH_MAX = 40


def tell_home(tx: Tx, actor: User, found: Repair, word: str, note: str = "") -> None:
    """Tell those of the home a repair is in, unless it was one of them who acted."""
    if found.account_id is None or actor.role is Role.RESIDENT:
        return
    link = f"/home/repairs/{found.number}"
    notify(tx, _notice(tx, found, word, note, link, account_id=found.account_id))


def tell_technician(tx: Tx, found: Repair, user_id: UserId) -> None:
    """Tell somebody that a repair is theirs now."""
    where = found.space_code or found.place
    notify(tx, _notice(tx, found, "assigned", where, f"/jobs/{found.number}", user_id=user_id))


def tell_site(tx: Tx, found: Repair, word: str) -> None:
    """Tell the staff of the site that somebody must look."""
    where = found.space_code or found.place
    notify(tx, _notice(tx, found, word, where, f"/repairs/{found.number}", is_of_site=True))


def tell_of_answer(tx: Tx, actor: User, found: Repair, word: str, note: str) -> None:
    """Tell who mends it what the home has said: confirmed, opened again, called off."""
    if found.assignee_id is not None and found.assignee_id != actor.user_id:
        notify(tx, _notice(tx, found, word, note, f"/jobs/{found.number}", user_id=found.assignee_id))


def _notice(
    tx: Tx,
    found: Repair,
    word: str,
    note: str,
    link: str,
    *,
    account_id: AccountId | None = None,
    user_id: UserId | None = None,
    is_of_site: bool = False,
) -> NewNotice:
    values = {
        "site": site_of(tx, found.site_id).name,
        "number": found.number,
        "title": found.description[:_TITLE_LENGTH_MAX],
        "state": word,
        "note": note,
    }
    return NewNotice(
        Topic.REPAIR,
        f"repair:{tx.new_id()}",
        values,
        account_id=account_id,
        user_id=user_id,
        site_id=found.site_id if is_of_site else None,
        about=f"repair:{found.repair_id}",
        link=link,
        is_urgent=found.urgency is Urgency.EMERGENCY or found.channel is Channel.ALARM,
    )
