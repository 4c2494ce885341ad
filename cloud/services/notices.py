"""Notices to people: written down in the transaction in which they become true, delivered by the outbox.

The invariant: one key is one notice, delivered at least once to everybody it is for; a provider that is
down holds up nobody, because nothing here waits for one. What no longer holds is withdrawn.
"""

from collections.abc import Iterable
from uuid import UUID

from cloud.domain.access import Action, require, require_account, require_bills
from cloud.domain.change import NoticeWritten
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, NoticeDeliveryId, NoticeId, NotifierId, SiteId
from cloud.domain.notice import (
    GROUP_CHANNELS,
    MONEY_TOPICS,
    PERSONAL_CHANNELS,
    REPLY_LENGTH_MAX,
    Channel,
    Contact,
    DueNotice,
    NewNotice,
    NoticeDelivery,
    NoticeState,
    Notifier,
    ReceivedNotice,
    Topic,
    checked_address,
    next_attempt_ms,
)
from cloud.domain.page import Page, checked_limit, cursor_from_key, key_from_cursor, page_of
from cloud.domain.periods import time_zone
from cloud.domain.premises import Site
from cloud.domain.user import Locale, Role, User
from cloud.domain.webhook import checked_url
from cloud.notices import texts_of
from cloud.services.premises import site_of
from cloud.store import audit, contacts, notices, people, premises, quiet_hours
from cloud.store.db import Tx

# More than these for one site is a mistake; every notice to staff is written once for each.
NOTIFIERS_MAX = 50
CONTACTS_MAX = 10
UNREAD_MAX = 100  # a person who has more to read sees "99+"
NAME_LENGTH_MAX = 60
# Long enough for an attempt and its answer to be noted.
LEASE_MS = 60_000
CLAIMED_AT_ONCE = 20


def notify(tx: Tx, new: NewNotice) -> NoticeId | None:
    """Write a notice down with everybody it goes to; None if its key was told already.

    For services, inside the transaction in which it became true. The site's quiet hours hold for
    channels that ring, unless it is urgent.
    """
    notice_id = notices.insert_notice(tx, new)
    if notice_id is None:
        return None
    deliveries: list[tuple[Channel, str, str, str]] = []
    texts = texts_of(new.topic).by_locale
    for channel, address, locale in _addresses(tx, new):
        deliveries.append((channel, address, *texts[locale].filled(new.values)))
    for locale in Locale:  # also where nobody has an address: a gap must not show later, in the console
        texts[locale].filled(new.values)
    site = _site(tx, new)
    notices.insert_deliveries(tx, notice_id, deliveries, tx.now_ms if new.is_urgent else _rings_at(tx, site))
    tx.announce(NoticeWritten(tx.tenant_id, site.site_id))
    return notice_id


def withdraw(tx: Tx, about: str) -> int:
    """Deliver nothing more of what no longer holds; return how many deliveries that stops."""
    if not about:
        raise Invalid("a notice is withdrawn by what it was about")
    return notices.withdraw(tx, about)


def list_received(
    tx: Tx, actor: User, site_id: SiteId | None = None, cursor: str | None = None, limit: int = 50
) -> Page[ReceivedNotice]:
    """Return what the actor has been told, newest first, in their language."""
    require(actor, Action.READ_NOTICES)
    checked_limit(limit)
    before = NoticeId(str(key_from_cursor(cursor, UUID)[0])) if cursor else None
    of_site = None if actor.role is Role.RESIDENT else site_id
    rows = notices.notices_for(
        tx, actor.user_id, sorted(actor.account_ids), sorted(actor.member_of), of_site, before, limit + 1
    )
    found = []
    for row in rows[:limit]:
        topic = Topic(row.topic)
        title, text = texts_of(topic).by_locale[actor.locale].filled(row.words)
        found.append(
            ReceivedNotice(NoticeId(row.id), topic, title, text, row.link, row.created_at_ms, row.read_at_ms)
        )
    return Page(tuple(found), cursor_from_key(found[-1].notice_id) if len(rows) > limit else None)


def mark_read(tx: Tx, actor: User, site_id: SiteId | None = None) -> int:
    """Note that the actor has looked at the newest notices; return how many were new."""
    unread = [one.notice_id for one in list_received(tx, actor, site_id).items if one.read_at_ms is None]
    if unread:
        notices.mark_read(tx, actor.user_id, unread)
    return len(unread)


def list_notifiers(tx: Tx, actor: User) -> list[Notifier]:
    """Return where staff hear of what."""
    require(actor, Action.MANAGE_NOTIFIERS)
    return contacts.list_notifiers(tx)


