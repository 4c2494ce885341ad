"""Where staff hear of what, what went out and what became of it; and what the reader was told themselves."""

from dataclasses import dataclass, replace

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.typed import BadField, minute_of
from cloud.domain.errors import Conflict, Invalid, NotFound, TooMany
from cloud.domain.ids import NoticeDeliveryId, NotifierId, SiteId, is_uuid
from cloud.domain.notice import (
    ADDRESS_LENGTH_MAX,
    GROUP_CHANNELS,
    Channel,
    NoticeDelivery,
    Notifier,
    ReceivedNotice,
    Topic,
    masked,
)
from cloud.domain.quiet_hours import QuietHours
from cloud.domain.user import Locale, Role, User
from cloud.keys import CONFIG
from cloud.services import notices, quiet_hours
from cloud.store.db import Tx

_ROWS = 50
_REFUSALS = (Conflict, Invalid, NotFound, TooMany)
_CHANNELS = tuple(sorted(channel.value for channel in GROUP_CHANNELS))
_TOPICS = tuple(topic.value for topic in Topic if topic is not Topic.TEST)


@dataclass(frozen=True, slots=True)
class Typed:
    """The form of a new notifier as it was sent; a robot's address is a secret and is typed again."""

    name: str = ""
    channel: str = Channel.WECOM.value
    topics: frozenset[str] = frozenset({Topic.ALARM.value})
    locale: str = Locale.CHINESE.value
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class TypedHours:
    """The form of the quiet hours: what holds, or as it was sent."""

    begins: str
    ends: str
    never: bool

    @classmethod
    def of(cls, hours: QuietHours | None) -> "TypedHours":
        """Return what holds as the form shows it; a site without any is offered the usual ones."""
        shown = hours or QuietHours()
        return cls(shown.begins, shown.ends, hours is None)


@dataclass(frozen=True, slots=True)
class NotifiersView:
    """The page: channels in use, when nobody is rung, and the newest of what went out."""

    notifiers: tuple[Notifier, ...]
    deliveries: tuple[NoticeDelivery, ...]
    next_cursor: str | None
    quiet: QuietHours | None
    hours: TypedHours
    channels: tuple[str, ...] = _CHANNELS
    topics: tuple[str, ...] = _TOPICS
    typed: Typed = Typed()
    error: str = ""
    wrong_field: str = ""  # the error stands there, not above the page

    def masked(self, one: Notifier | NoticeDelivery) -> str:
        """Return an address as a page may show it."""
        return masked(one.channel, one.address)


@dataclass(frozen=True, slots=True)
class InboxView:
    """What the reader was told; what was new when the page was opened is marked."""

    received: tuple[ReceivedNotice, ...]
    next_cursor: str | None


async def show(desk: Desk) -> web.StreamResponse:
    """Show where staff hear of what, and what went out."""
    return await desk.page("notifiers.html", view=await _page(desk, desk.request.query.get("after")))


async def act(desk: Desk) -> web.StreamResponse:
    """Add, try or remove a channel; send again what was given up; set when nobody is rung."""
    form = await desk.request.post()
    wanted, word = str(form.get("act", "")), "person-changed"
    typed, hours = Typed(), None
    try:
        match wanted:
            case "add":
                topics = frozenset(str(one) for one in form.getall("topic", []))
                typed = Typed(
                    str(form.get("name", "")),
                    str(form.get("channel", "")),
                    topics,
                    str(form.get("locale", "")),
                    "everywhere" in form,
                )
                await _add(desk, typed, str(form.get("address", ""))[:ADDRESS_LENGTH_MAX])
            case "try":
                await desk.write(notices.try_notifier, NotifierId(_id(form.get("notifier"))))
                word = "notice-tried"
            case "remove":
                await desk.write(notices.remove_notifier, NotifierId(_id(form.get("notifier"))))
            case "again":
                await desk.write(notices.send_again, NoticeDeliveryId(_id(form.get("delivery"))))
                word = "notice-again"
            case "quiet":
                hours = TypedHours(str(form.get("from", "")), str(form.get("until", "")), "never" in form)
                await _be_quiet(desk, hours)
                word = "quiet-hours-set"
            case other:
                raise Invalid(f"there is no act {other!r}")
    except _REFUSALS as error:
        found = await _page(desk, None)
        name = error.name if isinstance(error, BadField) else ""
        view = replace(found, typed=typed, hours=hours or found.hours, error=str(error), wrong_field=name)
        return await desk.page("notifiers.html", status=422, view=view)
    return desk.go("/notifiers", word)


async def show_inbox(desk: Desk) -> web.StreamResponse:
    """Show what the reader was told; from now on it is read."""
    site_id = desk.site.site_id
    page = await desk.read(notices.list_received, site_id, desk.request.query.get("after"), _ROWS)
    if any(one.read_at_ms is None for one in page.items):
        await desk.write(notices.mark_read, site_id)
    template = "home/inbox.html" if desk.actor.role is Role.RESIDENT else "inbox.html"
    return await desk.page(template, tab="/home/more", view=InboxView(page.items, page.next_cursor))


async def _add(desk: Desk, typed: Typed, address: str) -> None:
    try:
        channel, locale = Channel(typed.channel), Locale(typed.locale)
        topics = [Topic(one) for one in typed.topics]
    except ValueError as error:
        raise Invalid(str(error)) from error
    await desk.write(
        notices.add_notifier,
        typed.name,
        channel,
        address.strip(),
        topics,
        None if typed.everywhere else desk.site.site_id,
        locale,
        may_be_private=desk.request.app[CONFIG].webhooks.allow_private,
    )


async def _be_quiet(desk: Desk, typed: TypedHours) -> None:
    hours = None
    if not typed.never:
        fmt = desk.format
        hours = QuietHours(minute_of(typed.begins, fmt, "from"), minute_of(typed.ends, fmt, "until"))
    await desk.write(quiet_hours.set_hours, desk.site.site_id, hours)


async def _page(desk: Desk, after: str | None) -> NotifiersView:
    return await desk.read(_view, desk.site.site_id, after)


def _view(tx: Tx, actor: User, site_id: SiteId, after: str | None) -> NotifiersView:
    page = notices.list_deliveries(tx, actor, after, _ROWS)
    quiet = quiet_hours.get_hours(tx, actor, site_id)
    channels = tuple(notices.list_notifiers(tx, actor))
    return NotifiersView(channels, page.items, page.next_cursor, quiet, TypedHours.of(quiet))


def _id(value: object) -> str:
    text = str(value)
    if not is_uuid(text):
        raise NotFound("there is no such thing")
    return text
