"""Notices: what people were told, where they can be reached, and what became of each delivery."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, NoticeDeliveryId, NotifierId, SiteId
from cloud.domain.notice import (
    ADDRESS_LENGTH_MAX,
    Channel,
    Contact,
    NoticeDelivery,
    NoticeState,
    Notifier,
    ReceivedNotice,
    Topic,
    masked,
)
from cloud.domain.user import Locale
from cloud.keys import CONFIG
from cloud.services import notices


class NoticesQuery(PageQuery, frozen=True, kw_only=True):
    """Of which site a member of staff wants to hear as well."""

    site_id: Id | None = None


class NewNotifier(Request, frozen=True, kw_only=True):
    """Where staff hear of which topics; without a site of all sites. The address is never shown again."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    channel: Channel
    address: Annotated[str, Meta(min_length=1, max_length=ADDRESS_LENGTH_MAX)]
    topics: Annotated[tuple[Topic, ...], Meta(min_length=1, max_length=10)]
    site_id: Id | None = None
    locale: Locale = Locale.CHINESE


class OwnContact(Request, frozen=True):
    """Where one is reached oneself."""

    channel: Channel
    address: Annotated[str, Meta(min_length=1, max_length=ADDRESS_LENGTH_MAX)]


class NewContact(Request, frozen=True, kw_only=True):
    """A mailbox or a number of an account's people, and the language they read."""

    channel: Channel
    address: Annotated[str, Meta(min_length=1, max_length=ADDRESS_LENGTH_MAX)]
    locale: Locale = Locale.CHINESE


class ReceivedNoticeView(View, frozen=True):
    """What somebody was told; `link` leads to the page about it."""

    notice_id: str
    topic: Topic
    title: str
    text: str
    link: str
    created_at_ms: int
    read_at_ms: int | None


class NotifierView(View, frozen=True):
    """Where staff hear of what; of the address only enough to recognise it."""

    notifier_id: str
    site_id: str | None
    name: str
    channel: Channel
    address: str
    topics: tuple[Topic, ...]
    locale: Locale


class NotifiersView(View, frozen=True):
    """The notifiers, oldest first."""

    items: tuple[NotifierView, ...]


class NotifierIdView(View, frozen=True):
    """The notifier that was added."""

    notifier_id: str


class NoticeIdView(View, frozen=True):
    """The notice that was written down."""

    notice_id: str


class ContactView(View, frozen=True):
    """Where an account's people are reached; the address is masked."""

    contact_id: str
    channel: Channel
    address: str
    locale: Locale


class ContactsView(View, frozen=True):
    """An account's contacts, oldest first."""

    items: tuple[ContactView, ...]


class NoticeDeliveryView(View, frozen=True):
    """One delivery and what became of it."""

    delivery_id: str
    topic: Topic
    channel: Channel
    address: str
    title: str
    state: NoticeState
    attempts: int
    created_at_ms: int
    next_attempt_at_ms: int
    finished_at_ms: int | None
    last_reply: str


async def list_notices(call: Call[NoticesQuery, Nothing]) -> Page[ReceivedNoticeView]:
    """List what the caller was told, newest first."""
    query = call.query
    site_id = None if query.site_id is None else SiteId(query.site_id)
    found = await call.read(notices.list_received, site_id, query.cursor, query.limit)
    return page_of(found, _received_view)


async def list_notifiers(call: Call[Nothing, Nothing]) -> NotifiersView:
    """List where staff hear of what."""
    found = await call.read(notices.list_notifiers)
    return NotifiersView(items=tuple(_notifier_view(one) for one in found))


async def add_notifier(call: Call[Nothing, NewNotifier]) -> NotifierIdView:
    """Let staff hear of some topics somewhere."""
    body = call.body
    notifier_id = await call.write(
        notices.add_notifier,
        body.name,
        body.channel,
        body.address,
        body.topics,
        None if body.site_id is None else SiteId(body.site_id),
        body.locale,
        may_be_private=call.request.app[CONFIG].webhooks.allow_private,
    )
    return NotifierIdView(notifier_id=notifier_id)


async def remove_notifier(call: Call[Nothing, Nothing]) -> None:
    """Tell nobody there anything more."""
    await call.write(notices.remove_notifier, NotifierId(call.id("notifier_id")))


async def try_notifier(call: Call[Nothing, Nothing]) -> NoticeIdView:
    """Send a notice that says nothing."""
    return NoticeIdView(notice_id=await call.write(notices.try_notifier, NotifierId(call.id("notifier_id"))))


async def list_contacts(call: Call[Nothing, Nothing]) -> ContactsView:
    """List where an account's people are reached."""
    found = await call.read(notices.list_contacts, AccountId(call.id("account_id")))
    return ContactsView(items=tuple(_contact_view(one) for one in found))


async def add_contact(call: Call[Nothing, NewContact]) -> ContactView:
    """Reach an account's people at a number or a mailbox."""
    body = call.body
    added = await call.write(
        notices.add_contact, AccountId(call.id("account_id")), body.channel, body.address, body.locale
    )
    return _contact_view(added)