def add_notifier(
    tx: Tx,
    actor: User,
    name: str,
    channel: Channel,
    address: str,
    topics: Iterable[Topic],
    site_id: SiteId | None = None,
    locale: Locale = Locale.CHINESE,
    *,
    may_be_private: bool = False,
) -> NotifierId:
    """Let staff hear of some topics somewhere: a chat's robot, a mailbox, a number on duty."""
    require(actor, Action.MANAGE_NOTIFIERS)
    if channel not in GROUP_CHANNELS:
        raise Invalid(f"{channel.value} needs no notifier: staff find it in the console")
    wanted = frozenset(topics) - {Topic.TEST}
    if not wanted:
        raise Invalid("a notifier that tells of nothing is none: name at least one topic")
    if not name.strip() or len(name) > NAME_LENGTH_MAX:
        raise Invalid(f"a notifier's name has 1 to {NAME_LENGTH_MAX} characters")
    if site_id is not None:
        site_of(tx, site_id)
    if len(contacts.list_notifiers(tx)) >= NOTIFIERS_MAX:
        raise Conflict(f"there are {NOTIFIERS_MAX} notifiers already: remove one that is not used")
    checked = checked_address(channel, address)
    if checked.startswith("http"):
        checked_url(checked, may_be_private=may_be_private)
    added = Notifier(NotifierId(tx.new_id()), site_id, name.strip(), channel, checked, wanted, locale)
    contacts.insert_notifier(tx, added)
    audit.record(tx, actor.user_id, "add_notifier", "notifier", added.notifier_id, {"name": added.name})
    return added.notifier_id


def remove_notifier(tx: Tx, actor: User, notifier_id: NotifierId) -> None:
    """Tell nobody there anything more."""
    require(actor, Action.MANAGE_NOTIFIERS)
    if not contacts.disable_notifier(tx, notifier_id):
        raise NotFound(f"there is no notifier {notifier_id}")
    audit.record(tx, actor.user_id, "remove_notifier", "notifier", notifier_id)


def try_notifier(tx: Tx, actor: User, notifier_id: NotifierId) -> NoticeId:
    """Send a notice that says nothing, to see whether it arrives."""
    require(actor, Action.MANAGE_NOTIFIERS)
    found = next((one for one in contacts.list_notifiers(tx) if one.notifier_id == notifier_id), None)
    if found is None:
        raise NotFound(f"there is no notifier {notifier_id}")
    values = {"site": "Gatehouse"}
    new = NewNotice(Topic.TEST, f"test:{tx.new_id()}", values, user_id=actor.user_id, is_urgent=True)
    notice_id = notices.insert_notice(tx, new)
    assert notice_id is not None, "its key is new"
    said = texts_of(Topic.TEST).by_locale[found.locale].filled(values)
    notices.insert_deliveries(tx, notice_id, [(found.channel, found.address, *said)], tx.now_ms)
    tx.announce(NoticeWritten(tx.tenant_id, _site(tx, new).site_id))
    return notice_id


def list_contacts(tx: Tx, actor: User, account_id: AccountId) -> list[Contact]:
    """Return where an account's people can be reached."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_account(actor, account_id)
    _known(tx, account_id)
    return contacts.contacts_of_account(tx, account_id)


def add_contact(
    tx: Tx,
    actor: User,
    account_id: AccountId,
    channel: Channel,
    address: str,
    locale: Locale = Locale.CHINESE,
) -> Contact:
    """Reach an account's people at a number or a mailbox; one that is known is returned as it is."""
    require(actor, Action.MANAGE_CONTACTS)
    require_bills(actor, account_id)
    _known(tx, account_id)
    checked = _personal(channel, address)
    known = contacts.contacts_of_account(tx, account_id)
    for one in known:
        if (one.channel, one.address) == (channel, checked):
            return one
    _one_more(known, "the account has")
    added = Contact(tx.new_id(), account_id, None, channel, checked, locale)
    contacts.insert_contact(tx, added)
    audit.record(tx, actor.user_id, "add_contact", "account", account_id, {"channel": channel.value})
    return added


def remove_contact(tx: Tx, actor: User, account_id: AccountId, contact_id: str) -> None:
    """Reach an account's people there no longer."""
    require(actor, Action.MANAGE_CONTACTS)
    require_bills(actor, account_id)
    if not contacts.remove_contact(tx, contact_id, account_id):
        raise NotFound(f"there is no contact {contact_id}")
    audit.record(tx, actor.user_id, "remove_contact", "account", account_id)


def own_contacts(tx: Tx, actor: User) -> list[Contact]:
    """Return where the actor is reached themselves: by what concerns them as one of the staff."""
    require(actor, Action.READ_NOTICES)
    return contacts.contacts_of_user(tx, actor.user_id)


def add_own_contact(tx: Tx, actor: User, channel: Channel, address: str) -> Contact:
    """Reach the actor at a number or a mailbox, in their language; one that is known is returned as it is."""
    require(actor, Action.READ_NOTICES)
    checked = _personal(channel, address)
    known = contacts.contacts_of_user(tx, actor.user_id)
    for one in known:
        if (one.channel, one.address) == (channel, checked):
            return one
    _one_more(known, "you have")
    added = Contact(tx.new_id(), None, actor.user_id, channel, checked, actor.locale)
    contacts.insert_contact(tx, added)
    audit.record(tx, actor.user_id, "add_contact", "user", actor.user_id, {"channel": channel.value})
    return added


def remove_own_contact(tx: Tx, actor: User, contact_id: str) -> None:
    """Reach the actor there no longer."""
    require(actor, Action.READ_NOTICES)
    if not contacts.remove_contact(tx, contact_id, None, actor.user_id):
        raise NotFound(f"there is no contact {contact_id}")
    audit.record(tx, actor.user_id, "remove_contact", "user", actor.user_id)


def list_deliveries(tx: Tx, actor: User, cursor: str | None = None, limit: int = 50) -> Page[NoticeDelivery]:
    """Return what went out by which channel and what became of it, newest first."""
    require(actor, Action.MANAGE_NOTIFIERS)
    checked_limit(limit)
    before = NoticeDeliveryId(str(key_from_cursor(cursor, UUID)[0])) if cursor else None
    found = notices.list_deliveries(tx, before, limit + 1)
    return page_of(found, limit, lambda last: (last.delivery_id,))


def send_again(tx: Tx, actor: User, delivery_id: NoticeDeliveryId) -> None:
    """Try once more to deliver what was given up; Conflict if it was delivered, withdrawn or still waits."""
    require(actor, Action.MANAGE_NOTIFIERS)
    if not notices.has_delivery(tx, delivery_id):
        raise NotFound(f"there is no delivery {delivery_id}")
    if not notices.begin_again(tx, delivery_id):
        raise Conflict("only what was given up is sent again")
    audit.record(tx, actor.user_id, "send_notice_again", "notice_delivery", delivery_id)
    tx.announce(NoticeWritten(tx.tenant_id, premises.list_sites(tx)[0].site_id))


def count_unread(tx: Tx, actor: User, site_id: SiteId | None = None) -> int:
    """Return how many notices the actor has not looked at, up to a hundred."""
    require(actor, Action.READ_NOTICES)
    of_site = None if actor.role is Role.RESIDENT else site_id
    return notices.count_unread(
        tx, actor.user_id, sorted(actor.account_ids), sorted(actor.member_of), of_site, UNREAD_MAX
    )


def has_due(tx: Tx) -> bool:
    """Tell whether a notice is due, without taking it."""
    return notices.has_due(tx)


def claim_due(tx: Tx) -> list[DueNotice]:
    """Take some notices that are due, for the outbox."""
    return notices.claim_due(tx, LEASE_MS, CLAIMED_AT_ONCE)


def report(tx: Tx, due: DueNotice, failure: str | None) -> NoticeState:
    """Note how an attempt went; `failure` None means the provider took it."""
    again_ms = None if failure is None else next_attempt_ms(due.attempts + 1, due.created_at_ms, tx.now_ms)
    if failure is None:
        state = NoticeState.DELIVERED
    else:
        state = NoticeState.GIVEN_UP if again_ms is None else NoticeState.PENDING
    reply = (failure or "")[:REPLY_LENGTH_MAX]
    notices.finish_attempt(tx, due.delivery_id, state, reply, again_ms or tx.now_ms)
    return state


def _addresses(tx: Tx, new: NewNotice) -> list[tuple[Channel, str, Locale]]:
    if new.account_id is not None:
        found = contacts.reachable_for_account(tx, new.account_id, is_money=new.topic in MONEY_TOPICS)
        return [(one.channel, one.address, one.locale) for one in found]
    if new.user_id is not None:
        found = contacts.contacts_of_user(tx, new.user_id)
        return [(one.channel, one.address, one.locale) for one in found]
    return [
        (one.channel, one.address, one.locale)
        for one in contacts.list_notifiers(tx)
        if new.topic in one.topics and one.site_id in (None, new.site_id)
    ]


def _personal(channel: Channel, address: str) -> str:
    if channel not in PERSONAL_CHANNELS:
        raise Invalid(f"a person is reached by e-mail or sms, not by {channel.value}")
    return checked_address(channel, address)


def _one_more(known: list[Contact], whose: str) -> None:
    if len(known) >= CONTACTS_MAX:
        raise Conflict(f"{whose} {CONTACTS_MAX} contacts already: remove one that is not used")


def _site(tx: Tx, new: NewNotice) -> Site:
    """Return the site in whose night the notice's readers sleep; a user's is the first there is."""
    if new.account_id is not None:
        return site_of(tx, _known(tx, new.account_id))
    if new.site_id is not None:
        return site_of(tx, new.site_id)
    sites = premises.list_sites(tx)
    if not sites:
        raise NotFound("no site has been set up yet")
    return sites[0]


def _rings_at(tx: Tx, site: Site) -> int:
    """Return when somebody at the site may be rung: now, or when its quiet hours are over."""
    hours = quiet_hours.hours_of_site(tx, site.site_id)
    return tx.now_ms if hours is None else hours.end_ms(tx.now_ms, time_zone(site.time_zone))


def _known(tx: Tx, account_id: AccountId) -> SiteId:
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    return account.site_id