async def remove_contact(call: Call[Nothing, Nothing]) -> None:
    """Reach an account's people there no longer."""
    await call.write(notices.remove_contact, AccountId(call.id("account_id")), call.id("contact_id"))


async def list_own_contacts(call: Call[Nothing, Nothing]) -> ContactsView:
    """List where one is reached oneself."""
    found = await call.read(notices.own_contacts)
    return ContactsView(items=tuple(_contact_view(one) for one in found))


async def add_own_contact(call: Call[Nothing, OwnContact]) -> ContactView:
    """Be reached at a number or a mailbox."""
    return _contact_view(await call.write(notices.add_own_contact, call.body.channel, call.body.address))


async def remove_own_contact(call: Call[Nothing, Nothing]) -> None:
    """Be reached there no longer."""
    await call.write(notices.remove_own_contact, call.id("contact_id"))


async def list_deliveries(call: Call[PageQuery, Nothing]) -> Page[NoticeDeliveryView]:
    """List what went out and what became of it, newest first."""
    query = call.query
    found = await call.read(notices.list_deliveries, query.cursor, query.limit)
    return page_of(found, _delivery_view)


async def send_again(call: Call[Nothing, Nothing]) -> None:
    """Send again what was given up."""
    await call.write(notices.send_again, NoticeDeliveryId(call.id("notice_delivery_id")))


def _received_view(one: ReceivedNotice) -> ReceivedNoticeView:
    return view_of(one, ReceivedNoticeView)


def _notifier_view(one: Notifier) -> NotifierView:
    topics = tuple(sorted(one.topics, key=lambda topic: topic.value))
    return view_of(one, NotifierView, topics=topics, address=masked(one.channel, one.address))


def _contact_view(one: Contact) -> ContactView:
    return view_of(one, ContactView, address=masked(one.channel, one.address))


def _delivery_view(one: NoticeDelivery) -> NoticeDeliveryView:
    return view_of(one, NoticeDeliveryView, address=masked(one.channel, one.address))


_OWN = "/api/v1/me/contacts"
_NOTIFIERS, _CONTACTS = "/api/v1/notifiers", "/api/v1/accounts/{account_id}/contacts"

ROUTES = (
    Route(
        "GET",
        "/api/v1/notices",
        "List what you were told",
        Action.READ_NOTICES,
        list_notices,
        Page[ReceivedNoticeView],
        query=NoticesQuery,
    ),
    Route(
        "GET",
        "/api/v1/notice_deliveries",
        "List deliveries of notices",
        Action.MANAGE_NOTIFIERS,
        list_deliveries,
        Page[NoticeDeliveryView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/notice_deliveries/{notice_delivery_id}/again",
        "Send again what was given up",
        Action.MANAGE_NOTIFIERS,
        send_again,
        None,
    ),
    Route("GET", _NOTIFIERS, "List notifiers", Action.MANAGE_NOTIFIERS, list_notifiers, NotifiersView),
    Route(
        "POST",
        _NOTIFIERS,
        "Add a notifier",
        Action.MANAGE_NOTIFIERS,
        add_notifier,
        NotifierIdView,
        body=NewNotifier,
        status=201,
        description="A chat's robot (WeCom, DingTalk, Feishu), a mailbox, a number on duty, a webhook.",
    ),
    Route(
        "DELETE",
        _NOTIFIERS + "/{notifier_id}",
        "Remove a notifier",
        Action.MANAGE_NOTIFIERS,
        remove_notifier,
        None,
    ),
    Route(
        "POST",
        _NOTIFIERS + "/{notifier_id}/test",
        "Send a test notice",
        Action.MANAGE_NOTIFIERS,
        try_notifier,
        NoticeIdView,
    ),
    Route("GET", _CONTACTS, "List contacts", Action.READ_OWN_ACCOUNTS, list_contacts, ContactsView),
    Route(
        "POST",
        _CONTACTS,
        "Add a contact",
        Action.MANAGE_CONTACTS,
        add_contact,
        ContactView,
        body=NewContact,
        status=201,
    ),
    Route(
        "DELETE",
        _CONTACTS + "/{contact_id}",
        "Remove a contact",
        Action.MANAGE_CONTACTS,
        remove_contact,
        None,
    ),
    Route("GET", _OWN, "List where one is reached", Action.READ_NOTICES, list_own_contacts, ContactsView),
    Route(
        "POST",
        _OWN,
        "Be reached at a number or a mailbox",
        Action.READ_NOTICES,
        add_own_contact,
        ContactView,
        body=OwnContact,
        status=201,
        description="Alarms of the hours one is on duty, and what is given to one, are told there.",
    ),
    Route(
        "DELETE",
        _OWN + "/{contact_id}",
        "Be reached there no longer",
        Action.READ_NOTICES,
        remove_own_contact,
        None,
    ),
)
